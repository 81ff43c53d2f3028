# SPDX-License-Identifier: Apache-2.0
"""The table of a bench: medians of each server, and the median and spread of their ratios."""

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


def memory_row(m):
    digits = "%.0f" if m.ours >= 100 else "%.2f"
    return [m.title, m.what, digits % m.ours, digits % m.limit, "", "",
            "" if m.goal is None else "%g" % m.goal,
            "" if m.goal is None else "yes" if m.ours <= m.goal else "NO"]


def table(results, bench):
    rows = [["load", "measured", "ours", "limit", "ratio", "spread", "goal", "met"]]
    for s in bench.scenarios:
        pairs = results.pairs[s.title]
        if pairs:
            rows.append(row(pairs, s.title, "CPU us/" + bench.units.rstrip("s"), "server_us",
                            s.cpu_goal))
            rows.append(row(pairs, "", bench.latency, "p99_us", s.p99_goal))
    return rows + [memory_row(m) for m in results.memory]


def show(rows, markdown):
    if markdown:
        rows = [rows[0], ["---"] * len(rows[0])] + rows[1:]
        return "\n".join("| " + " | ".join(r) + " |" for r in rows)
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) if i < 2 else c.rjust(w)
                               for i, (c, w) in enumerate(zip(r, widths))).rstrip() for r in rows)


def notes(results, bench, cpus):
    for _, lines, size in results.journal[:1]:
        yield "journal: %.0f bytes a line" % (size / lines if lines else 0)
    if results.journal:
        yield "journal: %d of %d %s without a line" % (
            sum(max(0, due - lines) for due, lines, _ in results.journal),
            sum(due for due, _, _ in results.journal), bench.journaled)
    yield "other programs used %.2f of %d CPUs meanwhile (median; at most %.2f)" % (
        max(0, statistics.median(results.noise)), cpus, max(results.noise))
    yield "%d disturbed runs repeated" % results.repeated
    for line in results.wrong:
        yield "WRONG: " + line


def update(path, name, head, rows, foot):
    """Replaces what stands between the marks of that bench in that file."""
    begin, end = "<!-- %s --update writes from here -->\n" % name, "<!-- to here -->\n"
    with open(path, encoding="utf-8") as old:
        before, rest = old.read().split(begin)
    after = rest.split(end, 1)[1]
    lines = "".join("- %s\n" % line for line in foot)
    with open(path, "w", encoding="utf-8") as new:
        new.write("%s%sMeasured %s.\n\n%s\n\n%s%s%s" % (
            before, begin, head, show(rows, True), lines, end, after))
