/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/config_internal.h"
#include "core/now.h"

const char *why_unreadable(const char *path, int error)
{
    if (error != EACCES || !path || access(path, R_OK) != 0)
        return strerror(error);
    return "forbidden by the sandbox that this process has been in since its start; restart it, "
           "or else look at AppArmor or SELinux";
}

static void file_problem(struct problems *ps, const char *name, const char *what, int error)
{
    struct source at = {.file = name};
    if (error)
        problem_add(ps, SEVERITY_ERROR, &at, 0, 0, 0, "%s: %s", what, why_unreadable(name, error));
    else
        problem_add(ps, SEVERITY_ERROR, &at, 0, 0, 0, "%s", what);
}

/* ---- from nodes to a configuration --------------------------------------- */

/* Nodes are read with the mistakes of all options told, and then put to use. */
static void build(struct reader *r, const struct yaml_node *root)
{
    struct config *c = r->config;
    struct value v[OPTION_COUNT], section[OPTION_COUNT];
    read_section(r, IN_ROOT, root, v);
    r->policy->help_url = keep_text(r, v[OPTION_HELP_URL].text);

    build_listeners(r, v);
    build_trusted(r, v);
    build_monitors(r, v);
    build_exceptions(r, v);
    build_programs(r, v);
    build_tap(r, v);

    read_section(r, IN_JOURNAL, v[OPTION_JOURNAL].bad ? NULL : v[OPTION_JOURNAL].node, section);
    struct buf path = BUF(c->journal.path);
    buf_str(&path, section[OPTION_JOURNAL_PATH].text);
    buf_cstr(&path);
    c->journal.keep_s = (int64_t)section[OPTION_JOURNAL_KEEP].number;
    c->journal.max_total = section[OPTION_JOURNAL_MAX_TOTAL].number;
    c->journal.min_free = section[OPTION_JOURNAL_MIN_FREE].number;
    c->journal.min_free_is_percent = section[OPTION_JOURNAL_MIN_FREE].percent;

    read_section(r, IN_PRIVACY, v[OPTION_PRIVACY].bad ? NULL : v[OPTION_PRIVACY].node, section);
    c->privacy.user = (enum user_privacy)section[OPTION_PRIVACY_USER].number;
    c->privacy.address = (enum address_privacy)section[OPTION_PRIVACY_ADDRESS].number;
}

static void finish_digest(struct reader *r)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    if (EVP_DigestFinal_ex(r->digest, hash, NULL) != 1) {
        r->out_of_memory = true;
        return;
    }
    for (unsigned i = 0; i < sizeof r->policy->digest - 1; i++)
        r->policy->digest[i] = "0123456789abcdef"[i % 2 ? hash[i / 2] & 15 : hash[i / 2] >> 4];
}

static bool begin(struct reader *r)
{
    struct sipkey key;
    if (RAND_bytes((unsigned char *)&key, sizeof key) != 1)
        return false;
    r->config = calloc(1, sizeof *r->config);
    if (!r->config || !(r->policy = r->config->policy = policy_new(&key)))
        return false;
    r->config->details = keep(r, sizeof *r->config->details);
    r->policy->file = keep_text(r, str_of(r->source.file));
    r->digest = EVP_MD_CTX_new();
    return r->config->details && r->digest && !r->out_of_memory &&
           EVP_DigestInit_ex(r->digest, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(r->digest, r->source.text.p, r->source.text.n) == 1;
}

static void parse(struct reader *r)
{
    struct yaml_node *root = NULL;
    struct yaml_error e;
    if (yaml_parse(r->source.text, &r->scratch, &root, &e) < 0) {
        problem_help(problem_add(r->problems, SEVERITY_ERROR, &r->source, e.line, e.column, e.width,
                                 "%s", e.text),
                     "%s", e.help);
        return;
    }
    build(r, root);
    finish_digest(r);
}

struct config *config_parse_at(struct str text, const char *name, const struct now *now,
                               struct problems *problems)
{
    if (!text.p)
        text = STR("");
    struct reader r = {.problems = problems, .source = {name, text}, .now = *now};
    unsigned errors_before = problems->errors;
    if (begin(&r))
        parse(&r);
    else
        r.out_of_memory = true;
    if (r.out_of_memory)
        file_problem(problems, name, "out of memory", 0);
    problems_sort(problems);
    EVP_MD_CTX_free(r.digest);
    arena_free(&r.scratch);
    if (problems->errors == errors_before)
        return r.config;
    config_free(r.config);
    return NULL;
}

struct config *config_parse(struct str text, const char *name, struct problems *problems)
{
    struct now now = clock_now();
    return config_parse_at(text, name, &now, problems);
}

/* ---- files --------------------------------------------------------------- */

/* Reads what is there, up to a byte more than is allowed. -1 and errno. */
static ssize_t read_up_to(int fd, char *p, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, p + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

struct config *config_load(const char *path, struct problems *problems)
{
    if (!path)
        return config_parse(STR(""), "(defaults)", problems);
    struct config *c = NULL;
    char *text = malloc(YAML_TEXT_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = text && fd >= 0 ? read_up_to(fd, text, YAML_TEXT_MAX + 1) : -1;
    if (!text)
        file_problem(problems, path, "out of memory", 0);
    else if (n < 0)
        file_problem(problems, path, "the configuration cannot be read", errno);
    else
        c = config_parse((struct str){text, (size_t)n}, path, problems);
    if (fd >= 0)
        close(fd);
    free(text);
    return c;
}

const char *config_exceptions_path(const struct config *c)
{
    return c->details->exceptions_path;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    policy_unref(c->policy);
    free(c);
}
