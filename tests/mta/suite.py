# SPDX-License-Identifier: Apache-2.0
"""What the integration tests play, by way: cases and upsets."""
import cases
import listeners
import tap
from daemons import HAVE_IPV6, Trouble
from rig import Rig
from upsets import broken_reload, clean_end, exception_ends, nothing_unexpected_in_the_mail_log, sudden_death
from upsets_milter import (certificates_unknown_to_the_filter, death_of_the_filter_in_mid_session,
                           inbound_goes_on_in_mid_session, session_keeps_its_policy)
from upsets_policyd import (death_in_mid_session, deferred_mail_stays_in_the_queue, mapped_address,
                            transaction_keeps_its_policy)
from ways import POSTFIX_BOTH, POSTFIX_MILTER, POSTFIX_POLICYD, SENDMAIL_MILTER

LISTENERS = listeners.DEMO + listeners.MORE
CASES = cases.DEMO + cases.MORE
ALONE = (POSTFIX_POLICYD, POSTFIX_MILTER, SENDMAIL_MILTER)
FILTER_ALONE = (POSTFIX_MILTER, SENDMAIL_MILTER)
EVERYWHERE = (*ALONE, POSTFIX_BOTH)

UPSETS = [
    (mapped_address, (POSTFIX_POLICYD,)),
    (exception_ends, EVERYWHERE),
    (deferred_mail_stays_in_the_queue, (POSTFIX_POLICYD,)),
    (transaction_keeps_its_policy, (POSTFIX_POLICYD,)),
    (session_keeps_its_policy, FILTER_ALONE),
    (certificates_unknown_to_the_filter, (POSTFIX_MILTER,)),
    (broken_reload, EVERYWHERE),
    (nothing_unexpected_in_the_mail_log, EVERYWHERE),
    (death_in_mid_session, (POSTFIX_POLICYD,)),
    (death_of_the_filter_in_mid_session, FILTER_ALONE),
    (inbound_goes_on_in_mid_session, FILTER_ALONE),
    (sudden_death, ALONE),
    (clean_end, EVERYWHERE),
]


def cases_on(way):
    """Those that are played on a way, as they were written."""
    there = {each.name for each in LISTENERS if way.has(each.only)}
    return [case for case in CASES if case.listener in there and case.on(way)]


def upsets_on(way):
    return [upset for upset, ways in UPSETS if way in ways]


def name(case):
    port = next(each.plays for each in LISTENERS if each.name == case.listener)
    skip = " # SKIP no IPv6 here" if ":" in case.host and not HAVE_IPV6 else ""
    return f"{port} ({case.listener}) {case.client}: {case.does} -> {case.verdict}{skip}"


def explain(outcome):
    """What somebody needs to know about a case that failed."""
    return [*outcome.faults, "--- the session", *str(outcome.transcript).splitlines(),
            "--- the journal", *(str(line) for lines in outcome.lines.values() for line in lines),
            "--- the mail log", *outcome.maillog.splitlines()]


def test_case(rig, case):
    outcome = rig.play(case)
    return explain(outcome) if outcome.faults else []


def run(test, *arguments):
    """What a test finds wrong; that it could not be done is wrong too, but the others go on."""
    try:
        return test(*arguments)
    except (Trouble, OSError, EOFError, AssertionError) as trouble:
        return [f"{type(trouble).__name__}: {trouble}".replace("\n", "\n# ")]


def tests(way):
    """Everything there is on a way: (name, function of the rig that returns what is wrong)."""
    for case in cases_on(way):
        yield name(case.on(way)), lambda rig, case=case: test_case(rig, case)
    for upset in upsets_on(way):
        yield upset.__doc__, upset


def main(way, words):
    """All of a way, or what has one of these words in its name, as TAP."""
    chosen = [(name, test) for name, test in tests(way) if not words or any(word in name for word in words)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    with Rig(way, LISTENERS) as rig:
        for number, (name, test) in enumerate(chosen, 1):
            wrong = [] if "# SKIP" in name else run(test, rig)
            failed += tap.result(number, name, wrong)
    return 1 if failed else 0
