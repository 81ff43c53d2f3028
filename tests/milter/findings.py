# SPDX-License-Identifier: Apache-2.0
"""What is found without being asked: TLS where none is spoken, ports that are not what the policy says, clients that leave,
and the client's software. Once a session, and never with what the client sent."""
import wire
from daemon import STARTTLS, expect, note, same, test, wait_for
from milterd import LISTENERS, Milter, shared
from sessions import Postfix, Sendmail, play
from verdicts import ENCRYPTED, PASS, fence

IMPLICIT, NO_TLS, MISMATCH = "implicit-tls-on-starttls-port", "no-tls-seen", "listener-mode-mismatch"
HELLO = "\x16\x03\x01\x02"              # what Sendmail makes of a ClientHello: up to its first NUL
SECRET = "hunter2-QUVTRS1HQ00="


def events(session, milter=None):
    """[(event, finding)] of the session, in the journal's order, decisions left out. To be called after fence()."""
    lines = (milter or shared()).of_client(session.client_port)
    return [(line["event"], line.get("finding")) for line in lines if line["event"] != "decision"]


def played(persona, port, steps, unknown=(), bye=True, **how):
    """A session from CONNECT to its end: steps, then commands that the MTA does not know."""
    with persona(shared().address, port, **how) as session:
        play(session, steps)
        for text in unknown:
            same(session.unknown(text).code, wire.CONTINUE, f"the reply to UNKNOWN {text[:4]!r}")
        if bye:
            session.quit()
            expect(session.ended(), "something came after QUIT")
        else:
            session.taken()     # libmilter forgets what it has not read when the MTA closes
    return session


# port, TLS at once, steps, UNKNOWN texts, findings
HELLOS = [
    (587, False, "", [HELLO], [IMPLICIT]), (25, False, "", [HELLO], [IMPLICIT]), (2525, False, "", [HELLO], [IMPLICIT]),
    (4587, False, "", [HELLO], [IMPLICIT]), (465, True, "", [HELLO], []), (9999, False, "", [HELLO], []),
    (None, False, "", [HELLO], []), (587, False, "", ["\x16\x03"], [IMPLICIT]), (587, False, "", ["\x16"], []),
    (587, False, "", [""], []), (587, False, "", ["\x16\x02\x01"], []), (587, False, "", ["\x17\x03\x01"], []),
    (587, False, "", ["x\x16\x03\x01"], []), (587, False, "", ["FOO bar", "\x80\x2e\x01"], []),
    (587, False, "", [HELLO, "\xd7\xce\xe5", "", HELLO, HELLO], [IMPLICIT]),
    (587, False, "", ["FOO", HELLO, f"AUTH PLAIN {SECRET}"], [IMPLICIT]),
    (587, False, "ehlo", [HELLO], [IMPLICIT]), (587, False, f"{ENCRYPTED} auth mail", [HELLO], [IMPLICIT]),
    (25, False, "ehlo mail", [HELLO], [IMPLICIT]),
    (587, False, "", ["\x16\x03" + "x" * 60000], [IMPLICIT]),
    (587, False, "", [b"\x16\x03\xff\xfe" + SECRET.encode()], [IMPLICIT]),
]


@test
def tls_where_none_is_spoken():
    """a ClientHello on a port that begins in clear text: one finding a session, whatever follows; CONTINUE always"""
    done = [(played(persona, port, steps, unknown, implicit=implicit), findings, (persona.__name__, port, steps, unknown))
            for port, implicit, steps, unknown, findings in HELLOS for persona in (Sendmail, Postfix)]
    fence()
    for session, findings, what in done:
        same(events(session), [("finding", f) for f in findings], str(what)[:300])
    (line,) = shared().of_client(done[0][0].client_port)
    same({name: line.get(name) for name in ("listener", "role", "mode", "client_address", "server_address", "server_port",
                                            "protocol_state", "action", "would", "finding", "findings", "tls", "auth")},
         {"listener": "submission", "role": "submission", "mode": "enforce", "client_address": "192.0.2.17",
          "server_address": "198.51.100.1", "server_port": 587, "protocol_state": "EHLO", "action": "pass", "would": "pass",
          "finding": IMPLICIT, "findings": [IMPLICIT], "tls": None, "auth": None}, "the journal's line")
    expect(line["key"], "no key")


