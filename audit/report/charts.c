/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report/charts.h"
#include "audit/report/html.h"

enum { WIDTH = 10000, VISIBLE = 100 }; /* hundredths of a per cent */

static const char *const shade_names[SHADE_COUNT] = {
    [SHADE_GOOD] = "good", [SHADE_OTHER] = "other", [SHADE_BAD] = "bad", [SHADE_NONE] = "none"};

/* GOOD is plain; the others are drawn. */
void chart_patterns(FILE *to)
{
    html_put(to, "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n"
                 "<pattern id=\"p-other\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
                 "patternTransform=\"rotate(45)\"><rect class=\"ground\" width=\"6\" height=\"6\"/>"
                 "<rect class=\"other\" width=\"4.5\" height=\"6\"/></pattern>\n"
                 "<pattern id=\"p-bad\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
                 "<rect class=\"bad\" width=\"5\" height=\"5\"/>"
                 "<rect class=\"ground\" x=\"1\" y=\"1\" width=\"2\" height=\"2\"/></pattern>\n"
                 "<pattern id=\"p-none\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
                 "<rect class=\"ground\" width=\"5\" height=\"5\"/>"
                 "<rect class=\"none\" y=\"1\" width=\"5\" height=\"2\"/></pattern>\n"
                 "</defs></svg>\n");
}

void chart_legend(FILE *to, const struct chart_part *parts, unsigned count)
{
    html_put(to, "<ul class=\"legend\">");
    for (unsigned i = 0; i < count; i++) {
        fprintf(to,
                "<li><svg width=\"28\" height=\"14\" aria-hidden=\"true\">"
                "<rect class=\"fill-%s\" width=\"28\" height=\"14\"/></svg> ",
                shade_names[parts[i].shade]);
        html_cstring(to, parts[i].label);
        html_put(to, "</li>");
    }
    html_put(to, "</ul>\n");
}

/* Of WIDTH; what the small parts get more is taken from the widest. */
static void widths(const struct chart_part *parts, unsigned count, uint64_t whole, unsigned *ret)
{
    unsigned widest = 0, sum = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned w = whole ? (unsigned)((double)parts[i].n / (double)whole * WIDTH + 0.5) : 0;
        ret[i] = parts[i].n && w < VISIBLE ? VISIBLE : w;
        widest = ret[i] > ret[widest] ? i : widest;
        sum += ret[i];
    }
    if (sum > WIDTH)
        ret[widest] -= sum - WIDTH;
}

static void describe(FILE *to, const struct chart_part *parts, unsigned count, uint64_t whole)
{
    const char *between = "";
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].n == 0)
            continue;
        fputs(between, to);
        between = ", ";
        html_cstring(to, parts[i].label);
        html_put(to, ": ");
        html_number(to, parts[i].n);
        html_put(to, " (");
        html_percent(to, parts[i].n, whole);
        html_put(to, ")");
    }
    if (!*between)
        html_put(to, "nothing");
}

void chart_bar(FILE *to, const char *title, const struct chart_part *parts, unsigned count,
               uint64_t whole)
{
    unsigned width[CHART_PARTS], x = 0;
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += parts[i].n;
    whole = whole > sum ? whole : sum;
    widths(parts, count, whole, width);
    html_put(to, "<svg class=\"bar\" role=\"img\" width=\"100%\" height=\"16\"><title>");
    html_cstring(to, title);
    html_put(to, "</title><desc>");
    describe(to, parts, count, whole);
    html_put(to, "</desc>");
    for (unsigned i = 0; i < count; x += width[i++])
        if (width[i])
            fprintf(to,
                    "<rect class=\"fill-%s\" x=\"%u.%02u%%\" width=\"%u.%02u%%\" height=\"16\"/>",
                    shade_names[parts[i].shade], x / 100, x % 100, width[i] / 100, width[i] % 100);
    html_put(to, "</svg>");
}
