# SPDX-License-Identifier: Apache-2.0
"""The situations of docs/sources.md: what the client does in each, on private MTAs, with mailreeve-tap looking on.

Every session has a client address of its own, so that its lines are found again in a log that has no ports.
"""
import concurrent.futures
import dataclasses
import ipaddress
import pathlib

import certs
import network
import smtp
from daemons import HAVE_IPV6, Trouble
from dovecot import USER
from listeners import AUTH, SMTP, SUBMISSION, SUBMISSIONS
from stand import Alone, MTAs, Unplugged

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "sources.md"
MTA_NAMES = {"postfix": "Postfix", "sendmail": "Sendmail"}
AT_A_TIME = 24                      # most of them wait
CLIENTS, MONITORS, CLIENTS6 = map(ipaddress.ip_address, ("127.2.0.1", "127.3.0.1", "fd00::2:1"))
SHARED_ADDRESS = "127.4.0.1"
MONITORED = "127.3.0.0/16"
BEHIND_A_PROXY = {1: ipaddress.ip_address("192.0.2.1"), 2: ipaddress.ip_address("2001:db8::1")}     # by its version


class Modern(Alone):
    """TLS 1.2 and newer, as Sendmail on Debian 12 does it without being told."""

    def settings(self, sockets):
        return {**super().settings(sockets), "smtpd_tls_protocols": ">=TLSv1.2",
                "smtpd_tls_mandatory_protocols": ">=TLSv1.2"}


class Debian(Unplugged):
    tls = ""


# By what the table calls them. Without a login there is no AUTH before TLS on 587 quiet; Sendmail's has none at all.
PLACES = {
    "25": Modern("smtp", 25, SMTP),
    "25 AUTH": Modern("smtp-auth", 25, SMTP, AUTH, sendmail=""),
    "587": Modern("submission", 587, SUBMISSION),
    "587 strict": Modern("submission-strict", 587, SUBMISSION,
                         {"smtpd_tls_security_level": "encrypt", "smtpd_tls_auth_only": "yes"}, sendmail="Ea"),
    "587 quiet": Modern("submission-quiet", 587, SUBMISSION, {"smtpd_tls_auth_only": "yes"}, sendmail="EA"),
    "587 proxied": Modern("submission-proxied", 587, SUBMISSION, {"smtpd_upstream_proxy_protocol": "haproxy"},
                          only="postfix"),
    "587 shared": Modern("submission-shared", 587, SUBMISSION, {"smtpd_client_port_logging": "yes"}, only="postfix"),
    "2525": Modern("alternate", 2525, SUBMISSION),
    "465": Modern("submissions", 465, SUBMISSIONS),
}
PROXIED, SHARED = ("587 proxied",), ("587 shared",)
LISTENERS = {mta: [each for each in PLACES.values() if each.only in ("", mta)] for mta in MTA_NAMES}

# Parts of scripts, for smtp.Talk; {begin} is how TLS begins on the port, {before} what has to be said before it
EHLO, STARTTLS = f"EHLO {smtp.HELO} => 250", "STARTTLS => 220"
MAIL = f"MAIL FROM:<{USER}> => 250 | RCPT TO:<bob@example.com> => 250 | DATA => 250 | QUIT"
RIGHT = f"{{begin}} | {EHLO} | AUTH PLAIN => 235 | {MAIL}"
VERBS = ("EHLO", "STARTTLS", "AUTH", "MAIL", "QUIT")
UNKNOWN_CA = 48                     # RFC 8446 6.2
KNOCKS, GARBAGE = "", r"\x00\x01\x02\x03\xff\xfe garbage\r\n"


