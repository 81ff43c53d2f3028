/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-gate: refuses every AUTH on port 25 with an explanation, and notes who tried. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/now.h"
#include "core/reply.h"
#include "edge/log.h"
#include "edge/notify.h"
#include "edge/process.h"
#include "edge/sandbox.h"
#include "edge/sentence.h"
#include "edge/sock.h"
#include "gate/scribe.h"
#include "gate/server.h"

#define PROGRAM "mailreeve-gate"

struct gate {
    struct scribe_options note;
    const char *socket, *user;
    struct str text;
    bool to_stderr;
    uid_t uid;
    gid_t gid;

    struct listening listening;
    bool listens;
    int signals;
    uint64_t files, refused;
    struct notify notify;
    struct sandbox sandbox;
    int64_t pulse_us, tell_us; /* monotonic: when they are due */
    struct scribe *scribe;
    struct gate_server *server;
};

/* ---- the command line -------------------------------------------------------- */

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: " PROGRAM " --socket PATH [--text TEXT] [--journal DIR] [--address HOW]\n"
        "       [-u USER] [--stderr]\n"
        "  --socket PATH   unix socket for Postfix's smtpd_sasl_path (systemd may pass one "
        "instead)\n"
        "  --text TEXT     what the client is told, behind \"535 5.7.8 Error: authentication "
        "failed: \"\n"
        "  --journal DIR   journal who tried (default: no journal, only the log)\n"
        "  --address HOW   what is written of a client's address: plain (default), hash, network\n"
        "  -u USER         open the socket and the journal, then become USER (when started as "
        "root)\n"
        "  --stderr        log to standard error, not to syslog\n"
        "  -V, -h          version, this help\n"
        "SIGTERM ends.\n");
}

static int wrong(const char *what, const char *given)
{
    fprintf(stderr, PROGRAM ": %s: \"%s\"\n", what, given);
    usage(stderr);
    return EX_USAGE;
}

/* It becomes a field of one protocol and a reply line of another. */
static bool text_fits(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            return false;
    return text.n > 0 && text.n <= GATE_TEXT_MAX;
}

/* The table's text for it. */
static struct str default_text(void)
{
    static const struct policy none = {.help_url = ""};
    static struct reply reply;
    reply_for(&none, FINDING_AUTH_TRIED_ON_SMTP_PORT, ACTION_REJECT, EDGE_AUTH, &reply);
    return str_of(reply.text);
}

static int set_address(struct gate *g, const char *how)
{
    static const char *const ways[] = {
        [ADDRESS_PLAIN] = "plain", [ADDRESS_HASH] = "hash", [ADDRESS_NETWORK] = "network"};
    int way = name_index(ways, sizeof ways / sizeof *ways, str_of(how));
    if (way < 0)
        return wrong("--address is plain, hash or network", how);
    g->note.address = (enum address_privacy)way;
    return -1;
}

/* The exit code if it ends here, else -1. */
static int read_options(struct gate *g, int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},  {"text", required_argument, NULL, 't'},
        {"journal", required_argument, NULL, 'j'}, {"address", required_argument, NULL, 'a'},
        {"stderr", no_argument, NULL, 'e'},        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},          {0},
    };
    int o;
    while ((o = getopt_long(argc, argv, "u:Vh", options, NULL)) != -1) {
        switch (o) {
        case 's': g->socket = optarg; break;
        case 't': g->text = str_of(optarg); break;
        case 'j': g->note.journal = optarg; break;
        case 'a':
            if (set_address(g, optarg) >= 0)
                return EX_USAGE;
            break;
        case 'u': g->user = optarg; break;
        case 'e': g->to_stderr = true; break;
        case 'V': printf(PROGRAM " %s\n", MAILREEVE_VERSION); return EX_OK;
        case 'h': usage(stdout); return EX_OK;
        default: usage(stderr); return EX_USAGE;
        }
    }
    if (optind < argc)
        return wrong("what is this?", argv[optind]);
    if (!text_fits(g->text))
        return wrong("--text must be one line of printable ASCII, 384 characters at most", "");
    if (strlen(g->note.journal) >= sizeof((struct journal_settings *)0)->path)
        return wrong("--journal is too long", g->note.journal);
    return -1;
}

/* ---- the socket ---------------------------------------------------------------- */

static int open_socket(struct gate *g, struct err *e)
{
    static struct program_settings settings;
    struct socket_spec *spec = &settings.listen[0];
    struct listening passed[SOCKETS_MAX];
    int n = sock_from_systemd(passed, e);
    if (n > 1)
        return err_set(e, "systemd passed %d sockets; it is to be one", n);
    if (n == 1)
        g->listening = passed[0];
    if (n != 0) {
        g->listens = n > 0;
        return n < 0 ? -1 : 0;
    }
    if (!g->socket)
        return err_set(e, "--socket is missing, and systemd passed none");
    if (g->socket[0] != '/' || strlen(g->socket) >= sizeof spec->path)
        return err_set(e, "--socket must be a path that begins with / and has at most %d bytes",
                       (int)sizeof spec->path - 1);
    spec->is_unix = true;
    memcpy(spec->path, g->socket, strlen(g->socket));
    settings.listen_count = 1;
    g->listens = sock_listen_all(&settings, &g->listening, e) == 1;
    return g->listens ? 0 : -1;
}

