# SPDX-License-Identifier: Apache-2.0
"""mailreeve-gate under test: its life, a client of its protocol, its journal. What it shares with mailreeve-policyd's tests is theirs."""
import base64
import glob
import hashlib
import hmac
import os
import pathlib
import re
import socket
import subprocess
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parent.parent / "policyd"))

from daemon import BUILD, PATIENCE, USER, Daemon, expect, same, wait_for  # noqa: E402

NAME = "mailreeve-gate"
PROGRAM = os.path.join(BUILD, NAME)
TEXT = "AUTH is not accepted on port 25; your password was not checked; use 465 or 587"
SERVICE = "mailreeve-25"
HELLO = re.compile(rb"VERSION\t1\t2\n(?:MECH\t[A-Z0-9-]+(?:\t[a-z-]+)*\n)+SPID\t\d+\nCUID\t\d+\nCOOKIE\t[0-9a-f]{32}\nDONE\n")
ASK = "CONT\t{}\tVXNlcm5hbWU6"
BOB, PASSWORD = "bob@example.com", "hunter2.correct-horse"


def encode(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(user=BOB, password=PASSWORD):
    return encode(f"\0{user}\0{password}")


def auth(number, mechanism="PLAIN", response=None, service=SERVICE, client="192.0.2.17", server="198.51.100.1", tls=False):
    """The line, as Postfix 3.7 sends it."""
    fields = ["AUTH", str(number), mechanism, f"service={service}", "nologin", f"lip={server}", f"rip={client}"]
    fields += ["secured"] * tls + ([] if response is None else [f"resp={response}"])
    return "\t".join(fields)


def fail(number, text=TEXT):
    return f"FAIL\t{number}\treason={text}"


class Peer:
    """A connection to the gate, past the handshake."""

    def __init__(self, path, pid=4711, greet=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.rest = b""
        if greet:
            self.greet(pid)

    def greet(self, pid=4711):
        self.send("VERSION\t1\t0", f"CPID\t{pid}")
        self.hello = b""
        while not self.hello.endswith(b"DONE\n"):
            line = self.line()
            expect(line is not None, f"closed within the handshake, after {self.hello!r}")
            self.hello += line.encode() + b"\n"
        expect(HELLO.fullmatch(self.hello), f"the handshake: {self.hello!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *lines):
        self.socket.sendall("".join(line + "\n" for line in lines).encode())

    def line(self):
        """The next line; None: closed."""
        while b"\n" not in self.rest:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def ask(self, *arguments, **how):
        self.send(auth(*arguments, **how))
        return self.line()

    def refused(self, *arguments, **how):
        same(self.ask(*arguments, **how), fail(arguments[0]), "the answer")

    def closed(self):
        same(self.line(), None, "what came instead of the end")


class Gate(Daemon):
    """A mailreeve-gate with a folder of its own, started and ready."""

    def __init__(self, *options, journal=True, start=True, **how):
        super().__init__(start=False)
        self.path = os.path.join(self.folder, "gate.sock")
        self.options = options
        self.journaling = journal
        if start:
            self.start(**how)

    def configure(self, *_):
        pass

    def start(self, prefix=(), user=USER, env=None, wait=True, listen=True, **popen):
        command = [*prefix, PROGRAM, *(["--socket", self.path] if listen else []), "--stderr", *(["-u", user] if user else []),
                   *(["--journal", self.journal_path] if self.journaling else []), *self.options]
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(env or {})}, **popen)
        if wait:
            wait_for("the gate to be ready", lambda: ": ready\n" in self.logged() or self.dead())

    def peer(self, **how):
        return Peer(self.path, **how)

    def refuse(self, *arguments, **how):
        """One refusal on a connection of its own."""
        with self.peer() as peer:
            peer.refused(*(arguments or (1,)), **how)

    def segments(self):
        paths = glob.glob(self.view + os.path.join(self.journal_path, NAME, "*.jsonl"))
        return sorted(paths, key=lambda path: int(path.rsplit("-", 1)[1].split(".")[0]))

    def refusals(self, count):
        """The refusals in the journal, when there are so many."""
        wait_for(f"{count} refusals in the journal", lambda: len(self.journal("auth_refused")) >= count or self.dead())
        lines = self.journal("auth_refused")
        same(len(lines), count, "refusals in the journal")
        return lines

    def hash(self, kind, data):
        """As docs/journal.md says it, "Privacy"."""
        with open(os.path.join(self.view + self.journal_path, "secret"), "rb") as f:
            secret = f.read()
        return "h:" + hmac.new(secret, kind.encode() + b"\0" + data, hashlib.sha256).hexdigest()[:16]

    def user_hash(self, user):
        return self.hash("user", user.encode().lower())