# persona, port, how, findings
MODES = [
    (Postfix, 587, {}, []), (Postfix, 465, {"implicit": True}, []), (Postfix, 25, {}, []),
    (Postfix, 587, {"implicit": True}, [MISMATCH]), (Postfix, 465, {}, [MISMATCH]), (Postfix, 25, {"implicit": True}, [MISMATCH]),
    (Postfix, 2525, {"implicit": True}, [MISMATCH]), (Postfix, 4587, {"implicit": True}, []),
    (Postfix, 9999, {"implicit": True}, []), (Postfix, 587, {"name": "submission"}, []),
    (Postfix, 465, {"implicit": True, "name": "submission"}, [MISMATCH]), (Postfix, 587, {"name": "smtp"}, [MISMATCH]),
    (Postfix, 9999, {"name": "submission"}, [MISMATCH]), (Postfix, None, {"name": "submission"}, []),
    (Postfix, 465, {"implicit": True, "name": "smtps"}, []), (Postfix, 587, {"name": "nobody"}, []),
    (Postfix, 465, {"implicit": True, "changes": {"CONNECT": {"tls_version": ""}}}, [MISMATCH]),
    (Sendmail, 587, {}, []), (Sendmail, 465, {"implicit": True}, []), (Sendmail, 25, {}, []),
    (Sendmail, 587, {"implicit": True}, [MISMATCH]), (Sendmail, 465, {}, [MISMATCH]),
    (Sendmail, 465, {"name": "smtps", "implicit": True}, []), (Sendmail, 587, {"name": "smtps"}, [MISMATCH]),
]
# {daemon_flags} of Sendmail: does it say TLS at once?
FLAGS = [("s", True), ("EE a s", True), ("s EE a", True), ("a s u", True), ("EE a", False), ("SS", False), ("SS a", False),
         ("EE SS", False), ("", False), ("as", False), ("ss", False), (" ", False), ("s ", True), ("c u", False), ("S", False)]


@test
def mode_mismatch():
    """a port that is not what the policy says, by TLS at CONNECT, {daemon_flags} or {daemon_name}: a finding at CONNECT"""
    done = [(played(persona, port, "", **how), findings, (persona.__name__, port, how)) for persona, port, how, findings in MODES]
    for text, at_once in FLAGS:
        for port in (587, 465):
            session = played(Sendmail, port, "", changes={"CONNECT": {"daemon_flags": text}})
            done.append((session, [] if at_once == (port == 465) else [MISMATCH], ("Sendmail", port, text)))
    fence()
    for session, findings, what in done:
        same(events(session), [("finding", f) for f in findings], str(what))
        for line in shared().of_client(session.client_port):
            same((line["protocol_state"], line["action"]), ("CONNECT", "pass"), f"state and action, {what}")


@test
def mode_mismatch_once():
    """a mismatch is a finding of the decision at MAIL too, refuses nobody, and has one line of its own"""
    session = played(Postfix, 587, "ehlo auth mail mail", implicit=True)
    fence()
    same(events(session), [("finding", MISMATCH)], "events")
    for line in shared().of_client(session.client_port, "decision"):
        same((line["findings"], line["action"]), ([MISMATCH], "pass"), "the decision")


# persona, port, steps, is it no-tls-seen?
LEAVES = [
    (587, "ehlo", {}, True), (2525, "ehlo", {}, True), (587, "ehlo ehlo", {}, True), (587, "ehlo rset", {}, True),
    (587, "", {}, False), (587, ENCRYPTED, {}, False), (587, "ehlo mail", {}, False), (587, "mail", {}, False),
    (587, f"{ENCRYPTED} auth mail", {}, False), (25, "ehlo", {}, False), (4587, "ehlo", {}, False),
    (465, "ehlo", {"implicit": True}, False), (9999, "ehlo", {}, False), (None, "ehlo", {}, False),
    (587, "ehlo", {"negotiate": {"actions": 0xff}, "name": "submission"}, False),
]


