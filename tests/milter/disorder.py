# SPDX-License-Identifier: Apache-2.0
"""What no MTA sends: commands out of order, packets that are cut, too long, empty or full of NUL bytes. A stream of packets
has the replies it has, then the connection ends; nobody else notices, and the milter lives.

One thing is left out: a macro packet with an odd number of strings. libmilter 1.0.1 then looks for names behind the end of its
array (smfi_getsymval), and every filter on it may fall; only the MTA must get to the socket. See wire.odd_macros().
"""
import struct

import wire
from daemon import STARTTLS, expect, note, same, test
from milterd import shared
from sessions import TLS, Postfix, play
from wire import macro_packet, packet, strings

LIMIT = 65535                           # MILTER_MAX_DATA_SIZE: the longest packet, less its letter
GOOD_MAIL = {**TLS, "auth_type": "PLAIN", "auth_authen": "alice@example.com"}
AT_CONNECT = {"j": "mx.test", "v": "Postfix 3.7.11", "daemon_name": "mx.test", "daemon_port": "587"}

# The packets of an MTA, by letters of their own: those of the protocol, with the macros that go before; P is a MAIL that
# passes, M one that is refused.
PACKETS = {
    "C": macro_packet("CONNECT", AT_CONNECT) + packet("CONNECT", wire.connect_payload()),
    "H": macro_packet("HELO", {}) + packet("HELO", strings("client.example.com")),
    "M": macro_packet("MAIL", {"i": "Q1"}) + packet("MAIL", strings("<alice@example.com>", "SIZE=100")),
    "P": macro_packet("MAIL", GOOD_MAIL) + packet("MAIL", strings("<alice@example.com>")),
    "R": packet("RCPT", strings("<bob@example.org>")), "T": packet("DATA"), "L": packet("HEADER", strings("Subject", "t")),
    "N": macro_packet("EOH", {"i": "Q1"}) + packet("EOH"), "B": packet("BODY", b"text"), "E": packet("EOM"),
    "A": packet("ABORT"), "U": packet("UNKNOWN", strings("FOO bar")), "K": packet("QUIT_NC"), "Q": packet("QUIT"),
    "O": packet("OPTNEG", struct.pack(">III", 6, 0x1ff, 0x1fffff)),
}


def replies(data, negotiate=True, trickle=False, milter=None):
    """What comes for these bytes until the connection ends: letters, a refusal's as its three digits."""
    with wire.MTA((milter or shared()).address, 60) as mta:
        came = []
        try:
            if negotiate:
                mta.negotiate()
            mta.trickle = trickle
            mta.send_raw(data)
            mta.finish()
        except (EOFError, OSError):
            pass                        # it closed before we had said everything
        try:
            while True:
                reply = mta.reply()
                came.append(reply.text[:3] if reply.code == wire.REPLYCODE else reply.code)
        except EOFError:
            return came


def stream(letters):
    return b"".join(PACKETS[letter] for letter in letters)


def still_right():
    """Others are answered as ever."""
    with Postfix(shared().address) as session:
        same(play(session, "ehlo mail"), STARTTLS, "the reply to another session")
        same(play(session, "rset starttls ehlo auth mail eoh"), "accept", "its second message")


