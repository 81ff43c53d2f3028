#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs and journals together: which become one session, what is found of it then, and `mailreeve explain --session`.
Expected is written by hand, from docs/audit.md ("With the journals"). TAP."""
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import tests_of

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = str((ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve").resolve())
ENVIRONMENT = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
BOB, PORT, KEY = "192.0.2.7", 40001, "00c0ffee12345678"

tests = []


def test(function):
    tests.append(function)
    return function


def run(*arguments, code=0, config="/dev/null", command="audit", work=None):
    done = subprocess.run([PROGRAM, command, "-c", str(config), *map(str, arguments)], capture_output=True, text=True, check=False,
                          env=ENVIRONMENT, timeout=60, stdin=subprocess.DEVNULL, cwd=work)
    assert done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr}{done.stdout[:800]}"
    return done.stdout if code in (0, 1) else done.stderr


# ---- what is given ------------------------------------------------------------------------

def smtpd(time, text, pid=100, name="postfix/submission"):
    return f"Nov 20 10:{time} mx {name}/smtpd[{pid}]: {text}\n"


def visit(begin, end, client, pid=100, name="postfix/submission", middle=(), counts="commands=0/0"):
    """A session of Postfix: connect, what is between, disconnect. client: with or without its port."""
    return "".join(smtpd(time, text, pid, name) for time, text in [
        (begin, f"connect from {client}"), *((end, each) for each in middle), (end, f"disconnect from {client} {counts}")])


def with_port(port=PORT):
    return f"bob.example.net[{BOB}]:{port}"


WITHOUT_PORT = f"bob.example.net[{BOB}]"
KNOCKED = ["lost connection after CONNECT from {0}"]


def knocked(begin, end, client=WITHOUT_PORT, **more):
    return visit(begin, end, client, middle=[f"lost connection after CONNECT from {client}"], **more)


class Journal:
    """Journals of several programs in one directory, as docs/journal.md has them."""

    def __init__(self, path):
        self.path, self.numbers = path, {}

    def add(self, program, event, time, key=KEY, **fields):
        number = self.numbers[program] = self.numbers.get(program, 0) + 1
        head = {"v": 1, "ts": f"2026-11-20T10:{time}Z", "mono": number, "host": "mx", "src": f"mailreeve-{program}", "boot": "b-1",
                "seq": number, "event": event, "key": key}
        folder = self.path / f"mailreeve-{program}"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "20261120T100000Z-1.jsonl", "a") as out:
            out.write(json.dumps({**head, **{n: v for n, v in fields.items() if v is not None}}) + "\n")
        return self

    def tap(self, time, *findings, ms=5000, port=PORT, **fields):
        both = {"listener": "submission", "role": "submission", "server_port": 587, "client_address": BOB, "client_port": port,
                "server_address": "192.0.2.1", "ended": "fin", "action": "pass", "would": "pass", "duration_ms": ms}
        return self.add("tap", "session", time, findings=list(findings) or None, **{**both, **fields})

    def hello(self, time, **fields):
        """TLS at once on 587, and it came to nothing."""
        return self.tap(time, "implicit-tls-on-starttls-port", **{"tls_mode": "implicit", "first_bytes": "tls", "handshake": "left",
                        "tls_offered_highest": "TLSv1.2", "ja4": "t12d1234_0123456789ab_0123456789ab", **fields})

    def decision(self, program, time, **fields):
        both = {"listener": "submission", "role": "submission", "server_port": 587, "client_address": BOB, "protocol_state": "RCPT",
                "server_address": "192.0.2.1", "client_port": PORT, "action": "pass", "would": "pass"}
        return self.add(program, "decision", time, **{**both, **fields})


def sessions(work, log, *more, config="/dev/null", options=()):
    """What --lines says of the sessions at the end."""
    (work / "mail.log").write_text(log)
    sources = ([work / "mail.log"] if log else []) + [work / "journal"] * (work / "journal").exists() + list(more)
    out = run("--lines", "--json", *options, *sources, config=config)
    return [each for each in map(json.loads, out.splitlines()) if "ended" in each]


def one(work, log, **more):
    found = sessions(work, log, **more)
    assert len(found) == 1, f"{len(found)} sessions: {found}"
    return found[0]


def expect(session, findings, sources, **more):
    assert session.get("findings", []) == findings, session
    assert session["sources"] == sources, session
    for name, value in more.items():
        assert session.get(name) == value, (name, session)


# ---- by exact keys ------------------------------------------------------------------------

@test
def by_address_and_port(work):
    Journal(work / "journal").hello("00:05.100000")
    expect(one(work, knocked("00:00", "00:05", with_port())), ["implicit-tls-on-starttls-port"], ["log", "tap"], client=BOB,
           client_port=PORT, port=587, offered="TLSv1.2", ja4="t12d1234_0123456789ab_0123456789ab")


@test
def another_port_is_another_session(work):
    Journal(work / "journal").hello("00:05.100000")
    found = sessions(work, knocked("00:00", "00:05", with_port(PORT + 1)))
    assert [each["sources"] for each in found] == [["log"], ["tap"]], found


@test
def by_process(work):
    """policyd is told smtpd's process by Postfix's instance: here 0x64, 100. Ten sessions of that client at once."""
    Journal(work / "journal").decision("policyd", "00:02.000000", client_port=None, key=None, instance="64.6733f2a2.1.0", mta_pid=100,
                                       tls=False, auth=False)
    log = "".join(knocked("00:00", "00:05", pid=pid) for pid in range(95, 105))
    found = sessions(work, log)
    assert len(found) == 10, found
    both = [each for each in found if each["sources"] == ["log", "policyd"]]
    assert len(both) == 1 and both[0]["findings"] == ["tls-required", "auth-required"], found


@test
def by_queue_id(work):
    """Sendmail's milter has the queue id, and so has its log; here neither has a port, and two sessions are there."""
    log = "".join(f"Nov 20 10:00:0{n} mx sendmail[{n}]: 6AKA00{n}a000001: from=<bob@example.com>, size=10, class=0, nrcpts=1, "
                  f"proto=ESMTPS, daemon=submission, relay=bob.example.net [{BOB}]\n" for n in (1, 2))
    Journal(work / "journal").decision("milter", "00:02.000000", client_port=None, key=None, queue_id="6AKA002a000001",
                                       protocol_state="MAIL", tls=True, encryption_protocol="TLSv1.1", auth=False)
    found = sessions(work, log)
    assert [each["sources"] for each in found] == [["log", "milter"], ["log"]], found
    assert "tls-version" in found[0]["findings"] and found[0]["ended"] == 2, found