@test
def leaves_without_tls():
    """EHLO, and gone without TLS and without MAIL, on a submission port: no-tls-seen, with and without a goodbye"""
    done = [(played(persona, port, steps, bye=bye, **how), seen, (persona.__name__, port, steps, bye))
            for port, steps, how, seen in LEAVES for persona in (Postfix, Sendmail) for bye in (True, False)]
    for session, seen, what in done:
        if seen:
            wait_for(f"the finding of {what}", lambda: events(session))
    fence()
    for session, seen, what in done:
        same(events(session), [("finding", NO_TLS)] * seen, str(what))
    line = shared().of_client(done[0][0].client_port)[0]
    same((line["helo_name"], line.get("tls"), line["action"]), ("client.example.com", None, "pass"), "the line")


@test
def disconnects():
    """disconnect_implicit_tls: a ClientHello is answered 421, there only; the finding is recorded all the same"""
    more = "  - {names: [cut], port: 6587, role: submission, disconnect_implicit_tls: yes}\n"
    with Milter(listeners=LISTENERS + more) as milter:
        lines = []
        for persona in (Sendmail, Postfix):
            for port, text, reply in ((6587, HELLO, "421 4.7.0 "), (6587, "FOO", "c"), (587, HELLO, "c"), (25, HELLO, "c"),
                                      (6587, "\x16", "c")):
                with persona(milter.address, port) as session:
                    got = session.unknown(text)
                    expect(got.text.startswith(reply) if len(reply) > 1 else got.code == reply,
                           f"{port} {text[:3]!r}: {got}, expected {reply}")
                    session.quit()
                    if port == 6587 and text == HELLO:
                        lines.append(session)
        for session in lines:
            wait_for("the finding", lambda: events(session, milter) == [("finding", IMPLICIT)])


# headers, the software in the journal (ANY: as the catalogue likes), version
ANY = "any"
MAILERS = [
    ((("User-Agent", "Mozilla Thunderbird"),), "thunderbird", None),
    ((("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Thunderbird/102.4.2"),), "thunderbird", "102.4.2"),
    ((("Subject", "x"), ("X-Mailer", "Microsoft Outlook 16.0"), ("To", "y")), "outlook", "16.0"),
    ((("x-mAILER", " Microsoft Outlook 16.0"),), "outlook", "16.0"),
    ((("X-Mailer", "Apple Mail (2.3654.120.0.1.13)"),), "apple-mail", "2.3654.120.0.1.13"),
    ((("User-Agent", "Mutt/2.2.9"), ("X-Mailer", "Microsoft Outlook 16.0")), "mutt", "2.2.9"),
    ((("User-Agent", "No Such Thing 1"), ("X-Mailer", "Microsoft Outlook 16.0")), "outlook", "16.0"),
    ((("User-Agent", "No Such Thing 1"),), None, None), ((("User-Agent", ""),), None, None), ((), None, None),
    ((("X-User-Agent", "Mutt/2.2.9"), ("Subject", "User-Agent: Mutt/2.2.9")), None, None),
    ((("User-Agent", "Mutt/2" + ".2" * 3000),), ANY, None), ((("User-Agent", b"Mutt\xff/2.2.9\x01"),), None, None),
]


