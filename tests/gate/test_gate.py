#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailreeve-gate: the Dovecot authentication protocol over its socket, played without an MTA. TAP."""
import contextlib
import fcntl
import os
import resource
import signal
import stat
import struct
import sys
import termios

sys.dont_write_bytecode = True

from gated import ASK, BOB, PASSWORD, SERVICE, Gate, auth, encode, fail, plain  # noqa: E402
from daemon import SANITIZED, expect, main, note, same, test, wait_for  # noqa: E402

import gate_life        # noqa: E402,F401  (register their tests)
import gate_notes       # noqa: E402,F401


# ---- the protocol --------------------------------------------------------------------------------------------------

@test
def handshake():
    """the handshake comes at once, before the peer says a word; no combination of Postfix's security options empties it"""
    with Gate(journal=False) as g, g.peer(greet=False) as peer:
        hello = b""
        while not hello.endswith(b"DONE\n"):
            hello += peer.socket.recv(4096)
        with g.peer() as other:
            same(other.hello.split(b"SPID")[0], hello.split(b"SPID")[0], "the second handshake")
        offered = [(line.split(b"\t")[1], set(line.split(b"\t")[2:])) for line in hello.splitlines() if line[:4] == b"MECH"]
        for forbidden in ({b"plaintext"}, {b"anonymous"}, {b"plaintext", b"active", b"dictionary", b"anonymous"}):
            left = [name for name, flags in offered if not flags & forbidden]
            expect(left, f"nothing is left without {forbidden}")
        expect([flags for _, flags in offered if {b"mutual-auth", b"forward-secrecy"} <= flags and b"active" not in flags],
               "nothing has mutual authentication and forward secrecy")


REFUSED = [
    ("PLAIN", None), ("PLAIN", plain()), ("PLAIN", ""), ("PLAIN", "="), ("PLAIN", "!!!"), ("PLAIN", encode(PASSWORD)),
    ("LOGIN", encode(BOB)), ("LOGIN", ""), ("CRAM-MD5", None), ("DIGEST-MD5", None), ("EXTERNAL", None), ("EXTERNAL", encode(BOB)),
    ("XOAUTH2", encode(f"user={BOB}\1auth=Bearer {PASSWORD}\1\1")), ("OAUTHBEARER", None), ("SCRAM-SHA-256", encode("n,,n=bob,r=x")),
    ("GSSAPI", None), ("ANONYMOUS", encode("x")), ("X-" + "Y" * 1000, encode(BOB)), ("LOGIN", encode("x" * 9000)),
]


@test
def every_mechanism():
    """every mechanism, with and without a response, well or badly made, known or not: one FAIL, the same for all"""
    with Gate() as g, g.peer() as peer:
        for number, (mechanism, response) in enumerate(REFUSED, 1):
            for tls in (False, True):
                peer.refused(number, mechanism, response, tls=tls)
        g.refusals(2 * len(REFUSED))


@test
def login():
    """LOGIN: the user name is asked for, and the refusal comes before a password is sent; a late one is for nobody"""
    with Gate() as g, g.peer() as peer:
        for number in (1, 2):
            same(peer.ask(number, "LOGIN"), ASK.format(number), "the question")
            peer.send(f"CONT\t{number}\t{encode(BOB)}")
            same(peer.line(), fail(number), "the answer")
            peer.send(f"CONT\t{number}\t{encode(PASSWORD)}", f"CONT\t99\t{encode(PASSWORD)}")
        peer.refused(3)
        same([line.get("sasl_username") for line in g.refusals(3)], [g.user_hash(BOB)] * 2 + [None], "the users")


@test
def logins_left_behind():
    """clients that leave after "Username:": the table stays small, and nobody waits for an answer"""
    with Gate() as g, g.peer() as peer:
        for number in range(1, 1001):
            peer.send(auth(number, "LOGIN"))
            line = peer.line()
            if number > 4:
                same(line, fail(number - 4), "the oldest")
                line = peer.line()
            same(line, ASK.format(number), "the question")
        peer.send(f"CONT\t1000\t{encode(BOB)}")
        same(peer.line(), fail(1000), "the answer")
        same(len(g.refusals(997)), 997, "the refusals")


@test
def byte_by_byte():
    """a dialogue byte by byte gets the same answers"""
    with Gate(journal=False) as g, g.peer(greet=False) as peer:
        text = "\n".join(["VERSION\t1\t0", "CPID\t7", auth(1, "LOGIN", tls=True), f"CONT\t1\t{encode(BOB)}", auth(2, response=plain()), ""])
        for byte in text.encode():
            peer.socket.sendall(bytes([byte]))
        got = []
        while len(got) < 3:
            line = peer.line()
            got += [line] * (line.startswith(("CONT", "FAIL")))
        same(got, [ASK.format(1), fail(1), fail(2)], "the answers")


