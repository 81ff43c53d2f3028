/* SPDX-License-Identifier: Apache-2.0 */
/* The exceptions file: a million lines, read as a stream. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_internal.h"
#include "config/utf8.h"

enum field { KEY, FINDINGS, UNTIL, OWNER, REASON, FIELDS };
static const char *const field_names[FIELDS] = {"key", "findings", "until", "owner", "reason"};
enum { OWNER_MAX = 128, REASON_MAX = 256, USER_MAX = 320 };

/* ---- problems in a line --------------------------------------------------- */

static unsigned characters(struct str s)
{
    unsigned count = 0;
    for (size_t n; s.n && (n = utf8_next(s, NULL)) > 0; s.p += n, s.n -= n)
        count++;
    return count;
}

/* `at` is a part of the line, or nothing: the line as a whole. */
static struct problem *bad_line(struct exceptions_reader *x, struct str at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static struct problem *bad_line(struct exceptions_reader *x, struct str at, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct source source = {x->file, {x->text, x->n}, x->line - 1};
    unsigned column = 1, width = 1;
    if (at.p) {
        column += characters((struct str){x->text, (size_t)(at.p - x->text)});
        width = characters(at);
    }
    return problem_add(x->r->problems, SEVERITY_ERROR, &source, x->line, column, width ? width : 1,
                       "%s", text);
}

/* ---- fields ---------------------------------------------------------------- */

static bool only(struct str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return false;
    return true;
}

/*
 * A network, or else a user's name. What looks like a network and is none is a
 * mistake and no user; "user:" in front tells that it is one all the same.
 */
static bool read_key(struct exceptions_reader *x, struct str s, struct prefix *ret_client,
                     struct str *ret_user)
{
    struct complaint c;
    *ret_user = (struct str){NULL, 0};
    if (s.n >= 5 && memcmp(s.p, "user:", 5) == 0) {
        *ret_user = str_trim((struct str){s.p + 5, s.n - 5});
    } else if (network_parse(s, ret_client, &c)) {
        if (ret_client->len > 0)
            return true;
        problem_help(bad_line(x, s, "key: %s is everyone", quote_of(s).text),
                     "to allow it to everyone, change \"actions\" in the configuration file");
        return false;
    } else if ((only(s, "0123456789./") && memchr(s.p, '.', s.n)) ||
               (only(s, "0123456789abcdefABCDEF.:/[]") && memchr(s.p, ':', s.n))) {
        problem_help(bad_line(x, s, "key: %s %s", quote_of(s).text, c.why), "%s", c.help);
        return false;
    } else {
        *ret_user = s;
    }
    if (ret_user->n == 0 || ret_user->n > USER_MAX) {
        bad_line(x, s, "key: a user's name has 1 to %d bytes", USER_MAX);
        return false;
    }
    return true;
}

static bool read_findings(struct exceptions_reader *x, struct str s, finding_set *ret)
{
    const struct str all = s;
    *ret = 0;
    while (s.p) {
        struct str id = str_cut(&s, ", \t");
        if (id.n == 0)
            continue;
        enum finding f = finding_of(id);
        if (f == FINDING_COUNT) {
            help_findings(bad_line(x, id, "there is no finding %s", quote_of(id).text), id);
            return false;
        }
        *ret |= FINDING_BIT(f);
    }
    if (*ret == 0) {
        bad_line(x, all, "findings: is empty");
        return false;
    }
    return true;
}

/* Reasons and owners repeat; the last ones are found again in a cache of fixed size. */
static const char *keep_once(struct exceptions_reader *x, struct str s)
{
    static const struct sipkey fixed; /* a bad bucket costs memory here, no time */
    const char **at = &x->recent[siphash(&fixed, s.p, s.n) % RECENT_TEXTS];
    if (!*at || !str_eq(str_of(*at), s))
        *at = keep_text(x->r, s);
    return *at;
}

/* ---- lines ----------------------------------------------------------------- */

static bool split(struct exceptions_reader *x, struct str line, struct str field[FIELDS])
{
    struct str rest = line;
    for (int i = 0; i < FIELDS; i++) {
        if (!rest.p) {
            problem_help(bad_line(x, line, "%d of %d fields", i, FIELDS),
                         "key | findings | until | owner | reason");
            return false;
        }
        struct str before = rest;
        field[i] = str_trim(i == REASON ? rest : str_cut(&rest, "|"));
        if (field[i].n == 0) {
            bad_line(x, (struct str){before.p, 0}, "%s: is empty", field_names[i]);
            return false;
        }
    }
    return true;
}

static bool read_fields(struct exceptions_reader *x, struct str field[FIELDS], struct exception *e,
                        struct prefix *client, struct str *user)
{
    if (!read_key(x, field[KEY], client, user) || !read_findings(x, field[FINDINGS], &e->allow))
        return false;
    if (!clock_parse_until(field[UNTIL], &e->until_us)) {
        problem_help(bad_line(x, field[UNTIL], "until: %s is not a date that exists",
                              quote_of(field[UNTIL]).text),
                     "2027-03-31 (to the end of that day, UTC) or 2027-03-31T18:00:00Z");
        return false;
    }
    if (field[OWNER].n > OWNER_MAX || field[REASON].n > REASON_MAX) {
        bool owner = field[OWNER].n > OWNER_MAX;
        bad_line(x, field[owner ? OWNER : REASON], "%s: longer than %d bytes",
                 owner ? "owner" : "reason", owner ? OWNER_MAX : REASON_MAX);
        return false;
    }
    return true;
}

static void read_line(struct exceptions_reader *x, struct str line)
{
    struct str field[FIELDS], user;
    struct exception e = {.file = x->file, .line = x->line};
    struct prefix client;
    for (char *tab = x->text; (tab = memchr(tab, '\t', x->n - (size_t)(tab - x->text)));)
        *tab = ' '; /* the only control character that is welcome */
    size_t clean = clean_length(line);
    if (clean < line.n) {
        bad_line(x, (struct str){line.p + clean, 1}, "0x%02x is not text here",
                 (unsigned char)line.p[clean]);
        return;
    }
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return;
    if (!split(x, line, field) || !read_fields(x, field, &e, &client, &user))
        return;
    e.owner = keep_once(x, field[OWNER]);
    e.reason = keep_once(x, field[REASON]);
    struct exception *kept = keep(x->r, sizeof *kept + (user.n ? 0 : sizeof client));
    if (!kept)
        return;
    *kept = e;
    kept->user_count = user.n ? 1 : 0;
    if (!user.n) {
        struct prefix *place = (struct prefix *)(kept + 1);
        *place = client;
        kept->clients = place;
        kept->client_count = 1;
    }
    struct exception_counts *n = &x->r->config->details->counts;
    size_t expired_before = n->expired;
    keep_exception(x->r, kept, &user);
    n->from_file++;
    if (n->expired > expired_before && n->expired_line == 0)
        n->expired_line = x->line;
    if (is_far(x->r, kept->until_us) && n->far++ == 0)
        n->far_line = x->line;
}

static void end_line(struct exceptions_reader *x)
{
    struct str line = {x->text, x->n};
    x->line++;
    if (x->line == 1 && line.n >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0)
        line.p += 3, line.n -= 3;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (x->too_long)
        bad_line(x, (struct str){NULL, 0}, "the line is longer than %d bytes", EXCEPTION_LINE_MAX);
    else if (!x->r->out_of_memory)
        read_line(x, line);
    x->n = 0;
    x->too_long = false;
}

void exceptions_begin(struct exceptions_reader *x, struct reader *r, const char *file)
{
    *x = (struct exceptions_reader){.r = r, .file = file};
}

void exceptions_feed(struct exceptions_reader *x, struct str piece)
{
    while (piece.n) {
        const char *end = memchr(piece.p, '\n', piece.n);
        size_t n = end ? (size_t)(end - piece.p) : piece.n;
        size_t room = sizeof x->text - x->n;
        if (n > room)
            x->too_long = true;
        memcpy(x->text + x->n, piece.p, n > room ? room : n);
        x->n += n > room ? room : n;
        if (end) {
            end_line(x);
            n++;
        }
        piece.p += n, piece.n -= n;
    }
}

void exceptions_end(struct exceptions_reader *x)
{
    if (x->n)
        end_line(x);
    const struct exception_counts *n = &x->r->config->details->counts;
    struct source source = {.file = x->file};
    if (n->expired_line)
        problem_add(x->r->problems, SEVERITY_WARNING, &source, n->expired_line, 0, 0,
                    "%zu of the %zu exceptions have expired; this is the first in this file",
                    n->expired, n->total);
    if (n->far_line)
        problem_add(x->r->problems, SEVERITY_WARNING, &source, n->far_line, 0, 0,
                    "%zu of the %zu exceptions here last more than 5 years; this is the first",
                    n->far, n->from_file);
}

/* ---- the file -------------------------------------------------------------- */

/* Relative to where the configuration file is. */
static const char *resolve(struct reader *r, struct str file)
{
    char path[512];
    struct buf b = BUF(path);
    const char *slash = strrchr(r->source.file, '/');
    if (file.p[0] != '/' && slash)
        buf_put(&b, r->source.file, (size_t)(slash - r->source.file) + 1);
    buf_str(&b, file);
    return b.full ? NULL : keep_text(r, buf_view(&b));
}

static int feed_file(struct reader *r, struct exceptions_reader *x, int fd)
{
    char piece[64 * 1024];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        if (EVP_DigestUpdate(r->digest, piece, (size_t)n) != 1)
            r->out_of_memory = true;
        exceptions_feed(x, (struct str){piece, (size_t)n});
    }
}

void read_exceptions_file(struct reader *r, const struct value *option)
{
    const char *path = resolve(r, option->text);
    struct stat st;
    /* Never waits for the other end of a pipe, never reads what has no end. */
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    r->config->details->exceptions_path = path;
    if (!path)
        errno = ENAMETOOLONG;
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        problem_at(r, SEVERITY_ERROR, option->node, "exceptions_file: %s is not a regular file",
                   quote_of(option->text).text);
        close(fd);
        return;
    }
    struct exceptions_reader x;
    exceptions_begin(&x, r, path);
    if (fd < 0 || feed_file(r, &x, fd) < 0)
        problem_help(problem_at(r, SEVERITY_ERROR, option->node,
                                "exceptions_file: %s cannot be read: %s",
                                quote_of(option->text).text, why_unreadable(path, errno)),
                     "a relative path starts at the directory of the configuration file");
    else
        exceptions_end(&x);
    if (fd >= 0)
        close(fd);
}
