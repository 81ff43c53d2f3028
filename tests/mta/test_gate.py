# SPDX-License-Identifier: Apache-2.0
"""mailreeve-gate on a real, private Postfix, by the lines that are installed for it. TAP on stdout.

    test_gate.py [WORD...]          only the tests with one of these words in their name
"""
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import gate_faults
import tap
from daemons import HAVE_IPV6, wait_for
from dovecot import PASSWORD, USER
from gate import DOVECOT, OPTIONS, REFUSED, TEXT, GateRig, Gone, Port, encode, lines_of, pasted
from plugin import program
from suite import run
from tree import REPOSITORY

BOB, SECRET = "bob@example.com", "hunter2.correct-horse"
PLAIN = encode(f"\0{BOB}\0{SECRET}")
NOT_HERE = "503 5.5.1 Error: authentication not enabled"
POSTFIX_SAYS = "535 5.7.8 Error: authentication failed: "
ANY_OPTIONS = ("noanonymous", "noplaintext,noanonymous", "noanonymous,mutual_auth", OPTIONS)

PORTS = [
    Port("tls", pasted()),
    Port("open", pasted(smtpd_tls_auth_only="no")),
    Port("submission", DOVECOT),
    Port("astray", {**DOVECOT, "smtpd_sasl_path": "mailreeve-gate/gate.sock"}),     # pointed at the gate by mistake
    *(Port(options, {**pasted(smtpd_tls_auth_only="no"), "smtpd_sasl_security_options": options}) for options in ANY_OPTIONS),
]

# What the client says, what it is told for each line, and what the journal has of it (None: nothing): mechanism and user
SCRIPTS = {
    "AUTH PLAIN with a response": ([f"AUTH PLAIN {PLAIN}"], [REFUSED], ("PLAIN", BOB)),
    "AUTH PLAIN without one": (["AUTH PLAIN"], [REFUSED], ("PLAIN", None)),
    "AUTH PLAIN with another password": ([f"AUTH PLAIN {encode(f'{0:c}{BOB}{0:c}{SECRET}x')}"], [REFUSED], ("PLAIN", BOB)),
    "AUTH PLAIN with an empty response": (["AUTH PLAIN ="], [REFUSED], ("PLAIN", None)),
    "AUTH PLAIN with half a response": ([f"AUTH PLAIN {encode(SECRET)}"], [REFUSED], ("PLAIN", None)),
    "AUTH LOGIN, name by name": (["AUTH LOGIN", encode(BOB)], ["334 VXNlcm5hbWU6", REFUSED], ("LOGIN", BOB)),
    "AUTH LOGIN with a response": ([f"AUTH LOGIN {encode(BOB)}"], [REFUSED], ("LOGIN", BOB)),
    "AUTH LOGIN, given up": (["AUTH LOGIN", "*"], ["334 VXNlcm5hbWU6", "501 5.7.0 Authentication aborted"], None),
    "AUTH LOGIN with a name of 12,284 characters": (["AUTH LOGIN", "A" * 12284], ["334 VXNlcm5hbWU6", REFUSED], ("LOGIN", None)),
    "AUTH login, in small letters": ([f"auth login {encode(BOB)}"], [REFUSED], ("LOGIN", BOB)),
    "AUTH CRAM-MD5": (["AUTH CRAM-MD5"], [REFUSED], ("CRAM-MD5", None)),
    "AUTH DIGEST-MD5": (["AUTH DIGEST-MD5"], [REFUSED], ("DIGEST-MD5", None)),
    "AUTH NTLM": (["AUTH NTLM"], [REFUSED], ("NTLM", None)),
    "AUTH EXTERNAL": ([f"AUTH EXTERNAL {encode(BOB)}"], [REFUSED], ("EXTERNAL", BOB)),
    "AUTH XOAUTH2": ([f"AUTH XOAUTH2 {encode(f'user={BOB}{1:c}auth=Bearer {SECRET}{1:c}{1:c}')}"], [REFUSED], ("XOAUTH2", BOB)),
    "AUTH OAUTHBEARER": ([f"AUTH OAUTHBEARER {encode(f'n,a={BOB},{1:c}auth=Bearer {SECRET}{1:c}{1:c}')}"], [REFUSED], ("OAUTHBEARER", BOB)),
    # These Postfix refuses by itself, in words of its own: the gate is not asked.
    "AUTH with a mechanism that nobody knows": (["AUTH X-JUNK"], [POSTFIX_SAYS + "Invalid authentication mechanism"], None),
    "AUTH PLAIN with what is no base64": (["AUTH PLAIN !!!"], [POSTFIX_SAYS + "Invalid base64 data in initial response"], None),
}
TESTS = []


