/* SPDX-License-Identifier: Apache-2.0 */
#include "core/session.h"
#include "config/config_internal.h"

static const char *key(int option)
{
    return options[option].key;
}

static const char *word(int option, unsigned index)
{
    return options[option].words[index];
}

/* Text as YAML takes it back: bare if it can only be a word, else in double quotes. */
static void put_text(struct buf *b, struct str s)
{
    bool bare = s.n > 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bare = bare && (letter || (i > 0 && c && strchr("_.-/", c)));
    }
    if (bare) {
        buf_str(b, s);
        return;
    }
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}

static void put_prefix(struct buf *b, const struct prefix *p)
{
    char text[64];
    struct buf t = BUF(text);
    prefix_format(&t, p);
    put_text(b, buf_view(&t));
}

/* A comma before every item but the first. */
static void comma(struct buf *b, bool *first)
{
    if (!*first)
        buf_cstring(b, ", ");
    *first = false;
}

static void put_strs(struct buf *b, const struct str *list, size_t count)
{
    buf_char(b, '[');
    for (size_t i = 0; i < count; i++) {
        buf_cstring(b, i ? ", " : "");
        put_text(b, list[i]);
    }
    buf_char(b, ']');
}

static void put_prefixes(struct buf *b, const struct prefix_list *list)
{
    bool first = true;
    buf_char(b, '[');
    for (; list; list = list->next) {
        comma(b, &first);
        put_prefix(b, &list->prefix);
    }
    buf_char(b, ']');
}

/* ---- listeners -------------------------------------------------------------- */

/* What could refuse, and what is not as it is by default. */
static void print_actions(struct buf *b, const struct listener *l)
{
    buf_printf(b, "    %s:\n", key(OPTION_LISTENER_ACTIONS));
    for (int f = 0; f < FINDING_COUNT; f++) {
        enum action standard = findings[f].by_role[l->role];
        if (standard != ACTION_NONE &&
            (findings[f].strictest > ACTION_LOG || l->action[f] != standard))
            buf_printf(b, "      %s: %s\n", findings[f].id, action_names[l->action[f]]);
    }
}

static void print_listener(struct buf *b, const struct listener *l)
{
    buf_printf(b, "  - %s: ", key(OPTION_LISTENER_NAMES));
    put_strs(b, l->names, l->name_count);
    buf_printf(b, "\n    %s: %u\n", key(OPTION_LISTENER_PORT), l->port);
    buf_printf(b, "    %s: %s\n", key(OPTION_LISTENER_ROLE), role_names[l->role]);
    buf_printf(b, "    %s: %s\n", key(OPTION_LISTENER_MODE), mode_names[l->mode]);
    buf_printf(b, "    %s: %s\n", key(OPTION_LISTENER_MIN_TLS),
               word(OPTION_LISTENER_MIN_TLS, l->min_tls - TLS_1_0));
    buf_printf(b, "    %s: %s\n", key(OPTION_LISTENER_TLS_BY), tls_by_names[l->tls_by]);
    buf_printf(b, "    %s: %s\n", key(OPTION_LISTENER_PUBLIC), l->public ? "yes" : "no");
    buf_printf(b, "    %s: %s\n", key(OPTION_LISTENER_DISCONNECT),
               l->disconnect_implicit_tls ? "yes" : "no");
    if (l->role != ROLE_SMTP) {
        buf_printf(b, "    %s: ", key(OPTION_LISTENER_MECHANISMS));
        put_strs(b, l->mechanisms, l->mechanism_count);
        buf_char(b, '\n');
    }
    print_actions(b, l);
}

/* ---- who --------------------------------------------------------------------- */

static void print_trusted(struct buf *b, const struct config_details *d)
{
    buf_printf(b, "%s:\n  %s: ", key(OPTION_TRUSTED), key(OPTION_TRUSTED_NETWORKS));
    put_prefixes(b, d->trusted);
    buf_printf(b, "\n  %s: [", key(OPTION_TRUSTED_CERTIFICATES));
    bool first = true;
    for (const struct text_list *c = d->certificates; c; c = c->next) {
        comma(b, &first);
        put_text(b, str_of(c->text));
    }
    buf_printf(b, "]\n%s: ", key(OPTION_MONITORS));
    put_prefixes(b, d->monitors);
    buf_char(b, '\n');
}

/* An end at midnight is the date of the day before, as people write it. */
void until_format(struct buf *b, int64_t until_us)
{
    char text[32];
    struct buf t = BUF(text);
    bool midnight = until_us > 0 && until_us % (86400 * US_PER_S) == 0;
    clock_format(&t, midnight ? until_us - 1 : until_us, 0);
    buf_put(b, text, midnight ? strlen("2027-03-31") : t.n);
}

