# SPDX-License-Identifier: Apache-2.0
"""mailreeve-policyd under test: its configuration, starting and upsetting it, asking it directly, its journal."""
import json
import os
import signal
import socket

import tree
from daemons import Trouble, wait_for
from postfix import GROUP

USER = "proxy"                      # who it becomes: an account that every Debian has
TRUSTED, EXCEPTED, EXPIRED = "127.0.0.9", "127.0.0.17", "127.0.0.18"    # where the clients of some cases come from

CONFIG = """\
mode: enforce
listeners:
{listeners}
trusted: {{networks: ["{trusted}"], client_certificates: ["{relay}"]}}
exceptions:
  - {{client: ["{excepted}"], allow: [{allow}], until: 2999-12-31, reason: "old copier", owner: "help desk"}}
  - {{client: ["{expired}"], allow: [{allow}], until: {until}, reason: "old scanner", owner: "help desk"}}
policyd: {{listen: ["unix:{socket}", "inet:127.0.0.1:{port}"], group: {group}}}
journal: {{path: {journal}}}
"""
ALLOWED = "tls-required, auth-required"
LONG_AGO = "2026-01-01"
OURSELVES = "192.0.2.254"           # who asks in ask(); its decisions are not counted

REQUEST = {
    "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP", "client_address": OURSELVES,
    "client_name": "unknown", "client_port": "1", "reverse_client_name": "unknown", "server_address": "127.0.0.1",
    "helo_name": "client.example.com", "sender": "alice@example.com", "recipient": "bob@example.com",
    "recipient_count": "0", "queue_id": "", "size": "0", "etrn_domain": "", "stress": "", "sasl_method": "PLAIN",
    "sasl_username": "alice@example.com", "sasl_sender": "", "ccert_subject": "", "ccert_issuer": "",
    "ccert_fingerprint": "", "ccert_pubkey_fingerprint": "", "encryption_protocol": "TLSv1.3",
    "encryption_cipher": "TLS_AES_256_GCM_SHA384", "encryption_keysize": "256",
}


def program():
    """The program under test: build/dev/mailreeve-policyd, or the one in $MAILREEVE_BUILD."""
    return tree.REPOSITORY / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve-policyd"


class Policyd:
    def __init__(self, workshop, listeners, port, relay):
        """Write the configuration for these listeners and start; port is for the TCP socket, relay the fingerprint of a
        trusted client's certificate."""
        self.workshop, self.listeners, self.port, self.relay = workshop, listeners, port, relay
        self.folder = workshop.folder("mailreeve")
        self.socket, self.config, self.log = (self.folder / name for name in ("policyd.sock", "mailreeve.yaml", "log"))
        self.journal = self.folder / "journal"
        self.journal.mkdir()
        self.fences = 0
        self.segments = {}          # journal file: how much of it has been read
        self.configure()
        self.start()

    @property
    def sockets(self):
        """What Postfix calls its two sockets."""
        return {"unix": f"unix:{self.socket}", "inet": f"inet:127.0.0.1:{self.port}"}

    def configure(self, until=LONG_AGO, extra=""):
        """Write the configuration file; until: when the exception for EXPIRED ends; extra: more lines."""
        rows = [f"  - {{names: [{each.name}], port: {each.port}, role: {each.role}"
                + (f", {each.mailreeve}" if each.mailreeve else "") + "}" for each in self.listeners]
        self.config.write_text(CONFIG.format(
            listeners="\n".join(rows), trusted=TRUSTED, relay=self.relay,
            excepted=EXCEPTED, expired=EXPIRED, allow=ALLOWED, until=until,
            socket=self.socket, port=self.port, group=GROUP, journal=self.journal) + extra)

    # ---- its life ----

    def start(self):
        mark = self.mark()
        self.process = self.workshop.start([program(), "-c", self.config, "--stderr", "-u", USER], self.log)
        wait_for("mailreeve-policyd to be ready",
                 lambda: "ready" in self.logged(mark) or self.failed(), 30)

    def failed(self):
        if self.process.poll() is not None:
            raise Trouble(f"mailreeve-policyd ended with {self.process.returncode}:\n{self.logged()}")

    def stop(self):
        return self.workshop.stop(self.process)

    def kill(self):
        """The end without a warning."""
        self.process.kill()
        return self.stop()

    def hang_up(self):
        """SIGHUP: reload."""
        self.process.send_signal(signal.SIGHUP)

    def mark(self):
        return self.log.stat().st_size if self.log.exists() else 0

    def logged(self, mark=0):
        """What it has written to stderr since a mark."""
        with self.log.open(errors="replace") as log:
            log.seek(mark)
            return log.read()

    # ---- asking it without Postfix ----

    def port_of(self, name):
        return next(each.port for each in self.listeners if each.name == name)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(str(self.socket))
        return client

    def ask(self, client, **attributes):
        """One request over a connection; returns the reply up to its blank line, b"" when there is none."""
        lines = {**REQUEST, **attributes}
        client.sendall("".join(f"{name}={value}\n" for name, value in lines.items()).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n\n"):
            more = client.recv(4096)
            if not more:
                return b""
            reply += more
        return reply

    # ---- its journal ----

    def new_lines(self):
        """The journal lines that were not read before, in the order of writing."""
        lines = []
        for segment in sorted(self.journal.glob("mailreeve-policyd/*.jsonl"), key=lambda path: path.stat().st_mtime_ns):
            with segment.open("rb") as journal:
                journal.seek(self.segments.get(segment, 0))
                whole = journal.read()
            whole = whole[:whole.rfind(b"\n") + 1]
            self.segments[segment] = self.segments.get(segment, 0) + len(whole)
            lines += [json.loads(line) for line in whole.splitlines()]
        return lines

    def decisions(self):
        """The decisions about real clients journaled since the last call; a request of our own, sent now, is the last
        line to wait for."""
        self.fences += 1
        fence = f"fence.{os.getpid()}.{self.fences}"
        with self.connect() as client:
            self.ask(client, instance=fence, policy_context="alternate", server_port=self.port_of("alternate"))
        lines = []

        def arrived():
            lines.extend(self.new_lines())
            return any(line.get("instance") == fence for line in lines)
        wait_for("a line in the journal", arrived)
        return [line for line in lines if line.get("event") == "decision" and line.get("client_address") != OURSELVES]