def test(function):
    TESTS.append((function.__doc__, function))
    return function


def differ(what, got, wanted):
    return [] if got == wanted else [f"{what}: got {got!r}, wanted {wanted!r}"]


def begin(session, tls):
    session.greet()
    session.ehlo()
    if tls:
        session.start_tls()
        session.ehlo()


def settled(rig):
    """How many refusals there were so far, when there is a line in the journal for each that a client was told, and no more."""
    wait_for("the journal", lambda: len(rig.lines()) == rig.refused)
    return rig.refused


def user_hash(rig, user):
    """As docs/journal.md says it."""
    secret = (rig.journal / "secret").read_bytes()
    return "h:" + hmac.new(secret, b"user\0" + user.lower().encode(), hashlib.sha256).hexdigest()[:16]


def play(rig, port, tls, name):
    says, told, journaled = SCRIPTS[name]
    before = settled(rig)
    with rig.session(port) as session:
        begin(session, tls)
        got = [session.say(line) for line in says]
        session.say("QUIT")
    wrong = differ("the replies", got, told)
    if not journaled:
        return wrong + differ("lines in the journal", settled(rig), before)
    settled(rig)
    mechanism, user = journaled
    line, = rig.lines()[before:]
    wanted = {"sasl_method": mechanism, "sasl_username": user and user_hash(rig, user), "tls": tls,
              "client_address": "127.0.0.1", "server_address": "127.0.0.1"}
    wrong += differ("the journal", {name: line.get(name) for name in wanted}, wanted)
    wait_for("that process in the log", lambda: f"smtpd[{line['mta_pid']}]" in rig.mta.logged())
    return wrong


for port, tls in (("tls", True), ("open", True), ("open", False)):
    for name in SCRIPTS:
        TESTS.append((f"{name}, {'under TLS' if tls else 'in clear'}, smtpd_tls_auth_only={'yes' if port == 'tls' else 'no'}",
                      lambda rig, port=port, tls=tls, name=name: play(rig, port, tls, name)))


@test
def in_clear_with_auth_only(rig):
    """smtpd_tls_auth_only=yes, in clear: Postfix's own 503, the gate is not asked"""
    before = settled(rig)
    with rig.session("tls") as session:
        begin(session, False)
        got = [session.say(line) for line in (f"AUTH PLAIN {PLAIN}", "AUTH LOGIN")]
    return differ("the replies", got, [NOT_HERE] * 2) + differ("lines in the journal", settled(rig), before)


@test
def not_announced(rig):
    """AUTH is in no EHLO reply: IPv4 and IPv6, before and after STARTTLS, with both settings"""
    wrong = []
    for port in ("tls", "open"):
        for host in ["127.0.0.1"] + ["::1"] * HAVE_IPV6:
            with rig.session(port, host) as session:
                session.greet()
                heard = session.ehlo()
                session.start_tls()
                heard += session.ehlo()
                wrong += [f"{port}, {host}: {line}" for line in heard if "AUTH" in line.upper()]
                wrong += differ(f"{port}, {host}", session.say(f"AUTH PLAIN {PLAIN}"), REFUSED)
    return wrong


@test
def announced_to_ipv6(rig):
    """0.0.0.0/0 instead of static:all would announce it to IPv6 clients, as docs/gate.md warns"""
    if not HAVE_IPV6:
        return []
    with GateRig([Port("four", pasted(smtpd_sasl_exceptions_networks="0.0.0.0/0", smtpd_tls_auth_only="no"))]) as other:
        heard = {}
        for host in ("127.0.0.1", "::1"):
            with other.session("four", host) as session:
                session.greet()
                heard[host] = any(" AUTH" in line or "-AUTH" in line for line in session.ehlo())
    return differ("announced", heard, {"127.0.0.1": False, "::1": True})


