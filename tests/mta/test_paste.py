# SPDX-License-Identifier: Apache-2.0
"""Do the lines that users are told to paste work as pasted? TAP on stdout.

    test_paste.py [WORD...]         only the ways with one of these words in their name

Each way to plug Mailreeve in is run as the README says: first with mode audit, then changed to enforce and reloaded,
then with mailreeve-policyd hanging and gone. The ways run side by side. MAILREEVE_BUILD=build/asan tests another build.
"""
import concurrent.futures
import dataclasses
import re
import signal
import sys
import threading

sys.dont_write_bytecode = True

import paste
import tap
from case import NO_DECISION, Case
from cases import IMPLICIT, LOGIN, NEEDS_AUTH, NEEDS_TLS, NO_AUTH_HERE, OLD_TLS, SENT, STARTTLS
from outcome import own_words
from suite import explain, run

POSTFIX_SAYS_NO = "554 5.7.1 Access denied"                         # `reject` at the end of our restrictions
AWAY = "451 4.3.5 Try again later"
AWAY_OLD = "451 4.3.5 Server configuration problem"
NO_AUTH_OFFERED = "(SMTP AUTH extension not supported by server.)"  # smtplib's words


@dataclasses.dataclass(frozen=True)
class Row:
    """A session, and what it is told while auditing, while enforcing, and while policyd is away."""
    listener: str
    client: str
    does: str
    audit: str
    enforce: str
    away: str
    finding: str = ""
    asked: bool = True
    how: dict = dataclasses.field(default_factory=dict)

    def case(self, enforcing):
        verdict = "pass" if not self.finding else "reject" if enforcing else "would reject"
        return Case(self.listener, self.client, self.does, self.enforce if enforcing else self.audit,
                    verdict if self.asked else NO_DECISION, self.finding, **self.how)


BOTH = {**STARTTLS, **LOGIN}

SUBMITTING = [
    Row("submission", "swaks", "no TLS", POSTFIX_SAYS_NO, NEEDS_TLS, AWAY, "tls-required"),
    Row("submission", "curl", "STARTTLS, no AUTH", POSTFIX_SAYS_NO, NEEDS_AUTH, AWAY, "auth-required", how=STARTTLS),
    Row("submission", "swaks", "STARTTLS, AUTH", SENT, SENT, AWAY, how=BOTH),
    Row("submission", "openssl", "TLS 1.1, AUTH", SENT, OLD_TLS, AWAY, "tls-version",
        how={"version": "TLSv1.1", **BOTH}),
    Row("submission", "smtplib", "AUTH in clear is not offered", *[NO_AUTH_OFFERED] * 3, asked=False, how=LOGIN),
    Row("submissions", "curl", "TLS at once, AUTH", SENT, SENT, AWAY, how={**IMPLICIT, **LOGIN}),
    Row("submissions", "swaks", "TLS at once, no AUTH", POSTFIX_SAYS_NO, NEEDS_AUTH, AWAY, "auth-required",
        how=IMPLICIT),
    Row("alternate", "smtplib", "no TLS", POSTFIX_SAYS_NO, NEEDS_TLS, AWAY, "tls-required"),
    Row("alternate", "smtplib", "STARTTLS, AUTH", SENT, SENT, AWAY, how=BOTH),
]
NETWORKS_PASS = [       # Postfix permits what Mailreeve does not refuse
    Row("submission", "swaks", "no TLS", SENT, NEEDS_TLS, AWAY, "tls-required"),
    Row("submission", "curl", "STARTTLS, no AUTH", SENT, NEEDS_AUTH, AWAY, "auth-required", how=STARTTLS),
    Row("submission", "swaks", "STARTTLS, AUTH", SENT, SENT, AWAY, how=BOTH),
]
INBOUND = [
    Row("smtp", "swaks", "inbound, no TLS", *[SENT] * 3, asked=False),
    Row("smtp", "openssl", "inbound, STARTTLS", *[SENT] * 3, asked=False, how=STARTTLS),
]
AUTH_OFF = [Row("smtp", "smtplib", "STARTTLS, AUTH is not offered", *[NO_AUTH_OFFERED] * 3, asked=False, how=BOTH)]
AUTH_ON = [
    Row("smtp", "smtplib", "AUTH in clear is not offered", *[NO_AUTH_OFFERED] * 3, asked=False, how=LOGIN),
    Row("smtp", "curl", "STARTTLS, AUTH", SENT, NO_AUTH_HERE, SENT, "auth-on-smtp-port", how=BOTH),
]


def old(rows):
    """The same where Postfix cannot be told what to do when Mailreeve does not answer."""
    return [dataclasses.replace(row, away=AWAY_OLD) if row.asked else row for row in rows]


# a way of paste.WAYS: what is played
PLAYED = {
    "main.cf": INBOUND + AUTH_OFF + SUBMITTING,
    "main.cf.auth-on-25": INBOUND + AUTH_ON + SUBMITTING,
    "main.cf.before-3.1": INBOUND + AUTH_OFF + old(SUBMITTING),
    "main.cf.before-3.1, AUTH on 25": INBOUND + old(AUTH_ON + SUBMITTING),
    "main.cf, own networks may pass": NETWORKS_PASS,
}


