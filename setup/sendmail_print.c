/* SPDX-License-Identifier: Apache-2.0 */
/* The plan, as text: mailreeve.yaml, lines of m4, commands. */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "setup/sendmail_plan.h"

#define SOCKET "/run/mailreeve-milter/milter.sock"
#define TIMEOUTS "T=C:10s;S:10s;R:10s;E:1m"

enum { LINE_MAX_TEXT = 4096 };

static bool enforces(const struct sendmail_plan *p)
{
    return p->options->mode == MODE_ENFORCE;
}

/* ---- mailreeve.yaml ------------------------------------------------------------- */

static bool is_plain(const char *name)
{
    return *name &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(name);
}

/* Two daemons of one port, for IPv4 and IPv6, are one listener. */
static bool is_first_of_port(const struct sendmail_plan *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (p->daemons[i].port == p->daemons[n].port)
            return false;
    return true;
}

static void put_listener(const struct sendmail_plan *p, unsigned n, FILE *out)
{
    const struct planned *d = &p->daemons[n];
    const char *comma = "";
    if (!d->port) {
        fprintf(out, "  # %s: its port, \"%s\", is not known; put its number\n", d->name,
                d->daemon->port);
        return;
    }
    if (!is_first_of_port(p, n))
        return;
    fprintf(out, "  - {names: [");
    for (unsigned i = n; i < p->count; i++) {
        const char *name = p->daemons[i].name;
        bool again = false;
        for (unsigned k = n; k < i; k++)
            again |= strcmp(p->daemons[k].name, name) == 0;
        if (p->daemons[i].port == d->port && is_plain(name) && !again)
            fprintf(out, "%s%s", comma, name), comma = ", ";
    }
    fprintf(out, "%s], port: %u, role: %s}\n", *comma ? "" : role_names[d->role], d->port,
            role_names[d->role]);
}

static void print_yaml(const struct sendmail_plan *p, FILE *out)
{
    fprintf(out, "mode: %s\nlisteners:\n", mode_names[p->options->mode]);
    for (unsigned i = 0; i < p->count; i++)
        put_listener(p, i, out);
    if (!p->has_465)
        fprintf(out, "  - {names: [submissions], port: 465, role: submissions}\n");
    fprintf(out, "milter:\n  listen: [\"unix:" SOCKET "\"]\n");
}

/* ---- the lines of m4 -------------------------------------------------------------- */

/* Mailreeve's filter first, then those that the daemon asks now. */
static void put_filters(const struct sendmail_plan *p, struct buf *b, const struct planned *d)
{
    const struct cf_filter *filters[CF_LIST];
    unsigned count = cf_daemon_filters(&p->cf, d->daemon, filters);
    buf_cstring(b, d->role == ROLE_SMTP ? "mailreeve-smtp" : "mailreeve");
    for (unsigned i = 0; i < count; i++)
        buf_printf(b, ";%s", filters[i]->name);
}

static void put_daemon(const struct sendmail_plan *p, const struct planned *d, FILE *out)
{
    char names[LINE_MAX_TEXT], first[LINE_MAX_TEXT], text[LINE_MAX_TEXT], letters[64];
    struct buf n = BUF(names), f = BUF(first), t = BUF(text), m = BUF(letters);
    struct cf_daemon changed = *d->daemon;
    if (enforces(p) && d->role == ROLE_SMTP && !cf_has(d->daemon->modifiers, 'A')) {
        cf_put_modifiers(&m, d->daemon, "A", "");
        cf_put_with(&f, d->daemon, "M", buf_cstr(&m));
        changed.text = buf_cstr(&f);
        changed.line = 1;
    }
    put_filters(p, &n, d);
    cf_put_with(&t, &changed, "InputMailFilters", buf_cstr(&n));
    fprintf(out, "DAEMON_OPTIONS(`%s')dnl\n", buf_cstr(&t));
}

