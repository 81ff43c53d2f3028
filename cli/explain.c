/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailreeve explain: one session, every rule's outcome. What is given on the
 * command line is written down as a policy request first, so that it goes
 * through the same code as one from Postfix; what is not given is unknown.
 */
#include "cli/explain.h"

#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/now.h"
#include "core/reply.h"
#include "core/verdict.h"
#include "config/config.h"
#include "edge/request_facts.h"

enum { RECORDING_MAX = 1024 * 1024 };

struct explain {
    const char *config; /* NULL: the usual one */
    const char *wanted; /* a session, by its name */
    const char *file;   /* a recorded request; NULL: from the options */
    const char *at;
    char text[RECORDING_MAX];
    struct buf request;
    struct now now;
    struct session session;
    struct verdict verdict;
    struct answer answers[RULE_COUNT];
};

/* ---- the question -------------------------------------------------------- */

/* Options that are attributes of the request. */
static const struct {
    const char *option, *attribute, *example;
} attributes[] = {
    {"port", "server_port", "587"},
    {"listener", "policy_context", "submission"},
    {"client", "client_address", "192.0.2.17"},
    {"tls", "encryption_protocol", "TLSv1.3, or none"},
    {"cipher", "encryption_cipher", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"bits", "encryption_keysize", "256"},
    {"user", "sasl_username", "alice@example.com, or none"},
    {"mechanism", "sasl_method", "PLAIN"},
    {"certificate", "ccert_fingerprint", "client certificate's fingerprint"},
    {"state", "protocol_state", "RCPT (the default), MAIL, EHLO, ..."},
};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes, OPTION_FIRST = 256 };

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mailreeve explain [-c FILE] [--OPTION=VALUE ...]\n"
            "       mailreeve explain [-c FILE] --request FILE|-\n"
            "       mailreeve explain [-c FILE] --session SESSION LOG... JOURNAL...\n\n"
            "  -c FILE           configuration (default: " CONFIG_PATH ")\n"
            "  --session SESSION who saw what of it: its key in the journal, a queue id, or a "
            "client's\n"
            "                    address, with or without :port; LOG and JOURNAL as for mailreeve "
            "audit\n"
            "  --request FILE|-  recorded policy requests (name=value lines, an empty line "
            "behind each)\n"
            "  --at TIME         at another time: 2027-03-31T18:00:00Z\n");
    for (int i = 0; i < ATTRIBUTES; i++)
        fprintf(to, "  --%-16s%s\n", attributes[i].option, attributes[i].example);
    fprintf(to, "What is not given is unknown, as when the MTA does not tell it.\n");
}

static void put_attribute(struct buf *b, const char *name, const char *value)
{
    if (strcmp(value, "none") == 0)
        value = "";
    buf_printf(b, "%s=%s\n", name, value);
}

/* The exit code if it ends here, else -1. */
static int read_options(struct explain *x, int argc, char **argv)
{
    enum { OWN = 3 };
    struct option options[ATTRIBUTES + OWN + 1] = {
        {"request", required_argument, NULL, 'r'},
        {"at", required_argument, NULL, 't'},
        {"session", required_argument, NULL, 's'},
    };
    bool state = false, asked = false;
    int o;
    for (int i = 0; i < ATTRIBUTES; i++)
        options[OWN + i] =
            (struct option){attributes[i].option, required_argument, NULL, OPTION_FIRST + i};
    buf_cstring(&x->request, "request=smtpd_access_policy\n");
    while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (o >= OPTION_FIRST) {
            const char *name = attributes[o - OPTION_FIRST].attribute;
            state |= strcmp(name, "protocol_state") == 0;
            asked = true;
            put_attribute(&x->request, name, optarg);
            continue;
        }
        switch (o) {
        case 'c': x->config = optarg; break;
        case 'r': x->file = optarg; break;
        case 't': x->at = optarg; break;
        case 's': x->wanted = optarg; break;
        case 'h': usage(stdout); return EX_OK;
        default: usage(stderr); return EX_USAGE;
        }
    }
    if (x->wanted && !x->file && !asked && !x->at)
        return explain_session(x->wanted, x->config, argv + optind, argc - optind);
    if (x->wanted || optind < argc || (!x->file && !asked)) {
        usage(stderr);
        return EX_USAGE;
    }
    if (!state)
        put_attribute(&x->request, "protocol_state", "RCPT");
    buf_cstring(&x->request, "\n");
    return -1;
}