# Packets in any order, and the reply to each: c, a, 5 (530), or none. What does not fit libmilter leaves out without a word,
# and no MTA waits for; MAIL ends what was before, and is answered always.
ORDERS = {
    "CHM": ".c5", "CHP": ".cc", "CHPN": ".cca", "CHPLLN": ".cc..a", "CHPLNLN": ".cc.a..", "CHPNN": ".cca.", "CM": ".5",
    "CMHM": ".5c5", "CHMM": ".c55", "CHPM": ".cc5", "CHPHM": ".ccc5", "CHPCM": ".cc.5", "CHN": ".c.", "CHL": ".c.",
    "CHE": ".c.", "CHB": ".c.", "CHR": ".c.", "CHT": ".c.", "NNN": "...", "A": ".", "L": ".", "E": ".", "CHRM": ".c.5",
    "CHTM": ".c.5", "CHNM": ".c.5", "CHEM": ".c.5", "CCHM": "..c5", "CHCM": ".c.5", "COHM": "..c5", "CHOM": ".c.5",
    "CAHM": "..c5", "CHAM": ".c.5", "CHMAM": ".c5.5", "CHPAM": ".cc.5", "CHPLAM": ".cc..5", "CHPNAM": ".cca.5",
    "CHAAAM": ".c...5", "CHPLNM": ".cc.a5", "CHPLNPLNM": ".cc.ac.a5", "CHPRTLN": ".cccc.a", "CHPNBE": ".cca..", "U": "c",
    "CU": ".c", "CHUM": ".cc5", "CUHM": ".cc5", "CHMU": ".c5c", "CHPUM": ".ccc5", "CHPLUM": ".cc.c5", "CHMQCHM": ".c5....",
    "CHMQ": ".c5.", "Q": ".", "QCHM": "....", "CHMOM": ".c5.5", "CHMUUU": ".c5ccc",
    # QUIT_NC: libmilter leaves it out, and with it the CONNECT behind; its macros are there, and they decide
    "CHMKCHM": ".c5..c5", "CHKCHM": ".c..c5", "CHPKCHM": ".cc..c5", "CHPLKCHP": ".cc...cc", "CHKKHM": ".c..c5",
}
# Without CONNECT first nothing is known of the client; the macros that came say where it is.
WITHOUT_CONNECT = ["M", "HM", "HMM", "UM", "AM", "KM", "OM", "ACHM", "UCHM", "HCHM", "KCHM", "OCHM"]


@test
def out_of_order():
    """packets in 60 orders that no MTA has: each MAIL has its answer, whatever came before, and no other reply too many"""
    for letters, expected in ORDERS.items():
        same("".join(replies(stream(letters))), expected.replace(".", "").replace("5", "530"), f"the replies to {letters}")
    for letters in WITHOUT_CONNECT:
        got = replies(stream(letters))
        same(len(got), sum(map(letters.count, "HMU")), f"the number of replies to {letters}: {got}")
        expect(set(got) <= {"a", "c", "451", "530"}, f"the replies to {letters}: {got}")
    note(f"{len(ORDERS) + len(WITHOUT_CONNECT)} orders")
    still_right()


@test
def connect_after_something_else():
    """CONNECT that is not the first command: libmilter leaves it out, but its macros came, so MAIL is refused as ever"""
    for letters in ("ACHM", "UCHM", "HCHM"):
        same(replies(stream(letters))[-1:], ["530"], f"the last reply to {letters}")


@test
def without_negotiation():
    """a peer that does not negotiate: no crash, and no promise but that others are served"""
    for letters in [*ORDERS, *WITHOUT_CONNECT]:
        replies(stream(letters), negotiate=False)
    still_right()


@test
def cut_connections():
    """each packet cut at every byte by the connection's end: what was whole is answered, and nothing else"""
    count = 0
    for before, letters, expected in (("", "C", []), ("C", "H", []), ("CH", "M", ["c"]), ("CH", "P", ["c"]),
                                      ("CHP", "L", ["c", "c"]), ("CHP", "N", ["c", "c"]), ("CHP", "A", ["c", "c"]),
                                      ("CH", "U", ["c"]), ("CH", "K", ["c"]), ("CHM", "Q", ["c", "530"])):
        whole = stream(letters)
        for cut in range(len(whole)):
            same(replies(stream(before) + whole[:cut]), expected, f"{cut} of {len(whole)} bytes of {letters}")
            count += 1
    note(f"{count} cuts")
    still_right()


