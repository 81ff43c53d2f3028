/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "core/session.h"
#include "probe/report.h"

static void put_string(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\"%s\":", name);
    fault_json_string(out, text);
}

/* A text that may not be there. */
static void put_text(FILE *out, const char *name, const char *text)
{
    if (text && *text)
        put_string(out, name, text);
    else
        fprintf(out, ",\"%s\":null", name);
}

static const char *word(enum known is)
{
    return is == UNKNOWN ? "null" : is == YES ? "true" : "false";
}

static void put_known(FILE *out, const char *name, enum known is)
{
    fprintf(out, ",\"%s\":%s", name, word(is));
}

static void put_mechanisms(FILE *out, const char *name, const struct capabilities *c)
{
    fprintf(out, ",\"%s\":%s", name, c->known ? "[" : "null");
    for (unsigned i = 0; i < c->mechanism_count; i++)
        fprintf(out, "%s\"%s\"", i ? "," : "", c->mechanisms[i]);
    fprintf(out, "%s", c->known ? "]" : "");
}

static void put_versions(FILE *out, const struct port_seen *p)
{
    fprintf(out, ",\"tls\":{");
    for (unsigned i = 0; i < TLS_VERSIONS; i++)
        fprintf(out, "%s\"%s\":%s", i ? "," : "", tls_version_name(TLS_1_0 + i),
                word(p->version[i].is));
    fprintf(out, "}");
}

static void put_certificate(FILE *out, const struct port_seen *p)
{
    static const char *const chains[] = {
        [CHAIN_TRUSTED] = "trusted",
        [CHAIN_SELF_SIGNED] = "self-signed",
        [CHAIN_INCOMPLETE] = "incomplete",
        [CHAIN_UNTRUSTED] = "untrusted",
    };
    const struct certificate *c = &p->certificate;
    if (!p->has_certificate) {
        fprintf(out, ",\"certificate\":null");
        return;
    }
    fprintf(out, ",\"certificate\":{\"chain\":\"%s\"", chains[c->chain]);
    put_string(out, "subject", c->subject);
    put_string(out, "issuer", c->issuer);
    const int64_t dates[] = {c->not_before_s, c->not_after_s};
    for (int i = 0; i < 2; i++) {
        char date[32];
        struct buf b = BUF(date);
        clock_format(&b, dates[i] * US_PER_S, 0);
        put_string(out, i ? "not_after" : "not_before", buf_cstr(&b));
    }
    fprintf(out, ",\"names\":[");
    for (unsigned i = 0; i < c->name_count; i++) {
        fputs(i ? "," : "", out);
        fault_json_string(out, c->names[i]);
    }
    fprintf(out, "]}");
}

static void put_port(FILE *out, const struct port_seen *p)
{
    static const char *const begins[BEGINS_COUNT] = {
        [BEGINS_UNKNOWN] = NULL, [BEGINS_CLOSED] = "closed", [BEGINS_CLEAR] = "cleartext",
        [BEGINS_TLS] = "tls",    [BEGINS_SILENT] = "silent", [BEGINS_OTHER] = "other",
    };
    enum known offered = p->begins == BEGINS_TLS && p->tls.known ? p->tls.starttls ? YES : NO
                         : p->clear.known                        ? p->clear.starttls ? YES : NO
                                                                 : UNKNOWN;
    bool asked = p->role != ROLE_SMTP && p->begins > BEGINS_CLOSED;
    fprintf(out, "{\"address\":\"%s\",\"port\":%u,\"role\":\"%s\"", p->address, p->port,
            role_names[p->role]);
    put_text(out, "begins", begins[p->begins]);
    put_text(out, "why", p->begins_why);
    put_text(out, "greeting", p->greeting);
    put_text(out, "software", p->software);
    put_known(out, "starttls", offered);
    put_known(out, "tls_works", p->tls_works.is);
    put_versions(out, p);
    put_known(out, "null_cipher", p->null_cipher.is);
    put_known(out, "anonymous_cipher", p->anonymous_cipher.is);
    put_mechanisms(out, "auth_cleartext", &p->clear);
    put_mechanisms(out, "auth_tls", &p->tls);
    put_known(out, "demands_tls", p->begins > BEGINS_CLOSED ? seen_demands_tls(p) : UNKNOWN);
    put_known(out, "demands_auth", asked ? seen_demands_auth(p) : UNKNOWN);
    put_known(out, "injection", p->injected.is);
    put_certificate(out, p);
    fprintf(out, "}");
}

static void put_srv(FILE *out, const struct host_seen *h)
{
    static const char *const leads[SRV_LEADS] = {
        [SRV_NOT_OFFERED] = "not-offered", [SRV_HERE] = "here",  [SRV_ELSEWHERE] = "elsewhere",
        [SRV_NOWHERE] = "no-address",      [SRV_UNKNOWN] = NULL,
    };
    const char *comma = "";
    for (int s = 0; s < SRV_SERVICES; s++)
        for (unsigned i = 0; i < h->srv[s].count; i++) {
            const struct srv_record *r = &h->srv[s].records[i];
            fprintf(out, "%s{\"service\":\"%s\",\"priority\":%u,\"weight\":%u,\"port\":%u", comma,
                    srv_labels[s], r->priority, r->weight, r->port);
            put_string(out, "target", r->target);
            put_text(out, "leads", leads[r->leads]);
            fprintf(out, "}");
            comma = ",";
        }
}

void seen_json(const struct host_seen *h, const struct faults *fs, FILE *out)
{
    fprintf(out, "{\"v\":1");
    put_string(out, "host", h->host);
    fprintf(out, ",\"addresses\":[");
    for (unsigned i = 0; i < h->address_count; i++)
        fprintf(out, "%s\"%s\"", i ? "," : "", h->addresses[i]);
    fprintf(out, "],\"ports\":[");
    for (unsigned i = 0; i < h->port_count; i++) {
        fputs(i ? "," : "", out);
        put_port(out, &h->ports[i]);
    }
    fprintf(out, "]");
    put_text(out, "domain", h->domain);
    fprintf(out, ",\"srv\":[");
    put_srv(out, h);
    fprintf(out, "],");
    faults_json(fs, out);
    fprintf(out, "}\n");
}
