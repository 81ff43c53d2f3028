/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/fault.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "journal/json.h"

const struct fault_kind fault_kinds[FAULT_COUNT] = {
#define FAULT(id, name, severity, rfc, what) {name, FAULT_##severity, rfc, what},
#include "mta/faults.def"
#undef FAULT
};

static const struct {
    const char *one, *many, *colour;
} severities[] = {
    [FAULT_NOTE] = {"note", "notes", "36"},
    [FAULT_WARNING] = {"warning", "warnings", "33"},
    [FAULT_ERROR] = {"error", "errors", "31"},
};

/* ---- adding --------------------------------------------------------------- */

/* Formats into to[size]; controls become "?", and what is too long ends with "...". */
static void set_text(char *to, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(to, size, fmt, ap);
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = *c == '\t' || *c == '\n' ? ' ' : '?';
    if (n >= (int)size)
        memcpy(to + size - 4, "...", 4);
}

struct fault *fault_add(struct faults *fs, enum fault_id id)
{
    static _Thread_local struct fault lost;
    struct fault *grown = NULL;
    if (fs->count < FAULTS_MAX)
        grown = realloc(fs->list, (fs->count + 1) * sizeof *grown);
    if (!grown) {
        fs->dropped++;
        lost.fix_count = 0;
        return &lost;
    }
    fs->list = grown;
    struct fault *f = &fs->list[fs->count++];
    *f = (struct fault){.id = id, .severity = fault_kinds[id].severity};
    return f;
}

#define SETTER(name, member)                                                                       \
    void fault_##name(struct fault *f, const char *fmt, ...)                                       \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        set_text(f->member, sizeof f->member, fmt, ap);                                            \
        va_end(ap);                                                                                \
    }
SETTER(where, where)
SETTER(evidence, evidence)
SETTER(detail, detail)
#undef SETTER

void fault_fix(struct fault *f, const char *fmt, ...)
{
    if (f->fix_count == FAULT_FIXES)
        return;
    va_list ap;
    va_start(ap, fmt);
    set_text(f->fix[f->fix_count++], FAULT_TEXT, fmt, ap);
    va_end(ap);
}

void faults_unknown(struct faults *fs, const char *fmt, ...)
{
    char text[FAULT_TEXT];
    va_list ap;
    va_start(ap, fmt);
    set_text(text, sizeof text, fmt, ap);
    va_end(ap);
    for (unsigned i = 0; i < fs->unknown_count; i++)
        if (strcmp(fs->unknown[i], text) == 0)
            return;
    char(*grown)[FAULT_TEXT] = NULL;
    if (fs->unknown_count < UNKNOWNS_MAX)
        grown = realloc(fs->unknown, (fs->unknown_count + 1) * sizeof *grown);
    if (!grown) {
        fs->dropped++;
        return;
    }
    fs->unknown = grown;
    memcpy(fs->unknown[fs->unknown_count++], text, sizeof text);
}

unsigned faults_count(const struct faults *fs, enum fault_severity least)
{
    unsigned n = 0;
    for (unsigned i = 0; i < fs->count; i++)
        n += fs->list[i].severity >= least;
    return n;
}

int faults_exit_code(const struct faults *fs)
{
    return faults_count(fs, FAULT_WARNING) || fs->dropped ? 1 : 0;
}

void faults_free(struct faults *fs)
{
    free(fs->list);
    free(fs->unknown);
    *fs = (struct faults){0};
}

/* ---- for people ------------------------------------------------------------ */

enum { WIDTH = 100, INDENT = 9 };

