# SPDX-License-Identifier: Apache-2.0
"""KEEP=1 make demo, for each MTA: is the table readable, and does every command that it prints work as printed? TAP on
stdout.

The commands are those of the demo's output; what each must show is in demo.commands(). The last one must leave nothing.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True

import cases
import demo
import tap
from daemons import Trouble, wait_for

WIDTH = 140


def printed_commands(output):
    """{what it shows: command} as somebody would copy them."""
    found, what = {}, None
    for line in output.splitlines():
        if line.startswith("  # "):
            what = line[4:]
            found[what] = ""
        elif what and line.startswith("  "):
            found[what] += line[2:] + "\n"
        else:
            what = None
    return found


# The status is as of two seconds ago, and says so.
LAGGING = {"the counters"}


def shell(command):
    """Output of a pasted command; its exit code is not looked at (swaks has one of its own for each refusal)."""
    return subprocess.run(["sh", "-c", command], text=True, errors="replace", timeout=30, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def shows(output, words):
    """Are the words in the output? Postfix has some of its own behind the two codes of a reply."""
    codes = re.match(r"\d{3} [\d.]+ ", words)
    return re.search(re.escape(codes[0]) + ".*" + re.escape(words[codes.end():]) if codes else re.escape(words), output)


class Kept:
    """A demo that was run with KEEP=1."""

    def __init__(self, mta):
        done = subprocess.run([sys.executable, pathlib.Path(demo.__file__), mta], text=True, timeout=240,
                              env={**os.environ, "KEEP": "1"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.status, self.output = done.returncode, done.stdout
        self.commands = printed_commands(self.output)
        self.pids, self.folder = [], None
        if end := re.search(r"^  kill ([\d ]+); until rm -rf (\S+);", self.output, re.M):
            self.pids, self.folder = [int(pid) for pid in end[1].split()], pathlib.Path(end[2])

    def living(self):
        return [pid for pid in self.pids if alive(pid)]

    def end(self):
        """Should a test have failed before the last command."""
        for pid in self.living():
            os.kill(pid, signal.SIGTERM)


def alive(pid):
    """Is a process there? A zombie, which nobody in this container reaps, is not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def as_expected(kept):
    table = re.search(r"^(\d+) sessions, (\d+) as expected", kept.output, re.M)
    wanted = (str(len(cases.DEMO)),) * 2
    good = kept.status == 0 and table and table.groups() == wanted
    return [] if good else [f"exit status {kept.status}", *kept.output.splitlines()]


def readable(kept):
    table = kept.output.partition("Still running")[0].splitlines()
    return [f"{len(line)} columns: {line}" for line in table if len(line) > WIDTH] \
        + [f"cut: {line}" for line in table if "..." in line]


def command(kept, what, words):
    wanted = f"{what}{': ' if words else ''}{words}"
    if wanted not in kept.commands:
        return [f"the demo does not print {wanted!r}"]
    output = shell(kept.commands[wanted])
    if what in LAGGING:
        wait_for(words, lambda: shows(shell(kept.commands[wanted]), words))
        return []
    return [] if shows(output, words) else [f"{words!r} is not in the output of", kept.commands[wanted],
                                            *output.splitlines()]


def in_effect(kept):
    """the changed policy is in effect: the first command is told 250 now"""
    first = next(iter(kept.commands.values()))
    wait_for("250", lambda: shows(shell(first), cases.SENT))
    return []


def nothing_left(kept):
    """after the last command nothing is left"""
    wait_for(f"the end of {kept.pids}", lambda: not kept.living())
    return [f"{kept.folder} is still there"] if kept.folder.exists() else []


def notices(kept, way):
    """what the milter has noticed, or could not, stands below its row"""
    wanted = ["noticed: " if case.on(way).detected else "not noticed: " for case in cases.DEMO if case.detected]
    found = re.findall(r"^ +((?:not )?noticed: )", kept.output, re.M)
    return [] if found == wanted else [f"expected {wanted}, got {found}"]


def tests(way):
    shown = [(what, words) for listed in demo.commands(way).values() for what, words, _ in listed]
    yield "all sessions are as expected", as_expected
    yield f"the table has at most {WIDTH} columns, and nothing is cut", readable
    yield notices.__doc__, lambda kept: notices(kept, way)
    for what, words in shown[:-1]:
        yield f"shown by the command: {what}", lambda kept, what=what, words=words: command(kept, what, words)
    yield in_effect.__doc__, in_effect
    yield "the command that ends it", lambda kept: command(kept, *shown[-1])
    yield nothing_left.__doc__, nothing_left


def play(mta, first):
    """All tests on one MTA, with numbers from `first`; returns how many have failed."""
    kept, failed = Kept(mta), 0
    try:
        for number, (name, test) in enumerate(tests(demo.PLAYED[mta]), first):
            try:
                wrong = test(kept)
            except (Trouble, OSError, AttributeError, subprocess.TimeoutExpired) as trouble:
                wrong = [str(trouble)]
            failed += tap.result(number, f"{mta}: {name}", wrong)
    finally:
        kept.end()
    return failed


def main():
    counts = {mta: len(list(tests(way))) for mta, way in demo.PLAYED.items()}
    print(f"1..{sum(counts.values())}", flush=True)
    failed, first = 0, 1
    for mta, count in counts.items():
        failed += play(mta, first)
        first += count
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main)
