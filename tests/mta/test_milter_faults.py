# SPDX-License-Identifier: Apache-2.0
"""mailreeve-milter goes away, dead, slow or on purpose, on a private Sendmail and a private Postfix, for every answer that
their administrators may have given to that; and crowds of sessions without an MTA. TAP on stdout.

    test_milter_faults.py [WORD...]       only what has one of these words in its name

MAILREEVE_BUILD=build/asan tests another build.
"""
import contextlib
import re
import signal
import sys
import time

sys.dont_write_bytecode = True

import faults_crowd
import faults_play
import tap
from daemons import Trouble
from faults_mtas import MTAS, FaultRig
from faults_tables import gist


def cell(mta, fault, listener):
    """(name, function of the rig that returns what was wrong and what else there is to tell) of a listener in a fault."""
    def test(rig):
        course = faults_play.course(rig, fault)
        return course.by_listener[listener.name], course.notes * (listener is MTAS[mta][1][0])
    told = gist(mta, fault.moment, listener.effective(mta), listener.role)
    return f"{mta}, {listener.title(mta)}, {listener.plays}: {fault.title} -> {told}", test


def ending(mta, fault):
    return (f"{mta}: {fault.title}: exit code 0 within {faults_play.END_SECONDS} s, and what was decided is in the journal",
            lambda rig: (faults_play.course(rig, fault).of_the_end, []))


def sane(rig):
    wrong = faults_play.end(rig.milter, signal.SIGTERM)
    return wrong + re.findall(r".*(?:Sanitizer|runtime error|could not be written).*", rig.milter.logged()), []


def tests_of(mta):
    """What is played on an MTA."""
    for fault in faults_play.FAULTS:
        yield from (cell(mta, fault, listener) for listener in MTAS[mta][1])
        if fault in faults_play.ENDINGS:
            yield ending(mta, fault)
    yield (f"{mta}: SIGUSR1 in mid-session: none is lost, each keeps its policy, new ones have the new one",
           lambda rig: (faults_play.keep_their_policy(rig), []))
    yield f"{mta}: a clean end; nothing was lost, no sanitizer has said anything", sane


def groups():
    """(what the tests need, tests)"""
    for mta in MTAS:
        yield lambda mta=mta: FaultRig(mta), list(tests_of(mta))
    yield contextlib.nullcontext, [(test.__doc__, lambda _, test=test: test()) for test in faults_crowd.TESTS]


def run(test, rig):
    """That a test could not be done is wrong too, but the others go on."""
    try:
        return test(rig)
    except (Trouble, OSError, EOFError, ValueError) as trouble:
        return [f"{type(trouble).__name__}: {trouble}"], []


def main(words):
    chosen = [(need, [test for test in tests if not words or any(word in test[0] for word in words)])
              for need, tests in groups()]
    print(f"1..{sum(len(tests) for _, tests in chosen)}", flush=True)
    number = failed = 0
    for need, tests in chosen:
        if not tests:
            continue
        began = time.monotonic()
        with need() as rig:
            for number, (name, test) in enumerate(tests, number + 1):
                wrong, notes = run(test, rig)
                failed += tap.result(number, name, wrong)
                print("".join(f"# {note}\n" for note in notes), end="", flush=True)
        print(f"# {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
