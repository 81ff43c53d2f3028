/* SPDX-License-Identifier: Apache-2.0 */
/* How a place, a value and a repair are written, so that all checks do it alike. */
#include <stdio.h>

#include "doctor/postfix.h"

void exam_where_service(struct fault *f, const struct pf_service *s)
{
    fault_where(f, "master.cf:%u, %s/%s", s->line, s->name, s->type);
}

void exam_where(struct exam *x, struct fault *f, const struct pf_service *s, const char *name)
{
    struct pf_value v = postfix_value(&x->p, s, name);
    if (v.source == PF_DEFAULT && s)
        exam_where_service(f, s);
    else
        fault_where(f, "%s", postfix_where(&x->p, s, v));
}

void exam_evidence(struct exam *x, struct fault *f, const struct pf_service *s, const char *name)
{
    struct pf_value v = postfix_value(&x->p, s, name);
    const char *text = v.text;
    if (v.source == PF_MASTER)
        fault_evidence(f, "-o %s=%s", name, v.raw);
    else if (v.source == PF_MAIN)
        fault_evidence(f, "%s = %s", name, v.raw);
    else if (x->p.version)
        fault_evidence(f, "%s =%s%s (default of Postfix %s)", name, text && !*text ? "" : " ",
                       text ? text : "?", postfix_text(&x->p, NULL, "mail_version"));
    else
        fault_evidence(f, "%s =%s%s (default)", name, text && !*text ? "" : " ", text ? text : "?");
}

void exam_set(struct exam *x, struct fault *f, const struct pf_service *s, const char *name,
              const char *value)
{
    fault_fix(f, "%s -P '%s/%s/%s=%s'", x->postconf, s->name, s->type, name, value);
}

void exam_set_main(struct exam *x, struct fault *f, const char *name, const char *value)
{
    fault_fix(f, "%s -e '%s = %s'", x->postconf, name, value);
}

void exam_setup(const struct exam *x, struct fault *f)
{
    fault_fix(f, "mailreeve setup postfix%s", x->postconf + sizeof "postconf" - 1);
}

const char *exam_services(struct exam *x, uint64_t members)
{
    char text[600];
    struct buf b = BUF(text);
    unsigned left = (unsigned)__builtin_popcountll(members);
    for (unsigned i = 0; i < x->count; i++) {
        if (!(members >> i & 1))
            continue;
        const struct pf_service *s = x->listeners[i].service;
        left--;
        buf_printf(&b, "%s/%s%s", s->name, s->type, left > 1 ? ", " : left ? " and " : "");
    }
    const char *copy = arena_strdup(&x->p.arena, str_of(buf_cstr(&b)));
    return copy ? copy : "";
}
