/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve status: what the daemons are doing. */
#include <getopt.h>
#include <inttypes.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/now.h"
#include "journal/json.h"
#include "edge/log.h"
#include "journal/status_reader.h"

enum { STALE_S = STATUS_IDLE_S + 10, LABEL = 15 };

static void usage(FILE *to)
{
    fprintf(to, "usage: mailreeve status [-c FILE] [--json]\n"
                "Tells for each daemon whether it runs, what it enforces, and its counters.\n"
                "  -c FILE    the configuration, for the journal's path (default " CONFIG_PATH ")\n"
                "  --json     one JSON object a line for each daemon\n"
                "  -h         this help\n"
                "Exit code: 0 a daemon is running, 69 none is, 78 the configuration is wrong.\n");
}

/* ---- pieces of text ----------------------------------------------------- */

/* "1,234,567". */
static const char *grouped(uint64_t v, char text[32])
{
    struct buf b = {text, 0, 32, false};
    buf_grouped(&b, v);
    return buf_cstr(&b);
}

/* "5.8 MB". */
static const char *bytes(uint64_t v, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double d = (double)v;
    unsigned u = 0;
    while (d >= 1000 && u < 6)
        d /= 1000, u++;
    snprintf(text, 32, u ? "%.1f %s" : "%.0f %s", d, units[u]);
    return text;
}

/* "41 min", in the largest unit that says something. */
static const char *duration(int64_t s, char text[32])
{
    if (s < 0)
        s = 0;
    if (s < 120)
        snprintf(text, 32, "%" PRId64 " s", s);
    else if (s < 2 * 3600)
        snprintf(text, 32, "%" PRId64 " min", s / 60);
    else if (s < 2 * 86400)
        snprintf(text, 32, "%" PRId64 " h", s / 3600);
    else
        snprintf(text, 32, "%" PRId64 " days", s / 86400);
    return text;
}

/* "2026-11-21T03:15:00Z" to seconds since 1970; 0: it is not one. */
static int64_t seconds_of(const char *date)
{
    int64_t us;
    return clock_parse_until(str_of(date), &us) ? us / US_PER_S : 0;
}

/* Texts of the file come from other programs: nothing of them reaches the terminal raw. */
static void line(const char *label, const char *text)
{
    char clean[4 * 640];
    struct buf b = BUF(clean);
    log_sanitise(&b, str_of(text));
    printf("  %-*s%.*s\n", LABEL, label, (int)b.n, b.p);
}

/* ---- one daemon --------------------------------------------------------- */

static void show_headline(const char *program, const struct status_report *r, int64_t now_us)
{
    char age[32], up[32];
    int64_t age_s = (now_us - r->as_of_us) / US_PER_S;
    if (!r->running) {
        printf("%s: not running", program);
        if (r->found)
            printf(" (last heard of %s ago)", duration(age_s, age));
    } else if (!r->found) {
        printf("%s: running, pid %ld, has not told its status yet", program, r->pid);
    } else {
        printf("%s %s: running, pid %ld, up %s since %s, as of %s ago", program, r->version, r->pid,
               duration(now_us / US_PER_S - seconds_of(r->started), up), r->started,
               duration(age_s, age));
        if (age_s > STALE_S)
            printf(" (STALE: it should tell every %d s; is the disk full or frozen?)",
                   STATUS_IDLE_S);
    }
    printf("\n");
}

static void show_policy(const struct status_report *r)
{
    char text[1200];
    line("configuration", r->config[0] ? r->config : "(built in)");
    snprintf(text, sizeof text, "%s%s%s", r->policy, r->mode[0] ? ", " : "", r->mode);
    line("policy", text);
    if (r->reloads == 0) {
        line("last reload", "none");
        return;
    }
    snprintf(text, sizeof text, "%s at %s%s%s", r->reload_ok ? "ok" : "FAILED", r->reload_at,
             r->reload_why[0] ? ": " : "", r->reload_why);
    line("last reload", text);
    if (!r->reload_ok && r->running)
        line("", "the policy from before is still in force");
}

static void show_sandbox(const struct status_report *r)
{
    if (r->sandbox[0])
        line("sandbox", r->sandbox);
}

