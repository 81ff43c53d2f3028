/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve doctor: is the MTA set up as it should be, with Mailreeve in it? */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "doctor/doctor.h"
#include "mta/child.h"

enum { NAMES_MAX = 32 };

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: mailreeve doctor [-c FILE] [--directory DIR] [OPTIONS] [postfix | sendmail]\n"
        "Reads the configuration of the MTA (without a word: of what is there), and tells what\n"
        "is wrong, what shows it, and the command that mends it. Nothing is changed.\n"
        "  -c FILE          mailreeve.yaml (default " CONFIG_PATH ", if it is there)\n"
        "  --directory DIR  a copy of a configuration: its own mailreeve.yaml is read, if there\n"
        "                   is one, and no socket is tried\n"
        "  --live           DIR is no copy, but of an MTA that runs here: a second instance\n"
        "  --offline        try no socket\n"
        "  --name NAME      a name that clients use for this server; may be repeated\n"
        "  --ca FILE        the authorities that clients trust (default: the system's)\n"
        "  --fail2ban DIR   fail2ban's files (default /etc/fail2ban, if it is there)\n"
        "  --now SECONDS    judge certificates as of that time (since 1970)\n"
        "  --json           for programs: one object a line for each MTA\n"
        "  -h               this help\n"
        "Exit code: 0 nothing to mend, 1 something, 66 there is nothing to read.\n");
}

struct options {
    const char *yaml, *directory, *ca, *fail2ban, *mta;
    const char *names[NAMES_MAX];
    unsigned name_count;
    int64_t now_s;
    bool live, offline, json;
};

/* The MTAs that there are, in this order. */
static const struct mta {
    const char *name, *title, *file, *directory;
    int (*examine)(const struct doctor_input *in, struct faults *fs, struct err *e);
} mtas[] = {
    {"postfix", "Postfix", "main.cf", "/etc/postfix", doctor_postfix},
    {"sendmail", "Sendmail", "sendmail.cf", "/etc/mail", doctor_sendmail},
};
enum { MTAS = sizeof mtas / sizeof *mtas };

/* ---- what is said --------------------------------------------------------------------- */

static void print_listeners(const struct doctor_view *v)
{
    bool asked = false;
    for (unsigned i = 0; i < v->count; i++)
        asked |= strcmp(v->listeners[i].asks, "nobody") != 0 || *v->listeners[i].policy;
    if (!v->count) {
        printf("No service of it takes mail over the network.\n\n");
        return;
    }
    printf("%5s  %-22s %-12s %-18s %s\n", "port", "service", "role", "TLS",
           asked ? "AUTH       asks                mode" : "AUTH");
    for (unsigned i = 0; i < v->count; i++) {
        const struct doctor_listener *l = &v->listeners[i];
        char port[8] = "?";
        if (l->port)
            snprintf(port, sizeof port, "%u", l->port);
        printf("%5s  %-22s %-12s %-18s ", port, l->service, l->role, l->tls);
        if (asked)
            printf("%-10s %-19s %s\n", l->auth, l->asks, l->policy);
        else
            printf("%s\n", l->auth);
    }
    printf("\n");
}

/* Is one of the repairs a change of Postfix's files? */
static bool changes_postfix(const struct faults *fs)
{
    for (unsigned i = 0; i < fs->count; i++)
        for (unsigned n = 0; n < fs->list[i].fix_count; n++)
            if (strncmp(fs->list[i].fix[n], "postconf ", 9) == 0)
                return true;
    return false;
}

static void print(const struct mta *m, const struct doctor_input *in, const struct faults *fs)
{
    const struct doctor_view *v = in->view;
    printf("%s", m->title);
    printf(*v->version ? " %s" : "%.0s", v->version);
    printf(*v->known_from ? " (%s)" : "%.0s", v->known_from);
    printf(", %s", in->directory);
    printf(in->yaml ? ", with %s" : "%.0s", in->yaml ? in->yaml : "");
    printf("\n\n");
    print_listeners(v);
    faults_print(fs, stdout);
    if (changes_postfix(fs))
        printf("When it is mended: postfix reload\n");
}

static void member(const char *before, const char *name, const char *value)
{
    printf("%s\"%s\":", before, name);
    if (value)
        fault_json_string(stdout, value);
    else
        printf("null");
}

static void print_json(const struct mta *m, const struct doctor_input *in, const struct faults *fs)
{
    const struct doctor_view *v = in->view;
    printf("{\"v\":1");
    member(",", "mta", m->name);
    member(",", "version", *v->version ? v->version : NULL);
    member(",", "directory", in->directory);
    member(",", "configuration", in->yaml);
    printf(",\"listeners\":[");
    for (unsigned i = 0; i < v->count; i++) {
        const struct doctor_listener *l = &v->listeners[i];
        member(i ? ",{" : "{", "service", l->service);
        printf(",\"port\":%u", l->port);
        member(",", "role", l->role);
        member(",", "tls", l->tls);
        member(",", "auth", l->auth);
        member(",", "asks", l->asks);
        member(",", "mode", l->policy);
        printf("}");
    }
    printf("],");
    faults_json(fs, stdout);
    printf("}\n");
}

/* ---- one MTA ----------------------------------------------------------------------------- */