static int read_file(struct explain *x)
{
    FILE *f = strcmp(x->file, "-") == 0 ? stdin : fopen(x->file, "r");
    if (!f) {
        perror(x->file);
        return EX_NOINPUT;
    }
    x->request.n = fread(x->text, 1, sizeof x->text - 2, f);
    if (f != stdin)
        fclose(f);
    if (x->request.n == sizeof x->text - 2) {
        fprintf(stderr, "mailreeve explain: %s is longer than 1 MiB\n", x->file);
        return EX_DATAERR;
    }
    /* An editor or a shell may have taken the empty line at the end away. */
    while (x->request.n &&
           !(x->request.n > 1 && memcmp(x->text + x->request.n - 2, "\n\n", 2) == 0))
        buf_char(&x->request, '\n');
    return -1;
}

/* ---- the answer ---------------------------------------------------------- */

static void print_facts(const struct session *s, const struct policy *p)
{
    char text[64];
    struct buf b = BUF(text);
    if (s->listener) {
        printf("listener   %s, port %u, role %s, mode %s", s->listener->names[0].p,
               (unsigned)s->listener->port, role_names[s->listener->role],
               mode_names[s->listener->mode]);
        if (s->listener->line)
            printf(" (%s:%u)\n", p->file, s->listener->line);
        else
            printf(" (built in)\n");
    } else
        printf("listener   none that the policy names: the session is left alone\n");
    addr_format(&b, &s->client);
    printf("client     %s%s\n", b.n ? buf_cstr(&b) : "unknown",
           session_knows(s, FACT_BIT(FACT_TRUSTED)) && s->trusted ? ", trusted" : "");
    if (!session_knows(s, FACT_BIT(FACT_TLS)))
        printf("TLS        unknown\n");
    else if (!s->tls)
        printf("TLS        no\n");
    else
        printf("TLS        %.*s %.*s%s\n", STR_ARG(s->tls_version_text), STR_ARG(s->cipher_text),
               session_knows(s, FACT_BIT(FACT_CIPHER)) ? ""
                                                       : " (a cipher that OpenSSL does not know)");
    if (!session_knows(s, FACT_BIT(FACT_AUTH)))
        printf("AUTH       unknown\n");
    else if (!s->auth)
        printf("AUTH       no\n");
    else
        printf("AUTH       yes, as %.*s %.*s\n", STR_ARG(s->user), STR_ARG(s->mechanism));
    printf("state      %s%s\n\n", stage_names[s->stage],
           s->stage < STAGE_MAIL ? ": before MAIL nothing is refused" : "");
}

static void print_lacking(fact_set lacks)
{
    const char *sep = "not known: ";
    for (int f = 0; f < FACT_COUNT; f++) {
        if (lacks & FACT_BIT(f)) {
            printf("%s%s", sep, facts[f].meaning);
            sep = "; ";
        }
    }
}

static void print_exception(const char *word, const struct exception *e)
{
    char text[40];
    struct buf b = BUF(text);
    clock_format(&b, e->until_us, 0);
    printf("%s %s, owner %s, %s (%s:%u)", word, buf_cstr(&b), e->owner, e->reason, e->file,
           e->line);
}

static void print_answer(const struct explain *x, int i, const struct policy *p)
{
    const struct answer *a = &x->answers[i];
    const struct rule *r = rules[i];
    const struct listener *on = x->session.listener;
    printf("%-23s %-10s ", findings[r->finding].id, outcome_names[a->outcome]);
    switch (a->outcome) {
    case OUTCOME_NOT_ASKED:
        if (on && !(r->roles & ROLE_BIT(on->role)))
            printf("not on role %s", role_names[on->role]);
        else
            printf("the policy ignores it here");
        break;
    case OUTCOME_NO_DATA: print_lacking(a->lacks); break;
    case OUTCOME_HOLDS: printf("%s yes", r->asks); break;
    case OUTCOME_TRUSTED: printf("%s no, but the client is trusted", r->asks); break;
    case OUTCOME_EXCEPTED: print_exception("excepted until", a->exception); break;
    case OUTCOME_BROKEN:
        printf("%s no: %s (", r->asks, action_names[a->action]);
        if (on->action_line[r->finding])
            printf("%s:%u)", p->file, on->action_line[r->finding]);
        else
            printf("the default of role %s)", role_names[on->role]);
        if (a->expired) {
            printf("; ");
            print_exception("an exception ended", a->expired);
        }
        break;
    default: break;
    }
    printf("\n");
}