@test
def software():
    """the client's software, by User-Agent or X-Mailer: one event a session, with user and queue id; other headers are nothing"""
    done = []
    for headers, name, version in MAILERS:
        for persona in (Postfix, Sendmail):
            with persona(shared().address) as session:
                same(play(session, f"{ENCRYPTED} auth mail"), PASS, "the reply at MAIL")
                same(session.message(headers, "QUEUE1").code, wire.ACCEPT, "the reply to the end of the headers")
                # known by now, so that the next message's headers are not wanted
                if name != ANY:
                    same(play(session, "mail"), "accept" if name else PASS, f"the second message, {str(headers)[:60]}")
                session.quit()
                done.append((session, headers, name, version))
    fence()
    for session, headers, name, version in done:
        if name == ANY:
            continue
        lines = shared().of_client(session.client_port, "software")
        same([(line["client_software"], line.get("client_version")) for line in lines], [(name, version)] if name else [],
             f"{str(headers)[:90]}")
        for line in lines:
            same((line["queue_id"], line["helo_name"], line["sasl_username"]),
                 ("QUEUE1", "client.example.com", "alice@example.com"), "the line")
    note(f"{len(done)} sessions")


@test
def software_on_port_25():
    """on port 25 no header is wanted; one that comes all the same is not answered, and nothing is recorded"""
    with Postfix(shared().address, 25) as session:
        same(play(session, "ehlo mail"), "accept", "MAIL")
        session.header("User-Agent", "Mutt/2.2.9")
        session.send("EOH")
        same(play(session, "mail"), "accept", "the next MAIL")
        session.quit()
        expect(session.ended(), "something came after QUIT")
    fence()
    same(shared().of_client(session.client_port), [], "the journal")


@test
def software_by_helo():
    """software that names itself at EHLO is known without headers"""
    with Postfix(shared().address) as session:
        session.ehlo("smtpclient.apple")
        play(session, "starttls")
        session.ehlo("smtpclient.apple")
        same(play(session, "auth mail"), "accept", "the reply at MAIL")
        session.quit()
    fence()
    (line,) = shared().of_client(session.client_port, "decision")
    same(line.get("client_software"), "apple", "the journal")


@test
def trusted_and_excepted():
    """a trusted network and an exception: no refusal and no no-tls-seen; `monitors` are only counted"""
    more = ("trusted: {networks: [192.0.2.17]}\nmonitors: [203.0.113.0/24]\n"
            "exceptions:\n  - {client: [198.51.100.0/24], allow: [tls-required, auth-required, no-tls-seen, "
            f"{IMPLICIT}], until: 2099-01-01, reason: old copier, owner: help desk}}\n")
    with Milter(more=more) as milter:
        sessions = {}
        for client in ("192.0.2.17", "198.51.100.7", "203.0.113.5", "192.0.2.18"):
            for steps in ("ehlo mail", "ehlo", ""):
                with Sendmail(milter.address, client=client) as session:
                    got = play(session, steps)
                    if steps == "ehlo mail":
                        same(got, PASS if client in ("192.0.2.17", "198.51.100.7") else STARTTLS, f"the reply to {client}")
                    elif not steps:
                        session.unknown(HELLO)
                    session.quit()
                    expect(session.ended(), "something came after QUIT")
                sessions[client, steps] = session.client_port
        milter.stop()

        def told(client, steps):
            return [(line["event"], line.get("finding"), line.get("trusted"), line.get("excepted"))
                    for line in milter.of_client(sessions[client, steps])]
        both = ["tls-required", "auth-required"]
        same(told("192.0.2.17", "ehlo mail"), [("decision", None, both, None)], "the trusted client")
        same(told("192.0.2.17", "ehlo"), [], "the trusted client that leaves")
        same(told("192.0.2.17", ""), [("finding", IMPLICIT, None, None)], "the trusted client that speaks TLS")
        same(told("198.51.100.7", "ehlo mail"), [("decision", None, None, both)], "the excepted client")
        same(told("198.51.100.7", "ehlo"), [("finding", None, None, [NO_TLS])], "the excepted client that leaves")
        same(told("198.51.100.7", ""), [("finding", None, None, [IMPLICIT])], "the excepted client that speaks TLS")
        same([told("203.0.113.5", steps) for steps in ("ehlo mail", "ehlo", "")], [[], [], []], "the monitor")
        same(told("192.0.2.18", "ehlo mail"), [("decision", "tls-required", None, None)], "the other")
        same(told("192.0.2.18", "ehlo"), [("finding", NO_TLS, None, None)], "the other that leaves")