static int examine(const struct mta *m, const char *directory, const struct options *o)
{
    struct faults fs = {0};
    struct err e;
    struct config *c = o->yaml ? doctor_configuration(o->yaml, &fs) : NULL;
    struct doctor_view *view = calloc(1, sizeof *view);
    struct doctor_input in = {
        .directory = directory,
        .yaml = o->yaml,
        .config = c,
        .names = o->names,
        .name_count = o->name_count,
        .ca_file = o->ca,
        .fail2ban = o->fail2ban,
        .now_s = o->now_s,
        .live = (!o->directory || o->live) && !o->offline,
        .view = view,
    };
    int code = EX_NOINPUT;
    if (!view)
        fprintf(stderr, "mailreeve: out of memory\n");
    else if (m->examine(&in, &fs, &e) < 0)
        fprintf(stderr, "mailreeve: %s\n", e.text);
    else {
        doctor_fail2ban(&in, &fs);
        (o->json ? print_json : print)(m, &in, &fs);
        code = faults_exit_code(&fs);
    }
    free(view);
    config_free(c);
    faults_free(&fs);
    return code;
}

static bool is_there(const char *directory, const char *file)
{
    char path[1024];
    return snprintf(path, sizeof path, "%s/%s", directory, file) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

/* Where Postfix is if not in /etc/postfix: it knows. NULL: there is none. */
static const char *postfix_directory(struct arena *a)
{
    const char *const argv[] = {"postconf", "-h", "config_directory", NULL};
    struct child_result r;
    if (child_run(argv, NULL, 20, a, &r, NULL) < 0 || r.code)
        return NULL;
    struct str line = str_cut(&r.out, "\n");
    return arena_strdup(a, line);
}

/* Where the configuration of that MTA is; NULL: there is none. */
static const char *place_of(const struct mta *m, const struct options *o, struct arena *a)
{
    if (o->directory) /* named, it is looked at even if the file is missing: that is then told */
        return is_there(o->directory, m->file) || o->mta ? o->directory : NULL;
    if (is_there(m->directory, m->file))
        return m->directory;
    const char *other = strcmp(m->name, "postfix") == 0 ? postfix_directory(a) : NULL;
    return other && is_there(other, m->file) ? other : NULL;
}

static int examine_all(const struct options *o)
{
    struct arena a = {0};
    unsigned looked_at = 0;
    int code = EX_OK;
    for (unsigned i = 0; i < MTAS; i++) {
        const char *place =
            !o->mta || strcmp(o->mta, mtas[i].name) == 0 ? place_of(&mtas[i], o, &a) : NULL;
        if (!place)
            continue;
        if (looked_at++ && !o->json)
            printf("\n");
        int one = examine(&mtas[i], place, o);
        code = one > code ? one : code;
    }
    arena_free(&a);
    if (looked_at)
        return code;
    if (o->directory)
        fprintf(stderr, "mailreeve: %s: there is no main.cf and no sendmail.cf in it\n",
                o->directory);
    else
        fprintf(stderr, "mailreeve: there is no %s on this machine\n", o->mta ? o->mta : "MTA");
    return EX_NOINPUT;
}

/* ---- options -------------------------------------------------------------------------------- */

static bool is_mta(const char *word)
{
    for (unsigned i = 0; i < MTAS; i++)
        if (strcmp(word, mtas[i].name) == 0)
            return true;
    return false;
}

/* -1: something is wrong with them, and said. */
static int read_options(int argc, char **argv, struct options *o)
{
    enum { DIRECTORY = 256, NAME, CA, FAIL2BAN, NOW, LIVE, OFFLINE, JSON };
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"directory", required_argument, NULL, DIRECTORY},
        {"name", required_argument, NULL, NAME},
        {"ca", required_argument, NULL, CA},
        {"fail2ban", required_argument, NULL, FAIL2BAN},
        {"now", required_argument, NULL, NOW},
        {"live", no_argument, NULL, LIVE},
        {"offline", no_argument, NULL, OFFLINE},
        {"json", no_argument, NULL, JSON},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    uint64_t seconds;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': o->yaml = optarg; break;
        case DIRECTORY: o->directory = optarg; break;
        case NAME:
            if (o->name_count == NAMES_MAX)
                return fprintf(stderr, "mailreeve: more than %d names\n", NAMES_MAX), -1;
            o->names[o->name_count++] = optarg;
            break;
        case CA: o->ca = optarg; break;
        case FAIL2BAN: o->fail2ban = optarg; break;
        case NOW:
            if (!str_to_u64(str_of(optarg), INT64_MAX, &seconds))
                return fprintf(stderr, "mailreeve: --now %s is no number of seconds\n", optarg), -1;
            o->now_s = (int64_t)seconds;
            break;
        case LIVE: o->live = true; break;
        case OFFLINE: o->offline = true; break;
        case JSON: o->json = true; break;
        case 'h': usage(stdout); exit(EX_OK);
        default: usage(stderr); return -1;
        }
    }
    o->mta = optind < argc ? argv[optind] : NULL;
    if (argc - optind > 1 || (o->mta && !is_mta(o->mta))) {
        usage(stderr);
        return -1;
    }
    return 0;
}

int cmd_doctor(int argc, char **argv)
{
    struct options o = {.now_s = time(NULL)};
    static char beside[1024];
    if (read_options(argc, argv, &o) < 0)
        return EX_USAGE;
    if (!o.yaml && o.directory) {
        snprintf(beside, sizeof beside, "%s/mailreeve.yaml", o.directory);
        o.yaml = access(beside, F_OK) == 0 ? beside : NULL;
    } else if (!o.yaml) {
        o.yaml = access(CONFIG_PATH, F_OK) == 0 ? CONFIG_PATH : NULL;
    }
    if (!o.fail2ban && !o.directory && access("/etc/fail2ban", F_OK) == 0)
        o.fail2ban = "/etc/fail2ban";
    return examine_all(&o);
}
