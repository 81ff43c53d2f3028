# SPDX-License-Identifier: Apache-2.0
"""What is answered at MAIL, and what the journal says of it: by MTA, port, and what the client did. Expected by hand."""
import itertools

from daemon import AUTHENTICATE, NOT_ON_25, STARTTLS, expect, note, same, test, wait_for
from milterd import shared
from sessions import TLS, Postfix, Sendmail, play

CLEARTEXT_AUTH = "554 5.7.0 Your password was sent without TLS; use TLS, and change the password"
TOO_OLD = "554 5.7.10 TLS version too old; update the mail program or enable TLS 1.2"
NO_PROTECTION = "554 5.7.10 TLS cipher gives no protection; update the mail program"
OUT_OF_DATE = "554 5.7.10 TLS cipher out of date; update the mail program"
MECHANISM = "554 5.7.9 Authentication mechanism not accepted; choose another in the mail program"
LATER_TLS = "451 4.7.0 Must issue a STARTTLS command first"
LATER_AUTH = "451 4.7.0 Authentication required"
PASS = "continue"                       # on submission the headers are wanted, for the client's software
BOTH = (Postfix, Sendmail)
ENCRYPTED = "ehlo starttls ehlo"

# port, TLS at once, steps, the reply to the last one, the findings in the journal (None: no line)
SESSIONS = [
    (587, False, "ehlo mail", STARTTLS, "tls-required auth-required"),
    (587, False, "mail", STARTTLS, "tls-required auth-required"),
    (587, False, "ehlo ehlo mail", STARTTLS, "tls-required auth-required"),
    (587, False, "ehlo auth mail", STARTTLS, "tls-required cleartext-auth"),
    (587, False, f"{ENCRYPTED} mail", AUTHENTICATE, "auth-required"),
    (587, False, "ehlo starttls mail", AUTHENTICATE, "auth-required"),
    (587, False, "starttls ehlo auth mail", PASS, ""),
    (587, False, f"{ENCRYPTED} auth mail", PASS, ""),
    (587, False, f"{ENCRYPTED} auth ehlo mail", PASS, ""),
    (587, False, f"{ENCRYPTED} auth mail eoh", "accept", ""),
    (465, True, "ehlo auth mail", PASS, ""),
    (465, True, "ehlo auth mail rset mail", PASS, ""),
    (465, True, "ehlo mail", AUTHENTICATE, "auth-required"),
    (465, True, "mail", AUTHENTICATE, "auth-required"),
    (25, False, "ehlo mail", "accept", None),
    (25, False, f"{ENCRYPTED} mail", "accept", None),
    (25, False, "ehlo auth mail", NOT_ON_25, "auth-on-smtp-port cleartext-auth"),
    (25, False, f"{ENCRYPTED} auth mail", NOT_ON_25, "auth-on-smtp-port"),
    (2525, False, "ehlo mail", PASS, "tls-required auth-required"),
    (2525, False, f"{ENCRYPTED} auth mail", PASS, ""),
    (3587, False, "ehlo mail", LATER_TLS, "tls-required auth-required"),
    (3587, False, f"{ENCRYPTED} mail", LATER_AUTH, "auth-required"),
    (4587, False, "ehlo auth mail", PASS, ""),
    (4587, False, "ehlo mail", AUTHENTICATE, "auth-required"),
    (9999, False, "ehlo mail", "accept", None),
    (9999, False, "ehlo auth mail", "accept", None),
    (None, False, "ehlo mail", "accept", None),
]

# A session's MAILs are decided each by itself: steps, and what becomes of the MAILs.
REPEATED = [
    (587, False, ["ehlo mail", "rset starttls ehlo mail", "auth mail", "eoh mail", "rset mail"],
     [STARTTLS, AUTHENTICATE, PASS, PASS, PASS]),
    (587, False, ["ehlo mail", "mail", "ehlo mail"], [STARTTLS] * 3),
    (25, False, ["ehlo mail", "mail", "rset auth mail", "mail"], ["accept", "accept", NOT_ON_25, NOT_ON_25]),
    (2525, False, ["ehlo mail eoh", "starttls ehlo mail eoh", "auth mail eoh"], ["accept"] * 3),
]


def journaled(client_port, findings):
    """The one decision of that session. `findings` as in the tables."""
    milter = shared()
    if findings is None:
        return None
    lines = wait_for(f"a decision about the client on port {client_port}", lambda: milter.of_client(client_port, "decision"))
    return lines[-1]


def fence():
    """Everything that was said until now is in the journal when this returns."""
    with Postfix(shared().address) as session:
        play(session, "ehlo mail")
        journaled(session.client_port, "")