@test
def programs_by_key_without_a_log(work):
    """Client software from the milter, the bytes from the tap, who it was from policyd: one session."""
    journal = Journal(work / "journal").decision("policyd", "00:03.000000", tls=False, auth=True, sasl_username="bob@example.com")
    journal.tap("00:01.000000", "cleartext-auth", ms=900, tls_mode="cleartext", first_bytes="smtp", commands=["EHLO", "AUTH"],
                sasl_method="PLAIN", ended="seen")
    journal.add("milter", "software", "00:04.000000", client_address=BOB, client_port=PORT, listener="submission", server_port=587,
                client_software="thunderbird", client_version="115.3")
    expect(one(work, ""), ["tls-required", "cleartext-auth"], ["policyd", "milter", "tap"], software="thunderbird", client=BOB)


@test
def the_same_key_later_is_another_session(work):
    """A client's port comes back. The tap tells each connection once."""
    Journal(work / "journal").hello("00:05.000000").hello("30:05.000000")
    assert len(sessions(work, "")) == 2


@test
def programs_are_read_in_the_order_of_their_times(work):
    """Two connections with the same key: what the milter has of each goes to the right one."""
    journal = Journal(work / "journal").hello("00:05.000000").hello("30:05.000000")
    for time in ("00:05.200000", "30:05.200000"):
        journal.add("milter", "finding", time, client_address=BOB, client_port=PORT, server_port=587, listener="submission",
                    findings=["no-tls-seen"])
    found = sessions(work, "")
    assert [(each["sources"], each["findings"]) for each in found] == 2 * [(["milter", "tap"], ["implicit-tls-on-starttls-port"])], found


# ---- by address and time --------------------------------------------------------------------

