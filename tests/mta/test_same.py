# SPDX-License-Identifier: Apache-2.0
"""The same verdict, whichever way Mailreeve is plugged in. TAP on stdout.

    test_same.py [WORD...]          only what has one of these words in its name

Every case is one test: it is played on Postfix with the policy service, with the milter and with both, and on Sendmail
with the milter, side by side. On each way everything must be as the case expects, and all ways must agree with each
other to the last letter of a refusal. Where a way cannot do the same, the case says so and names an entry of
docs/mta-differences.md. Then come the upsets of the ways that have no test of their own.
"""
import concurrent.futures
import contextlib
import re
import sys

sys.dont_write_bytecode = True

import suite
import tap
import tree
from rig import Rig
from ways import POSTFIX_BOTH, POSTFIX_MILTER, WAYS

PAGE = tree.REPOSITORY / "docs" / "mta-differences.md"
UPSET_HERE = (POSTFIX_MILTER, POSTFIX_BOTH)


def signature(outcome):
    """What has to be the same everywhere. What an MTA says when it takes a mail, or when TLS fails, is its own."""
    refusal = re.match(r"[45]\d\d ", outcome.told)
    line = outcome.decisions[-1] if outcome.decisions else {}
    return {"told": outcome.told if refusal else outcome.told.split(" ")[0], "verdict": outcome.verdict,
            **{field: sorted(line.get(field, [])) for field in ("findings", "excepted", "trusted")}}


def disagreements(case, outcomes):
    """Between the ways for which the case expects the same."""
    alike = [way for way in outcomes if way.name not in case.differs]
    for way in alike[1:]:
        first, other = signature(outcomes[alike[0]]), signature(outcomes[way])
        yield from (f"{name}: {alike[0].name} says {first[name]!r}, {way.name} {other[name]!r}"
                    for name in first if first[name] != other[name])


def play(rigs, case, pool):
    """A case on all ways where it can be played; returns what is wrong."""
    played = {way: pool.submit(rig.play, case) for way, rig in rigs.items() if case in suite.cases_on(way)}
    outcomes = {way: outcome.result() for way, outcome in played.items()}
    wrong = [f"{way.name}: {line}" for way, outcome in outcomes.items() if outcome.faults for line in suite.explain(outcome)]
    return wrong + list(disagreements(case, outcomes))


def explained():
    """Does the page of differences have every reason that a case gives?"""
    page = PAGE.read_text()
    reasons = {change.why for case in suite.CASES for change in case.differs.values()}
    return [f"docs/mta-differences.md does not explain {why}" for why in sorted(reasons)
            if not re.search(rf"\b{re.escape(why)}\b", page)]


def tests(rigs, pool):
    """(name, function that returns what is wrong)."""
    for case in suite.CASES:
        ways = [way.name for way in WAYS.values() if case in suite.cases_on(way)]
        yield f"{suite.name(case)} [{', '.join(ways)}]", lambda case=case: play(rigs, case, pool)
    for way in UPSET_HERE:
        for upset in suite.upsets_on(way):
            yield f"{way.name}: {upset.__doc__}", lambda way=way, upset=upset: upset(rigs[way])
    missing = "" if PAGE.exists() else f" # SKIP {PAGE.name} is not written yet"
    yield f"every difference is explained{missing}", explained


def start(stack, pool):
    """All rigs, side by side; the stack ends them, also those that were up when another one failed."""
    def end(starting):
        if not starting.exception():
            starting.result().__exit__(None, None, None)
    started = {way: pool.submit(Rig, way, suite.LISTENERS) for way in WAYS.values()}
    for starting in started.values():
        stack.callback(end, starting)
    return {way: starting.result() for way, starting in started.items()}


def main(words):
    rigs, failed = {}, 0
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor() as pool:
        chosen = [(name, test) for name, test in tests(rigs, pool) if not words or any(word in name for word in words)]
        print(f"1..{len(chosen)}", flush=True)
        rigs.update(start(stack, pool))
        for number, (name, test) in enumerate(chosen, 1):
            failed += tap.result(number, name, [] if "# SKIP" in name else suite.run(test))
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
