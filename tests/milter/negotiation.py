# SPDX-License-Identifier: Apache-2.0
"""What is negotiated with MTAs of all kinds, and that whatever an MTA can do, the answers are right."""
import struct

import wire
from daemon import NOT_ON_25, STARTTLS, expect, same, test, wait_for
from milterd import Milter, shared
from sessions import Postfix, Sendmail, play
from verdicts import TOO_OLD

# NORCPT, NODATA, NOBODY; no reply to CONNECT and header fields.
STEPS = wire.NORCPT | wire.NODATA | wire.NOBODY | wire.NR_CONN
WITH_JOURNAL = STEPS | wire.NR_HDR
WITHOUT_JOURNAL = STEPS | wire.NOHDRS | wire.NOEOH

# What is asked for, in no order.
LISTS = {"CONNECT": "v j {daemon_name} {daemon_addr} {daemon_port} {daemon_flags} {if_addr} {tls_version}",
         "HELO": "{tls_version}",
         "MAIL": "i {tls_version} {cipher} {cipher_bits} {auth_type} {auth_authen} {verify} {cert_fp}",
         "EOH": "i"}

# What an MTA offers: version, actions, protocol; what must come back; are our lists taken?
OFFERS = [
    ("Postfix 3.7 and Sendmail 8.17", (6, 0x1ff, 0x1fffff), (6, WITH_JOURNAL), True),
    ("no SETSYMLIST", (6, 0xff, 0x1fffff), (6, WITH_JOURNAL), False),
    ("no bit that leaves replies out", (6, 0x1ff, 0x1fffff & ~wire.NR_ALL), (6, STEPS & ~wire.NR_ALL), True),
    ("of these only the one for header fields", (6, 0x1ff, 0x1fffff & ~wire.NR_ALL | wire.NR_HDR),
     (6, STEPS & ~wire.NR_ALL | wire.NR_HDR), True),
    ("no NODATA", (6, 0x1ff, 0x1fffff & ~wire.NODATA), (6, WITH_JOURNAL & ~wire.NODATA), True),
    ("no NORCPT and no NOBODY", (6, 0x1ff, 0x1fffff & ~0x18), (6, WITH_JOURNAL & ~0x18), True),
    ("Sendmail 8.13", (2, 0x3f, 0x7f), (2, 0x18), False),
    ("version 2 with a bit that it does not know", (2, 0x13f, 0x7f), (2, 0x18), True),
    ("no bit at all, which stands for version 1's", (2, 0, 0), (2, 0x18), False),
    ("one bit that is no help", (6, 0x1ff, wire.NOCONNECT), (6, 0), True),
    ("version 3", (3, 0x1f, 0x1ff), (3, 0x98), False),
    ("version 7, more actions, more bits", (7, 0xffffffff, 0x8fffffff), (6, WITH_JOURNAL), True),
    ("version 2 to the power of 31, less one", (0x7fffffff, 0x1ff, 0x1fffff), (6, WITH_JOURNAL), True),
]

REFUSED = [(0, 0x1ff, 0x1fffff), (1, 0xf, 0x3f), (0xffffffff, 0x1ff, 0x1fffff), (0x80000006, 0x1ff, 0x1fffff)]


OLD_TLS = dict.fromkeys(("HELO", "MAIL"), {"tls_version": "TLSv1.1"})


def offered(offer):
    return dict(zip(("version", "actions", "protocol"), offer))


def negotiated(persona, milter, port, offer):
    return persona(milter.address, port, negotiate=offered(offer))


@test
def offers():
    """13 kinds of MTA, old, new and strange: what they are asked for, and a whole session with each"""
    for what, offer, (version, protocol), lists in OFFERS:
        for persona in (Postfix, Sendmail):
            with negotiated(persona, shared(), 587, offer) as session:
                got = session.negotiated
                same((got.version, got.protocol), (version, protocol), f"{what}: version and protocol")
                same(got.actions & ~wire.SETSYMLIST, 0, f"{what}: actions")
                same({stage: sorted(words.split()) for stage, words in got.macros.items()},
                     {stage: sorted(words.split()) for stage, words in LISTS.items()} if lists else {}, f"{what}: macros")
                # Without our lists there is no port, and Postfix gives no name: such a session has no listener.
                expected = STARTTLS if lists else "accept"
                same(play(session, "ehlo mail"), expected, f"{what}: the reply at MAIL")
                same(play(session, "rset starttls ehlo auth mail"), "continue" if lists else "accept", f"{what}: the second")
                if lists:
                    same(play(session, "eoh"), "accept", f"{what}: the end of the headers")
                session.quit()
                expect(session.ended(), f"{what}: something came after QUIT")