@test
def by_address_and_time_if_there_is_one_of_each(work):
    Journal(work / "journal").hello("00:05.100000")
    expect(one(work, knocked("00:00", "00:05")), ["implicit-tls-on-starttls-port"], ["log", "tap"], client_port=PORT)


@test
def two_at_the_same_time_stay_undecided(work):
    """One looked like nothing, the other like a knock; which of them spoke TLS is not known."""
    Journal(work / "journal").hello("00:05.100000")
    found = sessions(work, knocked("00:00", "00:05") + knocked("00:01", "00:04", pid=101))
    assert [each["sources"] for each in found] == [["log"], ["log"], ["tap"]], found
    assert ["join" in each.get("doubts", []) for each in found] == [True, True, True], found
    told = json.loads(run("--json", work / "mail.log", work / "journal"))
    assert told["input"]["journals"]["ambiguous_sessions"] == 2 and told["input"]["journals"]["alone_sessions"] == 1, told["input"]


@test
def two_of_the_tap_at_the_same_time_stay_undecided(work):
    Journal(work / "journal").hello("00:05.100000").tap("00:05.200000", port=PORT + 1, key="00c0ffee12345679", ms=4900)
    found = sessions(work, knocked("00:00", "00:05"))
    assert [each["sources"] for each in found] == [["log"], ["tap"], ["tap"]], found


@test
def one_minute_apart_is_decided(work):
    Journal(work / "journal").hello("00:05.100000").hello("01:05.100000", port=PORT + 1, key="00c0ffee12345679")
    found = sessions(work, knocked("00:00", "00:05") + knocked("01:00", "01:05"))
    assert [each["client_port"] for each in found] == [PORT, PORT + 1], found


@test
def the_port_decides_where_the_log_names_it(work):
    """The same client at the same time on 587 and on 465."""
    Journal(work / "journal").hello("00:05.100000").tap(
        "00:05.100000", port=PORT + 1, key="00c0ffee12345679", listener="submissions", role="submissions", server_port=465)
    found = sessions(work, knocked("00:00", "00:05") + knocked("00:00", "00:05", pid=101, name="postfix/submissions"))
    assert [(each["sources"], each["port"]) for each in found] == [(["log", "tap"], 587), (["log", "tap"], 465)], found


@test
def another_client_is_another_session(work):
    Journal(work / "journal").hello("00:05.100000", client_address="192.0.2.8")
    assert len(sessions(work, knocked("00:00", "00:05"))) == 2


@test
def another_day_is_another_session(work):
    Journal(work / "journal").hello("00:05.100000")
    assert len(sessions(work, knocked("00:00", "00:05").replace("Nov 20", "Nov 19"))) == 2


@test
def sendmail_tells_by_its_queue_id_when_a_session_began(work):
    """Its only line is of the end, 30 s later; three sessions of that client. 6AKA0u: 10:00:56 in digits of base 60."""
    text = "sendmail[{0}]: 6AKA0u{1}00000{0}: bob.example.net [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to submission"
    log = f"Nov 20 10:01:26 mx {text.format(7, 'x')}\nNov 20 10:09:30 mx {text.format(8, 'x').replace('6AKA0u', '6AKA90')}\n"
    Journal(work / "journal").hello("00:56.500000", ms=300, ended="seen").hello("09:00.500000", ms=300, ended="seen", port=PORT + 1,
                                                                             key="00c0ffee12345679")
    found = sessions(work, log)
    assert len(found) == 2 and all(each["sources"] == ["log", "tap"] for each in found), found


# ---- the union -----------------------------------------------------------------------------

@test
def the_log_knows_how_a_handshake_ended(work):
    """The tap saw an alert that it cannot read; the log has its reason."""
    Journal(work / "journal").tap("00:05.100000", "handshake-unknown", tls_mode="starttls", first_bytes="smtp", handshake="hidden-alert",
                                  commands=["EHLO", "STARTTLS"])
    log = visit("00:00", "00:05", with_port(), counts="ehlo=1 starttls=0/1 commands=1/2", middle=[
        f"SSL_accept error from {with_port()}: -1", "warning: TLS library problem: error:0A000418:SSL routines::tlsv1 alert unknown "
        "ca:ssl/record/rec_layer_s3.c:1586:SSL alert number 48:", f"lost connection after STARTTLS from {with_port()}"])
    expect(one(work, log), ["certificate-rejected"], ["log", "tap"], mode="starttls")