def check_line(line, persona, port, implicit, steps, reply, findings):
    """What the journal says of one of SESSIONS."""
    reached = steps.replace("rset", "").split()
    tls, auth = implicit or "starttls" in reached, "auth" in reached
    refused = {"5": "reject", "4": "defer"}.get(reply[0], "pass")
    expected = {
        "event": "decision", "src": "mailreeve-milter", "protocol_state": "MAIL",
        "listener": {587: "submission", 465: "submissions", 25: "smtp", 2525: "audited", 3587: "deferring",
                     4587: "proxied"}[port],
        "mode": "audit" if port == 2525 else "enforce", "role": {25: "smtp", 465: "submissions"}.get(port, "submission"),
        "client_address": "192.0.2.17", "server_address": "198.51.100.1", "server_port": port,
        "sender": "alice@example.com", "action": refused,
        "would": "reject" if port == 2525 and findings else refused, "auth": auth,
        "sasl_username": "alice@example.com" if auth else None, "sasl_method": "PLAIN" if auth else None,
        "encryption_protocol": "TLSv1.3" if tls else None, "encryption_keysize": 256 if tls else None,
        "tls": (None if port == 4587 else tls),         # TLS there is a proxy's affair
        "helo_name": "client.example.com" if "ehlo" in reached else None,
        "finding": (findings.split() or [None])[0], "findings": findings.split() or None,
        "queue_id": Sendmail.queue_id if persona is Sendmail else None, "instance": None,
    }
    for name, value in expected.items():
        same(line.get(name), value, f"{name} in {line}")
    expect(line["key"], "no key")


@test
def sessions():
    """each port, with and without TLS and AUTH, on Postfix and on Sendmail: the reply at MAIL, and its line in the journal"""
    played = []
    for (port, implicit, steps, reply, findings), persona in itertools.product(SESSIONS, BOTH):
        what = f"{persona.__name__} {port} {steps}"
        with persona(shared().address, port, implicit) as session:
            same(play(session, steps), reply, what)
            session.quit()
            expect(session.ended(), f"{what}: something came after QUIT")
        if "rset" not in steps:
            played.append((session.client_port, persona, port, implicit, steps, reply, findings))
    fence()
    for client_port, *row in played:
        lines = shared().of_client(client_port, "decision")
        same(len(lines), 0 if row[-1] is None else 1, f"the number of decisions for {row}")
        if lines:
            check_line(lines[0], *row)
    note(f"{len(played)} sessions")


@test
def each_mail_anew():
    """every MAIL of a session is decided by itself: refused, then STARTTLS and AUTH in the same session, and it passes"""
    for (port, implicit, parts, replies), persona in itertools.product(REPEATED, BOTH):
        with persona(shared().address, port, implicit) as session:
            for part, reply in zip(parts, replies):
                same(play(session, part), reply, f"{persona.__name__} {port}: {part} of {parts}")
            session.quit()
        journal = [] if port == 25 else replies
        fence()
        lines = shared().of_client(session.client_port, "decision")
        same(len(lines), 2 if port == 25 else sum(" mail" in " " + part for part in parts), f"the decisions for {parts}")
        if journal and port == 587:
            same([line["action"] for line in lines], ["pass" if r == PASS else "reject" for r in replies], f"actions: {parts}")


# ---- every macro: absent, empty, and other values ----

# macro, value (None: absent), the reply on 587 with all else right, in Postfix and Sendmail alike. Absent at MAIL
# means absent at HELO too: libmilter looks there as well, and TLS does not end before its session.
MACROS = [
    ("tls_version", None, STARTTLS), ("tls_version", "", STARTTLS), ("tls_version", "TLSv1.2", PASS),
    ("tls_version", "TLSv1.1", TOO_OLD), ("tls_version", "TLSv1.0", TOO_OLD), ("tls_version", "TLSv1", TOO_OLD),
    ("tls_version", "SSLv3", TOO_OLD), ("tls_version", "TLSv9", PASS), ("tls_version", "%s\x01\u00fc", PASS),
    ("tls_version", "T" * 4000, PASS),
    ("cipher", None, PASS), ("cipher", "", PASS), ("cipher", "NO-SUCH-CIPHER", PASS), ("cipher", "x" * 4000, PASS),
    ("cipher", "NULL-SHA256", NO_PROTECTION), ("cipher", "ADH-AES256-SHA", NO_PROTECTION),
    ("cipher", "AECDH-AES256-SHA", NO_PROTECTION), ("cipher", "AES128-SHA", PASS),
    ("cipher_bits", None, PASS), ("cipher_bits", "", PASS), ("cipher_bits", "many", PASS), ("cipher_bits", "-1", PASS),
    ("cipher_bits", "99999999999999999999", PASS), ("cipher_bits", "0", PASS),
    ("auth_type", None, PASS), ("auth_type", "", PASS), ("auth_type", "NOVEL", PASS), ("auth_type", "x" * 4000, PASS),
    ("auth_authen", None, PASS), ("auth_authen", "", PASS), ("auth_authen", "x" * 4000, PASS),
    ("auth_authen", "j\u00fcrgen", PASS), ("auth_authen", b"caf\xe9", PASS),
    ("auth_type auth_authen", None, AUTHENTICATE), ("auth_type auth_authen", "", AUTHENTICATE),
    ("tls_version cipher cipher_bits", None, STARTTLS), ("tls_version cipher cipher_bits", "", STARTTLS),
    ("tls_version auth_type auth_authen", None, STARTTLS), ("tls_version auth_type auth_authen", "", STARTTLS),
    ("verify", None, PASS), ("verify", "", PASS), ("verify", "OK", PASS), ("cert_fp", "AB:CD", PASS), ("i", None, PASS),
    ("i", "", PASS), ("i", "q" * 4000, PASS),
]

