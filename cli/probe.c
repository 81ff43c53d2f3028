/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve probe: what a client meets on the ports of a mail server. */
#include "probe/probe.h"

#include <getopt.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config/config.h"
#include "core/now.h"
#include "probe/judge.h"
#include "probe/report.h"

enum { STEP_S = 15, STEP_MAX_S = 300 };

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mailreeve probe [OPTIONS] HOST\n"
            "Asks the mail ports of a host, as clients do, and tells what is wrong with them.\n"
            "HOST is a name or an address. It never sends a password or a message.\n"
            "  -c FILE                the policy (default " CONFIG_PATH ", or built in)\n"
            "  --port PORT[=ROLE]     only this port, several times: several; ROLE is smtp,\n"
            "                         submission or submissions\n"
            "  --name NAME            a name that clients use, besides HOST (for the certificate)\n"
            "  --domain DOMAIN        the domain whose SRV records to look at\n"
            "  --nameserver ADDR[:PORT]  the DNS server to ask\n"
            "  --ca FILE              trust the authorities in this file, not the system's\n"
            "  --timeout SECONDS      how long to wait at each step (default %d)\n"
            "  --helo NAME            what to say in EHLO (default: our address)\n"
            "  --no-mail              do not send MAIL and RCPT\n"
            "  --json                 for programs\n"
            "  -h                     this help\n"
            "Exit code: 0 nothing found, 1 warnings or errors, 64 usage, 66 --ca cannot be read,\n"
            "68 no such host, 69 no port answers, 78 the policy cannot be used.\n",
            STEP_S);
}

enum option_code {
    OPT_PORT = 256,
    OPT_NAME,
    OPT_DOMAIN,
    OPT_NAMESERVER,
    OPT_CA,
    OPT_TIMEOUT,
    OPT_HELO,
    OPT_NO_MAIL,
    OPT_JSON
};

struct command {
    struct probe_options probe;
    const char *config; /* NULL: not given */
    bool json;
};

/* ---- what people write ------------------------------------------------------------- */

static int complain(const char *what, const char *given, const char *allowed)
{
    char shown[SAID];
    said(shown, str_of(given));
    fprintf(stderr, "mailreeve probe: \"%s\": %s; %s\n", shown, what, allowed);
    return EX_USAGE;
}

/* "[2001:db8::1]" and "mail.example.com." as everything else writes them. */
static char *bare(char *host)
{
    size_t n = strlen(host);
    bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
    if (bracketed || (n > 1 && host[n - 1] == '.'))
        host[n - 1] = '\0';
    return host + bracketed;
}

/* Names go into commands and into SNI: nothing but what a name or a literal may hold. */
static bool is_name(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.[]:%";
    size_t n = strlen(text);
    return n > 0 && n < 254 && text[0] != '-' && strspn(text, allowed) == n;
}

static int take_name(const char *text, const char **ret)
{
    if (!is_name(text))
        return complain("not a host name", text,
                        "one is made of letters, digits, hyphens and dots");
    *ret = text;
    return 0;
}

static int take_port(const char *text, struct probe_options *o)
{
    struct str rest = str_of(text), number = str_cut(&rest, "=");
    struct probe_port port = {.has_role = rest.p != NULL};
    uint64_t n;
    if (!str_to_u64(number, UINT16_MAX, &n) || n == 0)
        return complain("not a port", text, "write a number from 1 to 65535, and perhaps =ROLE");
    while (port.has_role && port.role < ROLE_COUNT && !str_eq(rest, str_of(role_names[port.role])))
        port.role++;
    if (port.role == ROLE_COUNT)
        return complain("not a role", text, "there are smtp, submission and submissions");
    if (o->port_count == PORTS_MAX)
        return complain("too many ports", text, "16 at a time");
    port.port = (uint16_t)n;
    o->ports[o->port_count++] = port;
    return 0;
}

static int take_timeout(const char *text, struct probe_options *o)
{
    uint64_t n;
    if (!str_to_u64(str_of(text), STEP_MAX_S, &n) || n == 0)
        return complain("not a timeout", text, "write seconds, from 1 to 300");
    o->step_s = (unsigned)n;
    return 0;
}

