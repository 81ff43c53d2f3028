/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve audit: from mail logs alone, who uses the wrong port or TLS mode. The options and the
 * policy. */
#include "cli/audit.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/now.h"

enum { DAY_US = 86400 };

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: mailreeve audit [OPTIONS] [LOG... | -] [JOURNAL...]\n"
        "Tells from mail logs which clients use the wrong port or TLS mode, and what to change.\n"
        "It needs no daemon and no configuration, and changes nothing.\n\n"
        "  LOG                   files of Postfix or Sendmail, also .gz and .xz; - is standard "
        "input.\n"
        "                        Without: /var/log/mail.log, /var/log/maillog, else the journal\n"
        "  JOURNAL               what Mailreeve's programs wrote of the same time: a directory\n"
        "                        (/var/lib/mailreeve/journal), or a file NAME.jsonl\n"
        "  --journal             read the system's journal (journalctl)\n"
        "  --since TIME          2026-11-01, 2026-11-01T06:00:00Z, or 36h, 7d ago\n"
        "  --listener NAME=PORT  what a name in the log stands for; may be repeated\n"
        "  -c FILE               the policy to ask (default: " CONFIG_PATH "\n"
        "                        if it is there, else the built-in one)\n"
        "  --by WHAT             group by user, client, software, listener or finding\n"
        "  --all                 show all entries, not the first of each table\n"
        "  --json, --csv         for programs\n"
        "  --html FILE           one page with charts; - is standard output\n"
        "  --lines               for each line what was understood of it\n"
        "  --follow              go on reading; a line for each finding, as it happens\n"
        "  --checkpoint FILE     with --follow: where to go on after a restart\n"
        "  -h                    this help\n"
        "Exit code: 0 customers have nothing to change, 1 some have, 65 nothing of Postfix or\n"
        "Sendmail was found, 66 a log could not be read, 78 the configuration is wrong.\n");
}

/* ---- options ---------------------------------------------------------------- */

/* A day, a moment, or how long ago. */
static bool parse_since(const char *text, int64_t now_us, int64_t *ret)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', DAY_US}, {'w', 7 * DAY_US}};
    struct str s = str_of(text);
    uint64_t n;
    if (clock_parse_until(s, ret)) {
        if (s.n == sizeof "2026-11-01" - 1)
            *ret -= DAY_US * US_PER_S; /* a day is read from its beginning */
        return true;
    }
    for (unsigned i = 0; s.n > 1 && i < sizeof units / sizeof *units; i++) {
        if (s.p[s.n - 1] == units[i].unit && str_to_u64((struct str){s.p, s.n - 1}, 1000000, &n)) {
            *ret = now_us - (int64_t)n * units[i].seconds * US_PER_S;
            return true;
        }
    }
    return false;
}

static bool parse_listener(struct audit_options *o, const char *text)
{
    const char *equals = strrchr(text, '=');
    uint64_t port;
    if (!equals || equals == text || o->listener_count == LOG_LISTENERS_MAX ||
        !str_to_u64(str_of(equals + 1), UINT16_MAX, &port) || port == 0)
        return false;
    o->listeners[o->listener_count++] =
        (struct listener_option){{text, (size_t)(equals - text)}, (uint16_t)port};
    return true;
}

static int wrong(const char *option, const char *value, const char *what)
{
    fprintf(stderr, "mailreeve audit: --%s %s: %s\n", option, value, what);
    return EX_USAGE;
}

enum { LISTENER = 256, SINCE, BY, ALL, JSON, CSV, HTML, LINES, JOURNAL, FOLLOW, CHECKPOINT };