@test
def pipelined():
    """100 AUTH in one piece: an answer to each, in order"""
    with Gate(journal=False) as g, g.peer() as peer:
        peer.send(*(auth(i, response=plain()) for i in range(100)))
        same([peer.line() for _ in range(100)], [fail(i) for i in range(100)], "the answers")


@test
def own_text():
    """--text is what the client is told"""
    with Gate("--text", "Use port 465; https://help.example.com/mail") as g, g.peer() as peer:
        same(peer.ask(1), fail(1, "Use port 465; https://help.example.com/mail"), "the answer")


JUNK = [b"AUTH\n", b"AUTH\t1\n", b"AUTH\tx\tPLAIN\n", b"AUTH\t1\tPLA\0IN\tservice=mailreeve-25\n", b"VERSION\t2\t0\n", b"CPID\tx\n",
        b"CONT\n", b"A" * 16384, b"AUTH\t1\tPLAIN\tservice=mailreeve-25\tservice=mailreeve-25\n", b"\x16\x03\x01\n" + b"\0\n",
        (auth(1, "LOGIN") + "\n" + auth(1, "LOGIN") + "\n").encode()]


@test
def junk():
    """what is not understood, or too long: that connection is closed, others go on, and it is logged once a minute at most"""
    with Gate() as g, g.peer() as other:
        for round in range(10):
            for bytes_ in JUNK:
                with g.peer() as peer:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        peer.socket.sendall(bytes_)
                    while (line := peer.line()) is not None:
                        same(line, ASK.format(1), "an answer to junk")
            other.refused(round)
        same(g.logged().count("what was said is not understood"), 1, "lines in the log")
        expect(PASSWORD not in g.logged() and "\\x16" not in g.logged(), "what was sent is in the log")
        g.refusals(10)


@test
def unknown_commands():
    """commands of a later version are ignored"""
    with Gate(journal=False) as g, g.peer() as peer:
        peer.send("FUTURE\t1", "CANCEL\t7", "", auth(1) + "\tnew\tnew=x")
        same(peer.line(), fail(1), "the answer")


@test
def wrong_service():
    """another service than mailreeve-25: closed without an answer, so that nobody's password is called wrong; said once a minute"""
    with Gate() as g, g.peer() as other:
        for service in ("smtp", "", "mailreeve-251", "MAILREEVE-25", "submission"):
            for response in (None, plain()):
                with g.peer() as peer:
                    peer.send(auth(1, response=response, service=service))
                    peer.closed()
        other.refused(1)
        same(g.logged().count(f"an AUTH for another service than {SERVICE}"), 1, "lines in the log")
        g.refusals(1)


# ---- many, slow, and gone ------------------------------------------------------------------------------------------