@test
def the_tap_knows_what_the_log_tells_by_chance(work):
    """A part of a ClientHello that looked like a command (facts of Debian's Postfix) is no other protocol."""
    Journal(work / "journal").hello("00:05.100000")
    log = visit("00:00", "00:05", with_port(), middle=[f"warning: non-SMTP command from {with_port()}: \\b\\v\\b\\004x",
                                                       f"lost connection after UNKNOWN from {with_port()}"], counts="unknown=0/1 commands=0/1")
    expect(one(work, log), ["implicit-tls-on-starttls-port"], ["log", "tap"])


@test
def who_waited_for_a_greeting_most_likely_did(work):
    """The log has the time, the tap has seen that not one byte came: it is the likeliest reading for both."""
    Journal(work / "journal").tap("00:08.000000", "waits-on-implicit-port", ms=8000, likely=["waits-on-implicit-port"], listener="submissions", role="submissions",
                                  server_port=465, first_bytes="nothing", silent_ms=8000)
    log = visit("00:00", "00:08", with_port(), name="postfix/submissions", middle=[
        f"SSL_accept error from {with_port()}: lost connection", f"lost connection after CONNECT from {with_port()}"])
    expect(one(work, log), ["waits-on-implicit-port"], ["log", "tap"], likely=["waits-on-implicit-port"])
    expect(sessions(work, log, options=["--since", "2026-11-20"])[0], ["waits-on-implicit-port"], ["log", "tap"])


@test
def who_said_nothing_began_no_handshake(work):
    """Postfix logs a failed handshake of one that only knocked on 465, Sendmail that no mail came: of what, the tap knows."""
    knock = {"ms": 100, "first_bytes": "nothing", "silent_ms": 100}
    Journal(work / "journal").tap("00:00.100000", listener="submissions", role="submissions", server_port=465, **knock)
    log = visit("00:00", "00:00", with_port(), name="postfix/submissions", middle=[
        f"SSL_accept error from {with_port()}: lost connection", f"lost connection after CONNECT from {with_port()}"])
    expect(one(work, log), [], ["log", "tap"], likely=None)


@test
def who_said_no_ehlo_did_not_leave_without_tls(work):
    """The only line that Sendmail has of who knocks on 587."""
    Journal(work / "journal").tap("00:00.100000", ms=100, first_bytes="nothing", silent_ms=100)
    line = "sendmail[7]: 6AKA00x000007: bob.example.net [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to submission"
    expect(one(work, f"Nov 20 10:00:00 mx {line}\n"), [], ["log", "tap"])


@test
def who_looked_on_to_no_end_knows_less(work):
    """The tap was stopped before the client had said anything: it does not speak against the log."""
    Journal(work / "journal").tap("00:00.100000", ms=100, first_bytes="nothing", silent_ms=100, ended="stop")
    line = "sendmail[7]: 6AKA00x000007: bob.example.net [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to submission"
    expect(one(work, f"Nov 20 10:00:05 mx {line}\n"), ["no-tls-seen"], ["log", "tap"])


@test
def who_is_sure_is_believed(work):
    """The tap sees an old ClientHello that came to nothing; the log knows that it was for its version."""
    Journal(work / "journal").tap("00:05.100000", "handshake-version", likely=["handshake-version"], tls_mode="starttls", first_bytes="smtp",
                                  handshake="left", commands=["EHLO", "STARTTLS"], tls_offered_highest="TLSv1")
    refused = [f"SSL_accept error from {with_port()}: -1", "warning: TLS library problem: error:0A000102:SSL routines::unsupported "
               "protocol:ssl/statem/statem_srvr.c:1657:", f"lost connection after STARTTLS from {with_port()}"]
    counts = "ehlo=1 starttls=0/1 commands=1/2"
    expect(one(work, visit("00:00", "00:05", with_port(), counts=counts, middle=refused)), ["handshake-version"], ["log", "tap"], likely=None)
    other = [refused[0], refused[1].replace("unsupported protocol", "no suitable signature algorithm"), refused[2]]
    expect(one(work, visit("00:00", "00:05", with_port(), counts=counts, middle=other)), ["handshake-version"], ["log", "tap"],
           likely=["handshake-version"])
    expect(one(work, ""), ["handshake-version"], ["tap"], likely=["handshake-version"])


