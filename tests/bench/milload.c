/* SPDX-License-Identifier: Apache-2.0 */
/*
 * milload: a load generator for milters: plays the MTA's side of many SMTP sessions, each over a
 * connection of its own, in a closed loop: when the filter has closed one, the next begins.
 *
 * A session is OPTNEG with everything offered, CONNECT, HELO, often HELO again under TLS, MAIL, the
 * header fields if the filter says CONTINUE there, perhaps more mails, QUIT (milmix.h). Every
 * answer is checked against the verdict that the rules must give; what is wrong is counted by kind
 * and makes the exit code 1. Latency is that of the answer at MAIL. The result is one line of JSON.
 */
#include "load.h"
#include "milmix.h"
#include "milreply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 2048
#define HEAD 5 /* length and letter of a packet */

struct conn {
    int fd; /* -1: ended, and the next session could not begin */
    char awaits;
    uint16_t got;
    unsigned at;    /* the piece that is sent next */
    unsigned mails; /* begun */
    struct milmix_kind *kind;
    struct draw draw;
    uint64_t since; /* when the last piece was sent */
    char answer[ANSWER_MAX];
};

static struct options {
    const char *mix;
    unsigned offenders, mails;
    bool verdicts;
} opt = {.mix = "all", .offenders = POPULATION, .mails = 1};

static struct milmix mix;
static struct milterms terms;
static char first_answer[ANSWER_MAX]; /* to OPTNEG: every connection must get the same */
static size_t first_length;
static struct conn *conns;
static unsigned *ready, ready_count, begun; /* connections with something to send */
static uint64_t named;                      /* mails whose headers told the software */

/* ---- a session ----------------------------------------------------------------- */

static void conn_end(struct conn *c)
{
    close(c->fd);
    c->fd = -1;
    c->awaits = 0;
    load.outstanding--;
}

static void conn_fail(struct conn *c, enum load_fault why)
{
    load.fault[why]++;
    conn_end(c);
}

static bool send_offer(int fd)
{
    const uint32_t offer[] = {htonl(SMFI_PROT_VERSION), htonl(SMFI_CURR_ACTS),
                              htonl(SMFI_CURR_PROT)};
    const uint32_t length = htonl(1 + sizeof(offer));
    char packet[HEAD + sizeof(offer)];

    memcpy(packet, &length, sizeof(length));
    packet[4] = SMFIC_OPTNEG;
    memcpy(packet + HEAD, offer, sizeof(offer));
    return load_send(fd, packet, sizeof(packet));
}

static bool conn_open(unsigned i)
{
    struct conn *c = &conns[i];

    *c = (struct conn){.fd = load_connect()};
    c->kind = milmix_next(&mix, &c->draw);
    if (!load_watch(c->fd, i))
        return false;
    load.outstanding++;
    c->awaits = SMFIC_OPTNEG;
    if (!send_offer(c->fd))
        conn_end(c);
    return c->fd >= 0;
}

static void conn_send(struct conn *c)
{
    struct milmix_kind *k = c->kind;
    static const struct milmix_piece none;
    const struct milmix_piece *p = &k->piece[c->at], *before = c->at > 0 ? p - 1 : &none;

    slotted_fill(&k->text, before->slots_end, p->slots_end, &c->draw);
    c->at++;
    c->awaits = p->awaits;
    c->got = 0;
    if (!load_send(c->fd, k->text.text + before->end, (size_t)(p->end - before->end)))
        conn_end(c);
    else if (c->awaits == 0)
        ready[ready_count++] = (unsigned)(c - conns);
    else if (c->awaits == SMFIC_MAIL)
        c->since = load_clock(CLOCK_MONOTONIC);
}

/* The mail is over: the next one, or the end of the session. */
static void conn_next_mail(struct conn *c)
{
    c->draw.random = c->draw.random * 6364136223846793005u + 1442695040888963407u; /* queue id */
    load.total.detail++;
    c->at = ++c->mails < opt.mails ? c->kind->again : c->kind->end;
    conn_send(c);
}

/* ---- answers ------------------------------------------------------------------- */

/* Is this what the rules say of the mail (without --verdicts: of a mail that passes)? */
static bool verdict_is_right(const struct conn *c, char letter, const char *data)
{
    const char *refusal = opt.verdicts ? c->kind->refusal : NULL;

    if (refusal != NULL)
        return letter == SMFIR_REPLYCODE && strncmp(data, refusal, strlen(refusal)) == 0;
    return letter == (milmix_wants(c->kind, &terms, c->mails) ? SMFIR_CONTINUE : SMFIR_ACCEPT);
}