static int take_option(int option, struct command *c)
{
    struct probe_options *o = &c->probe;
    switch (option) {
    case 'c': c->config = optarg; return 0;
    case OPT_PORT: return take_port(optarg, o);
    case OPT_NAME:
        if (o->name_count == NAMES_MAX)
            return complain("too many names", optarg, "16 at a time");
        return take_name(optarg, &o->names[o->name_count++]);
    case OPT_DOMAIN: return take_name(optarg, &o->domain);
    case OPT_HELO: return take_name(optarg, &o->helo);
    case OPT_NAMESERVER:
        if (!resolver_parse(optarg, &o->resolver))
            return complain("not a DNS server", optarg,
                            "write an address: 192.0.2.53, 192.0.2.53:5353, [2001:db8::1]:5353");
        return 0;
    case OPT_CA: o->ca_file = optarg; return 0;
    case OPT_TIMEOUT: return take_timeout(optarg, o);
    case OPT_NO_MAIL: o->mail = false; return 0;
    case OPT_JSON: c->json = true; return 0;
    default: usage(stderr); return EX_USAGE;
    }
}

static int take_options(int argc, char **argv, struct command *c)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"port", required_argument, NULL, OPT_PORT},
        {"name", required_argument, NULL, OPT_NAME},
        {"domain", required_argument, NULL, OPT_DOMAIN},
        {"nameserver", required_argument, NULL, OPT_NAMESERVER},
        {"ca", required_argument, NULL, OPT_CA},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"helo", required_argument, NULL, OPT_HELO},
        {"no-mail", no_argument, NULL, OPT_NO_MAIL},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return -1;
        }
        int failed = take_option(option, c);
        if (failed)
            return failed;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "mailreeve probe: %s\n",
                optind == argc ? "which host?" : "one host at a time");
        usage(stderr);
        return EX_USAGE;
    }
    return take_name(bare(argv[optind]), &c->probe.host);
}

/* ---- the policy ------------------------------------------------------------------------ */

/* The file that is given; the installed one, if it is there; what is built in. */
static struct config *load(const char *given)
{
    const char *path = given ? given : access(CONFIG_PATH, F_OK) == 0 ? CONFIG_PATH : NULL;
    struct problems problems = {0};
    struct config *config = config_load(path, &problems);
    for (unsigned i = 0; i < problems.count && !config; i++) {
        char text[2048];
        struct buf b = BUF(text);
        problem_format(&b, &problems.list[i], true);
        fprintf(stderr, "%s\n", buf_cstr(&b));
    }
    problems_free(&problems);
    return config;
}

/* ---- the run ------------------------------------------------------------------------------- */

static int tell(const struct command *c, const struct host_seen *h)
{
    struct faults faults = {0};
    int64_t now_s = clock_us(CLOCK_REALTIME) / US_PER_S;
    judge_host(h, now_s, &faults);
    if (c->json) {
        seen_json(h, &faults, stdout);
    } else {
        seen_print(h, now_s, stdout);
        faults_print(&faults, stdout);
    }
    int code = probe_answered(h) ? faults_exit_code(&faults) : EX_UNAVAILABLE;
    if (code == EX_UNAVAILABLE)
        fprintf(stderr, "mailreeve probe: no port of %s answers\n", h->host);
    faults_free(&faults);
    return code;
}

/* Before anything is asked: a file that cannot be used would make every certificate unknown. */
static int check_ca(const char *file)
{
    struct certificate c;
    struct err e;
    if (!file || certificate_of_file(file, NULL, 0, &c, &e) == 0) {
        if (file)
            certificate_clear(&c);
        return 0;
    }
    fprintf(stderr, "mailreeve probe: --ca: %s\n", e.text);
    return EX_NOINPUT;
}

int cmd_probe(int argc, char **argv)
{
    struct command c = {.probe = {.step_s = STEP_S, .mail = true}};
    int failed = take_options(argc, argv, &c);
    if (failed)
        return failed < 0 ? EX_OK : failed;
    failed = check_ca(c.probe.ca_file);
    struct config *config = failed ? NULL : load(c.config);
    if (!config)
        return failed ? failed : EX_CONFIG;
    struct host_seen seen;
    struct err e;
    signal(SIGPIPE, SIG_IGN);
    c.probe.policy = config->policy;
    c.probe.resolver.seconds = c.probe.step_s;
    c.probe.progress = isatty(STDERR_FILENO) ? stderr : NULL;
    int code = probe_run(&c.probe, &seen, &e);
    if (code)
        fprintf(stderr, "mailreeve probe: %s\n", e.text);
    else
        code = tell(&c, &seen);
    probe_free(&seen);
    config_free(config);
    return code;
}
