# SPDX-License-Identifier: Apache-2.0
"""Does milload notice what a filter can do wrong, and send what it was asked for? And does millimit
answer as it says? Part of selftest.py."""

import json
import os
import socket
import struct
import subprocess
import threading
import time
from typing import NamedTuple, Optional

GOOD_SESSIONS = 6  # then the filter does its one wrong thing

# mfdef.h
NORCPT, NOBODY, NOHDRS, NOEOH, NR_HDR, NODATA = 0x8, 0x10, 0x20, 0x40, 0x80, 0x200
NR_CONN, NR_HELO, NR_MAIL = 0x1000, 0x2000, 0x4000
SETSYMLIST = 0x100
ANSWERS_ALL = NORCPT | NODATA | NOBODY
STEPS = ANSWERS_ALL | NR_CONN | NR_HELO
PLAIN = STEPS | NOHDRS | NOEOH
HEADERS = STEPS | NR_HDR
LISTS = ((0, "v {daemon_port} {tls_version}"), (1, "{tls_version}"), (2, "i {auth_authen}"),
         (6, "i"))


def packet(letter, data=b""):
    return struct.pack(">I", len(data) + 1) + letter + data


def terms(steps, actions=SETSYMLIST, version=6):
    lists = b"".join(struct.pack(">I", n) + text.encode() + b"\0" for n, text in LISTS)
    return struct.pack(">III", version, actions, steps) + lists


CONTINUE, ACCEPT, REJECT = packet(b"c"), packet(b"a"), packet(b"r")


def refusal(text):
    return packet(b"y", text)


class Case(NamedTuple):
    """A filter that answers rightly at first. When is the command at which it then says something
    else: what, or None for nothing, or "close"."""
    title: str
    fault: Optional[str]  # what milload must call it; None: it always answers rightly
    when: bytes = b"M"
    says: object = ACCEPT
    steps: int = PLAIN
    options: tuple = ()


CASES = [
    Case("passes", None),
    Case("headers", None, steps=HEADERS),
    Case("answers everything", None, steps=ANSWERS_ALL, options=("-i", "20")),
    Case("ten mails", None, steps=HEADERS, options=("-n", "10")),
    Case("refuses", "wrong_verdict", says=refusal(b"550 5.7.1 No\0")),
    Case("rejects without a text", "wrong_verdict", says=REJECT),
    Case("wants no headers, says CONTINUE", "wrong_verdict", says=CONTINUE),
    Case("wants headers, says ACCEPT", "wrong_verdict", says=ACCEPT, steps=HEADERS),
    Case("refuses with another text", "wrong_verdict", says=refusal(b"550 5.7.1 No\0"),
         options=("-v",)),
    Case("CONTINUE at EOH", "wrong_verdict", b"N", CONTINUE, HEADERS),
    Case("refuses at EOH", "malformed", b"N", refusal(b"550 5.7.1 No\0"), HEADERS),
    Case("two answers", "extra_bytes", says=ACCEPT + ACCEPT),
    Case("a byte too many", "extra_bytes", says=ACCEPT + b"\0"),
    Case("answers QUIT", "extra_bytes", b"Q", CONTINUE),
    Case("answers a header", "extra_bytes wrong_verdict", b"L", CONTINUE, HEADERS),
    Case("empty packet", "malformed", says=struct.pack(">I", 0)),
    Case("endless packet", "malformed", says=struct.pack(">I", 1 << 30) + b"a"),
    Case("unknown letter", "malformed", says=packet(b"Z")),
    Case("ACCEPT with data", "malformed", says=packet(b"a", b"x")),
    Case("a text without NUL", "malformed", says=refusal(b"550 5.7.1 No text")),
    Case("a text with two NUL", "malformed", says=refusal(b"550 5.7.1 No\0text\0")),
    Case("a text with a newline", "malformed", says=refusal(b"550 5.7.1 No\ntext\0")),
    Case("a text with one %", "malformed", says=refusal(b"550 5.7.1 100 % no\0")),
    Case("a text that permits", "malformed", says=refusal(b"250 2.0.0 Welcome\0")),
    Case("classes that differ", "malformed", says=refusal(b"550 4.7.1 No text\0")),
    Case("half an answer", "missing", says=b"\0\0\0"),
    Case("silence", "missing", says=None),
    Case("stays after QUIT", "missing", b"Q", None),
    Case("end instead of an answer", "closed", says="close"),
    Case("end before QUIT", "closed", b"A", "close"),
    Case("ends the idle ones", "closed", b"H", "close", options=("-i", "20")),
    Case("refuses the idle ones", "malformed", b"H", refusal(b"550 5.7.1 No\0"), ANSWERS_ALL,
         ("-i", "20")),
    Case("other terms later", "negotiation", b"O", packet(b"O", terms(PLAIN & ~NR_HELO))),
    Case("no answer at MAIL", "negotiation", steps=PLAIN | NR_MAIL),
    Case("wants the body", "negotiation", steps=PLAIN & ~NOBODY),
    Case("wants what was not offered", "negotiation", steps=PLAIN | 0x400000),
]


