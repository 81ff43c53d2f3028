# SPDX-License-Identifier: Apache-2.0
"""mailreeve-tap looking on at one of the private MTAs, with a configuration that names the MTA's ports."""
import contextlib
import socket

from daemons import Trouble, wait_for
from plugin import Plugin

CONFIG = """\
mode: audit
listeners:
{listeners}
monitors: [{monitors}]
journal: {{path: {journal}}}
"""
LISTENER = "  - {{names: [{0.name}], port: {0.port}, role: {0.role}}}"


class Policy:
    """The configuration file of a machine with one MTA, and the journal's place."""

    def __init__(self, workshop, name, listeners, monitors, proxied=()):
        """monitors: a network; proxied: names of listeners."""
        self.folder = workshop.folder(name)
        self.file, self.journal, self.listeners = self.folder / "mailreeve.yaml", self.folder / "journal", listeners
        self.journal.mkdir()
        self.file.write_text(CONFIG.format(
            listeners="\n".join(map(LISTENER.format, listeners)), monitors=f'"{monitors}"',
            proxied=", ".join(str(each.port) for each in listeners if each.name in proxied), journal=self.journal))


class Wiretap(Plugin):
    name, user = "mailreeve-tap", "list"

    def start(self):
        """It has to see packets: if it may not, its own words are the trouble."""
        super().start()
        self.fence_port = next(each.port for each in self.configuration.listeners if each.role == "submission")

    def sessions(self):
        """All that it has seen so far, when it has stopped: {(client's address, port): session events}. A connection of our
        own, whose event has to come, shows that it has got so far."""
        seen = {}
        with socket.create_connection(("127.0.0.1", self.fence_port)) as ours, contextlib.suppress(OSError):
            fence = ours.getsockname()
            ours.recv(1)
        lines = self.new_lines()

        def arrived():
            lines.extend(self.new_lines())
            return any((line.get("client_address"), line.get("client_port")) == fence for line in lines)
        try:
            wait_for("mailreeve-tap to journal a connection", arrived)
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{self.logged()}") from None
        if code := self.stop():
            raise Trouble(f"mailreeve-tap ended with {code}\n{self.logged()}")
        lines += self.new_lines()
        for line in lines:
            if line["event"] == "session" and (line["client_address"], line["client_port"]) != fence:
                seen.setdefault((line["client_address"], line["client_port"]), []).append(line)
        return seen
