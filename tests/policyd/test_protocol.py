#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The policy protocol over real sockets: whatever comes in, exactly one well-formed reply or none and the end."""
import fcntl
import itertools
import random
import struct
import termios
import threading

from daemon import (AUTHENTICATE, DUNNO, NO_AUTH, NO_TLS, NOT_ON_25, STARTTLS, Daemon, expect, free_port, main, note,
                    request, same, test, wait_for)

LIMIT = 64 * 1024                       # the longest request that is read
PORT = free_port()
shared = Daemon(listen=['"unix:{path}"', f'"inet:127.0.0.1:{PORT}"'], start=False)
shared.listen[0] = f'"unix:{shared.path}"'
shared.configure()
shared.start()
ALL = (None, ("127.0.0.1", PORT))       # its sockets

# Three requests that are answered in three ways; on connections that ask many, in turns.
TURNS = [({}, DUNNO), (NO_AUTH, AUTHENTICATE), ({"server_port": "25"}, NOT_ON_25), ({**NO_AUTH, **NO_TLS}, STARTTLS)]


def turns(count):
    """That many requests, and their answers."""
    chosen = list(itertools.islice(itertools.cycle(TURNS), count))
    return [request(**changes) for changes, _ in chosen], [answer for _, answer in chosen]


def padded(size):
    """A request of exactly that size."""
    line = b"x-padding=\n"
    whole = request(**NO_AUTH)
    return line[:-1] + b"x" * (size - len(whole) - len(line)) + b"\n" + whole