/* Where a line belongs, before it. */
static void put_where(const struct sendmail_plan *p, const struct planned *d, FILE *out)
{
    if (d->mc_line && d->mc_line == d->mc_last_line)
        fprintf(out, "dnl # in place of line %u:\n", d->mc_line);
    else if (d->mc_line)
        fprintf(out, "dnl # in place of lines %u to %u:\n", d->mc_line, d->mc_last_line);
    else if (p->has_mc && !p->no_default_msa && strcmp(d->name, "MSA") == 0)
        fprintf(
            out,
            "dnl # in place of what Sendmail adds unless FEATURE(`no_default_msa') is there:\n");
    else if (p->has_mc && p->count && !d->daemon->line)
        fprintf(out, "dnl # in place of Sendmail's default:\n");
    else if (strcmp(d->daemon->text, "Name=MTA") == 0)
        fprintf(out, "dnl # in place of Sendmail's default:\n");
    else
        fprintf(out, "dnl # in place of the line in a file that yours includes, or in your .mc:\n");
}

/* Port 465, at the addresses of the port for submission that is there. */
static void put_new_daemon(const struct sendmail_plan *p, const char *family, const char *address,
                           FILE *out)
{
    fprintf(out,
            "%sDAEMON_OPTIONS(`Family=%s, Name=submissions%s, Port=465, %s%s%sM=Eas, "
            "InputMailFilters=mailreeve')dnl\n",
            p->has_tls ? "" : "dnl ", family, strcasecmp(family, "inet6") == 0 ? "6" : "",
            *address ? "Addr=" : "", address, *address ? ", " : "");
}

static void put_new_daemons(const struct sendmail_plan *p, FILE *out)
{
    bool any = false;
    fprintf(out, "dnl # new: port 465, TLS from the first byte\n");
    if (!p->has_tls)
        fprintf(out, "dnl # (without the dnl once there are confSERVER_CERT and confSERVER_KEY)\n");
    for (unsigned i = 0; i < p->count && p->like; i++) {
        const struct cf_daemon *d = p->daemons[i].daemon;
        if (cf_port(d) != cf_port(p->like))
            continue;
        put_new_daemon(p, *d->family ? d->family : "inet", d->address, out);
        any = true;
    }
    if (!any)
        put_new_daemon(p, "inet", "", out);
}

/* What Sendmail does itself against passwords without TLS: with the mechanisms that are left. */
static void put_auth(const struct sendmail_plan *p, FILE *out)
{
    const char *options = cf_value(&p->cf, "AuthOptions"), *off = enforces(p) ? "" : "dnl ";
    const char *mechanisms = cf_value(&p->cf, "AuthMechanisms");
    char plain[LINE_MAX_TEXT];
    struct buf b = BUF(plain);
    struct str rest = str_of(mechanisms);
    while (rest.p) {
        struct str word = str_cut(&rest, " \t,");
        static const char *const kept = "PLAIN LOGIN EXTERNAL GSSAPI XOAUTH2 OAUTHBEARER";
        char name[64];
        snprintf(name, sizeof name, "%.*s", STR_ARG(word));
        if (word.n && word.n < sizeof name && cf_lists(kept, name))
            buf_printf(&b, "%s%s", b.n ? " " : "", name);
    }
    bool has_p = cf_has(options, 'p'), challenges = *mechanisms && b.n && b.n != strlen(mechanisms);
    if (has_p && !challenges)
        return;
    fprintf(out,
            "dnl #\ndnl # And behind the include of sasl.m4, if you have one, before "
            "MAILER_DEFINITIONS: no\n"
            "dnl # password without TLS. It takes effect at once, whatever Mailreeve's mode is.\n");
    if (!enforces(p))
        fprintf(out, "dnl # Take the first dnl away when you go from audit to enforce.\n");
    if (!has_p)
        fprintf(out, "%sdefine(`confAUTH_OPTIONS', `%s%sp')dnl\n", off, *options ? options : "A",
                " ");
    if (challenges || !*mechanisms)
        fprintf(out,
                "dnl # p lets CRAM-MD5 and DIGEST-MD5 pass in clear text, so they are left out:\n"
                "%sdefine(`confAUTH_MECHANISMS', `%s')dnl\n",
                off, challenges ? buf_cstr(&b) : "PLAIN LOGIN");
}