# ---- the texts -----------------------------------------------------------------------------------------------------

def same_lines(name, beginning):
    """The README's block and the file have the same lines."""
    shown, installed = paste.lines_of(paste.readme_block(beginning)), paste.lines_of(paste.file(f"postfix/{name}"))
    return [f"only in README.md: {line}" for line in shown if line not in installed] \
        + [f"only in etc/postfix/{name}: {line}" for line in installed if line not in shown] \
        + ["the same lines, but in another order"] * (sorted(shown) == sorted(installed) and shown != installed)


def checks(text):
    status, said = paste.check(text)
    return said.splitlines() if status else []


TEXTS = [
    ("README.md shows etc/postfix/main.cf", lambda: same_lines("main.cf", "mailreeve_submission =")),
    ("README.md shows etc/postfix/main.cf.auth-on-25", lambda: same_lines("main.cf.auth-on-25", "mailreeve_smtp =")),
    ("README.md shows etc/postfix/master.cf", lambda: same_lines("master.cf", "submission inet")),
    ("mailreeve check --strict has nothing to say about README.md's mailreeve.yaml",
     lambda: checks(paste.readme_yaml())),
    ("nor about that of main.cf.before-3.1", lambda: checks(paste.old_yaml())),
]


# ---- the sessions --------------------------------------------------------------------------------------------------

def session(rig, row, enforcing):
    outcome = rig.play(row.case(enforcing))
    return explain(outcome) if outcome.faults else []


def while_away(rig, row):
    """Nobody can read a journal now: that policyd was not asked shows in the log, where Postfix complains of it."""
    rig.mta.settle()
    mark = rig.mta.mark()
    told = rig.converse(row.case(True)).told
    rig.mta.settle()
    log = rig.mta.logged(mark)
    found = [] if own_words(told).startswith(row.away) else [f"expected {row.away!r}, got {told!r}"]
    if ("warning:" in log) != row.asked:
        found.append(f"policyd was {'not ' * row.asked}asked:\n{log}".replace("\n", "\n# "))
    return found


def enforce(rig):
    rig.configuration.sed("mode: audit", "mode: enforce")
    return [] if rig.reload() else ["the configuration was refused"]


def hang(rig):
    """A policyd that hangs: two ports are enough, each waits for the timeout twice."""
    rig.policyd.process.send_signal(signal.SIGSTOP)
    try:
        return [fault for row in rig.rows if row in INBOUND or row.listener in ("smtp", "submission") and row.how == BOTH
                for fault in while_away(rig, row)]
    finally:
        rig.policyd.process.send_signal(signal.SIGCONT)


def nothing_in_the_log(rig):
    """Postfix has had nothing to complain about."""
    return [line for line in rig.mta.logged().splitlines()
            if re.search(r"\b(warning|error|fatal|panic):", line) and "lost connection" not in line]


def leave(rig):
    """SIGTERM, and nothing from a sanitizer."""
    status = rig.policyd.stop()
    return [f"exit status {status}"] * bool(status) + re.findall(r".*(?:Sanitizer|runtime error).*", rig.policyd.logged())


def steps(way):
    """All that is done with one way to plug it in: (name, function of the rig)."""
    rows = PLAYED[way]
    for row in rows:
        yield f"audit: {row.listener}, {row.client}: {row.does}", lambda rig, row=row: session(rig, row, False)
    yield "changed to enforce and reloaded", enforce
    for row in rows:
        yield f"enforce: {row.listener}, {row.client}: {row.does}", lambda rig, row=row: session(rig, row, True)
    yield "Postfix has nothing to complain about", nothing_in_the_log
    yield "policyd hangs: 587 defers, 25 goes on", hang
    yield "policyd ends with status 0", leave
    for row in rows:
        yield f"policyd away: {row.listener}, {row.client}: {row.does}", lambda rig, row=row: while_away(rig, row)


def play(way, stopping):
    """All steps of one way: [(name, what was wrong)]."""
    with paste.PastedRig(way) as rig:
        rig.rows = PLAYED[way]
        return [(f"{way}: {name}", run(test, rig)) for name, test in steps(way) if not stopping.is_set()]


def main(words):
    ways = [way for way in paste.WAYS if not words or any(word in way for word in words)]
    print(f"1..{len(TEXTS) + sum(len(list(steps(way))) for way in ways)}", flush=True)
    number = failed = 0
    stopping = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as pool:       # they wait for timeouts most of the time
        played = [pool.submit(play, way, stopping) for way in ways]
        results = [lambda: [(name, run(test)) for name, test in TEXTS], *[each.result for each in played]]
        try:
            for result in results:
                for number, (name, wrong) in enumerate(result(), number + 1):
                    failed += tap.result(number, name, wrong)
        finally:
            stopping.set()
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
