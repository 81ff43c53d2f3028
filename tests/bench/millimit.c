/* SPDX-License-Identifier: Apache-2.0 */
/*
 * millimit: the least a filter on libmilter can do that is asked the same things as
 * mailreeve-milter: the same macro lists (they come from its own table), the same steps left out
 * and the same left unanswered, a callback where it has one, and a piece of memory a session. No
 * macro is looked at. What our filter costs beyond this is what our code costs; the rest is
 * libmilter's and the kernel's. bench_milter.py compares the terms that the two negotiate.
 *
 * Everything passes at MAIL. With -H headers are asked for, as with a journal, and a mail whose
 * sender begins with "c." passes only at the end of the headers: that is how milload marks the
 * mails whose headers our filter would want to see.
 *
 * Usage: millimit [-H] unix:PATH     (prints "ready"; SIGTERM ends it within 5 s, SIGKILL at once)
 */
#include <sys/resource.h>

#include <libmilter/mfapi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX 65536
#define LIST_MAX 400
#define PRIVATE 64 /* bytes that each session has of its own */

enum {
    STEPS = SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOBODY | SMFIP_NR_CONN,
    WITH_HEADERS = SMFIP_NR_HDR,
    WITHOUT_HEADERS = SMFIP_NOHDRS | SMFIP_NOEOH,
};

#define AT_CONNECT SMFIM_CONNECT
#define AT_HELO SMFIM_HELO
#define AT_MAIL SMFIM_ENVFROM
#define AT_EOH SMFIM_EOH

static const struct {
    int stage;
    const char *symbol;
} macros[] = {
#define MACRO(stage, name, symbol, ...) {AT_##stage, symbol},
#include "milter/macros.def"
#undef MACRO
};

static bool headers;

static void request_list(SMFICTX *ctx, int stage)
{
    char list[LIST_MAX] = "";

    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
        if (macros[i].stage == stage)
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? " " : "",
                     macros[i].symbol);
    smfi_setsymlist(ctx, stage, list);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *ret_actions,
                             unsigned long *ret_steps, unsigned long *ret_f2, unsigned long *ret_f3)
{
    (void)actions;
    (void)f2;
    (void)f3;
    request_list(ctx, AT_CONNECT);
    request_list(ctx, AT_HELO);
    request_list(ctx, AT_MAIL);
    request_list(ctx, AT_EOH);
    smfi_setpriv(ctx, calloc(1, PRIVATE));
    *ret_actions = SMFIF_SETSYMLIST;
    *ret_steps = (STEPS | (headers ? WITH_HEADERS : WITHOUT_HEADERS)) & steps;
    *ret_f2 = *ret_f3 = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *client)
{
    (void)ctx;
    (void)host;
    (void)client;
    return SMFIS_NOREPLY;
}

static sfsistat on_helo(SMFICTX *ctx, char *argument)
{
    (void)ctx;
    (void)argument;
    return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
    (void)ctx;
    (void)command;
    return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    (void)ctx;
    return headers && strncmp(argv[0], "<c.", 3) == 0 ? SMFIS_CONTINUE : SMFIS_ACCEPT;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx;
    (void)name;
    (void)value;
    return SMFIS_NOREPLY;
}

static sfsistat on_end_of_headers(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_ACCEPT;
}

static sfsistat on_close(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    static char name[] = "millimit";
    struct rlimit files = {FDS_MAX, FDS_MAX};
    char *address = argv[argc - 1];

    headers = argc == 3 && strcmp(argv[1], "-H") == 0;
    if (argc != 2 + headers || strncmp(address, "unix:", 5) != 0) {
        fprintf(stderr, "usage: millimit [-H] unix:PATH\n");
        return 64;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    unlink(address + 5);
    if (smfi_setconn(address) != MI_SUCCESS || smfi_setbacklog(4096) != MI_SUCCESS ||
        smfi_register((struct smfiDesc){
            .xxfi_name = name,
            .xxfi_version = SMFI_VERSION,
            .xxfi_negotiate = on_negotiate,
            .xxfi_connect = on_connect,
            .xxfi_helo = on_helo,
            .xxfi_unknown = on_unknown,
            .xxfi_envfrom = on_mail,
            .xxfi_header = on_header,
            .xxfi_eoh = on_end_of_headers,
            .xxfi_close = on_close,
        }) != MI_SUCCESS ||
        smfi_opensocket(false) != MI_SUCCESS) {
        fprintf(stderr, "millimit: cannot listen at %s\n", address);
        return 71;
    }
    fprintf(stderr, "millimit: ready\n");
    return smfi_main() == MI_SUCCESS ? 0 : 71;
}
