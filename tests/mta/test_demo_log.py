# SPDX-License-Identifier: Apache-2.0
"""The demo's sessions, and what `mailreeve audit` finds of each in the log that the MTA has written of them. TAP.

The tables are by hand: what the client did, and what that MTA's log can tell of it. The plug-ins refuse what breaks the
policy, which changes nothing in what was broken.
"""
import json
import subprocess
import sys

sys.dont_write_bytecode = True

import cases
import listeners
import tap
from daemons import wait_for
from plugin import program
from rig import Rig
from ways import POSTFIX_BOTH, SENDMAIL_MILTER

CLEAR, START, AT_ONCE = "cleartext", "starttls", "implicit"
OLD = "tls-version tls-cipher-weak"     # TLS 1.0 and 1.1 have no cipher that is up to date

# One row for each of cases.DEMO: mode of TLS, findings
POSTFIX = [
    (CLEAR, ""), (START, ""),
    (CLEAR, "auth-on-smtp-port cleartext-auth"), (START, "auth-on-smtp-port"),
    (CLEAR, "tls-required auth-required"), (CLEAR, "tls-required cleartext-auth"), (START, "auth-required"), (START, ""),
    (START, OLD), (START, OLD), (START, "tls-cipher"), (START, ""),
    (CLEAR, ""), (CLEAR, ""), (CLEAR, "tls-required auth-required"),
    (None, None),                       # TLS at once on 587: whether smtpd logs the bytes is a race (postfix-2)
    (CLEAR, "closed-before-starttls"),
    (AT_ONCE, ""), (AT_ONCE, ""), (AT_ONCE, "auth-required"), (AT_ONCE, OLD),
    (CLEAR, "tls-required auth-required"), (START, "auth-required"), (START, ""),
    (CLEAR, "tls-required auth-required"), (CLEAR, "tls-required auth-required"),
]
# Sendmail logs no session that ends before there is a mail, but that none came, and no AUTH where it is not offered.
SENDMAIL = [*POSTFIX]
SENDMAIL[15] = SENDMAIL[16] = ("unknown", "no-tls-seen")


def sessions(rig, skip):
    """[(mode, findings)] of the sessions that the log has behind its first `skip` lines, in the order in which they began."""
    done = subprocess.run([program("mailreeve"), "audit", "-c", rig.configuration.file, "--lines", "--json", rig.mta.log],
                          stdout=subprocess.PIPE, text=True, timeout=60)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    begun = {}
    for each in told:
        if each.get("session") and each["line"] > skip:
            begun.setdefault(each["session"], each["line"])
    ended = {each["ended"]: each for each in told if "ended" in each}
    return [(ended[number]["mode"], " ".join(ended[number].get("findings", []))) for number in sorted(begun, key=begun.get)]


def log_lines(rig):
    return len(rig.mta.log.read_text(errors="replace").splitlines())


def play(way, table, first):
    with Rig(way, listeners.DEMO) as rig:
        skip = log_lines(rig)
        outcomes = [rig.play(case) for case in cases.DEMO]
        wait_for("the sessions in the log", lambda: len(sessions(rig, skip)) >= len(outcomes))
        found = sessions(rig, skip)
        log = rig.mta.log.read_text(errors="replace").splitlines()[skip:]
    failed = tap.result(first, f"{way.mta}: as many sessions as were played",
                        [] if len(found) == len(outcomes) else [f"{len(found)}, not {len(outcomes)}", *log])
    for number, (outcome, (mode, findings), told) in enumerate(zip(outcomes, table, found), first + 1):
        case = outcome.case
        wrong = [] if mode is None or told == (mode, findings) else [f"{told}, not {(mode, findings)}"]
        if mode is None and told[1] not in ("", "implicit-tls-on-starttls-port"):
            wrong = [f"{told}"]
        failed |= tap.result(number, f"{way.mta}: {case.listener}, {case.client}, {case.does}", wrong)
    return failed


def main():
    assert len(POSTFIX) == len(cases.DEMO)
    print(f"1..{2 * (len(cases.DEMO) + 1)}")
    failed = play(POSTFIX_BOTH, POSTFIX, 1)
    failed |= play(SENDMAIL_MILTER, SENDMAIL, len(cases.DEMO) + 2)
    return int(failed)


if __name__ == "__main__":
    tap.run(main)
