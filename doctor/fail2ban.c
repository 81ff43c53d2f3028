/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jails that ban customers whose mail program is set wrong. What the stock
 * filters of fail2ban 1.0.2 match is in tests/doctor/test_fail2ban.py, against the filters
 * themselves.
 */
#include <unistd.h>

#include "doctor/doctor.h"
#include "mta/fail2ban/jails.h"
#include "mta/text.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

/* Whose log a jail reads. */
enum { OF_POSTFIX = 1, OF_SENDMAIL = 2 };

/* What has to be so besides the jail. */
enum when { ALWAYS, WITH_GATE, WITH_GREET_PAUSE };

static const struct row {
    unsigned mta;
    const char *filter, *modes; /* the name in filter.d; modes between blanks */
    enum when when;
    enum fault_severity severity;
    const char *what;
    const char *mode; /* that does not; NULL: `fix` says what to do */
    const char *fix;
} rows[] = {
    {OF_POSTFIX, "postfix", "ddos aggressive", ALWAYS, FAULT_WARNING,
     "counts \"lost connection after\" and \"disconnect ... auth=0/1\": every client that "
     "speaks TLS at once "
     "on a STARTTLS port, does not like the certificate, or leaves to try another setting",
     "more", NULL},
    {OF_POSTFIX, "postfix", "auth extra aggressive", WITH_GATE, FAULT_WARNING,
     "counts what mailreeve-gate refuses on port 25, where no password was wrong", NULL,
     "cp etc/fail2ban/postfix.local /etc/fail2ban/filter.d/postfix.local"},
    {OF_POSTFIX, "postfix", "normal more extra aggressive", ALWAYS, FAULT_NOTE,
     "counts \"Relay access denied\", \"Client host rejected\" and \"improper command "
     "pipelining\": also a client "
     "without authentication, or with TLS at once on a STARTTLS port",
     NULL,
     "in /etc/fail2ban/jail.local, under its name: ignoreip = the networks of your customers"},
    {OF_SENDMAIL, "sendmail-reject", "extra aggressive", ALWAYS, FAULT_WARNING,
     "counts \"did not issue MAIL/EXPN/VRFY/ETRN\": every client that speaks TLS at once on a "
     "STARTTLS port, "
     "does not like the certificate, or leaves to try another setting",
     "normal", NULL},
    {OF_SENDMAIL, "sendmail-reject", "normal extra aggressive", WITH_GREET_PAUSE, FAULT_WARNING,
     "counts \"pre-greeting traffic\", and with FEATURE(`greet_pause') a client that speaks TLS "
     "at once on a "
     "STARTTLS port is that",
     NULL,
     "in /etc/fail2ban/filter.d/sendmail-reject.local, under [Definition]: ignoreregex = "
     "^rejecting commands from "
     "(\\S* )?\\[(IPv6:)?<HOST>\\] due to pre-greeting traffic"},
};

/* The mode of a filter that is given none. */
static const struct {
    const char *filter, *mode;
} own_modes[] = {{"postfix", "more"},   {"sendmail-reject", "normal"},
                 {"sendmail-auth", ""}, {"dovecot", ""},
                 {"sshd", ""},          {"recidive", ""}};

/* What another filter than the stock ones may look for. */
static const struct {
    const char *text;
    unsigned mta;
} phrases[] = {
    {"lost connection after", OF_POSTFIX}, {"SSL_accept error", OF_POSTFIX},
    {"did not issue", OF_SENDMAIL},        {"pre-greeting traffic", OF_SENDMAIL},
    {"accept failed", OF_SENDMAIL},
};

struct fail2ban {
    const struct doctor_input *in;
    struct faults *fs;
    struct jails jails;
    unsigned mta; /* OF_: whose directory it is */
    bool gate, greet_pause;
};

/* ---- files ------------------------------------------------------------------------- */

static bool is_there(const char *directory, const char *file)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/%s", directory, file) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

/* Has one of the lines that are no comments one of two words? A file that cannot be read has not.
 */
static bool file_has(const char *directory, const char *file, const char *one, const char *other)
{
    char path[4096];
    struct arena a = {0};
    struct str text;
    bool found = false;
    if (snprintf(path, sizeof path, "%s/%s", directory, file) < (int)sizeof path &&
        text_read(path, FILE_MAX, &a, &text, NULL) == 0)
        while (text.n && !found) {
            struct str line = text_trim(str_cut(&text, "\n"));
            found = line.n && line.p[0] != '#' &&
                    (memmem(line.p, line.n, one, strlen(one)) ||
                     memmem(line.p, line.n, other, strlen(other)));
        }
    arena_free(&a);
    return found;
}

/* Does the administrator's own part of a filter leave something out, with that word? */
static bool is_excused(const struct fail2ban *b, const char *filter, const char *word)
{
    char path[4096], value[JAIL_VALUE_MAX];
    struct jails own = {0};
    struct arena a = {0};
    struct str text;
    bool excused = false;
    if (snprintf(path, sizeof path, "%s/filter.d/%s.local", b->in->fail2ban, filter) <
            (int)sizeof path &&
        text_read(path, FILE_MAX, &a, &text, NULL) == 0 &&
        jails_parse(text, filter, &own, NULL) == 0 &&
        jail_value(&own, "Definition", "ignoreregex", value))
        excused = strstr(value, word) != NULL;
    jails_clear(&own);
    arena_free(&a);
    return excused;
}