@test
def cut_payloads():
    """each command with a payload of every length, its packet whole: answered, left out or closed, and nobody falls"""
    known = {"c", "a", "530", "451"}
    count = 0
    for before, command, payload in (("", "CONNECT", wire.connect_payload()),
                                     ("", "CONNECT", wire.connect_payload("h", "::1", 5, "6")),
                                     ("", "CONNECT", wire.connect_payload("h", "/tmp/x", 0, "L")),
                                     ("", "CONNECT", wire.connect_payload("h", family="U")),
                                     ("C", "HELO", strings("client.example.com")),
                                     ("CH", "MAIL", strings("<alice@example.com>", "SIZE=1", "BODY=8BITMIME")),
                                     ("CHP", "HEADER", strings("User-Agent", "Mutt/2.2.9")), ("CHP", "EOH", b"xyz"),
                                     ("CH", "UNKNOWN", strings("\x16\x03\x01 x")), ("CH", "UNKNOWN", strings("FOO")),
                                     ("CH", "ABORT", b"xyz"), ("CHP", "BODY", b"xyz"), ("CHP", "EOM", b"xyz"),
                                     ("C", "MACRO", b"H" + strings("{tls_version}", "TLSv1.3"))):
        for cut in range(len(payload) + 1):
            if command == "MACRO" and wire.odd_macros(payload[:cut]):
                continue
            if payload[:cut] == b"\x16":    # libmilter tells no length: whether there is a second byte cannot be known
                continue
            for trickle in (False, True):
                got = replies(stream(before) + packet(command, payload[:cut]) + stream("M"), trickle=trickle)
                expect(set(got) <= known and len(got) <= 4, f"{command} with {cut} bytes: {got}")
                count += 1
    note(f"{count} packets")
    still_right()


@test
def lengths():
    """lengths that are too great, or nothing: closed without a reply, and no memory taken for them"""
    for length in (0, LIMIT + 3, 1 << 17, 1 << 24, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff):
        for before in ("", "C", "CHM"):
            for command in ("HELO", "MACRO", "UNKNOWN", "MAIL"):
                got = replies(stream(before) + packet(command, strings("x" * 20), length=length))
                same(got, ["c", "530"] * before.count("M"), f"the replies to a {command} of length {length} after {before!r}")
    still_right()


@test
def longest():
    """packets as long as they may be, of every command: an answer, and the next MAIL has its own"""
    fill = "x" * (LIMIT - 60)
    for before, sent, count in (("", packet("UNKNOWN", strings(fill)), 2), ("C", packet("HELO", strings(fill)), 2),
                                ("CH", packet("MAIL", strings(f"<{fill}>")), 3), ("CH", packet("MAIL", b"a\0" * 30000), 3),
                                ("CHP", packet("HEADER", strings("User-Agent", fill)), 3),
                                ("CHP", packet("HEADER", strings(fill, "x")), 3),
                                ("CH", macro_packet("MAIL", {"auth_authen": fill}), 2),
                                ("CH", macro_packet("MAIL", {f"m{n}": "" for n in range(6000)}), 2)):
        got = replies(stream(before) + sent + stream("M"))
        expect(len(got) == count and got[-1] in ("530", "a"), f"{before} and {len(sent)} bytes: {got}")
    still_right()


@test
def unknown_letters():
    """every command letter that is none: closed without a reply"""
    for number in range(256):
        if number not in b"ABCDEHKLMNOQRTU":
            for before in ("", "CHM"):
                got = replies(stream(before) + packet(bytes([number]), strings("x")) + stream("M"))
                same(got, ["c", "530"] * before.count("M"), f"the replies to the command {number} after {before!r}")
    still_right()


# The macros of MAIL as raw bytes, on 587 after EHLO; the reply to the MAIL that follows.
TLS_ON = b"{tls_version}\0TLSv1.3\0"
LOGIN = b"{auth_authen}\0a\0"
RAW_MACROS = [
    (b"", ""), (b"M", "530"), (b"M{tls_version}", "530"), (b"M\0\0", "530"), (b"M\0\0\0\0\0\0", "530"),
    (b"M" + TLS_ON + LOGIN, "c"), (b"M" + TLS_ON + LOGIN + b"odd", "c"), (b"M" + TLS_ON + LOGIN + b"x\0y\0z", "c"),
    (b"M" + TLS_ON + b"{auth_authen}\0a\0{auth_type}", "c"), (b"M" + TLS_ON + b"{auth_authen}\0\0", "530"),
    (b"Mtls_version\0TLSv1.3\0auth_authen\0a\0", "530"), (b"M{tls_version\0TLSv1.3\0{auth_authen\0a\0", "530"),
    (b"M{tls_version}\0\0" + TLS_ON + LOGIN, "530"), (b"M" + TLS_ON + b"{tls_version}\0SSLv3\0" + LOGIN, "c"),
    (b"M" + b"\xff" * 2000 + b"\0\xfe\0", "530"), (b"MT\0x\0" + LOGIN, "530"), (b"Z" + TLS_ON, "530"), (b"\0" + TLS_ON, "530"),
    (b"H" + TLS_ON, "530"), (b"M{tls\0_version}\0TLSv1.3\0x\0" + LOGIN, "530"),
    (b"M{tls_version}\0TLS\0v1.3\0x\0" + LOGIN, "c"), (b"M" + TLS_ON * 700 + LOGIN, "c"), (b"M{}\0x\0" + TLS_ON + LOGIN, "c"),
]


