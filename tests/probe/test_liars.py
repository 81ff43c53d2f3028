# SPDX-License-Identifier: Apache-2.0
"""`mailreeve probe` against servers that lie, stall and flood: what each is told to be, and how long that may take. TAP on stdout.

    test_liars.py [WORD...]         only the tests with one of these words in their name

Everything that the servers were sent is kept: nothing but the few commands of docs/probe.md may be in it.
"""
import contextlib
import dataclasses
import os
import pty
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import pathlib

sys.dont_write_bytecode = True

from probing import BUILD, HOST, PROGRAM, Run, expect      # noqa: E402
from pki import Pki                                        # noqa: E402

import tap                                                 # noqa: E402

STEP = 2                                # --timeout
BUDGET = 6 * STEP                       # what a port may take
SLACK = 4                               # for starting, under a sanitizer
SANITIZED = "asan" in BUILD.name
MEMORY_KB = 600_000 if SANITIZED else 60_000
ALLOWED = re.compile(rb"EHLO \[127\.0\.0\.1\]|STARTTLS|NOOP|MAIL FROM:<>|RCPT TO:<postmaster@mail\.example\.com>|RSET|QUIT"
                     rb"|HELO \[127\.0\.0\.1\]")
OFFER = b"250-liar\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 HELP\r\n"        # it would gladly have a password
TLS_OFFER = b"250-liar\r\n250 AUTH PLAIN LOGIN\r\n"
GREETING = b"220 liar ESMTP\r\n"


class Peer:
    """One connection of a client: lines in, bytes out; in clear text, then perhaps under TLS."""

    def __init__(self, server, plain):
        self.server, self.socket, self.rest = server, plain, b""
        self.socket.settimeout(20)

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """The next line; b"": it has gone, or it speaks TLS."""
        while b"\n" not in self.rest and self.rest[:1] != b"\x16":
            more = self.socket.recv(4096)
            if not more:
                return b""
            self.rest += more
        if self.rest[:1] == b"\x16":
            self.server.hellos += 1
            return b""
        line, _, self.rest = self.rest.partition(b"\n")
        self.server.lines.append(line.rstrip(b"\r"))
        if self.rest:
            self.server.early.append((line, self.rest))
        return self.server.lines[-1]

    def secure(self):
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)

    def quiet(self, seconds):
        """Wait; a client that says something in that time is too early."""
        if select.select([self.socket], [], [], seconds)[0] and (said := self.socket.recv(4096, socket.MSG_PEEK)):
            self.server.early.append((b"", said))

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def until_gone(self):
        """Stall until the client has had enough."""
        while self.socket.recv(4096):
            pass

    def flood(self, data):
        while True:
            self.socket.sendall(data)


class Server:
    def __init__(self, behave, context):
        self.behave, self.context = behave, context
        self.lines, self.early, self.hellos, self.connections = [], [], 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.converse, args=(plain,), daemon=True).start()

    def converse(self, plain):
        peer = Peer(self, plain)
        with contextlib.suppress(OSError, ValueError):          # the client goes when it has seen enough
            self.behave(peer)
        with contextlib.suppress(OSError):
            peer.socket.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def session(peer, offer=OFFER, tls_offer=TLS_OFFER, greeting=GREETING, replies=None, at_once=False, obeys_injected=False,
            delay=0.0):
    """An SMTP server that is honest but for what is given. replies: {verb: what it says in place of 250}."""
    replies = {b"MAIL": b"530 5.7.0 Authentication required\r\n", **(replies or {})}
    if at_once:
        peer.secure()
    if delay:
        peer.quiet(delay)
    peer.send(greeting)
    secured = at_once
    while line := peer.line():
        verb = line.split(b" ")[0]
        if delay:
            peer.quiet(delay)
        if verb == b"STARTTLS" and verb not in replies:
            peer.send(b"220 go\r\n")
            kept, peer.rest = peer.rest, b""
            if kept and obeys_injected:
                with contextlib.suppress(ssl.SSLError):
                    peer.secure()
                    peer.rest = kept                # CVE-2011-0411
            else:
                peer.secure()
            secured = True
        elif verb == b"EHLO" and verb not in replies:
            peer.send(tls_offer if secured else offer)
        elif verb == b"QUIT":
            peer.send(b"221 bye\r\n")
            return
        elif callable(replies.get(verb)):
            replies[verb](peer)
        else:
            peer.send(replies.get(verb, b"250 ok\r\n"))