void sendmail_plan_print_mc(const struct sendmail_plan *p, FILE *out)
{
    bool all = p->count > 0 && p->has_465;
    for (unsigned i = 0; i < p->count; i++)
        all &= p->daemons[i].asks;
    if (all) {
        fprintf(out, "dnl # Mailreeve is in already: every daemon asks it. `mailreeve doctor "
                     "sendmail` looks "
                     "whether all is well.\n");
        return;
    }
    fprintf(out, "dnl # Mailreeve, made by `mailreeve setup sendmail` for this file.\n");
    if (!p->has_filters)
        fprintf(
            out,
            "dnl # One socket, two names: if it does not answer, clients on submission ports are\n"
            "dnl # told to try again (F=T), and on port 25 mail goes on.\n"
            "MAIL_FILTER(`mailreeve', `S=local:" SOCKET ", F=T, " TIMEOUTS "')dnl\n"
            "MAIL_FILTER(`mailreeve-smtp', `S=local:" SOCKET ", " TIMEOUTS "')dnl\n");
    if (p->has_mc && !p->no_default_msa)
        fprintf(out, "FEATURE(`no_default_msa')dnl\n");
    for (unsigned i = 0; i < p->count; i++) {
        const struct planned *d = &p->daemons[i];
        if (d->asks) {
            fprintf(out, "dnl # %s asks it already.\n", d->name);
            if (d->mc_line || !p->has_mc || p->no_default_msa)
                continue;
        }
        put_where(p, d, out);
        put_daemon(p, d, out);
        if (d->role == ROLE_SMTP && !enforces(p) && !cf_has(d->daemon->modifiers, 'A'))
            fprintf(out,
                    "dnl # (When nobody logs in there any more: A in its M=, so that AUTH is not "
                    "offered.)\n");
    }
    if (!p->has_465)
        put_new_daemons(p, out);
    put_auth(p, out);
}

/* ---- all of it ---------------------------------------------------------------------- */

static void print_there(const struct sendmail_plan *p, FILE *out)
{
    fprintf(out, "# What is there (nothing has been changed)\n\n");
    for (unsigned i = 0; i < p->count; i++) {
        const struct planned *d = &p->daemons[i];
        fprintf(out, "  %-12s port %-5u role %-12s ", d->name, d->port, role_names[d->role]);
        if (d->mc_line)
            fprintf(out, "%s:%u\n", p->mc_path, d->mc_line);
        else if (p->has_cf && d->daemon->line)
            fprintf(out, "%s/sendmail.cf:%u\n", p->options->directory, d->daemon->line);
        else
            fprintf(out, "by default\n");
    }
    if (p->stale)
        fprintf(out, "\n  %s is newer than sendmail.cf: run make first, and this command again.\n",
                p->mc_path);
    for (unsigned i = 0; i < p->count; i++)
        if (cf_is_local(p->daemons[i].daemon))
            fprintf(out,
                    "\n  %s listens on this machine only (%s): no customer can reach it until you "
                    "take Addr= away.\n",
                    p->daemons[i].name, p->daemons[i].daemon->address);
    fputc('\n', out);
}

void sendmail_plan_print(const struct sendmail_plan *p, FILE *out)
{
    const struct setup_sendmail *o = p->options;
    print_there(p, out);
    fprintf(out, "# 1. %s%s\n\n", o->yaml,
            access(o->yaml, F_OK) == 0 ? " (there is one: these lines belong into it)" : "");
    print_yaml(p, out);
    fprintf(out, "\n# 2. %s%s\n\n", p->mc_path,
            p->has_mc ? ", where its DAEMON_OPTIONS are"
                      : " (it is not there: the .mc file that sendmail.cf is made from)");
    sendmail_plan_print_mc(p, out);
    fprintf(out, "\n# 3. Then, as root\n\n");
    fprintf(out, "cp -p %s %s.before-mailreeve      # before you change it\n", p->mc_path,
            p->mc_path);
    fprintf(out,
            "mailreeve check\nsystemctl enable --now mailreeve-milter\n"
            "make -C %s\nsystemctl restart sendmail\nmailreeve doctor sendmail\n",
            o->directory);
    fprintf(out,
            "\n# 4. To undo it\n\n"
            "cp -p %s.before-mailreeve %s\nmake -C %s\nsystemctl restart sendmail\n"
            "systemctl disable --now mailreeve-milter\n",
            p->mc_path, p->mc_path, o->directory);
}
