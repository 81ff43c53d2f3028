/* SPDX-License-Identifier: Apache-2.0 */
/* What to change. */
#include "audit/report/report_internal.h"

/*
 * Findings that one change mends. Of those found, the first tells what to change, for it says most.
 * Groups of the second kind are told only where there is nothing else to tell.
 */
static const struct {
    bool alone;
    enum finding list[11]; /* up to FINDING_COUNT */
} groups[] = {
    {false,
     {FINDING_AUTH_ON_SMTP_PORT, FINDING_AUTH_TRIED_ON_SMTP_PORT, FINDING_CLEARTEXT_AUTH,
      FINDING_TLS_REQUIRED, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT,
      FINDING_CLEARTEXT_ON_IMPLICIT_PORT, FINDING_WAITS_ON_IMPLICIT_PORT,
      FINDING_STARTTLS_INSIDE_TLS, FINDING_CLOSED_BEFORE_STARTTLS, FINDING_NO_TLS_SEEN,
      FINDING_COUNT}},
    {false,
     {FINDING_TLS_VERSION, FINDING_HANDSHAKE_VERSION, FINDING_TLS_CIPHER, FINDING_HANDSHAKE_CIPHER,
      FINDING_TLS_CIPHER_WEAK, FINDING_COUNT}},
    {false, {FINDING_AUTH_REQUIRED, FINDING_COUNT}},
    {false, {FINDING_AUTH_MECHANISM, FINDING_COUNT}},
    {false, {FINDING_CERTIFICATE_REJECTED, FINDING_COUNT}},
    {false, {FINDING_LISTENER_MODE_MISMATCH, FINDING_COUNT}},
    {true, {FINDING_HANDSHAKE_UNKNOWN, FINDING_COUNT}},
    {true, {FINDING_NOT_SMTP, FINDING_COUNT}},
};

/* The setting for TLS as the program itself calls it. Who is on port 25 is sent to 465. */
static void put_setting(struct buf *t, const struct listener *on, const struct software_info *info)
{
    bool elsewhere = on->role == ROLE_SMTP;
    const char *setting = catalogue_setting(info, elsewhere ? ROLE_SUBMISSIONS : on->role);
    if (setting)
        buf_printf(t, "; in %s%s: %s%s", info->name, elsewhere ? ", for port 465" : "", setting,
                   info->evidence == EVIDENCE_NOT_CHECKED ? " (not checked)" : "");
}

static void put_advice(struct buf *t, finding_set found, const struct listener *on,
                       const struct software_info *info)
{
    enum finding mode = FINDING_COUNT; /* what is told of the first group */
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        const enum finding *f = groups[g].list;
        while (*f < FINDING_COUNT && !(found & FINDING_BIT(*f)))
            f++;
        if (*f == FINDING_COUNT || (groups[g].alone && t->n))
            continue;
        buf_printf(t, "%s%s", t->n ? "; also: " : "", findings[*f].fix);
        if (g > 0)
            continue;
        mode = *f;
        if (found & FINDING_BIT(FINDING_CLEARTEXT_AUTH) && mode != FINDING_CLEARTEXT_AUTH)
            buf_cstring(t, ", then change the password");
    }
    if (mode < FINDING_COUNT && on && info)
        put_setting(t, on, info);
}

const char *build_advice(struct build *b, finding_set found, const struct listener *on,
                         const struct software_info *software)
{
    struct {
        finding_set found;
        uint16_t role, software;
    } key = {found, on ? (uint16_t)(1 + on->role) : 0,
             software ? (uint16_t)(1 + (software - catalogue)) : 0};
    const char *known = table_get(&b->advices, &key, sizeof key);
    if (known)
        return known;
    char text[2000];
    struct buf t = BUF(text);
    put_advice(&t, found, on, software);
    known = build_text(b, buf_view(&t));
    if (!table_put(&b->advices, &key, sizeof key, (void *)(uintptr_t)known))
        b->failed = true;
    return known;
}
