# SPDX-License-Identifier: Apache-2.0
"""mailreeve-policyd under test: its life, its questions, its journal; and the TAP that the suites print."""
import atexit
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(REPOSITORY, os.environ.get("MAILREEVE_BUILD", "build/dev"))
PROGRAM = os.path.join(BUILD, "mailreeve-policyd")
with open(PROGRAM, "rb") as program:
    SANITIZED = re.search(rb"__[at]san_init", program.read()) is not None
SLOW = 4 if SANITIZED else 1            # limits of time are this much wider
USER = "nobody"
PATIENCE = 60                           # seconds until a wait counts as a failure

EX_UNAVAILABLE, EX_CONFIG = 69, 78

LISTENERS = """\
listeners:
  - {names: [smtp], port: 25, role: smtp}
  - {names: [submission], port: 587, role: submission}
  - {names: [submissions, smtps], port: 465, role: submissions}
"""

DUNNO = "DUNNO"
STARTTLS = "530 5.7.0 Must issue a STARTTLS command first"
AUTHENTICATE = "530 5.7.0 Authentication required"
NOT_ON_25 = "554 5.7.1 AUTH is not accepted on port 25; use 465 (TLS) or 587 (STARTTLS)"

# As Postfix 3.7 sends it: an authenticated client on 587 with TLS.
ATTRIBUTES = {
    "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
    "client_address": "192.0.2.17", "client_name": "host.example.net", "client_port": "58568",
    "reverse_client_name": "host.example.net", "server_address": "198.51.100.1", "server_port": "587",
    "helo_name": "client.example.com", "sender": "alice@example.com", "recipient": "bob@example.org",
    "recipient_count": "0", "queue_id": "", "instance": "", "size": "0", "etrn_domain": "", "stress": "",
    "sasl_method": "PLAIN", "sasl_username": "alice@example.com", "sasl_sender": "", "ccert_subject": "",
    "ccert_issuer": "", "ccert_fingerprint": "", "ccert_pubkey_fingerprint": "",
    "encryption_protocol": "TLSv1.3", "encryption_cipher": "TLS_AES_256_GCM_SHA384",
    "encryption_keysize": "256", "policy_context": "",
}
NO_TLS = {"encryption_protocol": "", "encryption_cipher": "", "encryption_keysize": "0"}
NO_AUTH = {"sasl_method": "", "sasl_username": ""}


class Failure(Exception):
    """What a test found wrong."""


def expect(condition, what):
    if not condition:
        raise Failure(what)


