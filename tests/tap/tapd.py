# SPDX-License-Identifier: Apache-2.0
"""mailreeve-tap under test: --read, and the daemon on the loopback. What it shares with mailreeve-policyd's tests is theirs."""
import glob
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "policyd"))

from daemon import BUILD, PATIENCE, USER, Daemon, expect, same, wait_for  # noqa: E402

NAME = "mailreeve-tap"
PROGRAM = os.path.join(BUILD, NAME)

CONFIG = """\
mode: enforce
listeners:
  - {names: [smtp], port: 25, role: smtp}
  - {names: [submission], port: 587, role: submission}
  - {names: [submissions], port: 465, role: submissions}
monitors: [203.0.113.0/28]
tap: {proxied_ports: [10587]}
journal: {path: ""}
"""
# Of every line; they tell nothing of the session.
FRAME = {"v", "ts", "mono", "host", "src", "boot", "seq", "event", "key", "policy"}


def run(*arguments, stdin=b"", config=CONFIG, **options):
    """mailreeve-tap as a person would start it; the capture is standard input."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        return subprocess.run([PROGRAM, *arguments, "-c", file.name], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=PATIENCE * 4, check=False, **options)


def read(capture, code=0, config=CONFIG):
    """The lines of the journal."""
    done = run("--read", "-", "--json", stdin=capture, config=config)
    same(done.returncode, code, f"exit code ({done.stderr.decode(errors='replace')[-1500:]})")
    return [json.loads(line) for line in done.stdout.splitlines()]


def text(capture, code=0, config=CONFIG):
    done = run("--read", "-", stdin=capture, config=config)
    same(done.returncode, code, f"exit code ({done.stderr.decode(errors='replace')[-1500:]})")
    return done.stdout.decode()


def number(summary, what):
    """A number of the summary; 0: it is not told."""
    for line in summary.splitlines():
        if line.strip().endswith("  " + what):
            return int(line.split()[0])
    return 0


def session(lines, **fields):
    """The only line there is, with these fields; None: it must be missing."""
    same(len(lines), 1, f"lines in the journal ({lines})")
    for name, value in fields.items():
        same(lines[0].get(name), value, name)
    return lines[0]


class Tap(Daemon):
    """A mailreeve-tap on the loopback with a folder of its own, started and ready."""

    def __init__(self, ports, interface="lo", start=True, **how):
        self.ports, self.interface = ports, interface
        super().__init__(start=False)
        if start:
            self.start(**how)

    def configure(self, mode=None, more=None):
        roles = ("smtp", "submission", "submissions")
        listeners = "".join(f"  - {{names: [l{port}], port: {port}, role: {role}}}\n"
                            for role, port in zip(roles, getattr(self, "ports", ())))
        self.write_config(f"mode: {mode or self.mode}\nlisteners:\n{listeners}"
                          f"tap: {{interface: {getattr(self, 'interface', 'lo')}}}\n"
                          f"journal: {{path: {self.journal_path}, {self.min_free}}}\n{self.more if more is None else more}")

    def start(self, user=USER, wait=True, prefix=(), **popen):
        self.configure()
        command = [*prefix, PROGRAM, "-c", self.config, "--stderr"] + (["-u", user] if user else [])
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **popen)
        if wait:
            wait_for("the tap to be ready", lambda: ": ready\n" in self.logged() or self.dead())

    def segments(self):
        paths = glob.glob(os.path.join(self.journal_path, NAME, "*.jsonl"))
        return sorted(paths, key=lambda path: int(path.rsplit("-", 1)[1].split(".")[0]))

    def status(self):
        with open(os.path.join(self.journal_path, NAME, "status")) as f:
            return json.load(f)


__all__ = ["CONFIG", "FRAME", "NAME", "PROGRAM", "Tap", "expect", "number", "read", "run", "same", "session", "text", "wait_for"]
