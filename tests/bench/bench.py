#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measure mailreeve-policyd against the least that a policy server can do.

Both servers are measured in turn, under the same load, in several rounds whose order alternates;
what counts is the ratio within a round. Times differ by a factor of two from one run to the next
on a shared machine; ratios do not. docs/performance.md says what the rows mean.

Exit code: 0 measured (whether or not a goal was met), 1 a reply was wrong or a server failed.
"""

import argparse
import contextlib
import datetime
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple, Optional

import report

BUILD = os.environ.get("MAILREEVE_BUILD", "build/rel")
IDLE = 10000
DISTURBED, ATTEMPTS = 0.3, 3  # CPUs that other programs used; then a run is repeated
POPULATION = 1000000  # POLMIX_POPULATION: the addresses and users that polload draws from
CPUS = sorted(os.sched_getaffinity(0))
NOBODY = pwd.getpwnam("nobody")


class Scenario(NamedTuple):
    title: str
    ours: str  # names of rows in SERVERS
    limit: str
    load: list  # options of polload
    cpu_goal: Optional[float] = None
    p99_goal: Optional[float] = None
    one_cpu: bool = False  # client and server share one, so that no wake-up crosses CPUs
    quick: bool = True  # also part of --quick


class Kind(NamedTuple):
    program: str
    options: list
    exceptions: int = 0
    journal: bool = False


SERVERS = {
    "limit": Kind("pollimit", []),
    "tail": Kind("pollimit", ["-t"]),
    "plain": Kind("mailreeve-policyd", [], 1000),
    "million": Kind("mailreeve-policyd", [], 1000000),
    "journal": Kind("mailreeve-policyd", [], 1000, True),
}

SCENARIOS = [
    Scenario("all ten kinds, no journal", "plain", "limit",
             ["-m", "all", "-o", "200"], cpu_goal=1.15, p99_goal=1.25),
    Scenario("port 25 passes, journal on", "journal", "limit",
             ["-m", "smtp"], cpu_goal=1.15, p99_goal=1.25),
    Scenario("every request journaled", "journal", "limit",
             ["-m", "submission", "-o", "200"], cpu_goal=1.3),
    Scenario("1,000,000 exceptions : 1,000", "million", "plain",
             ["-m", "all", "-o", "3000"], cpu_goal=1.1),
    Scenario("the same, every client another", "million", "plain", ["-m", "all"], quick=False),
    Scenario("10,000 connections, 9,900 idle", "plain", "limit",
             ["-m", "all", "-o", "200", "-i", "9900"], quick=False),
    Scenario("paced, 5,000 requests/s", "plain", "limit",
             ["-m", "all", "-o", "200", "-r", "5000"], quick=False),
    Scenario("1 connection, one CPU", "plain", "limit",
             ["-m", "all", "-o", "200", "-c", "1"], one_cpu=True, quick=False),
    Scenario("a connection per request, 8 at once", "plain", "limit",
             ["-m", "all", "-o", "200", "-c", "8", "-n"], quick=False),
    Scenario("all ten kinds : limit that does not search", "plain", "tail",
             ["-m", "all", "-o", "200"], quick=False),
]

CONFIG = """\
mode: enforce
listeners:
  - {{names: [smtp], port: 25, role: smtp}}
  - {{names: [submission], port: 587, role: submission}}
  - {{names: [submissions, smtps], port: 465, role: submissions}}
trusted: {{networks: ["192.0.2.0/28"], client_certificates: []}}
exceptions_file: {directory}/exceptions.txt
policyd: {{listen: ["unix:{directory}/socket"]}}
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
    """One of 250,000 networks within the addresses that polload sends, 10.100-199.100-199.100-199,
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
    do its work. So seven of eight are for clients that polload sends, and allow what none of those
    needs (an old TLS version); one of eight allows what they do need, for clients it never sends.
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

    def __init__(self, name, work, cpu):
        self.name = name
        self.kind = SERVERS[name]
        self.directory = tempfile.mkdtemp(prefix=name + "-", dir=work)
        self.address = "unix:%s/socket" % self.directory
        self.journal = os.path.join(self.directory, "journal")
        self.requests = 0
        self.log = os.path.join(self.directory, "stderr")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command(work), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=run_on(cpu))
        Server.running.append(self.process)
        self.wait_ready()

    def command(self, work):
        program = os.path.join(BUILD, self.kind.program)
        if self.kind.program == "pollimit":
            return [program, *self.kind.options, self.address]
        os.mkdir(self.journal, 0o750)
        os.symlink(os.path.join(work, "exceptions-%d" % self.kind.exceptions),
                   os.path.join(self.directory, "exceptions.txt"))
        config = os.path.join(self.directory, "mailreeve.yaml")
        with open(config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(directory=self.directory,
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

    def anonymous(self):
        """Bytes of private memory that are not a file's: heap, stacks, allocator."""
        with open("/proc/%d/smaps_rollup" % self.process.pid, encoding="ascii") as smaps:
            for line in smaps:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1]) * 1024
        raise Failure("no Anonymous: in smaps_rollup")

    def stop(self):
        """Ends the server; returns (lines, bytes) of its journal."""
        if self.process.poll() is not None:
            raise Failure("%s ended by itself, code %d" % (self.name, self.process.returncode))
        self.process.send_signal(signal.SIGTERM)
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


