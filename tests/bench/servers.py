# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured: ours with a configuration and its exceptions, and the limits."""

import contextlib
import datetime
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from typing import NamedTuple

BUILD = os.environ.get("MAILREEVE_BUILD", "build/rel")
POPULATION = 1000000  # slots.h: the addresses and users that the loads draw from
NOBODY = pwd.getpwnam("nobody")


class Kind(NamedTuple):
    program: str
    options: list
    exceptions: int = 0
    journal: bool = False

    @property
    def ours(self):
        return self.program.startswith("mailreeve-")


CONFIG = """\
mode: enforce
listeners:
  - {{names: [smtp], port: 25, role: smtp}}
  - {{names: [submission], port: 587, role: submission}}
  - {{names: [submissions, smtps], port: 465, role: submissions}}
trusted: {{networks: ["192.0.2.0/28"], client_certificates: []}}
exceptions_file: {directory}/exceptions.txt
{section}: {{listen: ["unix:{directory}/socket"]}}
journal: {{path: "{journal}", keep: 7d, max_total: 2 GiB, min_free: 1%}}
"""


class Failure(Exception):
    pass


def run_on(cpu):
    """For preexec_fn: stay on that CPU, and come before other programs if we may. The scheduler
    shares the CPU out between sessions first (sched(7), autogroup), so a nice value is not enough.
    """
    def prepare():
        os.setsid()
        os.sched_setaffinity(0, {cpu})
        if os.geteuid() == 0:
            os.nice(-15)
            with contextlib.suppress(OSError):
                with open("/proc/self/autogroup", "w", encoding="ascii") as autogroup:
                    autogroup.write("-15")
    return prepare


def prefix(number):
    """One of 250,000 networks within the addresses that the loads send, 10.100-199.100-199.100-199,
    which no two numbers share: 10,000 of /24, 60,000 of /28, 180,000 of /30."""
    if number < 10000:
        return "10.%d.%d.0/24" % (100 + number // 100, 100 + number % 100)
    if number < 70000:
        number -= 10000
        return "10.%d.%d.%d/28" % (100 + number // 600, 100 + number // 6 % 100,
                                   112 + number % 6 * 16)
    number -= 70000
    return "10.%d.%d.%d/30" % (100 + number // 2400, 100 + number // 24 % 100,
                               100 + number % 24 * 4)


def address(number):
    return "10.%d.%d.%d" % (100 + number // 10000, 100 + number // 100 % 100, 100 + number % 100)


def write_exceptions(path, count):
    """Half users, a quarter addresses, a quarter networks of three lengths.

    The verdicts must be the same with a thousand of them as with a million, and every look-up must
    do its work. So seven of eight are for clients that the loads send, and allow what none of those
    needs (an old TLS version); one of eight allows what they do need, for clients never sent.
    """
    until = (datetime.date.today() + datetime.timedelta(days=300)).isoformat()
    needed = ["tls-required, auth-required", "cleartext-auth", "auth-on-smtp-port",
              "auth-mechanism, tls-cipher-weak"]
    step = POPULATION // count
    with open(path, "w", encoding="ascii") as out:
        for i in range(count):
            stranger = i // 4 % 8 == 0
            if i % 4 < 2:
                key = "%s%06d@example.com" % ("w" if stranger else "u", i * step)
            else:
                key = address(i * step) if i % 4 == 2 else prefix(i // 4 * step)
                key = "11" + key[2:] if stranger else key
            out.write("%s | %s | %s | help desk | old copier, ticket %d\n" % (
                key, needed[i // 32 % 4] if stranger else "tls-version", until, i))


class Server:
    """One running server, in a directory of its own."""

    running: list = []

    def __init__(self, name, kind, work, cpu):
        self.name = name
        self.kind = kind
        self.directory = tempfile.mkdtemp(prefix=name + "-", dir=work)
        os.chmod(self.directory, 0o755)
        self.address = "unix:%s/socket" % self.directory
        self.journal = os.path.join(self.directory, "journal")
        self.total = {}  # of all loads: requests, or sessions and mails
        self.log = os.path.join(self.directory, "stderr")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command(work), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=run_on(cpu))
        Server.running.append(self.process)
        self.wait_ready()

    def command(self, work):
        program = os.path.join(BUILD, self.kind.program)
        if not self.kind.ours:
            return [program, *self.kind.options, self.address]
        os.mkdir(self.journal, 0o750)
        os.symlink(os.path.join(work, "exceptions-%d" % self.kind.exceptions),
                   os.path.join(self.directory, "exceptions.txt"))
        config = os.path.join(self.directory, "mailreeve.yaml")
        with open(config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(directory=self.directory,
                                    section=self.kind.program[len("mailreeve-"):],
                                    journal=self.journal if self.kind.journal else ""))
        user = []
        if os.geteuid() == 0:
            user = ["-u", "nobody"]
            for path in (self.directory, self.journal):
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        return [program, "-c", config, "--stderr", *user]

    def wait_ready(self):
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up and self.process.poll() is None:
            with open(self.log, "rb") as log:
                if b"ready" in log.read():
                    return
            time.sleep(0.01)
        with open(self.log, "r", encoding="utf-8", errors="replace") as log:
            raise Failure("%s does not start:\n%s" % (self.name, log.read()[-2000:]))

    def memory(self):
        """Bytes by the names of smaps_rollup: Rss; Anonymous, which is no file's: heap, stacks."""
        found = {}
        with open("/proc/%d/smaps_rollup" % self.process.pid, encoding="ascii") as smaps:
            for line in smaps:
                words = line.split()
                if words[-1] == "kB":
                    found[words[0].rstrip(":")] = int(words[1]) * 1024
        return found

    def wait_quiet(self):
        """Until it has done nothing for a while."""
        before = None
        while (now := self.ticks()) != before:
            before = now
            time.sleep(0.2)

    def ticks(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[11:13]

    def stop(self):
        """Ends the server; returns (lines, bytes) of its journal."""
        if self.process.poll() is not None:
            raise Failure("%s ended by itself, code %d" % (self.name, self.process.returncode))
        self.process.send_signal(signal.SIGTERM if self.kind.ours else signal.SIGKILL)
        self.process.wait(60)
        lines = size = 0
        for folder, _, files in os.walk(self.journal):
            for name in files:
                if not name.endswith(".jsonl"):
                    continue
                with open(os.path.join(folder, name), "rb") as segment:
                    while block := segment.read(1 << 20):
                        lines += block.count(b"\n")
                        size += len(block)
        shutil.rmtree(self.directory)
        return lines, size
