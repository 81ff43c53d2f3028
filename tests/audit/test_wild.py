#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Public log lines with our judgement (wild-loglines.txt): what `mailreeve audit` makes of each line, and of each group.
TAP, with precision and recall by class.

wild-classes.txt says what a line of each class may be, wild-findings.txt what a group comes to; both are written by hand.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
AUDIT = [str(ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"), "audit", "-c", "/dev/null", "--lines", "--json", "-"]
RECALL = 0.95


def read_groups():
    """[(origin, [(class, line)])]"""
    groups, kind = [], ""
    for line in (HERE / "wild-loglines.txt").read_text(errors="surrogateescape").splitlines():
        if line.startswith("# ORIGIN: "):
            groups.append((line[10:], []))
        elif line.startswith("# CLASS: "):
            kind = line[9:].strip()
        elif line and not line.startswith("#"):
            groups[-1][1].append((kind, line))
    return groups


def read_classes():
    """class -> (who decides, what a line may be)"""
    table = {}
    for line in (HERE / "wild-classes.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, decides, may = (cell.strip() for cell in line.split("|"))
            table[name] = (decides, {tuple(m.lower().split("/")) for m in may.split()})
    return table


def read_findings():
    rows = [line.split(" | ") for line in (HERE / "wild-findings.txt").read_text().splitlines()
            if line and not line.startswith("#")]
    return {origin: collections.Counter(found.split()) for origin, found in rows}


def audit(lines):
    text = "".join(line + "\n" for line in lines).encode(errors="surrogateescape")
    done = subprocess.run(AUDIT, input=text, stdout=subprocess.PIPE, check=False, timeout=60)
    if done.returncode not in (0, 65):
        raise AssertionError(f"exit code {done.returncode}")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    found = collections.Counter(f for s in said if "ended" in s for f in s.get("findings", []))
    return {s["line"]: s for s in said if "line" in s}, found


def spelled(told):
    """kind, first bytes, handshake of a line, as wild-classes.txt has them."""
    if not told or told["kind"] == "unknown":
        return ("none", "-", "-")
    return (told["kind"], told.get("bytes", "-"), told.get("handshake", "-"))


class Score:
    """What was said of things whose truth is known."""

    def __init__(self):
        self.right, self.wrong, self.missed = collections.Counter(), collections.Counter(), collections.Counter()

    def lines(self, names):
        for name in sorted(names):
            right, wrong, missed = self.right[name], self.wrong[name], self.missed[name]
            yield name, right + missed, right / (right + wrong or 1) if right or wrong else 1, right / (right + missed or 1) if right or missed else 1

    def names(self):
        return set(self.right) | set(self.wrong) | set(self.missed)


def judge_lines(groups, classes):
    """By class: a line is right if it is something that its class may be, missed if nothing was said of it, else wrong.
    What a class that other products write may be is nothing, so whatever is said of it is wrong."""
    score, notes = Score(), []
    for _, lines in groups:
        told, _ = audit([line for _, line in lines])
        for number, (kind, line) in enumerate(lines, 1):
            decides, may = classes[kind]
            said = spelled(told.get(number))
            if decides == "nobody" and said[0] == "none":
                continue
            if said in may:
                score.right[kind] += 1
            elif said[0] == "none":
                score.missed[kind] += 1
                notes.append(f"{kind}: nothing was said of: {line}")
            else:
                score.wrong[kind] += 1
                notes.append(f"{kind}: {'/'.join(said)} was said of: {line}")
    return score, notes


def judge_groups(groups, findings):
    score, notes, met = Score(), [], set()
    for origin, lines in groups:
        part = next((p for p in findings if p in origin), None)
        met.add(part)
        want, (_, found) = findings.get(part, collections.Counter()), audit([line for _, line in lines])
        for name in set(want) | set(found):
            score.right[name] += min(want[name], found[name])
            score.missed[name] += max(0, want[name] - found[name])
            score.wrong[name] += max(0, found[name] - want[name])
        if want != found:
            notes.append(f"{origin}: {dict(found)}, not {dict(want)}")
    notes += [f"wild-findings.txt names a group that is not there: {p}" for p in set(findings) - met]
    return score, notes


def main():
    groups, classes, findings = read_groups(), read_classes(), read_findings()
    used = {kind for _, lines in groups for kind, _ in lines}
    number, failed = 0, 0

    def result(name, wrong, notes=()):
        nonlocal number, failed
        number += 1
        failed += bool(wrong)
        print(f"{'not ' * bool(wrong)}ok {number} - {name}", flush=True)
        for note in notes if wrong else ():
            print("# " + note.encode(errors="backslashreplace").decode())

    def show(title, score):
        rows = list(score.lines(score.names()))
        right, wrong, missed = (sum(c.values()) for c in (score.right, score.wrong, score.missed))
        print(f"#| {title}: {right + missed} in {len(rows)} classes; precision {right / (right + wrong):.3f}, recall {right / (right + missed):.3f}")
        for precision, recall in sorted({(p, r) for _, _, p, r in rows}, reverse=True):
            names = ", ".join(f"{name} {count}" for name, count, p, r in rows if (p, r) == (precision, recall))
            print(f"#| precision {precision:.2f}, recall {recall:.2f}: {names}")

    result("every class is in the table", used - set(classes), used - set(classes))
    for what, (score, notes) in (("line", judge_lines(groups, classes)), ("finding", judge_groups(groups, findings))):
        show(f"public log, by {what}", score)
        for name, count, precision, recall in score.lines(score.names()):
            result(f"{what} {name}: {count}, precision {precision:.2f}, recall {recall:.2f}",
                   precision < 1 or recall < RECALL, [n for n in notes if n.startswith(name + ":") or what == "finding"])
    print(f"1..{number}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