@test
def a_login_makes_a_likely_password_certain(work):
    """AUTH LOGIN: whether a password followed, the tap does not look; the log has the login."""
    Journal(work / "journal").tap("00:05.100000", "cleartext-auth", likely=["cleartext-auth"], tls_mode="cleartext", first_bytes="smtp",
                                  sasl_method="LOGIN", commands=["EHLO", "AUTH"], ended="seen")
    expect(one(work, visit("00:00", "00:05", with_port(), counts="ehlo=1 auth=1 quit=1 commands=3")), ["cleartext-auth"], ["log", "tap"],
           likely=None)


@test
def a_password_in_clear_text_is_the_word_for_it(work):
    """Refused, it has crossed the network all the same; that TLS was missing goes without saying."""
    Journal(work / "journal").tap("00:05.100000", "cleartext-auth", tls_mode="cleartext", first_bytes="smtp", sasl_method="PLAIN",
                                  commands=["EHLO", "AUTH"], ended="seen")
    expect(one(work, visit("00:00", "00:05", with_port(), counts="ehlo=1 auth=0/1 quit=1 commands=2/3")), ["cleartext-auth"], ["log", "tap"])


@test
def behind_a_proxy_the_name_of_the_listener_joins(work):
    """The header has the proxy's port, which may be another's of the policy, or nobody's."""
    (work / "policy.yaml").write_text("listeners:\n  - {names: [submission], port: 587, role: submission}\n"
                                      "  - {names: [proxied], port: 10587, role: submission}\n")
    log = knocked("00:00", "00:05", name="postfix/proxied")
    for port in (587, 4711):
        journal = Journal(work / "journal").hello("00:05.100000", listener="proxied", server_port=port, proxy_address="192.0.2.200")
        expect(one(work, log, config=work / "policy.yaml"), ["implicit-tls-on-starttls-port"], ["log", "tap"], port=10587)
        expect(one(work, "", config=work / "policy.yaml"), ["implicit-tls-on-starttls-port"], ["tap"], port=10587)
        shutil.rmtree(journal.path)
    Journal(work / "journal").decision("policyd", "00:04.000000", listener="proxied", server_port=4711, tls=False, auth=False)
    expect(one(work, log, config=work / "policy.yaml"), ["tls-required", "auth-required"], ["log", "policyd"], port=10587)


@test
def a_login_on_25_is_no_try(work):
    journal = Journal(work / "journal").decision("policyd", "00:03.000000", listener="smtp", role="smtp", server_port=25, tls=False, auth=True,
                                                 sasl_username="bob@example.com")
    journal.tap("00:01.000000", "auth-tried-on-smtp-port", "cleartext-auth", ms=900, listener="smtp", role="smtp", server_port=25,
                tls_mode="cleartext", first_bytes="smtp", commands=["EHLO", "AUTH"], ended="seen")
    expect(one(work, ""), ["auth-on-smtp-port", "cleartext-auth"], ["policyd", "tap"])


@test
def a_contradiction_is_shown(work):
    """The log has TLS, policyd was told that there is none: the port is not what it seems."""
    Journal(work / "journal").decision("policyd", "00:03.000000", tls=False, auth=False)
    log = visit("00:00", "00:05", with_port(), counts="ehlo=2 starttls=1 mail=1 rcpt=1 commands=5", middle=[
        f"Anonymous TLS connection established from {with_port()}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"])
    session = one(work, log)
    assert "listener-mode-mismatch" in session["findings"], session
    out = run("--session", f"{BOB}:{PORT}", work / "mail.log", work / "journal", command="explain")
    assert out.count("<- contradicts") == 2, out


@test
def a_name_on_another_port_is_a_mismatch(work):
    """master.cf calls it submission, and it is 465."""
    (work / "policy.yaml").write_text("listeners:\n  - {names: [submission], port: 587, role: submission}\n"
                                      "  - {names: [submissions], port: 465, role: submissions}\n")
    Journal(work / "journal").tap("00:05.100000", listener="submissions", role="submissions", server_port=465, first_bytes="tls",
                                  tls_mode="implicit", handshake="answered")
    expect(one(work, knocked("00:00", "00:05", with_port()), config=work / "policy.yaml"), ["listener-mode-mismatch"], ["log", "tap"], port=465)