@test
def throttled(rig):
    """the gate is gone: after one STARTTLS a client without TLS, too, waits for a greeting as long as service_throttle_time says"""
    wait = 4
    with GateRig([Port("one", pasted())], f"service_throttle_time = {wait}s\n") as other:
        other.stop()
        with other.session("one") as session:
            began = session.greet()[:3], session.say("EHLO client.example.com")[:3]
            session.start_tls()
            try:
                session.ehlo()
                return ["it goes on after STARTTLS"]
            except Gone:
                pass
        wait_for("the log", lambda: "throttling" in other.mta.logged())
        begun = time.monotonic()
        with other.session("one") as session:
            session.greet()
        took = time.monotonic() - begun
    return differ("before", began, ("220", "250")) + [f"it took {took:.1f} s"] * (not wait - 1.5 < took < wait + 5)


@test
def mail_flows(rig):
    """mail from other servers is taken on 25, in clear and under TLS, before and after an AUTH that was refused"""
    wrong = []
    for port in ("tls", "open"):
        for tls in (False, True):
            for auth in ([], ["AUTH LOGIN", encode(BOB)] if tls or port == "open" else []):
                with rig.session(port) as session:
                    begin(session, tls)
                    for line in auth:
                        session.say(line)
                    got = [session.say(line)[:3] for line in ("MAIL FROM:<carol@example.net>", f"RCPT TO:<{BOB}>", "DATA",
                                                              "Subject: x\r\n\r\nHello\r\n.", "QUIT")]
                wrong += differ(f"{port}, TLS {tls}, {auth}", got, ["250", "250", "354", "250", "221"])
    return wrong


@test
def submission_is_as_it_was(rig):
    """the submission port, with Dovecot: the right password passes, a wrong one is Dovecot's affair, nothing is in the gate's journal"""
    before, wrong = settled(rig), []
    for password, wanted in ((PASSWORD, "235 2.7.0 Authentication successful"), ("wrong", POSTFIX_SAYS)):
        with rig.session("submission") as session:
            begin(session, True)
            got = session.say("AUTH PLAIN " + encode(f"\0{USER}\0{password}"))
        wrong += [] if got.startswith(wanted) and TEXT not in got else [f"got {got!r}"]
    return wrong + differ("lines in the journal", settled(rig), before)


@test
def led_astray(rig):
    """a submission port that points at the gate by mistake: 454, so that the client keeps its mail and its password; said in the log"""
    before = settled(rig)
    with rig.session("astray") as session:
        begin(session, True)
        got = [session.say(line)[:9] for line in (f"AUTH PLAIN {PLAIN}", "AUTH LOGIN")]
    wait_for("the log", lambda: "an AUTH for another service than mailreeve-25" in rig.logged())
    return differ("the replies", got, ["454 4.7.0"] * 2) + differ("lines in the journal", settled(rig), before)


@test
def security_options(rig):
    """smtpd_sasl_security_options, any of them: smtpd has a mechanism and lives, and AUTH is refused with our text"""
    wrong = []
    for options in ANY_OPTIONS:
        with rig.session(options) as session:
            begin(session, False)
            mechanism = "SCRAM-SHA-256-PLUS" if "mutual" in options else "CRAM-MD5"
            wrong += differ(options, session.say(f"AUTH {mechanism}"), REFUSED)
    return wrong


@test
def what_postfix_logs(rig):
    """Postfix's log: its usual line, with our text and without a name; nobody's name and no password in it"""
    wait_for("the log", lambda: rig.mta.logged().count(f"failed: {TEXT}") == rig.refused)
    log = rig.mta.logged()
    line = r"postfix/smtpd\[\d+\]: warning: unknown\[127\.0\.0\.1\]:\d+: SASL PLAIN authentication failed: " + re.escape(TEXT) \
        + r", sasl_username=\(unavailable\)$"
    wrong = [] if re.search(line, log, re.M) else ["the line is not there"]
    ours = "\n".join(each for each in log.splitlines() if "postfix/submission" not in each)
    return wrong + [f"{word!r} is in the log" for word in (BOB, SECRET, "user=bob", encode(BOB)) if word in ours.replace(f"to=<{BOB}>", "")] \
        + [each for each in ours.splitlines() if "fatal:" in each or "throttling" in each]


@test
def no_password_anywhere(rig):
    """no password is in the gate's journal or log, and no user name but as a hash"""
    settled(rig)
    texts = [rig.logged()] + [str(line) for line in rig.lines()]
    found = [word for word in (SECRET, PLAIN, BOB, "user=bob") for text in texts if word in text]
    expected = {user_hash(rig, BOB)}
    users = {line["sasl_username"] for line in rig.lines() if "sasl_username" in line}
    return [f"{word!r} was written" for word in found] + differ("the users", users, expected)