def taken(client):
    """Waits until the daemon has read all that was sent over a unix socket."""
    def left():
        return struct.unpack("i", fcntl.ioctl(client.socket, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    wait_for("the daemon to read", lambda: left() == 0)


# ---- bytes ----

@test
def whole():
    """each answer, on both sockets, and not a byte more"""
    for address in ALL:
        for changes, answer in TURNS:
            with shared.client(address) as client:
                same(client.ask(**changes), answer, f"the answer to {changes}")
                client.no_more()


@test
def byte_by_byte():
    """byte by byte, each read before the next is sent"""
    with shared.client() as client:
        for changes, answer in TURNS[1:3]:
            for byte in request(**changes):
                client.send(bytes([byte]))
                taken(client)
            same(client.reply(), answer, "the answer")
        client.no_more()


@test
def two_pieces():
    """in two pieces, cut at every position"""
    with shared.client() as client:
        text = request(**NO_AUTH)
        for cut in range(1, len(text)):
            client.send(text[:cut])
            taken(client)
            client.send(text[cut:])
            same(client.reply(), AUTHENTICATE, f"the answer to a request cut at {cut}")
        client.no_more()


@test
def pipelined():
    """600 requests in one go, answered in order"""
    for address in ALL:
        requests, answers = turns(600)
        with shared.client(address) as client:
            sender = threading.Thread(target=client.send, args=(b"".join(requests),))
            sender.start()
            same(client.replies(600), answers, "the answers")
            sender.join()
            client.no_more()


@test
def pipelined_in_pieces():
    """pipelined requests cut at random places"""
    chance = random.Random(2)
    requests, answers = turns(200)
    text = b"".join(requests)
    with shared.client() as client:
        while text:
            n = chance.randrange(1, 3000)
            client.send(text[:n])
            text = text[n:]
        same(client.replies(200), answers, "the answers")
        client.no_more()


@test
def shuffled():
    """the attributes in 200 random orders, with unknown ones between them"""
    chance = random.Random(1)
    with shared.client() as client:
        for i in range(200):
            changes, answer = TURNS[i % len(TURNS)]
            lines = request(**changes)[:-2].split(b"\n")
            lines += [b"tls_sni=mx.example", b"x=", b"request2=junk", b"server_portal=25", b"Server_Port=25"]
            chance.shuffle(lines)
            client.send(b"\n".join(lines) + b"\n\n")
            same(client.reply(), answer, f"the answer to order {i}")
        client.no_more()


@test
def longest():
    """a request of exactly 64 KiB is answered, also behind and before others"""
    with shared.client() as client:
        for size in (LIMIT - 1, LIMIT, 4095, 4096, 4097, 8192):
            client.send(padded(size))
            same(client.reply(), AUTHENTICATE, f"the answer to {size} bytes")
        client.send(request() + padded(LIMIT) + request() + padded(LIMIT))
        same(client.replies(4), [DUNNO, AUTHENTICATE] * 2, "the answers")
        client.no_more()


@test
def bytes_of_strangers():
    """UTF-8, 8-bit bytes, control characters and very long values in every attribute"""
    values = ["jürgen@exämple.com", "\x01\x1b[31m\x7f\r\t", "=", "a b=c\"d", "%s%n%%", "0" * 900, "-1", "99999999999999999999",
              "x" * 8000, "action=OK", "\ud7ff\U0010ffff"]
    with shared.client() as client:
        for name in ("protocol_state client_address client_port server_address server_port helo_name sender "
                     "recipient recipient_count queue_id instance size sasl_method sasl_username ccert_fingerprint "
                     "encryption_protocol encryption_cipher encryption_keysize policy_context").split():
            for value in values:
                client.ask(**{name: value})         # which checks the form
            client.send(request(**{**NO_AUTH, name: "@"}).replace(b"=@\n", b"=\xff\xfe\xc3\x28\n"))
            client.reply()
        same(client.ask(sasl_username="jürgen@exämple.com", helo_name="höst"), DUNNO, "the answer to UTF-8 names")
        client.no_more()


# ---- what is not a request ----

GOOD = request()
NOT_UNDERSTOOD = {
    "a NUL byte": GOOD.replace(b"alice", b"al\0ice"),
    "only NUL bytes": bytes(1000) + b"\n\n",
    "a line without =": GOOD[:-1] + b"junk\n\n",
    "a line that begins with =": b"=x\n" + GOOD,
    "CRLF": GOOD.replace(b"\n", b"\r\n"),
    "CRLF at the end only": GOOD[:-1] + b"\r\n\n",
    "no request=": request(without=("request",)),
    "another request=": request(request="smtpd_access"),
    "an empty request=": request(request=""),
    "nothing but an empty line": b"\n",
    "empty lines": b"\n" * 100,
    "HTTP": b"GET / HTTP/1.0\n\n",
    "TLS": bytes.fromhex("160301020001000138030a0a") + bytes(200) + b"\n\n",
    "every byte": bytes(range(256)) + b"\n\n",
    "64 KiB and a byte": padded(LIMIT + 1),
    "1 MB without an empty line": b"request=smtpd_access_policy\n" + b"helo_name=" + b"a" * 1_000_000,
    "1 MB of short lines": b"request=smtpd_access_policy\n" + b"a=b\n" * 250_000,
}


def send_all(client, data):
    """Sends as much as the daemon takes."""
    try:
        client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


@test
def not_understood():
    """what cannot be understood: closed without a reply, alone and behind a good request"""
    for (what, data), address, before in itertools.product(NOT_UNDERSTOOD.items(), ALL, (0, 3)):
        with shared.client(address) as client:
            requests, answers = turns(before)
            send_all(client, b"".join(requests) + data)
            same(client.replies(before), answers, f"the answers before {what}")
            same(client.reply(), None, f"what came for {what}")
    same(shared.ask(), DUNNO, "the answer to others")
    said = shared.logged()
    expect("a policy request was not understood: it " in said, "nothing in the log")
    expect("GET /" not in said and "smtpd_access\n" not in said, "what a stranger sent is in the log")


@test
def truncated():
    """the end of the connection in mid-request: no reply; a good one before it has its own"""
    for cut in (1, 7, 27, 28, 500, len(GOOD) - 1):
        for before in (0, 2):
            requests, answers = turns(before)
            with shared.client() as client:
                client.send(b"".join(requests) + GOOD[:cut])
                client.socket.shutdown(1)
                same(client.replies(before), answers, "the answers before")
                same(client.reply(), None, f"what came for {cut} bytes")


@test
def half_closed():
    """a peer that ends its side after its requests gets every reply"""
    for address in ALL:
        for count in (1, 2, 40):
            requests, answers = turns(count)
            with shared.client(address) as client:
                client.send(b"".join(requests))
                client.socket.shutdown(1)
                same(client.replies(count), answers, "the answers")
                same(client.reply(), None, "what came after them")


@test
def duplicates():
    """a name that comes twice: the first value counts, and the second is counted"""
    before = shared.status()["counters"]["duplicate-attributes"]
    with shared.client() as client:
        client.send(request(**NO_AUTH)[:-1] + b"sasl_username=mallory\nserver_port=25\nrequest=junk\n\n")
        same(client.reply(), AUTHENTICATE, "the answer")
        client.send(b"sasl_username=mallory\n" + request(**NO_AUTH))
        same(client.reply(), DUNNO, "the answer when it comes before")
        client.no_more()
    wait_for("the counter", lambda: shared.status()["counters"]["duplicate-attributes"] == before + 4)


@test
def mutated():
    """3,000 requests with random damage: a well-formed reply, or the end without one"""
    chance = random.Random(3)
    client, replies = shared.client(), 0
    for i in range(3000):
        text = bytearray(request(**TURNS[i % 4][0]))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(text) - 1)
            kind = chance.randrange(4)
            if kind == 0:
                text[at] = chance.randrange(256)
            elif kind == 1:
                del text[at:at + chance.randrange(1, 40)]
            elif kind == 2:
                text[at:at] = text[chance.randrange(len(text)):][:40]
            else:
                text[at:at] = chance.choice([b"\n", b"=", b"\xff", b"\0", b"\r\n"])
        client.send(bytes(text))
        client.socket.shutdown(1)
        while client.reply() is not None:
            replies += 1
        client.close()
        client = shared.client()
    client.close()
    note(f"{replies} replies")
    expect(500 < replies < 6000, f"{replies} replies")
    same(shared.ask(), DUNNO, "the answer to others")


# ---- stages and transactions ----

@test
def before_mail():
    """nothing is refused at CONNECT, HELO, EHLO or in a state unknown or absent"""
    with shared.client() as client:
        for state in ("CONNECT", "HELO", "EHLO", "BURL", "", "rcpt"):
            for port in ("25", "587", "465"):
                for more in ({}, NO_TLS, NO_AUTH, {**NO_AUTH, **NO_TLS}, {"encryption_protocol": "SSLv3"},
                             {"helo_name": "jü\x01 [127.0.0.1]"}):
                    same(client.ask(protocol_state=state, server_port=port, **more), DUNNO, f"{state} on {port}")
        same(client.ask(without=("protocol_state",), **NO_AUTH), DUNNO, "no protocol_state")


@test
def ehlo_in_a_refused_transaction():
    """EHLO while a refused transaction has not ended yet: not refused, so that STARTTLS is possible"""
    with shared.client() as client:
        same(client.ask(instance="i1", **NO_AUTH, **NO_TLS), STARTTLS, "RCPT")
        for state in ("EHLO", "HELO", "CONNECT"):
            same(client.ask(instance="i1", protocol_state=state, **NO_AUTH, **NO_TLS), DUNNO, state)
        same(client.ask(instance="i1", **NO_AUTH, **NO_TLS), STARTTLS, "the next RCPT")


@test
def rcpt_in_a_transaction_seen_at_ehlo():
    """an instance that was seen before MAIL is still decided at RCPT"""
    with shared.client() as client:
        same(client.ask(instance="i2", protocol_state="EHLO", **NO_AUTH, **NO_TLS), DUNNO, "EHLO")
        same(client.ask(instance="i2", **NO_AUTH, **NO_TLS), STARTTLS, "RCPT")


@test
def every_recipient():
    """every recipient of a transaction has the same decision, on any connection, journaled once"""
    clients = [shared.client(address) for address in (*ALL, *ALL)]
    for turn in range(25):
        for k, (changes, answer) in enumerate(TURNS):
            client = clients[(turn + k) % 4]
            same(client.ask(instance=f"every.{k}", recipient=f"r{turn}@example.org", **changes), answer, "the answer")
    # A transaction keeps its decision, whatever its later requests say.
    same(clients[0].ask(instance="every.1", protocol_state="DATA", recipient=""), AUTHENTICATE, "DATA")
    same(clients[0].ask(instance="every.0", protocol_state="END-OF-MESSAGE", **NO_AUTH), DUNNO, "END-OF-MESSAGE")
    for client in clients:
        client.no_more()
    for k in range(len(TURNS)):
        same(len(shared.settled(instance=f"every.{k}")), 1, "the number of journal lines")


@test
def handed_on():
    """a decision at MAIL (smtpd_delay_reject=no) is the recipients' too, of that session only"""
    with shared.client() as client:
        mail = {"protocol_state": "MAIL", "recipient": ""}
        same(client.ask(client_port="7001", **mail, **NO_AUTH), AUTHENTICATE, "MAIL")
        same(client.ask(client_port="7002", instance="on.2"), DUNNO, "the RCPT of another session")
        same(client.ask(client_port="7001", instance="on.1", **NO_AUTH), AUTHENTICATE, "RCPT")
        same(client.ask(client_port="7001", instance="on.1", **NO_AUTH), AUTHENTICATE, "the second RCPT")
        # The client gives up, authenticates and tries again: decided anew.
        same(client.ask(client_port="7001", **mail), DUNNO, "MAIL after AUTH")
        same(client.ask(client_port="7001", instance="on.3"), DUNNO, "RCPT after AUTH")
        client.no_more()
    same(len(shared.settled(client_port=7001)), 2, "the number of journal lines")


# ---- modes and actions ----

@test
def audit():
    """mode audit: everything passes, and the journal says what would have been refused"""
    with Daemon(mode="audit") as d, d.client() as client:
        for i, (changes, _) in enumerate(TURNS):
            same(client.ask(instance=f"audit.{i}", **changes), DUNNO, f"the answer to {changes}")
        lines = {line["instance"]: line for line in d.settled(mode="audit")}
        told = [(lines[f"audit.{i}"]["action"], lines[f"audit.{i}"]["would"], lines[f"audit.{i}"].get("finding", ""))
                for i in range(4)]
        same(told, [("pass", "pass", ""), ("pass", "reject", "auth-required"), ("pass", "reject", "auth-on-smtp-port"),
                    ("pass", "reject", "tls-required")], "the journal")


@test
def deferred():
    """action defer: 451; help_url is put behind the text"""
    with Daemon(more="actions: {auth-required: defer}\nhelp_url: https://help.example.com/%id\n") as d:
        same(d.ask(**NO_AUTH), "451 4.7.0 Authentication required; see https://help.example.com/auth-required",
             "the answer")


# ---- the rest ----

import recordings  # noqa: E402,F401  (registers its tests)
import sockets     # noqa: E402,F401


@test
def counted():
    """every request was counted, none twice; the daemon ends cleanly"""
    shared.stop()
    counters = shared.status()["counters"]
    ended = sum(value for name, value in counters.items()
                if name.split("-")[0] in ("smtp", "submission", "submissions") and name.endswith(("ed", "defer", "reject")))
    note(f"{counters['requests']} requests, {counters['requests-repeated']} of them repeated")
    same(counters["requests"], ended + counters["requests-repeated"] + counters["before-mail"]
         + counters["no-listener"], "requests against their outcomes")
    expect(counters["request-not-understood"] >= 4 * len(NOT_UNDERSTOOD), "too few counted as not understood")
    expect(counters["request-unfinished"] >= 12, "too few counted as unfinished")
    shared.end()


main()