class Filter:
    """A filter that keeps to a Case, and counts macros: {(command, name): how often}."""

    def __init__(self, folder, case):
        self.case = case
        self.sessions = 0
        self.macros = {}
        self.listener = socket.socket(socket.AF_UNIX)
        path = os.path.join(folder, "m%d" % time.monotonic_ns())
        self.listener.bind(path)
        self.listener.listen(64)
        self.address = "unix:" + path
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(sock,), daemon=True).start()

    def talk(self, sock):
        self.sessions += 1
        try:
            with sock, sock.makefile("rb") as stream:
                wrong = self.case.fault is not None and self.sessions > GOOD_SESSIONS
                while self.answer(sock, stream, wrong):
                    pass
        except OSError:
            pass

    def answer(self, sock, stream, wrong):
        """Reads one packet; False when the connection is to end."""
        head = stream.read(5)
        if len(head) < 5:
            return False
        letter, data = head[4:], stream.read(struct.unpack(">I", head[:4])[0] - 1)
        if letter == b"D":
            for name in data[1:].split(b"\0")[:-1:2]:
                self.macros[data[:1], name] = self.macros.get((data[:1], name), 0) + 1
        if wrong and letter == self.case.when:
            if self.case.says == "close":
                return False
            sock.sendall(self.case.says or b"")
            return letter != b"Q" or self.case.says is None
        return letter != b"Q" and self.right_answer(sock, letter, data)

    def right_answer(self, sock, letter, data):
        steps = self.case.steps
        answers = {b"O": packet(b"O", terms(steps)), b"N": ACCEPT, b"M": ACCEPT}
        if not steps & NOHDRS and data.startswith(b"<c."):
            answers[b"M"] = CONTINUE
        for command, no_reply in ((b"C", NR_CONN), (b"H", NR_HELO), (b"L", NR_HDR)):
            if not steps & no_reply:
                answers[command] = CONTINUE
        sock.sendall(answers.get(letter, b""))
        return True

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def milload(build, address, *options):
    run = subprocess.run([os.path.join(build, "milload"), "-c", "2", "-s", "0.2", "-w", "0.05",
                          "-t", "1", *options, address], stdout=subprocess.PIPE, check=False)
    return run.returncode, json.loads(run.stdout)


def right(code, result):
    return code == 0 and result["failed"] == 0 and result["sessions"] > 0


def try_case(folder, build, case):
    filter_ = Filter(folder, case)
    patience = ("-s", "0.5") if case.fault is None else ()
    code, result = milload(build, filter_.address, *case.options, *patience)
    filter_.close()
    if case.fault is None:
        return right(code, result)
    return code == 1 and any(result["faults"][fault] for fault in case.fault.split())


def try_macros(folder, build):
    """Those that were asked for, at their stage, and no others; absent where the MTA has none."""
    case = Case("", None, steps=HEADERS)
    filter_ = Filter(folder, case)
    milload(build, filter_.address, "-m", "submission")
    filter_.close()
    return set(filter_.macros) == {
        (b"C", b"v"), (b"C", b"{daemon_port}"), (b"C", b"{tls_version}"), (b"H", b"{tls_version}"),
        (b"M", b"i"), (b"M", b"{auth_authen}"), (b"L", b"i"), (b"N", b"i")}


def try_hold(build, address):
    with subprocess.Popen([os.path.join(build, "milload"), "--hold", "-i", "100", address],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        first = holder.stdout.readline()
        result = json.loads(holder.communicate()[0])
    return holder.returncode == 0 and first == b"holding 100\n" and result["failed"] == 0


def try_limit(folder, build, *options):
    """With millimit -H or without."""
    address = "unix:" + os.path.join(folder, "limit" + "".join(options))
    name = " ".join(("millimit", *options))
    with subprocess.Popen([os.path.join(build, "millimit"), *options, address],
                          stderr=subprocess.PIPE) as limit:
        limit.stderr.readline()
        for mix in ("all", "pass", "smtp", "submission"):
            yield "%s: mix %s" % (name, mix), right(*milload(build, address, "-m", mix))
        yield name + ": ten mails", right(*milload(build, address, "-n", "10"))
        yield name + ": idle sessions", right(*milload(build, address, "-i", "200"))
        yield name + ": refuses nobody", milload(
            build, address, "-v")[1]["faults"]["wrong_verdict"] > 0
        yield name + ": held", try_hold(build, address)
        limit.kill()


def tests(folder, build):
    for case in CASES:
        yield "milload: " + case.title, try_case(folder, build, case)
    yield "milload: macros", try_macros(folder, build)
    code, result = milload(build, "unix:" + os.path.join(folder, "nobody"))
    yield "milload: nobody there", code == 1 and result["faults"]["no_connection"] > 0
    yield from try_limit(folder, build)
    yield from try_limit(folder, build, "-H")