def honest(**more):
    return lambda peer: session(peer, **more)


def says(data, then="until_gone"):
    def behave(peer):
        peer.send(data)
        getattr(peer, then)()
    return behave


def drip(peer):
    for byte in b"220 a server that takes its time with every letter\r\n":
        peer.send(bytes([byte]))
        time.sleep(0.3)


def slow_lines(peer):
    while True:
        peer.send(b"220-wait\r\n")
        time.sleep(0.2)


def http(peer):
    peer.socket.recv(4096)
    peer.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def half_handshake(peer):
    """The head of a ServerHello, and no more of it."""
    peer.socket.recv(4096)
    peer.send(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + b"x" * 20)
    peer.until_gone()


def starttls_then(act):
    return honest(replies={b"STARTTLS": act})


def go_then(data, then="until_gone"):
    return starttls_then(lambda peer: (peer.send(b"220 go\r\n"), peer.socket.recv(4096), peer.send(data), getattr(peer, then)()))


def under_tls(act):
    def behave(peer):
        peer.secure()
        act(peer)
    return behave


@dataclasses.dataclass
class Row:
    name: str
    behave: object
    faults: set
    seconds: float = STEP
    role: str = "submission"
    says: str = ""                  # is in an evidence, or in what is unknown
    code: int = 1


