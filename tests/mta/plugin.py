# SPDX-License-Identifier: Apache-2.0
"""What the plug-ins under test share: one configuration file, and of each its life, its log and its journal."""
import json
import os
import pathlib
import signal

import tree
from daemons import Logging, Trouble, wait_for

TRUSTED, EXCEPTED, EXPIRED = "127.0.0.9", "127.0.0.17", "127.0.0.18"    # where the clients of some cases come from
ALLOWED = "tls-required, auth-required"
LONG_AGO = "2026-01-01"
OURSELVES = "192.0.2.254"           # who asks in fence(); what is said of it is not counted

CONFIG = """\
mode: enforce
listeners:
{listeners}
trusted: {{networks: ["{trusted}"], client_certificates: [{certificates}]}}
exceptions:
  - {{client: ["{excepted}"], allow: [{allow}], until: 2999-12-31, reason: "old copier", owner: "help desk"}}
  - {{client: ["{expired}"], allow: [{allow}], until: {until}, reason: "old scanner", owner: "help desk"}}
{sections}
journal: {{path: {journal}}}
"""


def program(name="mailreeve-policyd"):
    """A program under test: the one in build/dev, or in $MAILREEVE_BUILD."""
    return tree.REPOSITORY / os.environ.get("MAILREEVE_BUILD", "build/dev") / name


class Configuration:
    """mailreeve.yaml, one for all plug-ins as on a real machine, and the journal's place."""

    def __init__(self, workshop, listeners, certificates=()):
        """certificates: fingerprints of those that are trusted."""
        self.listeners, self.certificates = listeners, certificates
        self.folder = workshop.folder("mailreeve")
        self.file, self.journal = self.folder / "mailreeve.yaml", self.folder / "journal"
        self.journal.mkdir()
        self.sections = []          # what a plug-in has to say of itself

    def write(self, until=LONG_AGO, certificates=None, extra=""):
        """until: when the exception for EXPIRED ends; certificates: others than usual; extra: more lines."""
        certificates = self.certificates if certificates is None else certificates
        rows = [f"  - {{names: [{each.name}], port: {each.port}, role: {each.role}"
                + (f", {each.mailreeve}" if each.mailreeve else "") + "}" for each in self.listeners]
        self.file.write_text(CONFIG.format(
            listeners="\n".join(rows), trusted=TRUSTED, certificates=", ".join(f'"{each}"' for each in certificates),
            excepted=EXCEPTED, expired=EXPIRED, allow=ALLOWED, until=until,
            sections="\n".join(self.sections), journal=self.journal) + extra)


class Plugin(Logging):
    """One plug-in: a program, and what it leaves on disk. start() needs the configuration to be written."""
    name = ""                           # the program's
    user = ""                           # who it becomes: an account that every Debian has
    reload_signal = signal.SIGHUP

    def __init__(self, workshop, configuration):
        self.workshop, self.configuration = workshop, configuration
        self.log = configuration.folder / f"{self.name}.log"
        self.fences = 0
        self.segments = {}              # journal file: how much of it has been read

    # ---- its life ----

    def start(self):
        mark = self.mark()
        self.process = self.workshop.start(
            [program(self.name), "-c", self.configuration.file, "--stderr", "-u", self.user], self.log)
        wait_for(f"{self.name} to be ready", lambda: self.is_ready(self.logged(mark)) or self.failed(), 30)

    def is_ready(self, log):
        return "ready" in log

    def failed(self):
        if self.process.poll() is not None:
            raise Trouble(f"{self.name} ended with {self.process.returncode}:\n{self.logged()}")

    def stop(self):
        return self.workshop.stop(self.process)

    def kill(self):
        """The end without a warning."""
        os.killpg(self.process.pid, signal.SIGKILL)
        return self.stop()

    def reload(self):
        """Have it read the configuration again; returns what the journal says of it, a reload event of each process."""
        self.new_lines()
        self.process.send_signal(self.reload_signal)
        events = []

        def over():
            events.extend(line for line in self.new_lines() if line["event"] == "reload")
            return len(events) >= len(self.directories())
        wait_for("the reload event", over)
        return events

    # ---- its journal ----

    def directories(self):
        """Where it writes: one place, or one for each of its processes."""
        return [self.configuration.journal / self.name]

    def new_lines(self):
        """The journal lines that were not read before, those of one process in the order of writing."""
        return [line for directory in self.directories() for line in self.new_lines_in(directory)]

    def new_lines_in(self, directory):
        lines = []
        for segment in sorted(directory.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns):
            with segment.open("rb") as journal:
                journal.seek(self.segments.get(segment, 0))
                whole = journal.read()
            whole = whole[:whole.rfind(b"\n") + 1]
            self.segments[segment] = self.segments.get(segment, 0) + len(whole)
            lines += [json.loads(line) for line in whole.splitlines()]
        return lines

    def fence(self, mark):
        """Ask about sessions of our own whose lines, with `mark` in them, come after all that there is to say so far.
        Returns how many."""
        raise NotImplementedError

    def lines(self):
        """What it has journaled about real clients since the last call; our own session, held now, is the last line to
        wait for."""
        self.fences += 1
        mark = f"fence.{os.getpid()}.{self.fences}"
        wanted, lines = self.fence(mark), []

        def arrived():
            lines.extend(self.new_lines())
            return sum(mark in (line.get("instance"), line.get("sender")) for line in lines) >= wanted
        wait_for(f"a line in the journal of {self.name}", arrived)
        return [line for line in lines if "client_address" in line and line["client_address"] != OURSELVES]

    def decisions(self):
        return [line for line in self.lines() if line["event"] == "decision"]


def port_of(listeners, name):
    return next(each.port for each in listeners if each.name == name)


# In the kernel's lists of sockets: established, and closed by the other side only
OPEN = {"unix": ("03",), "inet": ("01", "08")}


def connected(address):
    """How many connections the owner of a socket, unix:PATH or inet:127.0.0.1:PORT, has at this moment."""
    kind, place = address.split(":", 1)
    if kind == "unix":              # Num RefCount Protocol Flags Type St Inode Path
        listed, here, at, state = "unix", place, 7, 5
    else:                           # sl local_address rem_address st ...
        listed, here, at, state = "tcp", f"0100007F:{int(place.rpartition(':')[2]):04X}", 1, 3
    rows = [line.split() for line in pathlib.Path(f"/proc/net/{listed}").read_text().splitlines()[1:]]
    return sum(row[at:at + 1] == [here] and row[state] in OPEN[kind] for row in rows)
