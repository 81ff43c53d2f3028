/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what there is, and plans. */
#include "setup/sendmail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "setup/sendmail_plan.h"

/* ---- the two files ------------------------------------------------------------- */

static bool is_newer(const char *first, const char *second)
{
    struct stat a, b;
    if (stat(first, &a) < 0 || stat(second, &b) < 0)
        return false;
    return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec > b.st_mtim.tv_sec
                                                : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

/* Without a sendmail.cf: its daemons as m4 would write them. */
static int cf_of_mc(struct sendmail_plan *p, struct err *e)
{
    size_t size = 1;
    unsigned i = 0;
    const struct mc_call *call;
    while ((call = mc_next(&p->mc, &i, "DAEMON_OPTIONS")))
        size += strlen(call->arguments[0]) + sizeof "O DaemonPortOptions=\n" + 1;
    struct buf b = {malloc(size + 64), 0, size + 64, false};
    if (!b.p)
        return err_set(e, "out of memory");
    for (i = 0; (call = mc_next(&p->mc, &i, "DAEMON_OPTIONS"));)
        buf_printf(&b, "O DaemonPortOptions=%s\n", call->arguments[0]);
    if (b.n == 0)
        buf_cstring(&b, "O DaemonPortOptions=Name=MTA\n");
    if (!p->no_default_msa)
        buf_cstring(&b, "O DaemonPortOptions=Port=587, Name=MSA, M=E\n");
    int failed = cf_parse(buf_view(&b), &p->cf, e);
    free(b.p);
    return failed;
}

static void look_for_feature(struct sendmail_plan *p)
{
    unsigned i = 0;
    const struct mc_call *call;
    while ((call = mc_next(&p->mc, &i, "FEATURE")))
        if (strcmp(call->arguments[0], "no_default_msa") == 0)
            p->no_default_msa = true, p->first_feature_line = call->line;
}

static int read_files(struct sendmail_plan *p, struct err *e)
{
    const struct setup_sendmail *o = p->options;
    char cf_path[4096];
    struct err why;
    if (snprintf(cf_path, sizeof cf_path, "%s/sendmail.cf", o->directory) >= (int)sizeof cf_path ||
        snprintf(p->mc_path, sizeof p->mc_path, o->mc ? "%.0s%s" : "%s/sendmail.mc", o->directory,
                 o->mc ? o->mc : "") >= (int)sizeof p->mc_path)
        return err_set(e, "the path is too long");
    p->has_mc = mc_read(p->mc_path, &p->mc, &why) == 0;
    bool absent = !p->has_mc && access(p->mc_path, F_OK) < 0 && errno == ENOENT;
    if (!p->has_mc && (o->mc || !absent))
        return err_set(e, "%s", why.text); /* it is there, or was asked for */
    look_for_feature(p);
    p->has_cf = access(cf_path, F_OK) == 0;
    if (p->has_cf)
        return cf_read(cf_path, &p->cf, e);
    if (!p->has_mc)
        return err_set(e, "%s has neither sendmail.cf nor sendmail.mc; -c tells where they are",
                       o->directory);
    return cf_of_mc(p, e);
}

/* ---- the plan --------------------------------------------------------------------- */

/* The same but for blanks. */
static bool same_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " \t\n");
        b += strspn(b, " \t\n");
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

static void find_in_mc(const struct sendmail_plan *p, struct planned *d)
{
    unsigned i = 0;
    const struct mc_call *call;
    while ((call = mc_next(&p->mc, &i, "DAEMON_OPTIONS"))) {
        bool taken = false;
        for (unsigned k = 0; k < p->count; k++)
            taken |= p->daemons[k].mc_line == call->line;
        if (taken || !same_text(call->arguments[0], d->daemon->text))
            continue;
        d->mc_line = call->line;
        d->mc_last_line = call->last_line;
        return;
    }
}

static bool is_ours(const struct cf_filter *f)
{
    return strcasestr(f->name, "mailreeve") || strcasestr(f->socket, "mailreeve");
}

static int plan_daemon(struct sendmail_plan *p, const struct cf_daemon *d, struct err *e)
{
    const struct cf_filter *filters[CF_LIST];
    struct planned *planned = &p->daemons[p->count];
    *planned = (struct planned){d, d->name, cf_port(d), cf_role(d), 0, 0, false};
    if (!*d->name) { /* as Sendmail names it */
        char name[32];
        int n = snprintf(name, sizeof name, d->line ? "Daemon%u" : "MTA", p->count);
        planned->name = arena_strdup(&p->cf.arena, (struct str){name, (size_t)n});
        if (!planned->name)
            return err_set(e, "out of memory");
    }
    find_in_mc(p, planned);
    for (unsigned i = 0, n = cf_daemon_filters(&p->cf, d, filters); i < n; i++)
        planned->asks |= is_ours(filters[i]);
    p->has_465 |= planned->role == ROLE_SUBMISSIONS;
    if (planned->role != ROLE_SMTP && (!p->like || planned->port == 587))
        p->like = d;
    p->count++;
    return 0;
}

int sendmail_plan_make(struct sendmail_plan *p, const struct setup_sendmail *options, struct err *e)
{
    char cf_path[4096];
    *p =
        (struct sendmail_plan){.options = options, .cf = {.host = "", .version = "", .access = ""}};
    if (read_files(p, e))
        return -1;
    snprintf(cf_path, sizeof cf_path, "%s/sendmail.cf", options->directory);
    p->stale = p->has_mc && p->has_cf && is_newer(p->mc_path, cf_path);
    p->has_tls = *cf_value(&p->cf, "ServerCertFile") && *cf_value(&p->cf, "ServerKeyFile");
    for (unsigned i = 0; i < p->cf.filter_count; i++)
        p->has_filters |= is_ours(&p->cf.filters[i]);
    for (unsigned i = 0; i < p->cf.daemon_count; i++)
        if (plan_daemon(p, &p->cf.daemons[i], e))
            return -1;
    return 0;
}

void sendmail_plan_clear(struct sendmail_plan *p)
{
    cf_clear(&p->cf);
    mc_clear(&p->mc);
}

int setup_sendmail(const struct setup_sendmail *options, FILE *out, struct err *e)
{
    struct sendmail_plan *p = malloc(sizeof *p);
    if (!p)
        return err_set(e, "out of memory");
    int failed = sendmail_plan_make(p, options, e);
    if (!failed && options->snippet_only)
        sendmail_plan_print_mc(p, out);
    else if (!failed)
        sendmail_plan_print(p, out);
    sendmail_plan_clear(p);
    free(p);
    return failed;
}