CLEAR_AUTH = {"auth-without-tls"}
PLAIN_OFFER = b"250-liar\r\n250 HELP\r\n"
ROWS = [
    # ---- no greeting that is one
    Row("accepts and closes", lambda peer: None, {"no-greeting"}, says="the server hangs up"),
    Row("accepts and resets", Peer.reset, {"no-greeting"}),
    Row("says nothing", Peer.until_gone, {"no-greeting"}, 2 * STEP, says="no reply in 2 s"),
    Row("says nothing, on 465", Peer.until_gone, {"no-greeting"}, 2 * STEP, role="submissions"),
    Row("a greeting letter by letter", drip, {"no-greeting"}, 2 * STEP, says="no whole reply in 2 s"),
    Row("a greeting without an end of line", says(b"220 hello"), {"no-greeting"}, 2 * STEP, says="no whole reply in 2 s"),
    Row("a greeting that goes on for ever, fast", lambda peer: peer.flood(b"220-more\r\n" * 500), {"not-smtp-server"},
        says="more than 128 lines"),
    Row("a greeting that goes on for ever, slowly", slow_lines, {"no-greeting"}, 2 * STEP, says="no whole reply in 2 s"),
    Row("a line of 2 MB", says(b"220 " + b"x" * 2_000_000 + b"\r\n"), {"not-smtp-server"}, says="more than 2048 bytes"),
    Row("bytes without end", lambda peer: peer.flood(os.urandom(65536).replace(b"\n", b"x")), {"not-smtp-server"}),
    Row("HTTP that waits", http, {"no-greeting"}, 2 * STEP),
    Row("HTTP at once", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), {"not-smtp-server"}, STEP * 2, says="HTTP/1.1 400 Bad Request"),
    Row("SSH", says(b"SSH-2.0-OpenSSH_9.2\r\n"), {"not-smtp-server"}, 2 * STEP, says="SSH-2.0-OpenSSH_9.2"),
    Row("a code that is none", says(b"999 hello\r\n"), {"not-smtp-server"}, 2 * STEP),
    Row("turns everybody away", honest(greeting=b"554 5.7.1 no\r\n"), set(), says="does not serve this client: 554 5.7.1 no", code=0),
    # ---- a session that breaks off
    Row("greets and resets", lambda peer: (peer.send(GREETING), peer.line(), peer.reset()), {"dialogue-breaks-off"}, says="EHLO: "),
    Row("greets, and no more", says(GREETING), {"dialogue-breaks-off"}, says="EHLO: no reply in 2 s"),
    Row("says more than it was asked", says(GREETING + b"250 hello\r\n"), {"dialogue-breaks-off"}, says="more than it was asked"),
    Row("421 to EHLO", honest(replies={b"EHLO": b"421 4.3.2 later\r\n"}), {"dialogue-breaks-off"}, says="EHLO: 421 4.3.2 later"),
    Row("EHLO without end", honest(replies={b"EHLO": lambda peer: peer.flood(b"250-MORE\r\n" * 500)}), {"dialogue-breaks-off"},
        says="more than 128 lines"),
    Row("500 to EHLO", honest(replies={b"EHLO": b"500 what?\r\n"}), {"submission-without-tls", "submission-without-auth"}),
    Row("no answer to MAIL", honest(offer=PLAIN_OFFER, replies={b"MAIL": Peer.until_gone}),
        {"submission-without-tls", "submission-without-auth"}, says="MAIL FROM:<>: no reply in 2 s"),
    Row("NULs, 8-bit and escapes", honest(greeting=b"220 \0\xff\x1b[2J\x1b]0;x\x07\r\n",
                                          offer=b"250-\x1b[31m\0\xe9\r\n250 AUTH \x1b[2J PLAIN \0\r\n",
                                          replies={b"MAIL": b"550 \x1b[2J\0\x9b5n\r\n"}),
        {"submission-without-tls", "auth-without-tls"}, says="550 ?[2J"),
    # ---- STARTTLS that is none
    Row("454 to STARTTLS", honest(replies={b"STARTTLS": b"454 4.7.0 TLS not available\r\n"}), {"starttls-fails"} | CLEAR_AUTH,
        says="STARTTLS: 454 4.7.0 TLS not available"),
    Row("clear text in place of a handshake", go_then(b"250 ok\r\n"), {"starttls-fails"} | CLEAR_AUTH),
    Row("clear text behind 220", starttls_then(lambda peer: (peer.send(b"220 go\r\n250 injected\r\n"), peer.until_gone())),
        {"starttls-fails"} | CLEAR_AUTH, says="in clear text behind its reply to STARTTLS"),
    Row("hangs up behind 220", starttls_then(lambda peer: (peer.send(b"220 go\r\n"), peer.reset())), {"starttls-fails"} | CLEAR_AUTH),
    Row("a handshake that stalls", starttls_then(lambda peer: (peer.send(b"220 go\r\n"), half_handshake(peer))),
        {"starttls-fails"} | CLEAR_AUTH, 2 * STEP, says="begins and does not come to an end"),
    Row("no reply to STARTTLS", honest(replies={b"STARTTLS": Peer.until_gone}), {"starttls-fails"} | CLEAR_AUTH, STEP + 1,
        says="STARTTLS: no reply in 2 s"),
    Row("no handshake at all", starttls_then(lambda peer: (peer.send(b"220 go\r\n"), peer.until_gone())),
        {"starttls-fails"} | CLEAR_AUTH, 2 * STEP, says="no answer to the TLS handshake"),
    # ---- TLS, and what is wrong behind it
    Row("465: a handshake that stalls", half_handshake, {"tls-handshake-fails"}, role="submissions",
        says="begins and does not come to an end"),
    Row("465: silence under TLS", under_tls(Peer.until_gone), {"dialogue-breaks-off"}, BUDGET, role="submissions",
        says="greeting under TLS: no reply"),
    Row("465: a flood under TLS", under_tls(lambda peer: peer.flood(b"220-x\r\n" * 999)), {"dialogue-breaks-off"}, role="submissions",
        says="more than 128 lines"),
    Row("465: hangs up under TLS", under_tls(Peer.reset), {"dialogue-breaks-off"}, role="submissions"),
    Row("465: not SMTP under TLS", under_tls(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")), {"dialogue-breaks-off"},
        role="submissions", says="HTTP/1.1 400"),
    Row("what was sent in clear is obeyed", honest(offer=OFFER.replace(b"AUTH", b"XAUTH"), obeys_injected=True), {"starttls-injection"},
        says="answered under TLS: 250 ok"),
    Row("STARTTLS under TLS", honest(offer=OFFER.replace(b"AUTH", b"XAUTH"), tls_offer=OFFER), {"starttls-under-tls"}),
    Row("AUTH under TLS, but without EHLO's answer", honest(offer=OFFER.replace(b"AUTH", b"XAUTH"), tls_offer=b"421 go\r\n"),
        {"dialogue-breaks-off"}, says="EHLO under TLS: 421 go"),
    # ---- right, and in no hurry
    Row("right", honest(offer=OFFER.replace(b"AUTH", b"XAUTH")), set(), code=0),
    Row("right, on 465", honest(at_once=True), set(), role="submissions", code=0),
    Row("right, and slow: what there is no time for is unknown", honest(offer=OFFER.replace(b"AUTH", b"XAUTH"), delay=0.8 * STEP), set(),
        BUDGET + STEP, says="there was no time left for it", code=0),
]