@test
def replies_where_they_are_wanted():
    """an MTA that offers nothing gets CONTINUE for every step until MAIL, and for RCPT, DATA and header fields"""
    with wire.MTA(shared().address) as mta:
        mta.negotiate(protocol=wire.NOHELO)
        same([mta.connect().code, mta.helo().code, mta.unknown("FOO").code, mta.mail().code], list("ccca"), "the replies")
    with Postfix(shared().address, negotiate={"protocol": wire.NOCONNECT}) as session:
        same(play(session, "ehlo"), "continue", "EHLO")
        same(play(session, "starttls ehlo auth mail"), "continue", "MAIL")
        same([session.rcpt().code, session.rcpt().code, session.data().code, session.header("Subject", "t").code],
             ["c"] * 4, "RCPT, RCPT, DATA and a header field")
        same(session.eoh().code, "a", "the end of the headers")


@test
def without_setsymlist():
    """lists that are not ours: what is there counts, what is not is unknown, and the log says so once"""
    with Milter() as milter:
        for persona in (Postfix, Sendmail):
            for name, steps, reply in (("submission", "ehlo mail", "continue"), ("submission", "ehlo auth mail", "continue"),
                                       ("submission", "ehlo starttls ehlo mail", "continue"),
                                       ("smtp", "ehlo mail", "accept"), ("smtp", "ehlo auth mail", NOT_ON_25),
                                       ("smtps", "ehlo starttls ehlo auth mail", "continue"),
                                       ("nobody", "ehlo auth mail", "accept")):
                with persona(milter.address, name=name, negotiate={"actions": 0xff}) as session:
                    same(play(session, steps), reply, f"{persona.__name__}, {name}: {steps}")
            # its administrator asked for everything everywhere: still it is not known what was not asked for
            for changes, steps, reply in (({}, "ehlo mail", "continue"), ({}, "ehlo starttls ehlo mail", "continue"),
                                          (OLD_TLS, "ehlo auth mail", TOO_OLD)):
                with persona(milter.address, negotiate={"actions": 0xff}, lists={}, changes=changes) as session:
                    same(play(session, steps), reply, f"{persona.__name__}, every macro: {steps}")
        said = milter.logged()
        same(said.count("does not let a milter choose its macros"), 1, f"how often the log says it: {said}")
        same(wait_for("the counter", lambda: milter.status()["counters"].get("macro-lists-refused")), 20, "the counter")


@test
def without_journal():
    """without a journal no header is asked for, and a message that passes is accepted at MAIL"""
    with Milter(journal=False) as milter:
        for persona in (Postfix, Sendmail):
            with persona(milter.address) as session:
                same(session.negotiated.protocol, WITHOUT_JOURNAL, "the protocol")
                same(play(session, "ehlo mail"), STARTTLS, "the refusal")
                same(play(session, "rset starttls ehlo auth mail"), "accept", "the pass")
            with persona(milter.address, negotiate={"version": 2, "protocol": 0x7f, "actions": 0x13f}) as session:
                same(session.negotiated.protocol, 0x78, "the protocol of an old MTA")
                same(play(session, "ehlo starttls ehlo auth mail"), "accept", "its pass")


@test
def versions_refused():
    """versions 0, 1 and negative ones: the connection is closed without a word, and others are served"""
    for offer in REFUSED:
        with wire.MTA(shared().address) as mta:
            mta.send("OPTNEG", struct.pack(">III", *offer))
            expect(mta.ended(), f"something came for {offer}")
    with Postfix(shared().address) as session:
        same(play(session, "ehlo mail"), STARTTLS, "the reply to another")


@test
def negotiation_cut_and_long():
    """OPTNEG of every length: less than twelve bytes closes, more is taken, as from an MTA that has more to say"""
    whole = struct.pack(">III", 6, 0x1ff, 0x1fffff)
    for length in range(12):
        with wire.MTA(shared().address) as mta:
            mta.send("OPTNEG", whole[:length])
            expect(mta.ended(), f"something came for {length} bytes")
    for more in (b"\0", b"\0\0\0\1j\0", bytes(5000)):
        with wire.MTA(shared().address) as mta:
            mta.send("OPTNEG", whole + more)
            same(mta.read_packet()[0], "O", f"{len(more)} bytes more")


@test
def second_negotiation():
    """OPTNEG a second time in a session, and never: no crash, and what is answered is an answer"""
    with Postfix(shared().address) as session:
        play(session, "ehlo")
        session.send("OPTNEG", struct.pack(">III", 6, 0x1ff, 0x1fffff))
        session.send("QUIT")
        try:
            replies = []
            while True:
                replies.append(session.read_packet()[0])
        except EOFError:
            expect(set(replies) <= {"O"}, f"replies {replies}")
    for _ in range(50):
        with wire.MTA(shared().address) as mta:
            mta.quit()
            expect(mta.ended(), "something came for nothing but QUIT")
        with wire.MTA(shared().address) as mta:
            mta.send("CONNECT", wire.connect_payload())
            mta.quit()
            mta.finish()
            while True:
                try:
                    mta.read_packet()
                except EOFError:
                    break
