/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/read.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <sysexits.h>
#include <unistd.h>

#include "tap/text.h"

#define CONFIG_PATH "/etc/mailreeve/mailreeve.yaml"
#define PROGRAM "mailreeve-tap"

struct reading {
    const struct read_options *o;
    struct config *config;
    struct recorder recorder;
    struct watch watch;
    const struct link_type *link;
    uint64_t found;
    int64_t first_us, last_us, tick_us; /* packet time */
};

/* The capture has one clock, for dates and durations. */
static struct now packet_time(int64_t packet_us)
{
    return (struct now){packet_us, packet_us};
}

static void found(void *context, const struct judgement *j, const struct now *now)
{
    struct reading *r = context;
    if (!r->o->json)
        text_session(stdout, r->recorder.privacy, j, now, r->found == 0);
    r->found++;
}

/* ---- the capture ---------------------------------------------------------------------- */

static void packet(struct reading *r, const struct pcap_pkthdr *h, const u_char *bytes)
{
    int64_t at_us = h->ts.tv_sec * US_PER_S + h->ts.tv_usec;
    if (at_us > r->last_us)
        r->last_us = at_us;
    if (r->last_us - r->tick_us >= US_PER_S) {
        r->tick_us = r->last_us;
        flows_tick(r->watch.flows, r->last_us);
    }
    watch_packet(&r->watch, r->link, (struct str){(const char *)bytes, h->caplen}, h->len, at_us);
}

/* The exit code. What was read before a mistake counts. */
static int read_packets(struct reading *r, pcap_t *p)
{
    struct pcap_pkthdr *h;
    const u_char *bytes;
    int got;
    while ((got = pcap_next_ex(p, &h, &bytes)) == 1)
        packet(r, h, bytes);
    flows_stop(r->watch.flows, r->last_us);
    if (got == PCAP_ERROR_BREAK)
        return EX_OK;
    fprintf(stderr, PROGRAM ": %s is broken or cut off: %s; what was read before that is shown\n",
            r->o->file, pcap_geterr(p));
    return EX_DATAERR;
}

static int read_file(struct reading *r)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    bool from_stdin = strcmp(r->o->file, "-") == 0;
    FILE *f = from_stdin ? stdin : fopen(r->o->file, "rb");
    if (!f) {
        fprintf(stderr, PROGRAM ": %s: %s\n", r->o->file, strerror(errno));
        return EX_NOINPUT;
    }
    pcap_t *p = pcap_fopen_offline(f, why);
    if (!p) {
        fprintf(stderr, PROGRAM ": %s is no capture that can be read: %s\n", r->o->file, why);
        if (!from_stdin)
            fclose(f);
        return EX_DATAERR;
    }
    int code = EX_DATAERR;
    r->link = packet_link(pcap_datalink(p));
    if (r->link)
        code = read_packets(r, p);
    else
        fprintf(stderr,
                PROGRAM ": %s: its link type %d is not one that can be read; capture on an "
                        "Ethernet interface or on \"any\"\n",
                r->o->file, pcap_datalink(p));
    bool any = r->link != NULL;
    pcap_close(p);
    if (any && !r->o->json)
        text_summary(stdout, from_stdin ? "standard input" : r->o->file, &r->watch, r->found);
    return code;
}

/* ---- life ------------------------------------------------------------------------------- */

static struct config *load(const char *path)
{
    struct problems problems = {0};
    if (!path && access(CONFIG_PATH, F_OK) == 0)
        path = CONFIG_PATH;
    struct config *c = config_load(path, &problems);
    for (unsigned i = 0; !c && i < problems.count; i++) {
        char text[2048];
        struct buf b = BUF(text);
        problem_format(&b, &problems.list[i], isatty(STDERR_FILENO));
        fprintf(stderr, "%s\n", buf_cstr(&b));
    }
    problems_free(&problems);
    return c;
}

static int read_with(struct reading *r)
{
    struct err e = {""};
    if (recorder_open_file(&r->recorder, r->config, PROGRAM, r->o->json ? stdout : NULL, &e) != 0) {
        fprintf(stderr, PROGRAM ": %s\n", e.text);
        return EX_OSERR;
    }
    r->watch = (struct watch){
        .recorder = &r->recorder, .record_time = packet_time, .found = found, .context = r};
    int code = EX_OSERR;
    if (watch_begin(&r->watch, r->config, 0, &e) == 0)
        code = read_file(r);
    else
        fprintf(stderr, PROGRAM ": %s\n", e.text);
    watch_end(&r->watch);
    recorder_free(&r->recorder);
    return code;
}

int read_capture(const struct read_options *o)
{
    static struct reading r;
    r.o = o;
    r.config = load(o->config);
    if (!r.config)
        return EX_CONFIG;
    int code = read_with(&r);
    config_free(r.config);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, PROGRAM ": standard output: %s\n", strerror(errno));
        return EX_IOERR;
    }
    return code;
}