class Rig:
    def __init__(self, folder):
        self.pki = Pki(folder)
        good = self.pki.server("good")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(good.file, good.key)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2


def run_probe(rig, server, role, folder):
    """The run, how long it took, and how much memory."""
    out, err = (open(pathlib.Path(folder) / name, "w+b") for name in ("out", "err"))
    argv = [str(PROGRAM), "probe", "--json", "--port", f"{server.port}={role}", "--timeout", str(STEP), "--name", HOST,
            "--ca", str(rig.pki.ca.file), "127.0.0.1"]
    began = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
        file.close()
    return Run(process.returncode, *texts), took, usage.ru_maxrss


def play(rig, row, folder):
    server = Server(row.behave, rig.context)
    try:
        run, took, memory = run_probe(rig, server, row.role, folder)
    finally:
        server.close()
    expect("stderr", run.err, "")
    expect("faults", run.faults(), row.faults)
    expect("exit code", run.code, row.code)
    told = [each["evidence"] for each in run.told["faults"]] + run.told["unknown"]
    expect(f"\"{row.says}\" in {told}", any(row.says in text for text in told) or not row.says, True)
    expect("controls", re.findall(r"[^\x20-\x7e\n]", run.out), [])
    if took > row.seconds + SLACK:
        raise AssertionError(f"took {took:.1f} s, not {row.seconds} and {SLACK}")
    if memory > MEMORY_KB:
        raise AssertionError(f"took {memory} kB, not {MEMORY_KB}")
    expect("sent", [line for line in server.lines if not ALLOWED.fullmatch(line)], [])
    expect("sent before it was asked", [said for said in server.early if said != (b"STARTTLS\r", b"NOOP\r\n")], [])


def progress(rig, _folder):
    """On a terminal it says that it goes on, after a second, and takes that back; elsewhere nothing (see play())."""
    server = Server(honest(offer=OFFER.replace(b"AUTH", b"XAUTH"), delay=0.8 * STEP), rig.context)
    ours, theirs = pty.openpty()
    try:
        subprocess.run([str(PROGRAM), "probe", "--port", str(server.port), "--timeout", str(STEP), "127.0.0.1"], stderr=theirs,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=BUDGET + STEP + SLACK)
        os.close(theirs)
        said = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        server.close()
    expect("progress", set(said.split("\r")), {"", "probing 127.0.0.1: 0 of 1 ports done", "\x1b[K"})


def main(words):
    tests = [(row.name, lambda rig, folder, row=row: play(rig, row, folder)) for row in ROWS] + [("progress", progress)]
    tests = [(name, run) for name, run in tests if not words or any(word in name for word in words)]
    failed = 0
    print(f"1..{len(tests)}")
    with tempfile.TemporaryDirectory(prefix="mailreeve-liars.") as folder:
        rig = Rig(pathlib.Path(folder))
        for number, (name, run) in enumerate(tests, 1):
            wrong = []
            try:
                run(rig, folder)
            except (AssertionError, ValueError, KeyError) as e:
                wrong = [str(e)]
            failed += tap.result(number, name, wrong)
    return int(failed != 0)


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