static void print_verdict(const struct explain *x, const struct policy *p)
{
    const struct verdict *v = &x->verdict;
    struct reply reply;
    if (v->finding == FINDING_COUNT) {
        printf("%sverdict    pass; %s\n", x->session.listener ? "\n" : "",
               x->session.listener ? "nothing was found" : "no rule is asked without a listener");
        return;
    }
    const struct finding_info *f = &findings[v->finding];
    printf("\nverdict    ");
    if (!refuses(v->would))
        printf("pass, and %s is logged\n", f->id);
    else
        printf("%s%s, because of %s\n", v->held ? "pass; would " : "", action_names[v->would],
               f->id);
    if (v->held == HELD_AUDIT)
        printf("held back  the listener is in mode audit; with mode: enforce it would %s\n",
               action_names[v->would]);
    if (v->held == HELD_BEFORE_MAIL)
        printf("held back  before MAIL a refusal would stop STARTTLS too\n");
    if (refuses(v->would) && reply_for(p, v->finding, v->would, EDGE_MAIL, &reply))
        printf("reply      %u %s %s\n", reply.code, reply.dsn, reply.text);
    printf("found      %s\nto change  %s\n", f->what, f->fix);
}

static void explain_one(struct explain *x, const struct policy *p, const struct ciphers *ciphers,
                        const struct request *r)
{
    facts_of_request(r, p, ciphers, (struct str){NULL, 0}, &x->session);
    decide(p, &x->session, &x->now, &x->verdict, x->answers);
    print_facts(&x->session, p);
    for (int i = 0; i < RULE_COUNT && x->session.listener; i++)
        print_answer(x, i, p);
    print_verdict(x, p);
}

/* A recording may hold several requests, one behind the other. */
static int explain(struct explain *x, const struct policy *p, const struct ciphers *ciphers)
{
    struct str rest = buf_view(&x->request);
    if (rest.n == 0) {
        fprintf(stderr, "mailreeve explain: there is no policy request in %s\n", x->file);
        return EX_DATAERR;
    }
    for (unsigned number = 1; rest.n; number++) {
        struct request r;
        size_t used;
        const char *why = "it does not end with an empty line";
        if (request_parse(rest, &r, &used, &why) != PARSED_ITEM) {
            fprintf(stderr, "mailreeve explain: request %u is no policy request: %s\n", number,
                    why);
            return EX_DATAERR;
        }
        rest = (struct str){rest.p + used, rest.n - used};
        if (number > 1 || rest.n)
            printf("%srequest %u\n\n", number > 1 ? "\n" : "", number);
        explain_one(x, p, ciphers, &r);
    }
    return EX_OK;
}

int cmd_explain(int argc, char **argv)
{
    static struct explain x;
    struct problems problems = {0};
    struct err e = {""};
    x.request = BUF(x.text);
    int ended = read_options(&x, argc, argv);
    if (ended < 0 && x.file)
        ended = read_file(&x);
    if (ended >= 0)
        return ended;
    x.now = clock_now();
    if (x.at && !clock_parse_until(str_of(x.at), &x.now.wall_us)) {
        fprintf(stderr, "mailreeve explain: --at %s is not a time like 2027-03-31T18:00:00Z\n",
                x.at);
        return EX_USAGE;
    }

    if (!x.config)
        x.config = CONFIG_PATH;
    struct config *c = config_load(x.config, &problems);
    struct ciphers *ciphers = ciphers_new(&e);
    if (!c) {
        fprintf(stderr, "mailreeve explain: %s is not right; see mailreeve check -c %s\n", x.config,
                x.config);
        ended = EX_CONFIG;
    } else if (!ciphers) {
        fprintf(stderr, "mailreeve explain: %s\n", e.text);
        ended = EX_OSERR;
    } else {
        ended = explain(&x, c->policy, ciphers);
    }
    ciphers_free(ciphers);
    config_free(c);
    problems_free(&problems);
    return ended;
}