/* Words, wrapped at WIDTH, behind what stands on the line already. */
static void wrap(FILE *out, const char *text, int indent)
{
    int column = indent;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > indent && column + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, (size_t)n, out);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_one(const struct fault *f, FILE *out, bool colour)
{
    const struct fault_kind *k = &fault_kinds[f->id];
    const char *word = severities[f->severity].one;
    fprintf(out, colour ? "\033[%sm%s\033[0m" : "%.0s%s", severities[f->severity].colour, word);
    fprintf(out, "%*s%s%s%s%s\n", INDENT - (int)strlen(word), "", k->name, *k->rfc ? "  (" : "",
            k->rfc, *k->rfc ? ")" : "");
    fprintf(out, "%*s", INDENT, "");
    wrap(out, k->what, INDENT);
    if (*f->detail) {
        fprintf(out, "%*s", INDENT, "");
        wrap(out, f->detail, INDENT);
    }
    if (*f->where ||
        *f->evidence) /* as it stands there: not wrapped, so that it can be searched for */
        fprintf(out, "%*s%s%s%s\n", INDENT, "", f->where, *f->where && *f->evidence ? ": " : "",
                f->evidence);
    for (unsigned i = 0; i < f->fix_count; i++) /* not wrapped: to be copied */
        fprintf(out, "%*s%s %s\n", INDENT - 4, "", i ? "   " : "fix", f->fix[i]);
    fputc('\n', out);
}

/* "2 errors, 1 warning" */
static void sum_up(const struct faults *fs, FILE *out)
{
    const char *comma = "";
    for (int s = FAULT_ERROR; s >= FAULT_NOTE; s--) {
        unsigned n = faults_count(fs, (enum fault_severity)s) -
                     (s < FAULT_ERROR ? faults_count(fs, (enum fault_severity)(s + 1)) : 0);
        if (n)
            fprintf(out, "%s%u %s", comma, n, n == 1 ? severities[s].one : severities[s].many),
                comma = ", ";
    }
    if (fs->dropped)
        fprintf(out, "%s%u more that had no room", comma, fs->dropped), comma = ", ";
    if (fs->unknown_count)
        fprintf(out, "%s%u not looked at", *comma ? comma : "nothing found, ", fs->unknown_count),
            comma = ", ";
    fprintf(out, "%s\n", *comma ? "" : "nothing found");
}

void faults_print(const struct faults *fs, FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    bool colour = isatty(fileno(out)) && !(no_colour && *no_colour);
    for (int s = FAULT_ERROR; s >= FAULT_NOTE; s--)
        for (unsigned i = 0; i < fs->count; i++)
            if (fs->list[i].severity == (enum fault_severity)s)
                print_one(&fs->list[i], out, colour);
    for (unsigned i = 0; i < fs->unknown_count; i++) {
        fprintf(out, "%s", i ? "               " : "not looked at: ");
        wrap(out, fs->unknown[i], 15);
    }
    if (fs->unknown_count)
        fputc('\n', out);
    sum_up(fs, out);
}

/* ---- for programs ----------------------------------------------------------- */

void fault_json_string(FILE *out, const char *text)
{
    char json[JSON_STRING_MAX(FAULT_TEXT)];
    struct buf b = BUF(json);
    json_put_string(&b, (struct str){text, strnlen(text, FAULT_TEXT)});
    fprintf(out, "%.*s", (int)b.n, b.p);
}

void faults_json(const struct faults *fs, FILE *out)
{
    fprintf(out, "\"faults\":[");
    for (unsigned i = 0; i < fs->count; i++) {
        const struct fault *f = &fs->list[i];
        const struct fault_kind *k = &fault_kinds[f->id];
        const char *const members[][2] = {
            {"id", k->name},       {"severity", severities[f->severity].one},
            {"rfc", k->rfc},       {"what", k->what},
            {"where", f->where},   {"evidence", f->evidence},
            {"detail", f->detail},
        };
        fputs(i ? ",{" : "{", out);
        for (unsigned m = 0; m < sizeof members / sizeof *members; m++) {
            fprintf(out, "%s\"%s\":", m ? "," : "", members[m][0]);
            fault_json_string(out, members[m][1]);
        }
        fprintf(out, ",\"fix\":[");
        for (unsigned n = 0; n < f->fix_count; n++) {
            fputs(n ? "," : "", out);
            fault_json_string(out, f->fix[n]);
        }
        fprintf(out, "]}");
    }
    fprintf(out, "],\"unknown\":[");
    for (unsigned i = 0; i < fs->unknown_count; i++) {
        fputs(i ? "," : "", out);
        fault_json_string(out, fs->unknown[i]);
    }
    fprintf(out, "]");
}
