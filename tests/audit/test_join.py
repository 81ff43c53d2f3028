#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs and journals together: which become one session, and what is found of it then. Expected is written by hand, from
docs/audit.md ("With the journals"). TAP."""
import json
import shutil
import sys

sys.dont_write_bytecode = True

import tests_of
from journals import (BOB, LOGIN, PORT, WITHOUT_PORT, Journal, expect, hashed, knocked, on_25, one, refusal, run,
                      sessions, smtpd, visit, with_port)

tests = []


def test(function):
    tests.append(function)
    return function


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


if __name__ == "__main__":
    sys.exit(tests_of.run(tests))