/* ---- a jail ---------------------------------------------------------------------------- */

static bool has_mode(const char *modes, const char *mode)
{
    struct str rest = str_of(modes);
    while (rest.p)
        if (str_eq(str_cut(&rest, " "), str_of(mode)))
            return true;
    return false;
}

/* The setting to change: that of the mode if it is set for this jail, else of the filter. */
static const struct jail_setting *decides(const struct jails *j, const char *jail)
{
    static const char *const keys[] = {"mode", "filter", "enabled"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct jail_setting *s = jail_setting(j, jail, keys[i]);
        const struct jail_setting *filter = jail_setting(j, jail, "filter");
        bool goes_in = i || (filter && strstr(filter->value, "%(mode)s"));
        if (s && goes_in && strcmp(s->section, jail) == 0)
            return s;
    }
    return jail_setting(j, jail, "enabled");
}

static struct fault *add(struct fail2ban *b, const char *jail)
{
    const struct jail_setting *s = decides(&b->jails, jail);
    struct fault *f = fault_add(b->fs, FAULT_FAIL2BAN);
    fault_where(f, "%s:%u, jail %s", s->file, s->line, jail);
    fault_evidence(f, "%s = %s", s->key, s->value);
    return f;
}

static bool holds(const struct fail2ban *b, const struct row *r)
{
    switch (r->when) {
    case WITH_GATE: return b->gate && !is_excused(b, r->filter, "authentication failed");
    case WITH_GREET_PAUSE: return b->greet_pause && !is_excused(b, r->filter, "pre-greeting");
    default: return true;
    }
}

static void add_row(struct fail2ban *b, const char *jail, const struct row *r)
{
    struct fault *f = add(b, jail);
    f->severity = r->severity;
    fault_detail(f, "It %s.", r->what);
    if (r->mode && strcmp(decides(&b->jails, jail)->key, "filter") == 0)
        fault_fix(f, "in /etc/fail2ban/jail.local, under [%s]: filter = %s[mode=%s]", jail,
                  r->filter, r->mode);
    else if (r->mode)
        fault_fix(f, "in /etc/fail2ban/jail.local, under [%s]: mode = %s", jail, r->mode);
    else
        fault_fix(f, "%s", r->fix);
    fault_fix(f, "fail2ban-client reload");
}

/* A filter that somebody has written: by the texts it has. */
static void judge_other(struct fail2ban *b, const char *jail, const char *filter)
{
    static const char *const endings[] = {"conf", "local"};
    char file[128];
    for (size_t e = 0; e < 2; e++)
        for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
            snprintf(file, sizeof file, "filter.d/%s.%s", filter, endings[e]);
            if (!(phrases[i].mta & b->mta) ||
                !file_has(b->in->fail2ban, file, phrases[i].text, phrases[i].text))
                continue;
            struct fault *f = add(b, jail);
            fault_detail(
                f,
                "Its filter, %s, has \"%s\": every client that speaks TLS at once on a STARTTLS "
                "port, does not like the certificate, or leaves to try another setting.",
                file, phrases[i].text);
            fault_fix(f, "take that out of /etc/fail2ban/%s", file);
            fault_fix(f, "fail2ban-client reload");
            return;
        }
}

static void judge_jail(struct fail2ban *b, const char *jail)
{
    char filter[64], mode[32];
    if (!jail_is_enabled(&b->jails, jail) || !jail_filter(&b->jails, jail, filter, mode))
        return;
    bool stock = false;
    for (size_t i = 0; i < sizeof own_modes / sizeof *own_modes; i++)
        if (strcmp(own_modes[i].filter, filter) == 0) {
            stock = true;
            if (!*mode)
                snprintf(mode, sizeof mode, "%s", own_modes[i].mode);
        }
    bool serious = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        if (!(r->mta & b->mta) || strcmp(r->filter, filter) != 0 || !has_mode(r->modes, mode) ||
            !holds(b, r) || (serious && r->severity == FAULT_NOTE))
            continue;
        add_row(b, jail, r);
        serious = true;
    }
    if (!stock)
        judge_other(b, jail, filter);
}

void doctor_fail2ban(const struct doctor_input *in, struct faults *fs)
{
    struct fail2ban b = {.in = in, .fs = fs};
    struct err e;
    if (!in->fail2ban)
        return;
    if (jails_read(in->fail2ban, &b.jails, &e)) {
        faults_unknown(fs, "whether fail2ban bans customers: %s", e.text);
        jails_clear(&b.jails);
        return;
    }
    b.mta = (is_there(in->directory, "main.cf") ? OF_POSTFIX : 0) |
            (is_there(in->directory, "sendmail.cf") ? OF_SENDMAIL : 0);
    b.gate = file_has(in->directory, "main.cf", "mailreeve-gate", "mailreeve-25") ||
             file_has(in->directory, "master.cf", "mailreeve-gate", "mailreeve-25");
    b.greet_pause = file_has(in->directory, "sendmail.cf", "Sgreet_pause", "SLocal_greet_pause");
    for (unsigned i = 0; i < b.jails.name_count; i++)
        judge_jail(&b, b.jails.names[i]);
    jails_clear(&b.jails);
}