static void show_journal(const struct status_report *r)
{
    char text[400], lines[32], size[32], lost[32];
    snprintf(text, sizeof text, "%s lines (%s) written, %s lost%s%s",
             grouped(r->journal.lines, lines), bytes(r->journal.bytes, size),
             grouped(r->journal.lost, lost), r->journal.segment[0] ? ", in " : "",
             r->journal.segment);
    line("journal", text);
    if (r->journal.stalled) {
        snprintf(text, sizeof text, "STALLED: %s; %" PRIu64 " %% of the buffer in memory is used",
                 r->journal.why,
                 r->journal.ring_size ? r->journal.ring_used * 100 / r->journal.ring_size : 0);
        line("", text);
    }
}

/* Those that are not zero, aligned. */
static void show_counters(const struct status_report *r)
{
    int width = 0, zero = 0;
    for (int pass = 0; pass < 2; pass++) {
        struct json_scan s;
        struct json_item item;
        json_scan_init(&s, r->counters);
        while (json_next(&s, &item) == JSON_ITEM) {
            char number[32];
            if (item.kind != JSON_IS_INTEGER || item.integer <= 0) {
                zero += pass;
            } else if (pass) {
                printf("    %-*.*s %15s\n", width, STR_ARG(item.name),
                       grouped((uint64_t)item.integer, number));
            } else if ((int)item.name.n > width) {
                width = (int)item.name.n;
            }
        }
        if (pass == 0)
            printf("  counters%s\n", width ? "" : "       all are zero");
    }
    if (width && zero)
        printf("    (%d more are zero)\n", zero);
}

static void show_json(const char *program, const struct status_report *r, int64_t now_us)
{
    char text[JSON_STRING_MAX(64)];
    struct buf b = BUF(text);
    json_put_string(&b, str_of(program));
    size_t n = r->file_n;
    while (n && r->file[n - 1] == '\n')
        n--;
    printf("{\"program\":%.*s,\"running\":%s,\"pid\":%ld", (int)b.n, b.p,
           r->running ? "true" : "false", r->pid);
    if (r->found)
        printf(",\"age_s\":%" PRId64 ",\"status\":%.*s", (now_us - r->as_of_us) / US_PER_S, (int)n,
               r->file);
    printf("}\n");
}

/* ---- all daemons -------------------------------------------------------- */

static int show_all(const char *path, bool json)
{
    struct err err;
    char programs[STATUS_PROGRAMS_MAX][64];
    struct status_report report;
    int64_t now_us = clock_us(CLOCK_REALTIME);
    int count = status_programs(path, programs, &err), running = 0;
    if (count < 0)
        fprintf(stderr, "mailreeve status: %s\n", err.text);
    else if (count == 0 && !json)
        printf("No daemon has written to %s yet.\n", path);
    for (int i = 0; i < count; i++) {
        if (status_read(path, programs[i], &report, &err) < 0) {
            fprintf(stderr, "mailreeve status: %s\n", err.text);
            running += report.running;
            continue;
        }
        running += report.running;
        if (json) {
            show_json(programs[i], &report, now_us);
            continue;
        }
        show_headline(programs[i], &report, now_us);
        if (report.found) {
            show_policy(&report);
            show_sandbox(&report);
            show_journal(&report);
            show_counters(&report);
        }
    }
    return running ? EX_OK : EX_UNAVAILABLE;
}

static int journal_path(const char *file, char ret[256])
{
    struct problems problems = {0};
    struct config *c = config_load(file, &problems);
    for (unsigned i = 0; i < problems.count; i++) {
        char text[2048];
        struct buf b = BUF(text);
        if (!c || problems.list[i].severity == SEVERITY_ERROR) {
            problem_format(&b, &problems.list[i], isatty(STDERR_FILENO));
            fprintf(stderr, "%.*s\n", (int)b.n, b.p);
        }
    }
    problems_free(&problems);
    if (c)
        snprintf(ret, 256, "%s", c->journal.path);
    config_free(c);
    return c ? 0 : -1;
}

int cmd_status(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *file = CONFIG_PATH;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': file = optarg; break;
        case 'j': json = true; break;
        case 'h': usage(stdout); return EX_OK;
        default: usage(stderr); return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "mailreeve status: \"%s\": no arguments are expected\n", argv[optind]);
        usage(stderr);
        return EX_USAGE;
    }
    char path[256];
    if (journal_path(file, path) < 0)
        return EX_CONFIG;
    if (!path[0]) {
        fprintf(stderr, "mailreeve status: the configuration has no journal, so nothing tells its "
                        "status\n");
        return EX_UNAVAILABLE;
    }
    return show_all(path, json);
}