static void print_exception(struct buf *b, const struct exception_list *item)
{
    const struct exception *e = item->e;
    buf_cstring(b, "  - ");
    if (e->client_count) {
        buf_printf(b, "%s: [", key(OPTION_EXCEPTION_CLIENT));
        for (size_t i = 0; i < e->client_count; i++) {
            buf_cstring(b, i ? ", " : "");
            put_prefix(b, &e->clients[i]);
        }
        buf_cstring(b, "]\n    ");
    }
    if (e->user_count) {
        buf_printf(b, "%s: ", key(OPTION_EXCEPTION_USER));
        put_strs(b, item->users, e->user_count);
        buf_cstring(b, "\n    ");
    }
    buf_printf(b, "%s: [", key(OPTION_EXCEPTION_ALLOW));
    bool first = true;
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (e->allow & FINDING_BIT(f)) {
            comma(b, &first);
            buf_cstring(b, findings[f].id);
        }
    }
    buf_printf(b, "]\n    %s: ", key(OPTION_EXCEPTION_UNTIL));
    until_format(b, e->until_us);
    buf_printf(b, "\n    %s: ", key(OPTION_EXCEPTION_REASON));
    put_text(b, str_of(e->reason));
    buf_printf(b, "\n    %s: ", key(OPTION_EXCEPTION_OWNER));
    put_text(b, str_of(e->owner));
    buf_char(b, '\n');
}

static void print_exceptions(struct buf *b, const struct config_details *d)
{
    buf_printf(b, "%s:%s\n", key(OPTION_EXCEPTIONS), d->exceptions ? "" : " []");
    for (const struct exception_list *e = d->exceptions; e; e = e->next)
        print_exception(b, e);
    buf_printf(b, "%s: ", key(OPTION_EXCEPTIONS_FILE));
    put_text(b, str_of(d->exceptions_file));
    buf_char(b, '\n');
}

/* ---- programs ------------------------------------------------------------------ */

static void print_socket(struct buf *b, const struct socket_spec *s)
{
    buf_printf(b, "    - {%s: ", key(s->is_unix ? OPTION_SOCKET_PATH : OPTION_SOCKET_INET));
    if (s->is_unix) {
        put_text(b, str_of(s->path));
    } else {
        buf_cstring(b, s->addr.bits == 128 ? "\"[" : "\"");
        addr_format(b, &s->addr);
        buf_printf(b, "%s:%u\"", s->addr.bits == 128 ? "]" : "", s->port);
    }
    if (*s->listener) {
        buf_printf(b, ", %s: ", key(OPTION_SOCKET_LISTENER));
        put_text(b, str_of(s->listener));
    }
    buf_cstring(b, "}\n");
}

static void print_program(struct buf *b, int option, const struct program_settings *p)
{
    buf_printf(b, "%s:\n  %s:%s\n", key(option), key(OPTION_PROGRAM_LISTEN),
               p->listen_count ? "" : " []");
    for (unsigned i = 0; i < p->listen_count; i++)
        print_socket(b, &p->listen[i]);
    buf_printf(b, "  %s: ", key(OPTION_PROGRAM_GROUP));
    put_text(b, str_of(p->group));
    buf_char(b, '\n');
}

static void print_tap(struct buf *b, const struct tap_settings *t)
{
    buf_printf(b, "%s:\n  %s: ", key(OPTION_TAP), key(OPTION_TAP_INTERFACE));
    put_text(b, str_of(t->interface));
    buf_printf(b, "\n  %s: [", key(OPTION_TAP_PROXIED_PORTS));
    for (unsigned i = 0; i < t->proxied_count; i++)
        buf_printf(b, "%s%u", i ? ", " : "", (unsigned)t->proxied_ports[i]);
    buf_cstring(b, "]\n");
}

static void print_journal(struct buf *b, const struct journal_settings *j)
{
    buf_printf(b, "%s:\n  %s: ", key(OPTION_JOURNAL), key(OPTION_JOURNAL_PATH));
    put_text(b, str_of(j->path));
    buf_printf(b, "\n  %s: ", key(OPTION_JOURNAL_KEEP));
    duration_format(b, (uint64_t)j->keep_s);
    buf_printf(b, "\n  %s: ", key(OPTION_JOURNAL_MAX_TOTAL));
    size_format(b, j->max_total);
    buf_printf(b, "\n  %s: ", key(OPTION_JOURNAL_MIN_FREE));
    if (j->min_free_is_percent)
        buf_printf(b, "%u%%", (unsigned)j->min_free);
    else
        size_format(b, j->min_free);
    buf_char(b, '\n');
}

void config_print(struct buf *b, const struct config *c)
{
    const struct policy *p = c->policy;
    buf_printf(b, "%s: ", key(OPTION_HELP_URL));
    put_text(b, str_of(p->help_url));
    buf_printf(b, "\n%s:\n", key(OPTION_LISTENERS));
    for (unsigned i = 0; i < p->listener_count; i++)
        print_listener(b, p->listeners[i]);
    print_trusted(b, c->details);
    print_exceptions(b, c->details);
    print_program(b, OPTION_POLICYD, &c->policyd);
    print_program(b, OPTION_MILTER, &c->milter);
    print_tap(b, &c->tap);
    print_journal(b, &c->journal);
    buf_printf(b, "%s:\n  %s: %s\n  %s: %s\n", key(OPTION_PRIVACY), key(OPTION_PRIVACY_USER),
               word(OPTION_PRIVACY_USER, c->privacy.user), key(OPTION_PRIVACY_ADDRESS),
               word(OPTION_PRIVACY_ADDRESS, c->privacy.address));
}
