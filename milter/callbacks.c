/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each callback: get the context, fetch what the MTA tells, ask the filter,
 * reply. Nothing here waits, since Debian's libmilter serves all connections
 * with a few threads.
 *
 * Refusals are given at MAIL: at CONNECT and HELO they would take STARTTLS away
 * too. xxfi_unknown never returns ACCEPT or DISCARD, which crash smtpd.
 */
#include "milter/callbacks.h"

#include <stdio.h>

#include "milter/facts.h"

/*
 * Body, recipients and DATA are not asked for. CONNECT and header fields need no
 * reply; where the MTA wants one all the same, libmilter gives it. HELO gets one although
 * we have nothing to say: libmilter throws away what it has not read when the MTA
 * closes, and a client that leaves at once would go unnoticed. An unknown command gets one
 * because an option may close the connection there.
 */
enum {
    STEPS = SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOBODY | SMFIP_NR_CONN,
    WITH_HEADERS = SMFIP_NR_HDR,
    WITHOUT_HEADERS = SMFIP_NOHDRS | SMFIP_NOEOH,
};

static struct filter *filter; /* smfi_register() takes no argument of ours */

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *ret_actions,
                             unsigned long *ret_steps, unsigned long *ret_f2, unsigned long *ret_f3)
{
    (void)f2;
    (void)f3;
    bool our_lists = macros_request(ctx, actions);
    smfi_setpriv(ctx, filter_open(filter, our_lists));
    *ret_actions = our_lists ? SMFIF_SETSYMLIST : 0;
    *ret_steps = (STEPS | (filter->wants_headers ? WITH_HEADERS : WITHOUT_HEADERS)) & steps;
    *ret_f2 = *ret_f3 = 0;
    return SMFIS_CONTINUE;
}

/* The context, made here for a peer that did not negotiate. */
static struct connection *context(SMFICTX *ctx)
{
    struct connection *c = smfi_getpriv(ctx);
    if (!c && (c = filter_open(filter, false)))
        smfi_setpriv(ctx, c);
    return c;
}

/* What is told at a stage; without a context that of CONNECT, which says where we are. */
static void fetch(SMFICTX *ctx, enum macro_stage stage, const struct connection *c,
                  struct told *ret)
{
    if (c)
        macros_fetch(ctx, stage, c->our_lists, c->mta, ret);
    else
        macros_fetch(ctx, AT_CONNECT, false, MTA_UNKNOWN, ret);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *client)
{
    struct connection *c = context(ctx);
    struct told told;
    (void)host;
    if (c) {
        fetch(ctx, AT_CONNECT, c, &told);
        filter_connect(filter, c, client, &told);
    }
    return SMFIS_NOREPLY;
}

static sfsistat on_helo(SMFICTX *ctx, char *argument)
{
    struct connection *c = smfi_getpriv(ctx);
    struct told told;
    if (c) {
        fetch(ctx, AT_HELO, c, &told);
        filter_helo(filter, c, argument, &told);
    }
    return SMFIS_CONTINUE;
}

/* % is doubled: one alone makes Sendmail put a text of its own in the place of ours. */
static sfsistat refuse(SMFICTX *ctx, const struct reply *r)
{
    char code[4], dsn[sizeof r->dsn], text[2 * sizeof r->text];
    struct buf b = BUF(text);
    for (const char *p = r->text; *p; p++)
        buf_put(&b, "%%", *p == '%' ? 1 : 0), buf_char(&b, *p);
    buf_cstr(&b);
    snprintf(code, sizeof code, "%u", r->code % 1000);
    snprintf(dsn, sizeof dsn, "%s", r->dsn);
    smfi_setreply(ctx, code, dsn, text); /* if it fails: the MTA's own words */
    return r->code >= 500 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

/* As much of it as matters, byte by byte: libmilter does not see to it that it has an end. */
static struct str beginning(const char *command)
{
    size_t n = 0;
    if (command && command[0] == TLS_HANDSHAKE)
        n = command[1] == TLS_MAJOR_VERSION ? 2 : 1;
    return (struct str){command, n};
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
    static const struct reply closing = {421, "4.7.0", "TLS begins with STARTTLS here; closing"};
    struct connection *c = smfi_getpriv(ctx);
    struct told told;
    if (!c)
        return SMFIS_CONTINUE;
    fetch(ctx, AT_HELO, c, &told);
    return filter_unknown(filter, c, beginning(command), &told) ? refuse(ctx, &closing)
                                                                : SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    struct connection *c = smfi_getpriv(ctx);
    struct told told;
    struct reply reply;
    if (c && !c->policy) { /* libmilter passes over a CONNECT that does not come first */
        fetch(ctx, AT_CONNECT, c, &told);
        filter_connect(filter, c, NULL, &told);
    }
    fetch(ctx, AT_MAIL, c, &told);
    switch (filter_mail(filter, c, str_of(argv[0]), &told, &reply)) {
    case ANSWER_REFUSE: return refuse(ctx, &reply);
    case ANSWER_HEADERS: return SMFIS_CONTINUE;
    default: return SMFIS_ACCEPT;
    }
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct connection *c = smfi_getpriv(ctx);
    if (c)
        filter_header(c, str_of(name), str_of(value));
    return SMFIS_NOREPLY;
}

static sfsistat on_end_of_headers(SMFICTX *ctx)
{
    struct connection *c = smfi_getpriv(ctx);
    struct told told;
    if (c) {
        fetch(ctx, AT_EOH, c, &told);
        filter_end_of_headers(filter, c, &told);
    }
    return SMFIS_ACCEPT;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct connection *c = smfi_getpriv(ctx);
    struct told told;
    fetch(ctx, AT_HELO, c, &told);
    smfi_setpriv(ctx, NULL);
    filter_close(filter, c, &told);
    return SMFIS_CONTINUE;
}

bool callbacks_register(struct filter *f)
{
    static char name[] = "mailreeve-milter";
    filter = f;
    return smfi_register((struct smfiDesc){
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
           }) == MI_SUCCESS;
}