@dataclasses.dataclass(frozen=True)
class Act:
    """What the client does. `=>` tells how the server has to answer, or it is another situation than the table's."""
    script: str
    version: str = ""               # of TLS, if not the newest
    cipher: str = ""
    believes: str = "server"        # whose certificate the client trusts
    breaks: bool = False            # TLS fails, or the server hangs up: the script does not end
    monitor: bool = False           # the client is one of `monitors`
    software: str = None            # what the catalogue makes of its EHLO name
    handshake: str = None           # how far it gets, if it is not refused or goes wrong
    alert: int = None               # the client's own, in clear text
    ipv6: tuple = ()                # places where it is played over IPv6, too
    differs: dict = dataclasses.field(default_factory=dict)     # MTA: what is replaced in the script

    def lines(self, mta, role):
        """The script on an MTA and a port."""
        text = self.script.replace(*self.differs[mta]) if mta in self.differs else self.script
        implicit = role == SUBMISSIONS
        text = text.replace("{before}", "" if implicit else f"{EHLO} | SAY STARTTLS => 220")
        text = text.replace("{begin}", "TLS" if implicit else f"{EHLO} | {STARTTLS}")
        return [line for line in text.split(" | ") if line]


# The client's own waiting first: it is what lasts
ACTS = {
    "waits-long": Act("SILENCE 7"),     # seconds of which a log tells six
    "waits-short": Act("SILENCE 2"),
    "clear-late": Act(rf"SILENCE 2 | SEND EHLO {smtp.HELO}\r\n | HEAR"),
    "clear-at-once": Act(rf"SEND EHLO {smtp.HELO}\r\n | HEAR", ipv6=("465",)),
    "tls-at-once": Act("TLS", breaks=True, ipv6=("587",)),
    "tls-after-greeting": Act("GREETING | TLS", breaks=True),
    "tls-after-ehlo": Act(f"{EHLO} | TLS", breaks=True),
    "auth-plain": Act(f"{EHLO} | AUTH PLAIN => 235 | {MAIL}", ipv6=("587",)),
    "auth-plain-only": Act(f"{EHLO} | AUTH PLAIN => 235 | QUIT"),
    "auth-plain-refused": Act(f"{EHLO} | AUTH PLAIN => 503 | QUIT"),
    "auth-login": Act(f"{EHLO} | AUTH LOGIN => 235 | {MAIL}"),
    "auth-login-refused": Act(f"{EHLO} | AUTH LOGIN => 503 | QUIT"),
    # TLS makes Postfix forget the login (RFC 3207 4.2); Sendmail remembers it
    "auth-then-starttls": Act(f"{EHLO} | AUTH PLAIN => 235 | {STARTTLS} | {EHLO} | AUTH PLAIN => 235 | {MAIL}",
                              differs={"sendmail": ("| AUTH PLAIN => 235 | MAIL", "| AUTH PLAIN => 503 | MAIL")}),
    "auth-under-tls": Act(RIGHT),
    "tls-too-old": Act("{begin}", version="TLSv1", breaks=True),
    "no-cipher": Act("{begin}", cipher="NULL-SHA256", breaks=True),
    "untrusted-tls12": Act("{begin}", version="TLSv1.2", believes="stranger", breaks=True,
                           handshake="alert", alert=UNKNOWN_CA),
    # RFC 8446 6 would have it encrypted; OpenSSL has no key for that yet
    "untrusted-tls13": Act("{begin}", version="TLSv1.3", believes="stranger", breaks=True,
                           handshake="alert", alert=UNKNOWN_CA),
    "leaves-in-handshake": Act("{before} | HELLO", handshake="left"),
    "leaves-after-handshake": Act("{begin}", handshake="answered"),
    "starttls-garbage": Act(f"{EHLO} | SAY STARTTLS => 220 | SEND {GARBAGE} | HEAR"),
    "starttls-clear": Act(rf"{EHLO} | SAY STARTTLS => 220 | SEND EHLO {smtp.HELO}\r\n"),
    "starttls-leaves": Act(f"{EHLO} | SAY STARTTLS => 220"),
    "starttls-inside-tls": Act(f"{{begin}} | {EHLO} | SAY STARTTLS => 554 | AUTH PLAIN => 235 | {MAIL}",
                               differs={"sendmail": ("=> 554", "=> 454")}),
    "http": Act(r"SEND GET / HTTP/1.1\r\nHost: mail.example.com\r\n\r\n | HEAR"),
    "knocks": Act(KNOCKS),
    "monitor": Act("GREETING | QUIT", monitor=True),
    "monitor-knocks": Act(KNOCKS, monitor=True),
    "ehlo-leaves": Act(EHLO),
    "ehlo-leaves-apple": Act("EHLO smtpclient.apple => 250", software="apple"),
    "mail-clear": Act(f"{EHLO} | {MAIL}"),
    "mail-clear-refused": Act(f"{EHLO} | MAIL FROM:<{USER}> => 530 | QUIT"),
    "right": Act(RIGHT, ipv6=("587",), handshake="answered"),
    "inbound": Act(f"{EHLO} | {MAIL}"),
    "inbound-tls": Act(f"{{begin}} | {EHLO} | {MAIL}"),
}