static const struct option long_options[] = {
    {"listener", required_argument, NULL, LISTENER},
    {"since", required_argument, NULL, SINCE},
    {"by", required_argument, NULL, BY},
    {"all", no_argument, NULL, ALL},
    {"json", no_argument, NULL, JSON},
    {"csv", no_argument, NULL, CSV},
    {"html", required_argument, NULL, HTML},
    {"lines", no_argument, NULL, LINES},
    {"journal", no_argument, NULL, JOURNAL},
    {"follow", no_argument, NULL, FOLLOW},
    {"checkpoint", required_argument, NULL, CHECKPOINT},
    {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* The exit code if it ends here, else -1. */
static int take_option(struct audit_options *o, int option)
{
    int by;
    switch (option) {
    case 'c': o->config = optarg; break;
    case LISTENER:
        if (!parse_listener(o, optarg))
            return wrong("listener", optarg, "expected NAME=PORT, like postfix=25 or MSA=587");
        break;
    case SINCE:
        if (!parse_since(optarg, o->now_us, &o->since_us))
            return wrong("since", optarg, "expected 2026-11-01, 2026-11-01T06:00:00Z, 36h or 7d");
        break;
    case BY:
        by = name_index(report_by_names, BY_COUNT, str_of(optarg));
        if (by < 0)
            return wrong("by", optarg, "expected user, client, software, listener or finding");
        o->by = (enum report_by)by;
        break;
    case ALL: o->all = true; break;
    case JSON: o->output = OUTPUT_JSON; break;
    case CSV: o->output = OUTPUT_CSV; break;
    case HTML: o->output = OUTPUT_HTML, o->html = optarg; break;
    case LINES: o->lines = true; break;
    case JOURNAL: o->journal = true; break;
    case FOLLOW: o->follow = true; break;
    case CHECKPOINT: o->checkpoint = optarg; break;
    case 'h': usage(stdout); return EX_OK;
    default: usage(stderr); return EX_USAGE;
    }
    return -1;
}

static const char *contradiction(const struct audit_options *o)
{
    if (o->follow && o->journal_count)
        return "--follow follows a log, without Mailreeve's journals";
    if (o->follow &&
        (o->output == OUTPUT_CSV || o->output == OUTPUT_HTML || o->lines || o->since_us))
        return "--follow goes with --json, but not with --csv, --html, --lines or --since";
    if (o->checkpoint && !o->follow)
        return "--checkpoint is for --follow";
    if (o->follow &&
        (o->log_count > 1 || (o->log_count && (o->journal || !strcmp(o->logs[0], "-")))))
        return "--follow follows one file, or the journal";
    if (o->journal && o->log_count)
        return "--journal is read instead of files";
    return NULL;
}

/* Without files: what the distributions call the mail log, else the journal. */
static void find_log(struct audit_options *o)
{
    static const char *const usual[] = {"/var/log/mail.log", "/var/log/maillog"};
    if (o->journal_count)
        return;
    for (unsigned i = 0; !o->log_count && !o->journal && i < sizeof usual / sizeof *usual; i++)
        if (access(usual[i], F_OK) == 0)
            o->logs[o->log_count++] = usual[i];
    o->journal |= !o->log_count;
}

static int read_options(struct audit_options *o, int argc, char **argv)
{
    int option, ended = -1;
    while (ended < 0 && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1)
        ended = take_option(o, option);
    if (ended >= 0)
        return ended;
    const char *why = audit_sources_sort(o, argv + optind, argc - optind);
    if (!why)
        why = contradiction(o);
    if (why) {
        fprintf(stderr, "mailreeve audit: %s\n", why);
        return EX_USAGE;
    }
    find_log(o);
    return -1;
}

/* ---- the policy --------------------------------------------------------------- */

static struct config *load(const char *path)
{
    struct problems problems = {0};
    struct config *c = config_load(path, &problems);
    if (!c) {
        for (unsigned i = 0; i < problems.count; i++) {
            char text[2048];
            struct buf b = BUF(text);
            problem_format(&b, &problems.list[i], isatty(STDERR_FILENO));
            fprintf(stderr, "%.*s\n", (int)b.n, b.p);
        }
    }
    problems_free(&problems);
    return c;
}

int audit_policy_open(struct audit_policy *p, const char *path)
{
    struct err err = {""};
    p->given = path || access(CONFIG_PATH, F_OK) == 0;
    p->config = load(path ? path : p->given ? CONFIG_PATH : NULL);
    if (!p->config)
        return EX_CONFIG;
    p->policy = p->config->policy;
    p->ciphers = ciphers_new(&err);
    if (!p->ciphers) {
        fprintf(stderr, "mailreeve audit: %s\n", err.text);
        return EX_OSERR;
    }
    const struct privacy_settings *privacy = &p->config->privacy;
    if (privacy->user == USER_PLAIN && privacy->address == ADDRESS_PLAIN)
        return -1;
    p->privacy = privacy_open(privacy, p->config->journal.path, (uid_t)-1, (gid_t)-1, &err);
    if (!p->privacy)
        fprintf(stderr, "mailreeve audit: the configuration asks for privacy, and %s\n", err.text);
    return p->privacy ? -1 : EX_NOPERM;
}

void audit_policy_close(struct audit_policy *p)
{
    privacy_free(p->privacy);
    ciphers_free(p->ciphers);
    config_free(p->config);
}

int cmd_audit(int argc, char **argv)
{
    static struct audit_options o;
    struct audit_policy p = {0};
    /* Lines of a log can hold passwords that users typed as their names. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    o.now_us = clock_us(CLOCK_REALTIME);
    int ended = read_options(&o, argc, argv);
    if (ended < 0)
        ended = audit_policy_open(&p, o.config);
    if (ended < 0)
        ended = o.follow  ? audit_follow(&o, &p)
                : o.lines ? audit_lines(&o, &p)
                          : audit_report(&o, &p);
    audit_policy_close(&p);
    return ended;
}