def touch_memory(directory, size):
    """Writes a file and removes it. In a virtual machine the first use of a page, in which the host
    has to find memory for it, costs ten times the writing; that is not the journal's doing."""
    path = os.path.join(directory, "touch")
    block = bytes(1 << 20)
    with open(path, "wb", buffering=0) as out:
        for _ in range(size >> 20):
            out.write(block)
    os.unlink(path)


def busy_ticks():
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(f) for f in stat.readline().split()[1:]]
    return sum(fields[:3]) + sum(fields[5:8])  # all but idle and waiting for a disk


def load_once(server, scenario, seconds):
    """Runs polload; returns its numbers, and how many CPUs other programs used meanwhile."""
    cpu = CPUS[-1] if scenario.one_cpu else CPUS[0]
    options = ["-s", str(seconds), "-w", "0.2", "-p", str(server.process.pid), *scenario.load]
    if server.kind.program != "pollimit":
        options.append("-v")
    if not scenario.one_cpu:
        options.append("-b")
    if server.kind.journal:
        touch_memory(server.directory, int((seconds + 0.2) * 300e6))
    ticks, start = busy_ticks(), time.monotonic()
    run = subprocess.run([os.path.join(BUILD, "polload"), *options, server.address],
                         stdout=subprocess.PIPE, check=False,
                         preexec_fn=run_on(cpu))
    if run.returncode not in (0, 1):
        raise Failure("polload %s: exit code %d" % (" ".join(options), run.returncode))
    result = json.loads(run.stdout)
    wall = time.monotonic() - start
    ours = (result["server_us"] + result["client_us"]) * result["rate"] / 1e6
    server.requests += result["total_requests"]
    return result, (busy_ticks() - ticks) / os.sysconf("SC_CLK_TCK") / wall - ours


def load(server, scenario, seconds, results):
    """The numbers of a run. One that other programs disturbed is repeated, whatever it measured."""
    for _ in range(ATTEMPTS):
        result, noise = load_once(server, scenario, seconds)
        results.check("%s, %s" % (server.name, scenario.title), result)
        if noise <= DISTURBED and result["requests"]:
            break
        results.repeated += 1
    if not result["requests"]:
        raise Failure("%s answered nothing, %s" % (server.name, scenario.title))
    results.noise.append(noise)
    return result


class Results:
    def __init__(self):
        self.pairs = {s.title: [] for s in SCENARIOS}  # title: [(ours, limit), ...]
        self.memory = []  # (ours, limit) per connection
        self.wrong = []
        self.journal = []  # (requests, lines, bytes)
        self.noise = []  # CPUs that other programs used, for each run that counts
        self.repeated = 0

    def check(self, who, result):
        if result["failed"]:
            faults = ", ".join("%s %d" % (k, result[k]) for k in (
                "malformed", "extra_bytes", "wrong_verdict", "missing", "closed", "not_sent",
                "no_connection") if result[k])
            self.wrong.append("%s: %s of %d" % (who, faults, result["total_requests"]))


def play(results, scenario, number, seconds, work):
    names = [scenario.ours, scenario.limit]
    servers = {name: Server(name, work, CPUS[-1]) for name in names}
    halves = {name: [] for name in names}
    order = names if number % 2 else names[::-1]
    for name in order + order[::-1]:  # A B B A: a machine that slowly changes hits both alike
        halves[name].append(load(servers[name], scenario, seconds / 2, results))
    numbers = {name: {key: statistics.mean(half[key] for half in halves[name])
                      for key in halves[name][0]} for name in names}
    for name, server in servers.items():
        lines, size = server.stop()
        if name == "journal" and "submission" in scenario.load:
            results.journal.append((server.requests, lines, size))
    results.pairs[scenario.title].append((numbers[scenario.ours], numbers[scenario.limit]))