@test
def strange_macros():
    """macro packets of strings without an end, with NUL bytes, doubled, for no command: never a wrong pass"""
    for payload, expected in RAW_MACROS:
        got = replies(stream("CH") + packet("MACRO", payload) + packet("MAIL", strings("<a@example.com>")))
        same(got, ["c", expected] if expected else ["c"], f"the replies after {payload[:60]!r}")
    still_right()


@test
def nul_bytes():
    """NUL bytes in names, senders and headers: what is before them counts, and no reply is lost or doubled"""
    for before, sent, expected in (("", packet("CONNECT", b"host\0name\0004\0\1127.0.0.1\0"), None),
                                   ("C", packet("HELO", b"cli\0ent\0\0"), ["c", "530"]),
                                   ("C", packet("HELO", b"\0"), ["c", "530"]),
                                   ("CH", packet("MAIL", b"<al\0ice>\0\0\0"), ["c", "530", "530"]),
                                   ("CH", packet("MAIL", b"\0"), ["c", "530", "530"]),
                                   ("CHP", packet("HEADER", b"User-Agent\0Mu\0tt/2\0"), None),
                                   ("CHP", packet("HEADER", b"\0\0"), None),
                                   ("CH", packet("UNKNOWN", b"\0\x16\x03\0"), ["c", "c", "530"])):
        got = replies(stream(before) + sent + stream("M"))
        if expected:
            same(got, expected, f"the replies to {sent!r}")
        expect(set(got) <= {"c", "a", "530"}, f"the replies to {sent!r}: {got}")
    still_right()


# family, address, macros that differ, the reply to a MAIL with AUTH on 25 (None: or the connection is closed)
UNIX = {"v": "8.17.1.9", "daemon_name": "LOCALSOCK", "daemon_addr": "[UNIX: /run/smtp.sock]"}
FAMILIES = [
    ("4", "192.0.2.1", {}, "554"), ("4", "0.0.0.0", {}, "554"), ("6", "2001:db8::1", {}, "554"),
    ("6", "::ffff:192.0.2.9", {}, "554"),
    ("4", "256.1.1.1", {}, None), ("4", "", {}, None), ("4", "::1", {}, None), ("6", "IPv6:2001:db8::1", {}, None),
    ("6", "192.0.2.1", {}, None), ("L", "/" * 300, {}, None), ("X", "x", {}, None), ("\0", "x", {}, None),
    # a client on a unix socket, of a Sendmail that says port 25 there too; and sendmail -bs: both are left alone
    ("L", "/run/x", UNIX, "a"), ("L", "", UNIX, "a"),
    ("U", "", {"v": "8.17.1.9", "daemon_name": None, "daemon_port": None, "daemon_flags": "c u"}, "a"),
]


@test
def families():
    """clients of every address family; on a unix socket, and of sendmail -bs, they are nobody's on port 25"""
    for family, address, changes, expected in FAMILIES:
        data = (macro_packet("CONNECT", {**AT_CONNECT, "daemon_port": "25", **changes})
                + packet("CONNECT", wire.connect_payload("h", address, 7, family)) + stream("HP"))
        got = replies(data)
        if expected:
            same(got, ["c", expected], f"the replies for {family!r} {address!r}")
        expect(got in ([], ["c", "554"], ["c", "a"]), f"the replies for {family!r} {address[:40]!r}: {got}")
    still_right()