@test
def joined_with_the_log(rig):
    """mailreeve audit: what the gate refused is a session of Postfix's log each, unless one smtpd had several within a second"""
    settled(rig)
    wait_for("the log", lambda: rig.mta.logged().count("]: connect from") == rig.mta.logged().count("]: disconnect from"))
    done = subprocess.run([program("mailreeve"), "audit", "-c", "/dev/null", "--lines", "--json", "--listener", "postfix=25", rig.mta.log, rig.journal],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    ended = [each for each in map(json.loads, done.stdout.splitlines()) if "ended" in each]
    gate = [each for each in ended if "gate" in each["sources"]]
    joined = [each for each in gate if each["sources"] == ["log", "gate"]]
    alone = [each for each in gate if each not in joined]
    # the gate is told no port, and the log no fraction of a second: of two sessions of one smtpd within one it cannot be said which is which
    begun = re.findall(r"^(\w+ \d+ [\d:]+) \S+ postfix/smtpd\[(\d+)\]: connect from", rig.mta.logged(), re.M)
    crowded = len(begun) > len(set(begun))
    return ([] if joined else ["no session of the gate's is one with the log"]) \
        + [f"not of one session with the log: {each}" for each in alone if not crowded] \
        + [f"found: {each}" for each in gate if each["findings"] != ["auth-tried-on-smtp-port"]]


@test
def end(rig):
    """SIGTERM: the gate ends with status 0, removes its socket, and no sanitizer has anything to say"""
    rig.stop()
    return [f"{rig.socket} is still there"] * rig.socket.exists() + re.findall(r".*(?:Sanitizer|runtime error).*", rig.logged())


# ---- the table of docs/reliability.md ---------------------------------------------------------------------------------

def fault_results(wanted):
    """(name, what is wrong) of each row of the table, and of each state's log; a state is played once for all its rows."""
    table = list(gate_faults.rows())
    for held in (False, True):
        if not any(wanted(row_name(row)) for row in table if row[1] in gate_faults.states(held)):
            continue
        with GateRig(gate_faults.PORTS, gate_faults.SETTINGS) as rig:
            if held:
                rig.stop()
                rig.hold()
                rig.start()
            for state in gate_faults.states(held):
                rows = [row for row in table if row[1] == state and wanted(row_name(row))]
                if not rows:
                    continue
                problems = run(lambda: store(rig, state))
                for row in rows:
                    got = RESULTS.get(state, {}).get(row[2])
                    yield row_name(row), problems or differ("measured", got, row[3])


RESULTS = {}


def store(rig, state):
    RESULTS[state], wrong = gate_faults.play(rig, state)
    return wrong


def row_name(row):
    return f"docs/reliability.md, {row[0]}: {row[1]}, {row[2]} smtpd"


def shown_on_the_page():
    """docs/gate.md shows the lines of etc/postfix/master.cf.gate"""
    block = "\n".join(lines_of("postfix/master.cf.gate"))
    return [] if block in (REPOSITORY / "docs/gate.md").read_text() else [f"these are not: {block}"]


def whole_table():
    """docs/reliability.md has a row for everything that is played"""
    wanted = {(state, smtpd) for state in gate_faults.STATES for smtpd in ("new", "kept")} | {(gate_faults.TRIED_IN, "kept, AUTH tried")}
    there = [(state, smtpd) for _, state, smtpd, _ in gate_faults.rows()]
    return differ("rows", sorted(there), sorted(wanted))


def main(words):
    def wanted(name):
        return not words or any(word in name for word in words)
    tests = [each for each in TESTS if wanted(each[0])]
    faults = [row for row in gate_faults.rows() if wanted(row_name(row))]
    texts = [whole_table, shown_on_the_page]
    print(f"1..{len(texts) + len(tests) + len(faults)}", flush=True)
    failed = sum(tap.result(number, text.__doc__, run(text)) for number, text in enumerate(texts, 1))
    number = len(texts)
    if tests:
        with GateRig(PORTS) as rig:
            for name, function in tests:
                number += 1
                failed += tap.result(number, name, run(function, rig))
    for name, wrong in fault_results(wanted):
        number += 1
        failed += tap.result(number, name, wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