# A request of each kind: refused, passed.
def one_request(number):
    return ("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
            "client_address=10.100.100.%d\nclient_name=unknown\nclient_port=%d\n"
            "server_address=192.0.2.25\nserver_port=25\nhelo_name=mail.example.net\n"
            "sender=a@example.net\nrecipient=b@example.com\nrecipient_count=0\n"
            "instance=1a2b.6b00ea63.%05x.0\nsize=0\nsasl_method=\nsasl_username=\n"
            "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\n"
            "policy_context=smtp\n\n" % (number % 250, 10000 + number % 50000, number)).encode()


def idle_memory(name, work, asked):
    """Bytes per connection that stays open; asked: each has had one request answered before.
    Returns (accepted only, after one answered request)."""
    server = Server(name, work, CPUS[-1])
    path = server.address[len("unix:"):]
    held = []

    def ask(sock, number):
        sock.sendall(one_request(number))
        if sock.recv(600) != b"action=DUNNO\n\n":
            raise Failure("%s: wrong reply while opening idle connections" % name)

    def connect():
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return sock

    for number in range(100):  # what the first requests allocate is not the connections'
        with connect() as sock:
            ask(sock, number)
    time.sleep(0.3)
    before = server.anonymous()
    held = [connect() for _ in range(IDLE)]
    if asked:
        for number, sock in enumerate(held):
            ask(sock, number)
    else:
        ask(held[-1], 0)  # the last is answered, so all before it were accepted
    time.sleep(0.3)
    growth = server.anonymous() - before
    for sock in held:
        sock.close()
    server.stop()
    return growth / IDLE


def measure_memory(results, work):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE + 500, max(hard, IDLE + 500)))
    except (ValueError, OSError):
        print("memory: not measured, the limit of open files is %d" % hard, file=sys.stderr)
        return
    for asked in (False, True):
        results.memory.append([idle_memory(n, work, asked) for n in ("plain", "limit")])


def progress(text):
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three short rounds, a minute")
    parser.add_argument("--rounds", type=int, help="default 7")
    parser.add_argument("--seconds", type=float, help="each server is loaded, default 2")
    parser.add_argument("--only", metavar="TEXT", help="only loads whose title contains it")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--update", metavar="FILE", help="also put the table between its marks")
    parser.add_argument("--json", metavar="FILE", help="also write every number there")
    opt = parser.parse_args()
    opt.rounds = opt.rounds or (3 if opt.quick else 7)
    opt.seconds = opt.seconds or (1.0 if opt.quick else 2.0)
    return opt


def measure(opt, work):
    results = Results()
    chosen = [s for s in SCENARIOS if (s.quick or not opt.quick) and (opt.only or "") in s.title]
    for count in {kind.exceptions for kind in SERVERS.values() if kind.exceptions}:
        write_exceptions(os.path.join(work, "exceptions-%d" % count), count)
    for number in range(opt.rounds):
        for i, scenario in enumerate(chosen):
            progress("\rround %d of %d, load %d of %d " % (
                number + 1, opt.rounds, i + 1, len(chosen)))
            play(results, scenario, number, opt.seconds, work)
    progress("\r%40s\r" % "")
    if not opt.only:
        measure_memory(results, work)
    return results


def main():
    opt = options()
    work = tempfile.mkdtemp(prefix="mailreeve-bench-")
    os.chmod(work, 0o755)
    try:
        results = measure(opt, work)
    except Failure as failure:
        print("bench: %s" % failure, file=sys.stderr)
        return 1
    finally:
        for process in Server.running:
            process.kill()
            process.wait()
        shutil.rmtree(work, ignore_errors=True)
    head = "%s, %d rounds of %g s, %d CPUs; ratio: median of the rounds" % (
        datetime.date.today().isoformat(), opt.rounds, opt.seconds, len(CPUS))
    rows = report.table(results, SCENARIOS)
    foot = list(report.notes(results, len(CPUS)))
    print("%s\n\n%s\n\n%s" % (head, report.show(rows, opt.markdown), "\n".join(foot)))
    if opt.update:
        report.update(opt.update, head, rows, foot)
    if opt.json:
        with open(opt.json, "w", encoding="ascii") as out:
            json.dump({"pairs": results.pairs, "memory": results.memory}, out, indent=1)
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
