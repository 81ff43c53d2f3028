/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/manifest.h"

#include <stdio.h>
#include <stdlib.h>

static const char first_line[] = "mailreeve-setup\t1";

/* ---- writing --------------------------------------------------------------------- */

void manifest_format(struct buf *b, const struct manifest *m)
{
    buf_printf(b, "%s\nstate\t%s\n", first_line, m->done ? "done" : "begun");
    for (unsigned i = 0; i < m->file_count; i++) {
        const struct manifest_file *f = &m->files[i];
        buf_printf(b, "file\t%s\t%o\t%lu\t%lu\t%s\n", f->path, (unsigned)f->mode,
                   (unsigned long)f->uid, (unsigned long)f->gid, f->before);
        for (unsigned k = 0; k < f->sum_count; k++)
            buf_printf(b, "makes\t%s\n", f->sums[k]);
    }
    for (unsigned i = 0; i < m->made_count; i++)
        buf_printf(b, "made\t%s\n", m->made[i]);
    for (unsigned i = 0; i < m->unit_count; i++)
        buf_printf(b, "unit\t%s\n", m->units[i]);
    buf_cstring(b, "end\n");
}

/* ---- reading ------------------------------------------------------------------------ */

/* A word that fits and has no control characters. */
static bool take_text(struct str word, char *to, size_t size)
{
    if (word.n == 0 || word.n >= size)
        return false;
    for (size_t i = 0; i < word.n; i++)
        if ((unsigned char)word.p[i] < 0x20 || word.p[i] == 0x7f)
            return false;
    memcpy(to, word.p, word.n);
    to[word.n] = '\0';
    return true;
}

static bool take_sum(struct str word, char to[FILE_SUM])
{
    bool good = word.n == FILE_SUM - 1;
    for (size_t i = 0; good && i < word.n; i++)
        good = (word.p[i] >= '0' && word.p[i] <= '9') || (word.p[i] >= 'a' && word.p[i] <= 'f');
    return (good || str_eq(word, STR("-"))) && take_text(word, to, FILE_SUM);
}

static bool take_octal(struct str word, mode_t *ret)
{
    unsigned v = 0;
    if (word.n == 0 || word.n > 4)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '7')
            return false;
        v = v * 8 + (unsigned)(word.p[i] - '0');
    }
    *ret = v;
    return true;
}

static bool read_state(struct manifest *m, struct str *rest)
{
    struct str word = str_cut(rest, "\t");
    m->done = str_eq(word, STR("done"));
    return m->done || str_eq(word, STR("begun"));
}

static bool read_file(struct manifest *m, struct str *rest)
{
    uint64_t uid, gid;
    if (m->file_count == MANIFEST_FILES)
        return false;
    struct manifest_file *f = &m->files[m->file_count];
    if (!take_text(str_cut(rest, "\t"), f->path, sizeof f->path) || f->path[0] != '/' ||
        !take_octal(str_cut(rest, "\t"), &f->mode) ||
        !str_to_u64(str_cut(rest, "\t"), UINT32_MAX, &uid) ||
        !str_to_u64(str_cut(rest, "\t"), UINT32_MAX, &gid) ||
        !take_sum(str_cut(rest, "\t"), f->before))
        return false;
    f->uid = (uid_t)uid, f->gid = (gid_t)gid;
    m->file_count++;
    return true;
}

static bool read_makes(struct manifest *m, struct str *rest)
{
    struct manifest_file *f = m->file_count ? &m->files[m->file_count - 1] : NULL;
    return f && f->sum_count < MANIFEST_SUMS &&
           take_sum(str_cut(rest, "\t"), f->sums[f->sum_count++]);
}

static bool read_made(struct manifest *m, struct str *rest)
{
    return m->made_count < MANIFEST_MADE &&
           take_text(str_cut(rest, "\t"), m->made[m->made_count], MANIFEST_PATH) &&
           m->made[m->made_count++][0] == '/';
}

static bool read_unit(struct manifest *m, struct str *rest)
{
    return m->unit_count < MANIFEST_UNITS &&
           take_text(str_cut(rest, "\t"), m->units[m->unit_count++], sizeof m->units[0]);
}

static const struct {
    const char *word;
    bool (*read)(struct manifest *m, struct str *rest);
} lines[] = {
    {"state", read_state}, {"file", read_file}, {"makes", read_makes},
    {"made", read_made},   {"unit", read_unit},
};
enum { LINES = sizeof lines / sizeof *lines };

int manifest_parse(struct str text, struct manifest *ret, struct err *e)
{
    unsigned number = 1;
    *ret = (struct manifest){0};
    if (text.n > MANIFEST_LARGEST || !str_eq(str_cut(&text, "\n"), str_of(first_line)))
        return err_set(e, "it does not begin with \"mailreeve-setup 1\"");
    while (text.p) {
        struct str line = str_cut(&text, "\n"), word = str_cut(&line, "\t");
        int i = 0;
        number++;
        if (str_eq(word, STR("end")) && !line.p)
            return text.n ? err_set(e, "line %u: something stands behind the end", number) : 0;
        while (i < LINES && !str_eq(word, str_of(lines[i].word)))
            i++;
        if (i == LINES || !lines[i].read(ret, &line) || line.p)
            return err_set(e, "line %u is not understood", number);
    }
    return err_set(e, "it has no end");
}

/* ---- asking ----------------------------------------------------------------------------- */

bool manifest_knows(const struct manifest_file *f, const char *sum)
{
    for (unsigned i = 0; i < f->sum_count; i++)
        if (strcmp(f->sums[i], sum) == 0)
            return true;
    return strcmp(f->before, sum) == 0;
}

struct manifest_file *manifest_file(struct manifest *m, const char *path)
{
    for (unsigned i = 0; i < m->file_count; i++)
        if (strcmp(m->files[i].path, path) == 0)
            return &m->files[i];
    return NULL;
}