static void conn_mail_answered(struct conn *c, char letter, const char *data, size_t size)
{
    bool good = letter == SMFIR_REPLYCODE ? milreply_is_good(data, size)
                                          : size == 0 && strchr("acrt", letter) != NULL;

    load_took(load_clock(CLOCK_MONOTONIC) - c->since);
    if (!good) {
        conn_fail(c, MALFORMED);
        return;
    }
    load.fault[WRONG_VERDICT] += !verdict_is_right(c, letter, data);
    if (letter == SMFIR_CONTINUE && milmix_wants(c->kind, &terms, 0)) {
        c->at = c->kind->headers;
        conn_send(c);
    } else {
        conn_next_mail(c);
    }
}

/* Nothing but the letter that is expected here? Else the connection is given up. */
static bool is_plain(struct conn *c, char expected, char letter, size_t size)
{
    if (letter != expected || size > 0)
        conn_fail(c, size == 0 && strchr("acrt", letter) != NULL ? WRONG_VERDICT : MALFORMED);
    return letter == expected && size == 0;
}

/* One whole packet has come, and its letter and data are these. */
static void conn_answered(struct conn *c, char letter, const char *data, size_t size)
{
    switch (c->awaits) {
    case SMFIC_OPTNEG:
        if (letter != SMFIC_OPTNEG || size != first_length || memcmp(data, first_answer, size) != 0)
            conn_fail(c, NEGOTIATION);
        else
            conn_send(c);
        return;
    case SMFIC_MAIL: conn_mail_answered(c, letter, data, size); return;
    case SMFIC_EOH:
        if (is_plain(c, SMFIR_ACCEPT, letter, size)) {
            named += c->kind->wants == WANTS_ONCE;
            conn_next_mail(c);
        }
        return;
    default: /* CONNECT, HELO, a header field: of filters that answer them */
        if (is_plain(c, SMFIR_CONTINUE, letter, size))
            conn_send(c);
    }
}

static void conn_ended(struct conn *c)
{
    bool in_order = c->awaits == SMFIC_QUIT && c->got == 0;

    if (!in_order) {
        conn_fail(c, CLOSED);
        return;
    }
    conn_end(c);
    load.total.units++;
    if (load.phase != DRAINING)
        conn_open((unsigned)(c - conns));
}

static void readable(unsigned i)
{
    struct conn *c = &conns[i];
    ssize_t n = recv(c->fd, c->answer + c->got, sizeof(c->answer) - c->got, MSG_DONTWAIT);
    size_t length;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_ended(c);
        return;
    }
    if (c->awaits == 0 || c->awaits == SMFIC_QUIT) {
        conn_fail(c, EXTRA_BYTES);
        return;
    }
    c->got = (uint16_t)(c->got + n);
    if (c->got < 4)
        return;
    length = milreply_length(c->answer);
    if (length < 1 || length > sizeof(c->answer) - 4)
        conn_fail(c, MALFORMED);
    else if (c->got > length + 4)
        conn_fail(c, EXTRA_BYTES);
    else if (c->got == length + 4)
        conn_answered(c, c->answer[4], c->answer + HEAD, length - 1);
}

/* ---- the load ------------------------------------------------------------------ */

/* Each that has something to send sends one piece; a new one begins in each turn, so that the
 * sessions do not all do the same at the same time. */
static bool turn(uint64_t now)
{
    unsigned count = ready_count;

    (void)now;
    for (unsigned i = 0; i < count; i++) {
        struct conn *c = &conns[ready[i]];

        if (c->fd >= 0 && c->awaits == 0)
            conn_send(c);
    }
    ready_count -= count;
    memmove(ready, ready + count, ready_count * sizeof(*ready));
    if (begun < load.connections && load.phase != DRAINING)
        conn_open(begun++);
    return ready_count > 0 || begun < load.connections;
}

/* A connection on which recv() waits, but not for ever. */
static int connect_patiently(void)
{
    const struct timeval patience = {.tv_sec = 5};
    int fd = load_connect();

    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static bool read_answer(int fd, char *out, size_t size)
{
    char head[HEAD];
    uint32_t length;

    if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head) || head[4] != SMFIC_OPTNEG)
        return false;
    length = milreply_length(head) - 1;
    if (length < 1 || length > size || recv(fd, out, length, MSG_WAITALL) != (ssize_t)length)
        return false;
    first_length = length;
    return true;
}