# ---- the table ------------------------------------------------------------------------------------------------------

SOURCES = ("postfix", "sendmail", "tap", "both")        # the columns of the table behind the first three
NOT_LOGGED = "not logged"


@dataclasses.dataclass(frozen=True)
class Found:
    """What one source says of a session; in `likely` those of `findings` that are not certain."""
    findings: frozenset
    likely: frozenset = frozenset()

    def __str__(self):
        return ", ".join(f"{each} (likely)" if each in self.likely else each for each in sorted(self.findings)) or "-"


def found(text):
    words = [] if text == "-" else text.split(", ")
    names = [word.removesuffix(" (likely)") for word in words]
    return Found(frozenset(names), frozenset(name for name, word in zip(names, words) if word != name))


def cell(text, mta):
    """What a cell of the table allows: a list of Found, or of NOT_LOGGED; none if it is not played there."""
    for part in text.split("; "):
        name, colon, rest = part.partition(": ")
        if not colon or name == MTA_NAMES[mta]:
            text = rest if colon else part
    return [NOT_LOGGED if each == NOT_LOGGED else found(each) for each in text.split(" or ") if each]


def table():
    """{(MTA, situation, place): {"log", "tap", "both": what may be found}} of docs/sources.md."""
    expected = {}
    for line in DOCUMENT.read_text().split("## The table\n", 1)[1].splitlines():
        fields = [field.strip() for field in line.strip("|").split("|")]
        if len(fields) != 3 + len(SOURCES) or fields[0] in ("situation", "--"):
            continue
        cells = dict(zip(SOURCES, fields[3:]))
        for place in fields[1].split(", "):
            for mta in MTA_NAMES:
                if not cells[mta]:
                    continue
                row = {source: cell(cells[mta if source == "log" else source], mta) for source in ("log", "tap", "both")}
                if len(row["tap"]) != 1 or len(row["both"]) != 1:
                    raise Trouble(f"docs/sources.md: only a log is by chance, not {fields}")
                if (mta, fields[0], place) in expected or place not in PLACES or fields[0] not in ACTS:
                    raise Trouble(f"docs/sources.md: what is {fields[:2]}, or is it there twice?")
                expected[mta, fields[0], place] = row
    if missing := ACTS.keys() - {situation for _, situation, _ in expected}:
        raise Trouble(f"docs/sources.md lacks {', '.join(sorted(missing))}")
    return expected


