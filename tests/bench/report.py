# SPDX-License-Identifier: Apache-2.0
"""The table of bench.py: medians of each server, and the median and spread of their ratios."""

import statistics


def spread(pairs, key):
    ratios = [ours[key] / limit[key] for ours, limit in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def row(pairs, title, what, key, goal):
    ours, limit = (statistics.median(p[i][key] for p in pairs) for i in (0, 1))
    median, low, high = spread(pairs, key)
    return [title, what, "%.2f" % ours, "%.2f" % limit, "%.2f" % median,
            "%.2f-%.2f" % (low, high), "%.2f" % goal if goal else "",
            "" if goal is None else "yes" if median <= goal else "NO"]


def table(results, scenarios):
    rows = [["load", "measured", "ours", "limit", "ratio", "spread", "goal", "met"]]
    for s in scenarios:
        pairs = results.pairs[s.title]
        if pairs:
            rows.append(row(pairs, s.title, "CPU us/request", "server_us", s.cpu_goal))
            rows.append(row(pairs, "", "p99 us", "p99_us", s.p99_goal))
    for (ours, limit), what in zip(results.memory, ("accepted", "has asked once")):
        rows.append(["10,000 idle connections", "bytes each, " + what, "%.0f" % ours,
                     "%.0f" % limit, "", "", "320", "yes" if ours <= 320 else "NO"])
    return rows


def show(rows, markdown):
    if markdown:
        rows = [rows[0], ["---"] * len(rows[0])] + rows[1:]
        return "\n".join("| " + " | ".join(r) + " |" for r in rows)
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) if i < 2 else c.rjust(w)
                               for i, (c, w) in enumerate(zip(r, widths))).rstrip() for r in rows)


def notes(results, cpus):
    for requests, lines, size in results.journal[:1]:
        yield "journal: %.0f bytes a line" % (size / lines if lines else 0)
    lost = sum(max(0, r - n) for r, n, _ in results.journal)
    if results.journal:
        yield "journal: %d of %d requests without a line" % (
            lost, sum(r for r, _, _ in results.journal))
    yield "other programs used %.2f of %d CPUs meanwhile (median; at most %.2f)" % (
        max(0, statistics.median(results.noise)), cpus, max(results.noise))
    yield "%d disturbed runs repeated" % results.repeated
    for line in results.wrong:
        yield "WRONG: " + line


MARKS = "<!-- bench.py --update writes from here -->\n", "<!-- to here -->\n"


def update(path, head, rows, foot):
    """Replaces what stands between the marks in that file."""
    with open(path, encoding="utf-8") as old:
        before, rest = old.read().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    lines = "".join("- %s\n" % line for line in foot)
    with open(path, "w", encoding="utf-8") as new:
        new.write("%s%sMeasured %s.\n\n%s\n\n%s%s%s" % (
            before, MARKS[0], head, show(rows, True), lines, MARKS[1], after))
