# SPDX-License-Identifier: Apache-2.0
"""mailreeve-gate on a private Postfix, by the lines of etc/postfix/master.cf.gate as they are installed, chrooted smtpd and all; beside
it a submission port with a real Dovecot, and one that was pointed at the gate by mistake."""
import base64
import dataclasses
import glob
import json
import os
import pathlib
import pwd
import signal
import socket
import ssl
import sys
import time

import certs
import dovecot
from daemons import HAVE_IPV6, Trouble, Workshop, free_ports, wait_for
from plugin import program
from postfix import MAIL_OWNER, Postfix
from tree import REPOSITORY

NAME, USER = "mailreeve-gate", "nobody"
TEXT = "AUTH is not accepted on port 25; your password was not checked; use 465 or 587"
REFUSED = f"535 5.7.8 Error: authentication failed: {TEXT}"
SECONDS = 30
QUEUE = "/var/spool/postfix"

# What systemd does between fork and exec: the socket is descriptor 3.
PASS_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def lines_of(name):
    return [line for line in (REPOSITORY / "etc" / name).read_text().splitlines() if line.strip() and not line.startswith("#")]


@dataclasses.dataclass
class Port:
    """A listener: its lines for master.cf and where it is."""
    name: str
    options: dict
    limit: str = "-"        # how many processes it may have
    port: int = 0


def pasted(**changes):
    """The -o lines of master.cf.gate, some of them changed."""
    _, *options = lines_of("postfix/master.cf.gate")
    found = dict(line.strip().removeprefix("-o ").split("=", 1) for line in options)
    assert set(changes) <= set(found) | {"max_use"}
    return {"smtpd_tls_security_level": "may", **found, **changes}


DOVECOT = {"smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes", "smtpd_sasl_auth_enable": "yes",
           "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth", "syslog_name": "postfix/submission"}
OPTIONS = "noplaintext,noactive,nodictionary,noanonymous,forward_secrecy,mutual_auth"


class GateRig:
    """Everything up, as a context manager."""

    def __init__(self, ports, settings=""):
        if os.geteuid() != 0:
            raise Trouble("this starts a private Postfix, which has to begin as root; run it as root")
        if not program(NAME).exists():
            raise Trouble(f"{program(NAME)} is not there; run: make")
        self.ports = {each.name: each for each in ports}
        self.workshop = Workshop()
        self.process = self.held = None
        self.refused = 0                # how often a client was told so
        try:
            self.start_all(list(ports), settings)
        except BaseException:
            self.workshop.__exit__(None, None, None)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        if self.held:
            self.held.close()
        self.process.send_signal(signal.SIGCONT)
        self.workshop.__exit__(*problem)

    def start_all(self, ports, settings):
        for each, number in zip(ports, free_ports(len(ports))):
            each.port = number
        certificates = certs.make_all(self.workshop.folder("certificates"))
        self.believed = str(certificates["server"].file)
        self.mta = Postfix(self.workshop)
        _, path, mode, *_ = next(line for line in lines_of("tmpfiles.d/mailreeve.conf") if "-gate" in line).split()
        self.folder = pathlib.Path(path.replace(QUEUE, str(self.mta.spool)))
        self.folder.mkdir()
        os.chown(self.folder, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(MAIL_OWNER).pw_gid)
        self.folder.chmod(int(mode, 8))
        self.socket = self.folder / "gate.sock"
        self.journal = self.workshop.folder("journal")
        self.log = self.workshop.path / "gate.log"
        self.start()
        if any(each.options.get("smtpd_sasl_path") == DOVECOT["smtpd_sasl_path"] for each in ports):
            os.link(dovecot.start(self.workshop), self.mta.spool / "private" / "auth")      # seen from the chroot
        services = []
        for each in ports:
            for address in ["127.0.0.1"] + ["[::1]"] * HAVE_IPV6:
                services += [f"{address}:{each.port} inet n - y - {each.limit} smtpd",
                             *(f"  -o {{ {name} = {value} }}" for name, value in each.options.items())]
        self.mta.start([each.port for each in ports], "\n".join(services), certificates["server"], "none", settings)

    # ---- the gate's life ----

    def start(self):
        """The gate, with a socket of its own, or with the one that is held for it."""
        before = self.logged().count(": ready\n")
        command = [program(NAME), "--journal", self.journal, "--stderr", "-u", USER]
        command += [] if self.held else ["--socket", self.socket]
        if self.held:
            command = [sys.executable, "-c", PASS_ON, self.held.fileno(), *command]
        self.process = self.workshop.start(command, self.log, pass_fds=[self.held.fileno()] if self.held else [])
        wait_for("the gate", lambda: self.logged().count(": ready\n") > before or self.died())

    def died(self):
        if self.process.poll() is not None:
            raise Trouble(f"the gate ended with {self.process.returncode}: {self.logged()}")
        return False

    def stop(self):
        """As `systemctl stop` does."""
        if status := self.workshop.stop(self.process):
            raise Trouble(f"exit status {status}: {self.logged()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.workshop.stop(self.process)

    def hold(self):
        """From now on this process holds the socket, as systemd would, before the gate is there and when it has gone."""
        self.socket.unlink(missing_ok=True)
        self.held = socket.socket(socket.AF_UNIX)
        self.held.bind(str(self.socket))
        self.held.listen(100)
        os.chown(self.socket, 0, pwd.getpwnam(MAIL_OWNER).pw_gid)
        self.socket.chmod(0o660)

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self):
        """All refusals in the journal."""
        found = []
        for path in sorted(glob.glob(f"{self.journal}/{NAME}/*.jsonl"), key=lambda path: int(path.rsplit("-", 1)[1].split(".")[0])):
            text = pathlib.Path(path).read_text()
            found += [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        return [line for line in found if line["event"] == "auth_refused"]

    # ---- clients ----

    def session(self, name, host="127.0.0.1"):
        return Session(self, self.ports[name].port, host)


class Gone(Trouble):
    """The server closed the connection, or said nothing for too long."""


class Session:
    """An SMTP client, line by line. What it is told is a string: the last line of a reply, or all of them."""

    def __init__(self, rig, port, host="127.0.0.1"):
        self.rig, self.rest = rig, b""
        self.socket = socket.create_connection((host, port), SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def replies(self):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            while b"\n" not in self.rest:
                try:
                    more = self.socket.recv(65536)
                except TimeoutError:
                    raise Gone("silent") from None
                except OSError:
                    more = b""
                if not more:
                    raise Gone("closed")
                self.rest += more
            line, self.rest = self.rest.split(b"\n", 1)
            lines.append(line.decode("utf-8", "replace").rstrip("\r"))
        return lines

    def say(self, *lines):
        """Say lines one after the other, each after the reply to the one before; the last reply."""
        for line in lines:
            try:
                self.socket.sendall(line.encode() + b"\r\n")
            except OSError:
                raise Gone("closed") from None
            said = self.replies()
            self.rig.refused += said[-1] == REFUSED
        return said[-1]

    def greet(self):
        return self.replies()[-1]

    def ehlo(self):
        self.socket.sendall(b"EHLO client.example.com\r\n")
        return self.replies()

    def start_tls(self):
        if not self.say("STARTTLS").startswith("220 "):
            raise Gone("no STARTTLS")
        context = ssl.create_default_context(cafile=self.rig.believed)
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=certs.HOST)
        except OSError:
            raise Gone("closed") from None


def encode(text):
    return base64.b64encode(text.encode()).decode()
