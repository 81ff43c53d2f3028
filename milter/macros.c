/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/macros.h"

#include "core/buf.h"

enum means { UNKNOWN, NO };

/* Not const only because libmilter takes symbols as char *. */
static struct {
    enum macro_stage stage;
    char symbol[20];
    enum means absent[MTA_COUNT], empty[MTA_COUNT];
} rows[MACRO_COUNT] = {
#define MACRO(stage, name, symbol, p_absent, p_empty, s_absent, s_empty)                           \
    [MACRO_##                                                                                      \
        name] = {AT_##stage, symbol, {UNKNOWN, p_absent, s_absent}, {UNKNOWN, p_empty, s_empty}},
#include "milter/macros.def"
#undef MACRO
};

/* libmilter's numbers for our stages. */
static const int places[MACRO_STAGES] = {
    [AT_CONNECT] = SMFIM_CONNECT,
    [AT_HELO] = SMFIM_HELO,
    [AT_MAIL] = SMFIM_ENVFROM,
    [AT_EOH] = SMFIM_EOH,
};

enum mta macros_mta(struct str v)
{
    if (v.n == 0)
        return MTA_UNKNOWN;
    if (v.n >= 7 && memcmp(v.p, "Postfix", 7) == 0)
        return MTA_POSTFIX;
    return v.p[0] >= '0' && v.p[0] <= '9' ? MTA_SENDMAIL : MTA_UNKNOWN;
}

/* At the end of the headers what was told at MAIL of the same message is of use, too. */
static bool is_of(enum macro m, enum macro_stage stage)
{
    return rows[m].stage == stage || (stage == AT_EOH && rows[m].stage == AT_MAIL);
}

enum known macros_know(const struct told *t, enum macro m)
{
    if (!is_of(m, t->stage))
        return KNOWN_NOTHING;
    if (t->value[m].n)
        return KNOWN_VALUE;
    enum means means = t->value[m].p ? rows[m].empty[t->mta] : rows[m].absent[t->mta];
    return t->our_lists && means == NO ? KNOWN_NO : KNOWN_NOTHING;
}

struct str macros_value(const struct told *t, enum macro m)
{
    return macros_know(t, m) == KNOWN_VALUE ? t->value[m] : (struct str){NULL, 0};
}

void macros_list(enum macro_stage stage, char *ret, size_t size)
{
    struct buf b = {ret, 0, size, false};
    for (int m = 0; m < MACRO_COUNT; m++)
        if (rows[m].stage == stage)
            buf_printf(&b, "%s%s", b.n ? " " : "", rows[m].symbol);
    buf_cstr(&b);
}

bool macros_request(SMFICTX *ctx, unsigned long actions)
{
    char list[400];
    bool taken = actions & SMFIF_SETSYMLIST;
    for (int stage = 0; taken && stage < MACRO_STAGES; stage++) {
        macros_list((enum macro_stage)stage, list, sizeof list);
        taken = smfi_setsymlist(ctx, places[stage], list) == MI_SUCCESS;
    }
    return taken;
}

void macros_fetch(SMFICTX *ctx, enum macro_stage stage, bool our_lists, enum mta mta,
                  struct told *ret)
{
    *ret = (struct told){.stage = stage, .mta = mta, .our_lists = our_lists};
    for (enum macro m = 0; m < MACRO_COUNT; m++) {
        const char *value = is_of(m, stage) ? smfi_getsymval(ctx, rows[m].symbol) : NULL;
        if (value)
            ret->value[m] = str_of(value);
    }
    if (stage == AT_CONNECT)
        ret->mta = macros_mta(ret->value[MACRO_MTA_VERSION]);
}
