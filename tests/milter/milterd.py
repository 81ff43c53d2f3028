# SPDX-License-Identifier: Apache-2.0
"""mailreeve-milter under test: its life, its sockets, its journal. What it shares with mailreeve-policyd's tests is theirs."""
import contextlib
import glob
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "policyd"))

from daemon import (BUILD, PATIENCE, USER, Daemon, expect, same, wait_for)  # noqa: E402

NAME = "mailreeve-milter"
PROGRAM = os.path.join(BUILD, NAME)
# libmilter is not built with a sanitizer, and its threads go on until the process ends.
TSAN_OPTIONS = " ".join([os.environ.get("TSAN_OPTIONS", ""), f"suppressions={HERE / 'tsan.supp'}", "report_thread_leaks=0"])

# One of every kind; all ports of the tests are here.
LISTENERS = """\
listeners:
  - {names: [smtp], port: 25, role: smtp}
  - {names: [submission], port: 587, role: submission}
  - {names: [submissions, smtps], port: 465, role: submissions}
  - {names: [audited], port: 2525, role: submission, mode: audit}
  - {names: [deferring], port: 3587, role: submission, actions: {tls-required: defer, auth-required: defer}}
  - {names: [proxied], port: 4587, role: submission, tls_by: proxy}
  - names: [strict]
    port: 5587
    role: submission
    mechanisms: [PLAIN]
    actions: {auth-mechanism: reject, tls-cipher-weak: reject}
"""


class Milter(Daemon):
    """A mailreeve-milter with a folder of its own, started and ready. `sockets` are further items of `listen:`, each with a
    process of its own; @ in them stands for the folder."""

    def __init__(self, mode="enforce", listeners=LISTENERS, more="", journal=True, sockets=(), start=True, **how):
        self.journaling = journal
        super().__init__(mode=mode, listeners=listeners, more=more, start=False)
        self.path = os.path.join(self.folder, "milter.sock")
        self.address = "unix:" + self.path
        self.listen = [f'"{self.address}"', *(item.replace("@", self.folder) for item in sockets)]
        self.configure()
        if start:
            self.start(**how)

    def configure(self, mode=None, more=None):
        group = f", group: {self.group}" if self.group else ""
        path = self.journal_path if self.journaling else '""'
        self.write_config(f"mode: {mode or self.mode}\n{self.listeners}"
                          f"milter: {{listen: [{', '.join(self.listen)}]{group}}}\n"
                          f"journal: {{path: {path}, {self.min_free}}}\n"
                          f"{self.more if more is None else more}")

    def start(self, prefix=(), user=USER, env=None, wait=True, **popen):
        command = [*prefix, PROGRAM, "-c", self.config, "--stderr"] + (["-u", user] if user and os.getuid() == 0 else [])
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "TSAN_OPTIONS": TSAN_OPTIONS, **(env or {})}, **popen)
        if wait:
            wait_for("the milter to be ready", lambda: self.logged().count(": ready\n") >= len(self.listen) or self.dead())

    def stop(self, limit=PATIENCE):
        os.kill(self.pid, signal.SIGTERM)
        self.ends_well(limit)

    def ends_well(self, limit=PATIENCE):
        """It must end by itself with exit code 0, and no sanitizer may have said anything."""
        code = self.ended(limit)
        said = what_a_sanitizer_said(self.logged())
        expect(code == 0 and "Sanitizer" not in said and "runtime error:" not in said, f"exit code {code}: {said}")

    def hang_up(self):
        """Asks for a reload."""
        os.kill(self.pid, signal.SIGUSR1)

    def read_again(self):
        """[was it taken?] for each reload of this process, by the log."""
        return [match[1] == "read again" for match in re.finditer(r": \S+ (read again|REJECTED): policy", self.logged())]

    def reload(self, ok=True):
        before = len(self.read_again())
        self.hang_up()
        wait_for("the reload", lambda: len(self.read_again()) > before or self.dead())
        same(self.read_again()[-1], ok, "the reload's success")

    def children(self):
        """The processes of several sockets."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return [int(pid) for pid in f.read().split()]

    def end(self, check=True):
        """No process may be left, even if the one that looks after them is killed."""
        children = self.children() if self.process and self.process.poll() is None else []
        try:
            super().end(check)
        finally:
            for pid in children:
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    if NAME in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)

    def directories(self):
        """The journal's, one a process."""
        return sorted(glob.glob(os.path.join(self.journal_path, NAME + "*")))

    def segments(self, directory=NAME):
        paths = glob.glob(os.path.join(self.journal_path, directory, "*.jsonl"))
        return sorted(paths, key=lambda path: int(path.rsplit("-", 1)[1].split(".")[0]))

    def status(self, directory=NAME):
        with open(os.path.join(self.journal_path, directory, "status")) as f:
            return json.load(f)

    def recorded(self, condition, event=None):
        """The journal's lines, as soon as the condition (of the list) is true."""
        return wait_for("the journal", lambda: (lines := self.journal(event)) and condition(lines) and lines)

    def of_client(self, port, event=None):
        """What the journal has of the session from that client port so far."""
        return [line for line in self.journal(event) if line.get("client_port") == port]


_shared = []
fallen = []                             # how shared ones ended before their time


def shared():
    """The milter that most tests ask, started when the first one does; a new one when it has fallen, which is remembered."""
    if _shared and _shared[0].process.poll() is not None:
        milter = _shared.pop()
        fallen.append(f"exit code {milter.process.returncode}: " + what_a_sanitizer_said(milter.logged()))
        milter.end(check=False)
    if not _shared:
        _shared.append(Milter())
    return _shared[0]


def what_a_sanitizer_said(log):
    """The head of the first report and the places in our code, or the end of the log."""
    lines = log.splitlines()
    starts = [n for n, line in enumerate(lines) if "Sanitizer" in line or "runtime error:" in line]
    if not starts:
        return " / ".join(lines[-3:])
    return " / ".join([lines[starts[0]], *[line.strip() for line in lines[starts[0]:] if line.lstrip().startswith("#")][:8]])


__all__ = ["NAME", "PROGRAM", "LISTENERS", "PATIENCE", "Milter", "shared", "fallen", "expect", "same", "wait_for"]