# ---- the gate ------------------------------------------------------------------------------

def hashed(secret, user):
    """docs/journal.md, "Privacy"."""
    return "h:" + hmac.new(secret, b"user\0" + user.lower().encode(), hashlib.sha256).hexdigest()[:16]


def refusal(journal, user, pid=100):
    return journal.add("gate", "auth_refused", "00:02.000000", key=None, service="mailreeve-25", role="smtp", client_address=BOB,
                       server_address="192.0.2.1", sasl_method="PLAIN", sasl_username=user, tls=True, mta_pid=pid, action="reject",
                       finding="auth-tried-on-smtp-port", findings=["auth-tried-on-smtp-port"])


def on_25(pid=100):
    return visit("00:00", "00:05", WITHOUT_PORT, pid=pid, name="postfix/smtp", counts="ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5", middle=[
        f"Anonymous TLS connection established from {WITHOUT_PORT}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        f"warning: {WITHOUT_PORT}: SASL PLAIN authentication failed: AUTH is not accepted on port 25"])


LOGIN = visit("40:00", "40:05", "home.example.net[198.51.100.9]", pid=200, counts="ehlo=2 starttls=1 auth=1 mail=1 commands=5", middle=[
    "Anonymous TLS connection established from home.example.net[198.51.100.9]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    "4104E3D: client=home.example.net[198.51.100.9], sasl_method=PLAIN, sasl_username=Bob@example.com"])


@test
def the_gates_refusal_is_of_the_same_session(work):
    refusal(Journal(work / "journal"), "h:0123456789abcdef")
    expect(one(work, on_25()), ["auth-tried-on-smtp-port"], ["log", "gate"], mode="starttls")


@test
def one_process_has_several_sessions_of_one_client(work):
    """Two people behind one address, and one smtpd after the other: each is who he is."""
    secret = bytes(range(32))
    journal = Journal(work / "journal")
    for second, user in ((2, "bob"), (7, "alice")):
        journal.add("gate", "auth_refused", f"00:{second:02}.500000", key=None, client_address=BOB, sasl_username=hashed(secret, f"{user}@example.com"),
                    mta_pid=100, findings=["auth-tried-on-smtp-port"], role="smtp", tls=True)
    (work / "journal" / "secret").write_bytes(secret)
    def refused(begin, end):
        return visit(begin, end, WITHOUT_PORT, name="postfix/smtp", counts="ehlo=1 auth=0/1 commands=1/2")
    log = refused("00:01", "00:03") + refused("00:04", "00:05") + refused("00:06", "00:08") + LOGIN + LOGIN.replace("Bob@", "Alice@")
    found = sessions(work, log)
    assert [each["sources"] for each in found if each["port"] == 25] == [["log"], ["log", "gate"], ["log", "gate"]], found
    told = json.loads(run("--json", work / "mail.log", work / "journal", code=1))
    assert sorted(str(e["sasl_usernames"]) for e in told["entries"] if e["sasl_usernames"]) == ["['Alice@example.com']", "['Bob@example.com']"]


@test
def two_connections_of_one_process_are_not_one(work):
    """The log has no ports; both were in the same second, in the same process: which is which is not known."""
    journal = Journal(work / "journal")
    for n in (0, 1):
        key, port = f"00c0ffee1234567{n}", PORT + n
        journal.tap(f"00:01.{2 + 4 * n}00000", key=key, port=port, ms=100, first_bytes="smtp", tls_mode="cleartext", commands=["EHLO", "MAIL"])
        journal.decision("policyd", f"00:01.{2 + 4 * n}50000", key=key, client_port=port, tls=False, auth=False, mta_pid=100)
    log = 2 * visit("00:01", "00:01", WITHOUT_PORT, counts="ehlo=1 mail=1 rcpt=1 commands=3")
    found = sessions(work, log)
    assert len(found) == 4 and all("join" in each["doubts"] for each in found), found


@test
def a_hash_is_resolved_to_who_logs_in_elsewhere(work):
    secret = bytes(range(32))
    refusal(Journal(work / "journal"), hashed(secret, "bob@example.com"))
    (work / "journal" / "secret").write_bytes(secret)
    (work / "mail.log").write_text(on_25() + LOGIN)
    told = json.loads(run("--json", work / "mail.log", work / "journal", code=1))
    assert [e["sasl_usernames"] for e in told["entries"]] == [["Bob@example.com"]], told["entries"]


@test
def without_the_secret_it_stays_a_hash_and_no_secret_is_made(work):
    refusal(Journal(work / "journal"), hashed(bytes(32), "bob@example.com"))
    (work / "mail.log").write_text(on_25() + LOGIN)
    told = json.loads(run("--json", work / "mail.log", work / "journal"))
    assert [e["sasl_usernames"] for e in told["entries"]] == [[]] and "h:" not in json.dumps(told), told["entries"]
    assert not (work / "journal" / "secret").exists()


# ---- what is read ---------------------------------------------------------------------------

@test
def a_program_s_directory_and_a_file_will_do(work):
    Journal(work / "journal").hello("00:05.100000")
    folder = work / "journal" / "mailreeve-tap"
    for source in (work / "journal", folder, folder / "20261120T100000Z-1.jsonl"):
        assert '"sources":["tap"]' in run("--lines", "--json", source)


@test
def what_is_no_journal_is_told(work):
    (work / "empty").mkdir()
    assert "is no journal" in run(work / "empty", code=66)
    assert "nothing.jsonl" in run("--json", work / "nothing.jsonl", code=66)
    (work / "bad.jsonl").write_text("this is no journal\n" * 3)
    assert "3 lines of the journals were not understood" in run("--json", work / "bad.jsonl", code=65)


@test
def bad_lines_are_counted_and_passed_over(work):
    Journal(work / "journal").hello("00:05.100000").add("tap", "a_new_event", "00:06.000000").hello("00:05.300000", client_port=70000, key=None)
    with open(work / "journal/mailreeve-tap/20261120T100000Z-1.jsonl", "ab") as out:
        out.write(b"\xff\xfe{]\n" + b'{"v":2}\n' + b'{"v":1,"ts":"2026-11-20T10:00:07.000000Z","mono":1,"host":"mx","src":"mailreeve-tap",'
                  b'"boot":"b-1","seq":9,"event":"session","key":"zzzz"}\n' + b'{"v":1,"half')
    told = json.loads(run("--json", work / "journal"))
    counts = told["input"]["journals"]
    assert counts["bad_lines"] == 2 and counts["missing_lines"] == 5 and counts["events"] == 3, counts
    assert any("2 lines of the journals" in each for each in told["problems"]), told["problems"]


@test
def since_is_for_events_too(work):
    Journal(work / "journal").hello("00:05.100000").hello("30:05.000000")
    found = sessions(work, "", options=["--since", "2026-11-20T10:20:00Z"])
    assert len(found) == 1, found


@test
def follow_is_without_journals(work):
    Journal(work / "journal").hello("00:05.100000")
    (work / "mail.log").write_text("")
    assert "--follow" in run("--follow", work / "mail.log", work / "journal", code=64)


@test
def the_report_names_the_client(work):
    Journal(work / "journal").hello("00:05.100000", client_address="198.51.100.9")
    (work / "mail.log").write_text(LOGIN)
    out = run(work / "mail.log", work / "journal", code=1)
    assert "offers up to TLSv1.2, JA4 t12d1234_0123456789ab_0123456789ab" in " ".join(out.split()), out
    told = json.loads(run("--json", work / "mail.log", work / "journal", code=1))
    part = told["entries"][0]["parts"][0]
    assert part["ja4"].startswith("t12d1234") and part["tls_offered_highest"] == "TLSv1.2" and part["server_port"] == 587, part
    assert told["entries"][0]["user_known_by"] == "address", told["entries"]


@test
def the_report_is_as_it_was_read_by_hand(work):
    """report/joined.json; tests/audit/test_report_schema.py has it, too."""
    journal = Journal(work / "journal").hello("00:05.100000", client_address="198.51.100.9").hello("30:05.100000", client_address=BOB)
    journal.hello("50:05.100000", client_address="203.0.113.7", port=PORT + 2, key="00c0ffee1234567a")
    (work / "mail.log").write_text(LOGIN + knocked("30:00", "30:05") + knocked("30:01", "30:04", pid=101))
    told = run("--json", "mail.log", "journal", code=1, work=work)
    told = re.sub(r'"seconds":[0-9.]+', '"seconds":0.001', told)
    kept = HERE / "report/joined.json"
    if os.environ.get("MAILREEVE_KEEP"):                # then read it
        kept.write_text(told)
    assert told == kept.read_text(), told


@test
def privacy_holds_here_too(work):
    (work / "private.yaml").write_text(f'privacy: {{address: network, user: domain}}\njournal: {{path: "{work / "journal"}"}}\n')
    (work / "private.yaml").chmod(0o644)
    Journal(work / "journal").decision("policyd", "00:03.000000", tls=False, auth=True, sasl_username="bob@example.com")
    out = run("--session", KEY, work / "journal", command="explain", config=work / "private.yaml")
    assert BOB not in out and "192.0.2.0/24" in out, out


# ---- explain --session ------------------------------------------------------------------------

TOLD = """\
client    192.0.2.7:40001
time      2026-11-20 10:00:00 UTC, 5.2 s
port      587 (submission), role submission
TLS mode  cleartext
seen by   log, milter, tap

FACT                         VALUE                               SEEN BY
server port                  587                                 log, milter, tap
listener                     submission                          milter, tap
first bytes                  tls                                 tap
client spoke                 implicit                            tap
highest TLS version offered  TLSv1.2                             tap
JA4                          t12d1234_0123456789ab_0123456789ab  tap
ClientHello was              left                                tap
name in the log              postfix/submission                  log

FOUND
implicit-tls-on-starttls-port: the client spoke TLS at once on a port that begins in clear text
    seen by: tap
    to change: set the client's connection security to STARTTLS on this port, or its port to 465
(no-tls-seen, by milter: what the others saw explains it)

IN ORDER
2026-11-20 10:00:00         log      connect listener=postfix/submission client=192.0.2.7 name=bob.example.net
2026-11-20 10:00:05         log      lost listener=postfix/submission client=192.0.2.7 name=bob.example.net after=CONNECT
2026-11-20 10:00:05         log      disconnect listener=postfix/submission client=192.0.2.7 name=bob.example.net
2026-11-20 10:00:05.100000  tap      session: pass implicit-tls-on-starttls-port
2026-11-20 10:00:05.200000  milter   finding: pass no-tls-seen
"""


@test
def one_session_is_told_by_any_of_its_names(work):
    journal = Journal(work / "journal").hello("00:05.100000")
    journal.add("milter", "finding", "00:05.200000", listener="submission", server_port=587, client_address=BOB, client_port=PORT,
                action="pass", findings=["no-tls-seen"])
    (work / "mail.log").write_text(knocked("00:00", "00:05", with_port()))
    for name in (KEY, f"{BOB}:{PORT}", BOB):
        out = run("--session", name, work / "mail.log", work / "journal", command="explain")
        assert out == TOLD, out


@test
def a_session_by_its_queue_id(work):
    Journal(work / "journal").decision("milter", "00:02.000000", queue_id="6AKA002a000001", protocol_state="MAIL", tls=False, auth=False)
    out = run("--session", "6AKA002a000001", work / "journal", command="explain")
    assert "tls-required" in out and "mode: enforce would reject it" in out, out


@test
def several_sessions_are_listed(work):
    Journal(work / "journal").hello("00:05.100000").hello("30:05.000000", port=PORT + 1, key="00c0ffee12345679")
    out = run("--session", BOB, work / "journal", command="explain")
    assert out.startswith("2 sessions have that name") and f"{BOB}:{PORT + 1}  tap  cleartext implicit-tls-on-starttls-port" in out, out


@test
def no_such_session(work):
    Journal(work / "journal").hello("00:05.100000")
    assert 'no session "192.0.2.99"' in run("--session", "192.0.2.99", work / "journal", command="explain", code=65)
    assert "name the logs" in run("--session", "192.0.2.99", command="explain", code=64)


if __name__ == "__main__":
    sys.exit(tests_of.run(tests))