/* The terms, from a connection of its own. A filter that is not there or negotiates nonsense is a
 * fault like any other: the report tells. */
static bool negotiate(void)
{
    int fd = connect_patiently();
    bool good = false;

    if (fd < 0)
        return false;
    if (send_offer(fd)) {
        good = read_answer(fd, first_answer, sizeof(first_answer) - HEAD) &&
               milterms_read(&terms, first_answer, first_length) == 0 &&
               milmix_init(&mix, opt.mix, &terms, opt.offenders, (uint64_t)getpid()) == 0;
        load.fault[NEGOTIATION] += !good;
    }
    close(fd);
    return good;
}

static bool open_memory(void)
{
    conns = calloc((size_t)load.connections + load.idle, sizeof(*conns));
    ready = calloc((size_t)load.connections * 2, sizeof(*ready));
    return conns != NULL && ready != NULL;
}

/* Sends everything up to the last HELO, and reads what is answered. */
static bool say_hello(struct conn *c)
{
    struct milmix_kind *k = c->kind;
    size_t from = 0;

    slotted_fill(&k->text, 0, k->hello_slots, &c->draw);
    for (const struct milmix_piece *p = k->piece; from < k->hello; p++) {
        size_t to = p->end < k->hello ? p->end : k->hello;

        if (!load_send(c->fd, k->text.text + from, to - from))
            return true; /* counted */
        if (to == p->end && p->awaits != 0 &&
            (recv(c->fd, c->answer, HEAD, MSG_WAITALL) != HEAD || c->answer[4] != SMFIR_CONTINUE))
            return false;
        from = to;
    }
    return true;
}

/* Idle sessions have said HELO, and are silent. */
static void open_idle(unsigned i)
{
    struct conn *c = &conns[i];

    *c = (struct conn){.fd = connect_patiently()};
    c->kind = milmix_next(&mix, &c->draw);
    if (c->fd < 0 || !send_offer(c->fd))
        return;
    if (recv(c->fd, c->answer, HEAD + first_length, MSG_WAITALL) !=
            (ssize_t)(HEAD + first_length) ||
        memcmp(c->answer + HEAD, first_answer, first_length) != 0) {
        load.fault[NEGOTIATION]++;
        return;
    }
    load.fault[MALFORMED] += !say_hello(c);
}

static int descriptor(unsigned i)
{
    return conns[i].awaits == 0 ? conns[i].fd : -1;
}

static void report_more(void)
{
    printf(", \"total_named\": %llu", (unsigned long long)named);
    printf(", \"terms\": {\"actions\": %u, \"steps\": %u", terms.actions, terms.steps);
    for (int i = 0; i < MILTERMS_STAGES; i++)
        printf(", \"macros%d\": \"%s\"", i, terms.list[i]);
    printf("}");
}

static const char usage[] =
    "  -c, --connections N  sessions at once (10)\n"
    "  -i, --idle N         further ones that are held open after HELO (0)\n"
    "  -m, --mix NAME       which sessions: all, pass, smtp, submission (all)\n"
    "  -n, --mails N        in each session (1); those that are refused are tried as often\n"
    "  -o, --offenders N    distinct clients that break rules (1000000)\n"
    "  -v, --verdicts       the default rules apply; without it, everything must pass\n";

static const struct option options[] = {{"mix", 1, NULL, 'm'},
                                        {"mails", 1, NULL, 'n'},
                                        {"offenders", 1, NULL, 'o'},
                                        {"verdicts", 0, NULL, 'v'},
                                        {NULL, 0, NULL, 0}};

static bool take_option(int letter, const char *value)
{
    switch (letter) {
    case 'm': return opt.mix = value, true;
    case 'n': return (opt.mails = (unsigned)atoi(value)) > 0;
    case 'o': return (opt.offenders = (unsigned)atoi(value)) > 0 && opt.offenders <= POPULATION;
    case 'v': return opt.verdicts = true;
    }
    return false;
}

static bool prepare(void)
{
    return mix_kinds(opt.mix) != 0;
}

int main(int argc, char **argv)
{
    static const struct load_program milload = {.name = "milload",
                                                .unit = "sessions",
                                                .detail = "mails",
                                                .connections = 10,
                                                .options = options,
                                                .usage = usage,
                                                .take = take_option,
                                                .prepare = prepare,
                                                .open = open_memory,
                                                .first = negotiate,
                                                .open_idle = open_idle,
                                                .descriptor = descriptor,
                                                .readable = readable,
                                                .turn = turn,
                                                .report = report_more};

    return load_main(argc, argv, &milload);
}
