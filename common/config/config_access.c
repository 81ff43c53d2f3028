/* SPDX-License-Identifier: Apache-2.0 */
/* Who is trusted, who is a monitor. */
#include <stdio.h>

#include "config/config_internal.h"

bool network_parse(struct str text, struct prefix *ret, struct complaint *c)
{
    struct buf help = BUF(c->help);
    switch (prefix_parse(text, ret)) {
    case PREFIX_OK: return true;
    case PREFIX_HOST_BITS:
        snprintf(c->why, sizeof c->why, "is an address inside a network, not a network");
        buf_cstring(&help, "did you mean \"");
        prefix_format(&help, ret);
        buf_cstring(&help, "\"?");
        break;
    case PREFIX_BAD:
        snprintf(c->why, sizeof c->why, "is not an address or a network");
        buf_cstring(&help, "for example 192.0.2.17, 192.0.2.0/24 or 2001:db8::/32; "
                           "host names are not looked up");
        break;
    }
    buf_cstr(&help);
    return false;
}

/* Fewer fixed bits than this is more than one organisation has. */
static bool is_wide(const struct prefix *p)
{
    return p->len < (p->addr.bits == 32 ? 8 : 32);
}

/* Each network of a list; everyone's network is refused, a very wide one doubted. */
static struct prefix_list *read_networks(struct reader *r, const struct value *v, const char *key,
                                         const char *everyone, struct prefix_index *index)
{
    struct prefix_list *first = NULL, **last = &first;
    unsigned count;
    const struct yaml_node *n = list_items(v, &count);
    for (unsigned i = 0; i < count; i++, n = n->next) {
        struct prefix p;
        struct complaint c;
        if (!network_parse(n->text, &p, &c)) {
            bad_value(r, n, key, n->text, &c);
            continue;
        }
        if (p.len == 0)
            problem_help(
                problem_at(r, SEVERITY_ERROR, n, "%s: %s is everyone", key, quote_of(n->text).text),
                "%s", everyone);
        else if (is_wide(&p))
            problem_help(problem_at(r, SEVERITY_WARNING, n, "%s: %s is a very large network", key,
                                    quote_of(n->text).text),
                         "list only networks that are yours");
        struct prefix_list *item = keep(r, sizeof *item);
        if (!item)
            return first;
        item->prefix = p;
        *last = item;
        last = &item->next;
        if (!prefix_index_put(index, &p, item))
            r->out_of_memory = true;
    }
    return first;
}

/* Hexadecimal digits, colons between them allowed; kept in lower case and without colons. */
static size_t fingerprint_of(struct str s, char ret[65])
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ':' && n % 2 == 0 && n > 0 && i + 1 < s.n && s.p[i + 1] != ':')
            continue;
        if (c >= 'A' && c <= 'F')
            c = (char)(c + ('a' - 'A'));
        if (n == 64 || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return 0;
        ret[n++] = c;
    }
    ret[n] = '\0';
    return n;
}

static struct text_list *read_certificates(struct reader *r, const struct value *v)
{
    enum { MD5 = 32, SHA1 = 40, SHA256 = 64 };
    struct text_list *first = NULL, **last = &first;
    unsigned count;
    const struct yaml_node *n = list_items(v, &count);
    for (unsigned i = 0; i < count; i++, n = n->next) {
        char digits[65];
        size_t length = fingerprint_of(n->text, digits);
        if (length != SHA1 && length != SHA256) {
            problem_help(problem_at(r, SEVERITY_ERROR, n,
                                    "client_certificates: %s is not a SHA-256 or "
                                    "SHA-1 fingerprint",
                                    quote_of(n->text).text),
                         length == MD5
                             ? "MD5 cannot be trusted: set smtpd_tls_fingerprint_digest = sha256 "
                               "in Postfix"
                             : "64 or 40 hexadecimal digits, colons between pairs of them allowed");
            continue;
        }
        struct text_list *item = keep(r, sizeof *item);
        if (!item)
            return first;
        item->text = keep_text(r, str_of(digits));
        *last = item;
        last = &item->next;
        if (!table_put(&r->policy->trusted_certificates, digits, length, item))
            r->out_of_memory = true;
    }
    return first;
}

void build_trusted(struct reader *r, const struct value root[OPTION_COUNT])
{
    struct value v[OPTION_COUNT];
    struct config_details *d = r->config->details;
    read_section(r, IN_TRUSTED, root[OPTION_TRUSTED].bad ? NULL : root[OPTION_TRUSTED].node, v);
    d->trusted = read_networks(r, &v[OPTION_TRUSTED_NETWORKS], "networks",
                               "then nobody would need TLS or AUTH to submit mail; "
                               "list the networks that are yours",
                               &r->policy->trusted);
    d->certificates = read_certificates(r, &v[OPTION_TRUSTED_CERTIFICATES]);
    r->policy->trusts_networks = d->trusted != NULL;
    r->policy->trusts_certificates = d->certificates != NULL;
}

void build_monitors(struct reader *r, const struct value root[OPTION_COUNT])
{
    r->config->details->monitors =
        read_networks(r, &root[OPTION_MONITORS], "monitors",
                      "then no finding would be recorded; list the addresses of your probes",
                      &r->policy->monitors);
}