# The same with all of TLS' or AUTH's macros given: cipher names without a strength of their own, mechanisms.
STRICT = [
    ({}, PASS), ({"cipher": "AES128-SHA", "cipher_bits": "128", "tls_version": "TLSv1.2"}, OUT_OF_DATE),
    ({"cipher": "NOVEL", "cipher_bits": "40"}, NO_PROTECTION), ({"cipher": "NOVEL", "cipher_bits": "256"}, PASS),
    ({"auth_type": "LOGIN"}, MECHANISM), ({"auth_type": "plain"}, PASS), ({"auth_type": None}, PASS),
    ({"auth_type": ""}, PASS),
]


@test
def macros_at_mail():
    """each macro about TLS and AUTH absent, empty, strange and long: known, unknown or no, and never a wrong refusal"""
    for (names, value, reply), persona in itertools.product(MACROS, BOTH):
        changes = dict.fromkeys(names.split(), value)
        with persona(shared().address, changes={"MAIL": changes, "HELO": changes}) as session:
            same(play(session, f"{ENCRYPTED} auth mail"), reply, f"{persona.__name__}, {names} = {str(value)[:40]!r}")
    for changes, reply in STRICT:
        with Sendmail(shared().address, 5587, changes={"MAIL": changes}) as session:
            same(play(session, f"{ENCRYPTED} auth mail"), reply, f"the strict listener, {changes}")


@test
def late_and_early_macros():
    """TLS told at HELO counts at MAIL; what MAIL says newer, an empty value too, comes before what HELO said"""
    gone, empty = dict.fromkeys(TLS), dict.fromkeys(TLS, "")
    for at_helo, at_mail, reply in (({}, gone, AUTHENTICATE), ({}, empty, STARTTLS), (gone, {}, AUTHENTICATE),
                                    (empty, {}, AUTHENTICATE), (gone, gone, STARTTLS), (empty, empty, STARTTLS),
                                    ({"tls_version": "TLSv1.1"}, {}, AUTHENTICATE), ({}, {"tls_version": "TLSv1.1"}, TOO_OLD)):
        for persona in BOTH:
            with persona(shared().address, changes={"HELO": at_helo, "MAIL": at_mail}) as session:
                same(play(session, f"{ENCRYPTED} mail"), reply, f"{persona.__name__}, HELO {at_helo}, MAIL {at_mail}")


@test
def which_mta():
    """an MTA that says it is neither Postfix nor Sendmail, or nothing: what it does not tell is unknown, and passes"""
    for version, reply in (("Postfix 3.7.11", STARTTLS), ("Postfix", STARTTLS), ("8.17.1.9", STARTTLS), ("8.18.1", STARTTLS),
                           (None, PASS), ("", PASS), ("Exim 4.96", PASS), ("postfix", PASS)):
        for persona in BOTH:
            with persona(shared().address, changes={"CONNECT": {"v": version}}) as session:
                same(play(session, "ehlo mail"), reply, f"{persona.__name__} with v = {version!r}")
            # what it does tell counts
            with persona(shared().address, 25, changes={"CONNECT": {"v": version}}) as session:
                same(play(session, "ehlo auth mail"), NOT_ON_25, f"{persona.__name__} with v = {version!r}, AUTH on 25")


@test
def xclient():
    """a login name that a proxy told Postfix (XCLIENT): TLS is between the proxy and the client, so unknown"""
    with Postfix(shared().address) as session:
        session.auth("carol@example.com", "XCLIENT")
        same(play(session, "ehlo mail"), PASS, "the reply")
        line = journaled(session.client_port, "")
    same((line["auth"], line.get("tls"), line["sasl_username"], line.get("sasl_method")),
         (True, None, "carol@example.com", None), "the journal")


@test
def xtext():
    """a login name with bytes that Sendmail writes as +XX is journaled as it is; Postfix writes none"""
    for persona, told, name in ((Sendmail, "a+20b+2Bc@example.com", "a b+c@example.com"), (Sendmail, "a+2", "a+2"),
                                (Sendmail, "a+zz+4", "a+zz+4"), (Postfix, "a+20b@example.com", "a+20b@example.com")):
        with persona(shared().address) as session:
            session.auth(told)
            same(play(session, "ehlo starttls ehlo mail") if persona is Sendmail else play(session, "ehlo mail"),
                 PASS if persona is Sendmail else STARTTLS, "the reply")
            same(journaled(session.client_port, "")["sasl_username"], name, f"the name {told}")