@test
def thousand_connections():
    """1,000 connections at once, each with its own answer; they may be idle; no descriptor is lost"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with Gate() as g, contextlib.ExitStack() as stack:
        g.refuse()
        g.refusals(1)                       # so that the journal has its descriptors
        files, memory = g.descriptors(), g.rss()
        peers = [stack.enter_context(g.peer(pid=1000 + i)) for i in range(1000)]
        note(f"{(g.rss() - memory) / 1000:.0f} bytes of memory for each")
        expect(g.rss() - memory < 1000 * 2000 or SANITIZED, "too much memory")
        for i, peer in enumerate(peers):
            peer.send(auth(i, response=plain()))
        for i, peer in enumerate(peers):
            same(peer.line(), fail(i), "the answer")
        same({line["mta_pid"] for line in g.refusals(1001)}, {4711} | {1000 + i for i in range(1000)}, "the pids")
        stack.close()
        wait_for("the descriptors to be closed", lambda: g.descriptors() <= files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@test
def as_many_as_there_may_be():
    """the limit of open files is reached: those that are there are answered, others wait until one leaves; no busy loop"""
    with Gate(prefix=["prlimit", "--nofile=80:80"]) as g, contextlib.ExitStack() as stack:
        peers = [g.peer() for _ in range(48)]
        waiting = [stack.enter_context(g.peer(greet=False)) for _ in range(5)]
        wait_for("it to be said", lambda: "as many connections as this process may have" in g.logged())
        for peer in waiting:
            peer.send("VERSION\t1\t0", "CPID\t1", auth(1))
        busy = g.cpu()
        for number in range(200):
            peers[number % 48].refused(number)
        expect(g.cpu() - busy < 0.5, f"{g.cpu() - busy} s of processor time for 200 answers")
        for peer in peers:
            peer.socket.close()
        for peer in waiting:
            while (line := peer.line()) and not line.startswith("FAIL"):
                pass
            same(line, fail(1), "the answer of one who waited")


@test
def slow_reader():
    """peers that do not read: they are not heard until they do, or dropped; what is kept for them is bounded, others are answered"""
    with Gate(journal=False) as g, g.peer() as other, contextlib.ExitStack() as stack:
        with g.peer() as late:
            late.send(*(auth(i) for i in range(300)))
            other.refused(1)
            same([late.line() for _ in range(300)], [fail(i) for i in range(300)], "the answers, read late")
        memory, dropped = g.rss(), 0
        short = "AUTH\t{}\tX\tservice=mailreeve-25"     # its answer is longer than itself
        for line in [short] * 10 + [auth("{}", response="A" * 200)] * 10:
            deaf, sent = stack.enter_context(g.peer()), 0
            deaf.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                try:
                    while sent < 100_000:
                        deaf.send(*(line.format(sent + i) for i in range(1000)))
                        sent += 1000
                        other.refused(sent)
                except (BrokenPipeError, ConnectionResetError):
                    dropped += 1
            expect(sent < 100_000, "all was taken of a peer that does not read")
        each = (g.rss() - memory) / 20
        note(f"{dropped} of 20 dropped; {each:.0f} bytes of memory for each")
        expect(0 < dropped < 20 and "a peer does not read its answers" in g.logged(), f"{dropped} dropped; {g.logged()}")
        expect(each < 50_000 or SANITIZED, "too much memory")
        other.refused(1)


@test
def gone():
    """peers that go away anywhere, with lines half sent and answers not read: no descriptor is lost"""
    with Gate() as g:
        g.refuse()
        g.refusals(1)
        files = g.descriptors()
        text = (auth(1, response=plain()) + "\n").encode()
        for i in range(500):
            with g.peer(greet=i % 2 == 0) as peer:
                peer.socket.sendall([b"", text[:20], text, text * 20 + text[:7]][i // 2 % 4])
        wait_for("the descriptors to be closed", lambda: g.descriptors() <= files)
        g.refuse()


# ---- secrets -------------------------------------------------------------------------------------------------------

def unread(peer):
    """How many bytes the other side has not taken yet."""
    return struct.unpack("i", fcntl.ioctl(peer.socket, termios.TIOCOUTQ, bytes(4)))[0]


def memory_of(pid):
    """All that the process could have kept, as root can see it."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights = line.split()[:2]
            first, last = (int(part, 16) for part in span.split("-"))
            if "rw" in rights and last - first < 1 << 28:
                with contextlib.suppress(OSError):
                    mem.seek(first)
                    yield mem.read(last - first)


@test
def passwords():
    """a password is nowhere once it is answered: not in the journal, the log, the memory; no core; nobody may look"""
    with Gate() as g:
        peers = [g.peer() for _ in range(8)]
        secrets = []
        for number, peer in enumerate(peers):
            secret = f"{PASSWORD}-{number}-{'x' * 40}"
            for mechanism, response in (("PLAIN", encode(f"\0{BOB}\0{secret}")), ("LOGIN", encode(secret)), ("PLAIN", encode(secret)),
                                        ("XOAUTH2", encode(f"user=bob\1auth=Bearer {secret}\1\1")), ("NOSUCH", encode(secret))):
                secrets += [secret.encode(), response.encode()[8:40]]
                line = (auth(number, mechanism, response) + "\n").encode()
                peer.socket.sendall(line[:-20])
                wait_for("the half line to be taken", lambda: unread(peer) == 0)
                peer.socket.sendall(line[-20:])
                same(peer.line(), fail(number), "the answer")
        g.refusals(40)
        found = {secret for piece in memory_of(g.pid) for secret in secrets if secret in piece}
        same(found, set(), "secrets in the memory of the process")
        with open(f"/proc/{g.pid}/limits") as f:
            core = next(line for line in f if line.startswith("Max core file size")).split()[4:6]
        same(core, ["0", "0"], "the size of a core")
        with open(f"/proc/{g.pid}/status") as f:
            expect("NoNewPrivs:\t1\n" in f.read(), "it may gain privileges")
        same(os.stat(f"/proc/{g.pid}/mem").st_uid, 0, "who may read its memory")
        os.kill(g.pid, signal.SIGABRT)
        same(g.process.wait(30), -signal.SIGABRT, "its end")
        for folder, _, names in os.walk(g.folder):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, "rb") as f:
                        text = f.read()
                    expect(not any(secret in text for secret in secrets), f"a secret is in {name}")
                    expect(b"user=" not in text or name == "log", f"user= is in {name}")
        g.process = None


main()
