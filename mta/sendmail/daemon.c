/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/sendmail/daemon.h"

#include <strings.h>

/* The names that /etc/services may lack, or have with another port. */
static const struct {
    const char *name;
    uint16_t port;
} services[] = {
    {"smtp", 25},   {"mail", 25},   {"submission", 587}, {"submissions", 465},
    {"smtps", 465}, {"ssmtp", 465}, {"urd", 465},
};

uint16_t cf_port(const struct cf_daemon *d)
{
    uint64_t number;
    if (!*d->port)
        return 25;
    if (str_to_u64(str_of(d->port), UINT16_MAX, &number))
        return (uint16_t)number;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcasecmp(services[i].name, d->port) == 0)
            return services[i].port;
    return 0;
}

bool cf_is_local(const struct cf_daemon *d)
{
    if (strcasecmp(d->family, "unix") == 0 || strcasecmp(d->family, "local") == 0)
        return true;
    const char *a = d->address;
    a += strncasecmp(a, "IPv6:", 5) == 0 ? 5 : 0;
    return strncmp(a, "127.", 4) == 0 || strcmp(a, "::1") == 0 || strcasecmp(a, "localhost") == 0;
}

enum role cf_role(const struct cf_daemon *d)
{
    uint16_t port = cf_port(d);
    if (cf_has(d->modifiers, 's') || port == 465)
        return ROLE_SUBMISSIONS;
    return port == 25 && !cf_has(d->modifiers, 'a') ? ROLE_SMTP : ROLE_SUBMISSION;
}

void cf_put_with(struct buf *b, const struct cf_daemon *d, const char *key, const char *value)
{
    struct str rest = str_of(d->line ? d->text : "Name=MTA, Port=25");
    size_t from = b->n;
    bool done = false;
    while (rest.p) {
        struct str field = str_trim(str_cut(&rest, ","));
        while (field.n && (field.p[0] == '\n' || field.p[0] == '\t' || field.p[0] == ' '))
            field.p++, field.n--; /* a folded line */
        if (field.n == 0)
            continue;
        buf_cstring(b, b->n > from ? ", " : "");
        if (field.p[0] == key[0] && memchr(field.p, '=', field.n)) {
            buf_printf(b, "%s=%s", key, value);
            done = true;
        } else {
            buf_str(b, field);
        }
    }
    if (!done)
        buf_printf(b, "%s%s=%s", b->n > from ? ", " : "", key, value);
}

void cf_put_modifiers(struct buf *b, const struct cf_daemon *d, const char *more, const char *less)
{
    for (const char *m = d->modifiers; *m; m++)
        if (!cf_has(less, *m) && *m > ' ')
            buf_char(b, *m);
    for (; *more; more++)
        if (!cf_has(d->modifiers, *more))
            buf_char(b, *more);
}

const char *cf_socket_path(const struct cf_filter *f)
{
    if (strncasecmp(f->socket, "local:", 6) == 0)
        return f->socket + 6;
    if (strncasecmp(f->socket, "unix:", 5) == 0)
        return f->socket + 5;
    return *f->socket == '/' ? f->socket : NULL;
}