/* ---- life ----------------------------------------------------------------------- */

static void refused(void *context, const struct attempt *a)
{
    struct gate *g = context;
    g->refused++;
    scribe_tell(g->scribe, a);
}

static void tell_manager(struct gate *g, uint64_t open)
{
    static const struct sentence_part parts[] = {
        {"connection", "connections", "open"}, {"AUTH refused", "AUTH refused", "refused"}, {0}};
    const struct status_counter list[] = {{"open", open}, {"refused", g->refused}};
    char text[NOTIFY_TEXT_MAX];
    struct buf b = BUF(text);
    sentence_put(&b, parts, list, sizeof list / sizeof *list);
    b.n -= strlen(", ");
    notify_status(&g->notify, buf_cstr(&b));
}

/* Tells the service manager what is due; in how many milliseconds something is again. */
static int turned(void *context, uint64_t open)
{
    struct gate *g = context;
    if (!g->notify.address_n)
        return -1;
    int64_t now_us = clock_us(CLOCK_MONOTONIC), next_us;
    if (g->notify.pulse_us && now_us >= g->pulse_us) {
        notify_alive(&g->notify);
        g->pulse_us = now_us + (int64_t)g->notify.pulse_us;
    }
    if (now_us >= g->tell_us) {
        tell_manager(g, open);
        g->tell_us = now_us + STATUS_PERIOD_S * US_PER_S;
    }
    next_us = g->notify.pulse_us && g->pulse_us < g->tell_us ? g->pulse_us : g->tell_us;
    return (int)((next_us - now_us + 999) / 1000);
}

/* From here on the signals wait for the loop, in every thread. */
static int catch_signals(struct gate *g, struct err *e)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* there is nothing to read again */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return g->signals < 0 ? err_set(e, "signalfd: %s", strerror(errno)) : 0;
}

/* It sees passwords: nobody is to look into it, not even in a core. */
static int lock_up(struct err *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set(e, "prctl: %s", strerror(errno));
    return 0;
}

static int set_up(struct gate *g, struct err *e)
{
    if (g->uid == 0)
        return process_become(g->user, g->uid, g->gid, e); /* which says why not */
    g->files = process_limits();
    if (g->files <= 2 * GATE_DESCRIPTORS)
        return err_set(e, "the limit of open files is %llu; at least %d are needed",
                       (unsigned long long)g->files, 2 * GATE_DESCRIPTORS + 1);
    if (open_socket(g, e) != 0 || catch_signals(g, e) != 0)
        return -1;
    g->note.sandbox = g->sandbox;
    g->scribe = scribe_new(&g->note);
    if (geteuid() == 0)
        scribe_open_now(g->scribe, g->uid, g->gid);
    if (process_become(g->user, g->uid, g->gid, e) != 0 || lock_up(e) != 0)
        return -1;
    const struct gate_server_options o = {
        .listening = g->listening.fd,
        .signals = g->signals,
        .max_open = g->files - GATE_DESCRIPTORS,
        .text = g->text,
        .refused = refused,
        .turned = turned,
        .context = g,
    };
    g->server = gate_server_new(&o, e);
    return g->server ? 0 : -1;
}

/* The thread of the scribe has a sandbox of its own: it is there already. */
static void shut_in(struct gate *g)
{
    struct sandbox_places places = {.journal = -1};
    places.removed_count = sock_files(&g->listening, 1, places.removed);
    sandbox_enter(&g->sandbox, SANDBOX_GATE, &places);
}

static void start_scribe(struct gate *g)
{
    struct err e = {"memory is short"};
    if (!g->scribe || scribe_start(g->scribe, &e) != 0)
        log_error("%s: AUTH is refused, without a record of it", e.text);
}

int main(int argc, char **argv)
{
    struct gate g = {
        .note = {.program = PROGRAM, .journal = ""}, .text = default_text(), .signals = -1};
    struct err e = {""};
    int code = read_options(&g, argc, argv);
    if (code >= 0)
        return code;
    log_open(PROGRAM, g.to_stderr);
    if (process_look_up(g.user, &g.uid, &g.gid) != 0) {
        log_fatal("there is no user \"%s\" (-u)", g.user);
        return EX_NOUSER;
    }
    code = EX_OK;
    notify_open(&g.notify);
    sandbox_begin(&g.sandbox);
    if (set_up(&g, &e) != 0) {
        log_fatal("not started: %s", e.text);
        code = EX_UNAVAILABLE;
    } else {
        start_scribe(&g);
        shut_in(&g);
        log_info("ready");
        notify_ready(&g.notify);
        gate_server_run(g.server);
        notify_stopping(&g.notify);
    }
    gate_server_free(g.server);
    if (g.listens)
        sock_close_all(&g.listening, 1);
    notify_close(&g.notify);
    bool ended = scribe_stop(g.scribe);
    if (code == EX_OK)
        log_info("stopped");
    if (!ended)
        _exit(code);
    return code;
}
