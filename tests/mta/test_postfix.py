# SPDX-License-Identifier: Apache-2.0
"""The integration test: every case and every upset on a private Postfix. TAP on stdout.

    test_postfix.py [WORD...]       only what has one of these words in its name

MAILREEVE_BUILD=build/asan tests another build.
"""
import sys

sys.dont_write_bytecode = True

import cases
import listeners
import tap
from daemons import HAVE_IPV6, Trouble
from rig import Rig
from upsets import UPSETS


def explain(outcome):
    """What somebody needs to know about a case that failed."""
    return [*outcome.faults, "--- the session", *str(outcome.transcript).splitlines(),
            "--- the journal", *map(str, outcome.decisions), "--- the mail log", *outcome.maillog.splitlines()]


def test_case(rig, case):
    outcome = rig.play(case)
    return explain(outcome) if outcome.faults else []


def run(name, test, rig):
    """What a test finds wrong; that it could not be done is wrong too, but the others go on."""
    try:
        return [] if "# SKIP" in name else test(rig)
    except (Trouble, OSError) as trouble:
        return [f"{type(trouble).__name__}: {trouble}".replace("\n", "\n# ")]


def tests():
    """Everything there is: (name, function of the rig that returns what is wrong)."""
    for case in cases.DEMO + cases.MORE:
        port = next(each.plays for each in listeners.DEMO + listeners.MORE if each.name == case.listener)
        skip = " # SKIP no IPv6 here" if ":" in case.host and not HAVE_IPV6 else ""
        yield (f"{port} ({case.listener}) {case.client}: {case.does} -> {case.verdict}{skip}",
               lambda rig, case=case: test_case(rig, case))
    for upset in UPSETS:
        yield upset.__doc__, upset


def main(words):
    chosen = [(name, test) for name, test in tests() if not words or any(word in name for word in words)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    with Rig(listeners.DEMO + listeners.MORE) as rig:
        for number, (name, test) in enumerate(chosen, 1):
            wrong = run(name, test, rig)
            failed += tap.result(number, name, wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