# ---- playing --------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Scene:
    """A situation at a place, once for each way to come there."""
    mta: str
    situation: str
    place: str
    way: str = ""                   # "", IPv6, PROXY 1, PROXY 2
    source: str = ""                # the address from which the client connects
    address: str = ""               # the client's address and port, as the server knows them
    port: int = 0
    server_port: int = 0
    transcript: object = None

    @property
    def act(self):
        return ACTS[self.situation]

    @property
    def listener(self):
        return PLACES[self.place]

    @property
    def script(self):
        return self.act.lines(self.mta, self.listener.role)

    def shows(self):
        """What can be seen of it up to TLS, AUTH or MAIL, in the journal's words (docs/journal.md, `session`)."""
        said, tls, http = [], False, False
        for line in self.script:
            line = line.removeprefix("SEND ")
            word, argument = (line.removeprefix("SAY ").replace(r"\r\n", " ").split() + [None])[:2]
            said += [(word, argument)] * (word in VERBS)
            tls, http = line in ("TLS", "HELLO", STARTTLS), word == "GET"
            if tls or http or word in ("AUTH", "MAIL"):
                break
        verbs, told = [verb for verb, _ in said], dict(said)
        clear = "starttls" if verbs[-1:] == ["STARTTLS"] else "cleartext"
        seen = {"first_bytes": "smtp" if said else "http" if http else "tls" if tls else "nothing",
                "tls_mode": clear if said else "implicit" if tls else None, "commands": verbs or None,
                "helo_name": told.get("EHLO"), "sasl_method": told.get("AUTH"), "client_software": self.act.software}
        if tls:
            newest = self.act.version or ("TLSv1.2" if self.act.cipher else "TLSv1.3")
            seen.update(tls_offered_highest=newest, tls_sni=certs.HOST)
        if self.act.handshake:
            seen.update(handshake=self.act.handshake, alert=self.act.alert)
        return seen

    def __str__(self):
        return f"{self.mta}: {self.situation} on {self.place}{self.way and f' ({self.way})'}"

    def mistakes(self):
        """Was it what the situation's name says?"""
        broken = [self.transcript.ended] if self.transcript.ended and not self.act.breaks else []
        return broken + self.transcript.mistakes


def scenes(expected):
    """All that is to be played, those that wait longest first."""
    everything = []
    for mta, situation, place in sorted(expected, key=lambda row: list(ACTS).index(row[1])):
        ways = [f"PROXY {version}" for version in BEHIND_A_PROXY] if place in PROXIED else [""]
        ways += ["IPv6"] * (HAVE_IPV6 and place in ACTS[situation].ipv6)
        everything += [Scene(mta, situation, place, way) for way in ways]
    return everything


def header(scene, number, port):
    """Gives the client an address behind a proxy; the header that says so, as a line of a script. port: the proxy's."""
    version = int(scene.way[-1])
    client, server = BEHIND_A_PROXY[version] + number, BEHIND_A_PROXY[version] + 0xfe
    scene.address, scene.port, scene.server_port = str(client), 40000 + number, port
    if version == 1:
        return f"PROXY TCP4 {client} {server} {scene.port} {port}"
    # PROXY over TCP6: two addresses, two ports
    told = client.packed + server.packed + scene.port.to_bytes(2, "big") + port.to_bytes(2, "big")
    binary = b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x21" + len(told).to_bytes(2, "big") + told
    return "SEND " + "".join(f"\\x{byte:02x}" for byte in binary)


class Theatre(MTAs):
    """Both MTAs, each with a mailreeve-tap that knows its ports, for situations."""

    def __init__(self, scenes):
        """Enters a network of its own, where there are addresses for all over IPv6."""
        network.enter([CLIENTS6 + number for number, scene in enumerate(scenes) if scene.way == "IPv6"])
        super().__init__(LISTENERS, Debian)

    def prepare(self):
        self.look_on(MONITORED, [PLACES[place].name for place in PROXIED])

    def play(self, scene, number):
        act, port = scene.act, self.port(scene.mta, scene.listener.name)
        first = CLIENTS6 if scene.way == "IPv6" else MONITORS if act.monitor else CLIENTS
        host, scene.source = "::1" if first == CLIENTS6 else "127.0.0.1", str(first + number)
        if scene.place in SHARED:
            scene.source = SHARED_ADDRESS
        script = scene.script
        if scene.place in PROXIED:
            script = [header(scene, number, self.port(scene.mta, "submission")), *script]
        case = Client(host, scene.source, act.version, act.cipher)
        target = smtp.Target(port, {"server": self.certificates[act.believes]}, {})

        def connect():
            wire = smtp.Wire(target, case)
            if not scene.port:
                scene.address, scene.port = wire.socket.getsockname()[:2]
                scene.server_port = port
            return wire
        scene.transcript = smtp.talked(connect, script, target)

    def play_all(self, chosen):
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(self.play, chosen, range(len(chosen))))
        self.settle()


@dataclasses.dataclass(frozen=True)
class Client:
    """What smtp.Wire wants to know of a case."""
    host: str
    source: str
    version: str
    cipher: str
    certificate: str = ""
