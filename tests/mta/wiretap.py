# SPDX-License-Identifier: Apache-2.0
"""mailreeve-tap looking on at one of the private MTAs, with a configuration that names the MTA's ports."""
import collections
import socket

from daemons import Trouble, wait_for
from listeners import SUBMISSION
from plugin import Plugin

CONFIG = """\
mode: audit
listeners:
{listeners}
monitors: [{monitors}]
tap: {{interface: lo, proxied_ports: [{proxied}]}}
journal: {{path: {journal}}}
"""


def rows(listeners):
    """The listeners, each by its own name, and the first that has it by the MTA's name for it."""
    given = {each.name for each in listeners}
    for each in listeners:
        names = [each.name] + [each.told] * (each.told not in given)
        given.add(each.told)
        yield f"  - {{names: [{', '.join(names)}], port: {each.port}, role: {each.role}}}"


class Policy:
    """The configuration file of a machine with one MTA, and the journal's place."""

    def __init__(self, workshop, name, listeners, monitors, proxied=()):
        """monitors: a network; proxied: names of listeners."""
        self.folder = workshop.folder(name)
        self.file, self.journal, self.listeners = self.folder / "mailreeve.yaml", self.folder / "journal", listeners
        self.journal.mkdir()
        self.file.write_text(CONFIG.format(
            listeners="\n".join(rows(listeners)), monitors=f'"{monitors}"',
            proxied=", ".join(str(each.port) for each in listeners if each.name in proxied), journal=self.journal))


class Wiretap(Plugin):
    """The daemon itself. That it may not capture is trouble, told in its own words: nothing is skipped."""
    name, user = "mailreeve-tap", "list"

    def written(self):
        """All that it has written: journal, status, log."""
        files = [self.log, *(each for folder in self.directories() for each in folder.iterdir())]
        return "\n".join(each.read_text(errors="replace") for each in files)

    def session_events(self):
        """{(client's address, port): the session events} of all that has been, and stops it. A connection of our own, whose
        event has to come, shows that it has got so far."""
        port = next(each.port for each in self.configuration.listeners if each.role == SUBMISSION)
        with socket.create_connection(("127.0.0.1", port)) as ours:
            fence = ours.getsockname()
            ours.recv(1)
        lines = []

        def arrived():
            lines.extend(self.new_lines())
            return any(client(line) == fence for line in lines)
        try:
            wait_for("mailreeve-tap to journal a connection", arrived)
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{self.logged()}") from None
        if code := self.stop():
            raise Trouble(f"mailreeve-tap ended with {code}\n{self.logged()}")
        events = collections.defaultdict(list)
        for line in lines + self.new_lines():
            if line["event"] == "session" and client(line) != fence:
                events[client(line)].append(line)
        return events


def client(line):
    return line.get("client_address"), line.get("client_port")