def same(got, expected, what):
    expect(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def wait_for(what, condition, limit=PATIENCE):
    """The condition's first true value; looks at it every few milliseconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < end, f"waited {limit} s in vain for {what}")
        time.sleep(0.005)


# ---- questions ----

def request(without=(), **changes):
    """The bytes of one request."""
    attributes = {**ATTRIBUTES, **changes}
    return "".join(f"{name}={value}\n" for name, value in attributes.items()
                   if name not in without).encode() + b"\n"


def check_reply(reply):
    """The action of one reply, which must be one that cannot be taken for PERMIT."""
    match = re.fullmatch(rb"action=(DUNNO|([45])[0-9][0-9] \2\.[0-9]{1,3}\.[0-9]{1,3} [ -~]+)", reply)
    expect(match, f"malformed reply {reply!r}")
    return match[1].decode()


class Client:
    """A connection to the daemon."""

    def __init__(self, address):
        """address: a path, or a (host, port)."""
        unix = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply's action; None when the connection ended instead."""
        while b"\n\n" not in self.rest:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                expect(not self.rest, f"half a reply: {self.rest!r}")
                return None
            self.rest += more
        reply, self.rest = self.rest.split(b"\n\n", 1)
        return check_reply(reply)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def ask(self, without=(), **changes):
        self.send(request(without, **changes))
        return self.reply()

    def no_more(self):
        """Ends our side; there must be nothing but the end of theirs."""
        self.socket.shutdown(socket.SHUT_WR)
        same(self.reply(), None, "what came after the last reply")


# ---- the daemon ----

# Hands over sockets as systemd does (sd_listen_fds(3)): PATH... NAMES -- COMMAND...
LAUNCHER = """
import os, socket, sys
*paths, names = sys.argv[1:sys.argv.index("--")]
for number, path in enumerate(paths, 3):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    fd = s.detach()
    if fd != number:
        os.dup2(fd, number)
        os.close(fd)
    os.set_inheritable(number, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(paths)), LISTEN_FDNAMES=names)
command = sys.argv[sys.argv.index("--") + 1:]
os.execv(command[0], command)
"""


class Daemon:
    """A daemon with a folder of its own, started and ready."""
    running = []
    fences = 0

    def __init__(self, mode="enforce", listen=None, listeners=LISTENERS, more="", start=True, **how):
        """more: further lines of configuration; how: see start()."""
        self.folder = tempfile.mkdtemp(prefix="mailreeve-test-")
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "policyd.sock")
        self.config = os.path.join(self.folder, "mailreeve.yaml")
        self.log = os.path.join(self.folder, "log")
        self.journal_path = os.path.join(self.folder, "journal")
        self.mode, self.listeners, self.more = mode, listeners, more
        self.listen = listen or [f'"unix:{self.path}"']
        self.min_free = "min_free: 0%"
        self.group = ""
        self.view = ""              # what leads to its folders from our side
        self.process = None
        self.mark = 0               # where in the log the present process began
        Daemon.running.append(self)
        self.configure()
        if start:
            self.start(**how)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.end(check=kind is None)

    def configure(self, mode=None, more=None):
        group = f", group: {self.group}" if self.group else ""
        self.write_config(f"mode: {mode or self.mode}\n{self.listeners}"
                          f"policyd: {{listen: [{', '.join(self.listen)}]{group}}}\n"
                          f"journal: {{path: {self.journal_path}, {self.min_free}}}\n"
                          f"{self.more if more is None else more}")

    def write_config(self, text):
        """In one step: a reload may be reading it."""
        with open(self.config + ".new", "w") as f:
            f.write(text)
        os.rename(self.config + ".new", self.config)

    def start(self, prefix=(), user=USER, env=None, wait=True, **popen):
        """prefix: a command that becomes the daemon (exec)."""
        command = [*prefix, PROGRAM, "-c", self.config, "--stderr"] + (["-u", user] if user else [])
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(env or {})}, **popen)
        if wait:
            wait_for("the daemon to be ready", lambda: ": ready\n" in self.logged() or self.dead())

    def dead(self):
        expect(self.process.poll() is None, f"it ended with {self.process.returncode}: {self.logged()[-2000:]}")

    @property
    def pid(self):
        return self.process.pid

    def logged(self):
        """What the present process said."""
        with open(self.log, errors="replace") as f:
            f.seek(self.mark)
            return f.read()

    def ended(self, limit=PATIENCE):
        """Its exit code, when it ends by itself."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"it did not end within {limit} s: {self.logged()[-2000:]}") from None

    def stop(self, limit=PATIENCE):
        os.kill(self.pid, signal.SIGTERM)
        same(self.ended(limit), 0, "exit code after SIGTERM")
        self.check_sane()

    def check_sane(self):
        log = self.logged()
        for word in ("Sanitizer", "runtime error:", "assert"):
            expect(word not in log, f"sanitizer: {log[max(0, log.find(word) - 200):][:4000]}")

    def end(self, check=True):
        """Stops it if it runs, and removes the folder."""
        try:
            if self.process and self.process.poll() is None:
                if check:
                    self.stop()
                else:
                    os.kill(self.pid, signal.SIGKILL)
                    self.process.wait(PATIENCE)
            elif check and self.process:
                self.check_sane()
        finally:
            if self.process and self.process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
                self.process.wait()
            if self in Daemon.running:
                Daemon.running.remove(self)
            shutil.rmtree(self.folder, ignore_errors=True)

    def hang_up(self):
        os.kill(self.pid, signal.SIGHUP)

    def reload(self, ok=True):
        """SIGHUP, and waits until that is done."""
        before = len(self.reloads())
        self.hang_up()
        wait_for("the reload", lambda: len(self.reloads()) > before)
        same(self.reloads()[-1]["ok"], ok, "the reload's success")

    # ---- what it shows ----

    def client(self, address=None):
        return Client(address or self.path)

    def ask(self, without=(), **changes):
        with self.client() as client:
            return client.ask(without, **changes)

    def segments(self):
        paths = glob.glob(self.view + os.path.join(self.journal_path, "mailreeve-policyd", "*.jsonl"))
        return sorted(paths, key=lambda path: int(path.rsplit("-", 1)[1].split(".")[0]))

    def journal(self, event=None):
        """The lines so far; every whole one must be JSON."""
        lines = []
        for path in self.segments():
            with open(path, "rb") as f:
                text = f.read()
            lines += [json.loads(line) for line in text[:text.rfind(b"\n") + 1].splitlines()]
        return [line for line in lines if event in (None, line["event"])]

    def decisions(self, **fields):
        return [line for line in self.journal("decision")
                if all(line.get(name) == value for name, value in fields.items())]

    def settled(self, **fields):
        """Like decisions(), when everything that was asked until now is in the journal."""
        Daemon.fences += 1
        fence = f"fence.{Daemon.fences}"
        self.ask(instance=fence)
        wait_for("the journal", lambda: self.decisions(instance=fence))
        return self.decisions(**fields)

    def reloads(self):
        return self.journal("reload")

    def status(self):
        with open(self.view + os.path.join(self.journal_path, "mailreeve-policyd", "status")) as f:
            return json.load(f)

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        """Bytes of memory of its own."""
        with open(f"/proc/{self.pid}/smaps_rollup") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Private_")) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- TAP ----

tests = []
notes = []


def test(function):
    """Registers a test; its docstring is its name."""
    tests.append(function)
    return function


def note(text):
    """A line of diagnostics, told with the test that is running."""
    notes.append(text)


def clean_up():
    for daemon in list(Daemon.running):
        daemon.end(check=False)


atexit.register(clean_up)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def main():
    """Runs the tests whose names contain one of the arguments; all without arguments."""
    chosen = [t for t in tests if len(sys.argv) < 2 or any(a in t.__name__ for a in sys.argv[1:])]
    print(f"1..{len(chosen)}")
    failed = 0
    for number, function in enumerate(chosen, 1):
        notes.clear()
        begun, trouble = time.monotonic(), ""
        try:
            function()
        except Failure as e:
            trouble = f"line {traceback.extract_tb(e.__traceback__)[1].lineno}: {e}"
        except Exception:
            trouble = traceback.format_exc()
        failed += bool(trouble)
        print(f"{'not ok' if trouble else 'ok'} {number} - {function.__doc__}")
        for line in [*notes, f"{time.monotonic() - begun:.1f} s", *trouble.splitlines()]:
            print(f"# {line}")
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
