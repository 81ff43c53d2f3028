/* SPDX-License-Identifier: Apache-2.0 */
/* Which services of master.cf speak SMTP with clients, on which port, and as what. */
#include <arpa/inet.h>
#include <netdb.h>

#include "mta/postfix/internal.h"

/* The names of the mail ports, so that a machine with an old services(5), or none, makes no
 * difference. */
static const struct {
    const char *name;
    uint16_t port;
} port_names[] = {
    {"smtp", 25}, {"submission", 587}, {"submissions", 465}, {"smtps", 465}, {"ssmtp", 465},
};

static uint16_t port_of(struct str name)
{
    uint64_t number;
    char text[64];
    struct buf b = BUF(text);
    if (str_to_u64(name, UINT16_MAX, &number))
        return (uint16_t)number;
    for (unsigned i = 0; i < sizeof port_names / sizeof *port_names; i++)
        if (str_eq(name, str_of(port_names[i].name)))
            return port_names[i].port;
    buf_str(&b, name);
    struct servent *known = b.full ? NULL : getservbyname(buf_cstr(&b), "tcp");
    return known ? ntohs((uint16_t)known->s_port) : 0;
}

static bool is_mail_port(uint16_t port)
{
    return port == 25 || port == 465 || port == 587 || port == 2525;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[127.", 5) == 0 ||
           strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 || strcmp(host, "::1") == 0;
}

/* inet_interfaces has nothing but this machine's own addresses. */
static bool only_loopback(struct postfix *p, const struct pf_service *s)
{
    struct str rest = str_of(postfix_text(p, s, "inet_interfaces")), word;
    char text[64];
    unsigned words = 0;
    for (; (word = pf_word(&rest)).n; words++) {
        struct buf b = BUF(text);
        buf_str(&b, word);
        if (!str_eq(word, STR("loopback-only")) && !is_loopback(buf_cstr(&b)))
            return false;
    }
    return words > 0;
}

/* "127.0.0.1:10025", "[::1]:smtp", "submission". */
static bool split_name(struct postfix *p, const char *name, struct pf_listener *l)
{
    const char *colon = strrchr(name, ':');
    struct str host = {name, colon ? (size_t)(colon - name) : 0};
    if (str_eq(host, STR("*")))
        host.n = 0;
    l->host = arena_strdup(&p->arena, host);
    l->port = port_of(str_of(colon ? colon + 1 : name));
    return l->host != NULL;
}

static bool lists_word(const char *list, const char *wanted)
{
    struct str rest = str_of(list), word;
    while ((word = pf_word(&rest)).n)
        if (str_eq_nocase(word, str_of(wanted)))
            return true;
    return false;
}

/* Can a client log in? Not where AUTH is switched off, taken out of EHLO for all, or answered by
 * mailreeve-gate. */
static bool has_auth(struct postfix *p, const struct pf_service *s)
{
    return postfix_yes(p, s, "smtpd_sasl_auth_enable", false) &&
           !lists_word(postfix_text(p, s, "smtpd_discard_ehlo_keywords"), "auth") &&
           !strstr(postfix_text(p, s, "smtpd_sasl_path"), "mailreeve-gate");
}

static void describe(struct postfix *p, struct pf_listener *l)
{
    const struct pf_service *s = l->service;
    bool postscreen = l->front != s;
    l->implicit = postfix_yes(p, s, "smtpd_tls_wrappermode", false);
    l->auth = has_auth(p, s);
    l->proxied = *postfix_text(p, l->front,
                               postscreen ? "postscreen_upstream_proxy_protocol"
                                          : "smtpd_upstream_proxy_protocol");
    l->loopback = *l->host ? is_loopback(l->host) : only_loopback(p, l->front);
    l->internal = l->loopback && !is_mail_port(l->port);
    l->role_known = true;
    if (l->port == 25)
        l->role = ROLE_SMTP;
    else if (l->port == 465 || (l->implicit && !l->internal))
        l->role = ROLE_SUBMISSIONS;
    else if (is_mail_port(l->port) || (l->auth && !l->internal))
        l->role = ROLE_SUBMISSION;
    else
        l->role_known = false;
}

unsigned postfix_listeners(struct postfix *p, struct pf_listener ret[PF_LISTENERS])
{
    const struct pf_service *behind = postfix_service(p, "smtpd", "pass");
    unsigned n = 0;
    for (unsigned i = 0; i < p->service_count && n < PF_LISTENERS; i++) {
        const struct pf_service *s = &p->services[i];
        bool postscreen = strcmp(s->command, "postscreen") == 0 && behind;
        if (strcmp(s->type, "inet") != 0 || (strcmp(s->command, "smtpd") != 0 && !postscreen))
            continue;
        ret[n] = (struct pf_listener){.service = postscreen ? behind : s, .front = s};
        if (!split_name(p, s->name, &ret[n]))
            break;
        describe(p, &ret[n++]);
    }
    return n;
}
