/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/config_internal.h"

enum { WORD_MAX = 40, FAR = 99 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Optimal string alignment distance: how many letters to insert, delete,
 * replace or swap with their neighbour to get from one word to the other.
 */
static unsigned distance(struct str a, struct str b)
{
    unsigned d[3][WORD_MAX + 1];
    if (a.n > WORD_MAX || b.n > WORD_MAX)
        return FAR;
    for (unsigned k = 0; k <= b.n; k++)
        d[0][k] = k;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *row = d[i % 3], *above = d[(i + 2) % 3], *above2 = d[(i + 1) % 3];
        row[0] = i;
        for (unsigned k = 1; k <= b.n; k++) {
            bool same = a.p[i - 1] == b.p[k - 1];
            row[k] = least(least(row[k - 1], above[k]) + 1, above[k - 1] + !same);
            if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1])
                row[k] = least(row[k], above2[k - 2] + 1);
        }
    }
    return d[a.n % 3][b.n];
}

/* Case is no difference here, and people write - for _ and _ for -. */
static struct str folded(struct str s, char copy[WORD_MAX])
{
    if (s.n > WORD_MAX)
        return s;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        copy[i] = c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return (struct str){copy, s.n};
}

const char *suggest(const char *const *words, int count, struct str given)
{
    char copy[WORD_MAX], word[WORD_MAX];
    const char *nearest = NULL;
    unsigned best = 3; /* two letters wrong are a slip, three another word */
    given = folded(given, copy);
    for (int i = 0; i < count; i++) {
        unsigned d = distance(given, folded(str_of(words[i]), word));
        if (d < best && d * 2 <= given.n)
            best = d, nearest = words[i];
    }
    return nearest;
}

void help_words(struct problem *p, const char *const *words, int count, struct str given)
{
    if (!p)
        return;
    struct buf b = BUF(p->help);
    const char *near = suggest(words, count, given);
    if (near) {
        buf_printf(&b, "did you mean \"%s\"?", near);
    } else {
        buf_cstring(&b, "allowed: ");
        for (int i = 0; i < count; i++)
            buf_printf(&b, "%s%s", i ? ", " : "", words[i]);
    }
    buf_cstr(&b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void help_findings(struct problem *p, struct str given)
{
    if (!p)
        return;
    const char *ids[FINDING_COUNT];
    for (int i = 0; i < FINDING_COUNT; i++)
        ids[i] = findings[i].id;
    qsort(ids, FINDING_COUNT, sizeof *ids, by_name); /* the table is in order of precedence */
    help_words(p, ids, FINDING_COUNT, given);
}

bool read_finding(struct reader *r, const struct yaml_node *n, enum finding *ret)
{
    if (n->kind != YAML_SCALAR) {
        problem_at(r, SEVERITY_ERROR, n, "a finding's id belongs here");
        return false;
    }
    *ret = finding_of(n->text);
    if (*ret != FINDING_COUNT)
        return true;
    help_findings(
        problem_at(r, SEVERITY_ERROR, n, "there is no finding %s", quote_of(n->text).text),
        n->text);
    return false;
}
