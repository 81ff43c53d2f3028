# SPDX-License-Identifier: Apache-2.0
"""What bench.py and bench_milter.py have in common: how two servers are measured against each
other, results, options. A Bench says which servers, loads and memory there are.

Both servers are measured in turn, under the same load, in several rounds whose order alternates;
what counts is the ratio within a round. Times differ by a factor of two from one run to the next
on a shared machine; ratios do not. docs/performance.md says what the rows mean.
"""

import argparse
import datetime
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple, Optional

import report
from servers import BUILD, Failure, Server, run_on, write_exceptions

DISTURBED, ATTEMPTS = 0.3, 3  # CPUs that other programs used; then a run is repeated
CPUS = sorted(os.sched_getaffinity(0))


class Scenario(NamedTuple):
    title: str
    ours: str  # names of rows in Bench.servers
    limit: str
    load: list  # options of the load generator
    cpu_goal: Optional[float] = None
    p99_goal: Optional[float] = None
    one_cpu: bool = False  # client and server share one, so that no wake-up crosses CPUs
    quick: bool = True  # also part of --quick


class MemoryRow(NamedTuple):
    title: str
    what: str
    ours: float
    limit: float
    goal: Optional[float] = None


class Bench:
    """The parts in which the benches differ."""

    name = generator = ""  # of the file; of the load's program
    units = ""  # what the generator counts, "requests"
    latency = "p99 us"  # of what
    journaled = ""  # what has a line in the journal, "requests"
    journal_rate = 0  # bytes a second that a journal may get, at most
    servers: dict = {}  # name: Kind
    scenarios: list = []

    def lines_due(self, server, scenario):
        """How many lines the journal must have, or None if nobody knows."""

    def compare(self, ours, limit):
        """Raises Failure if two results cannot be compared."""

    def measure_memory(self, work):
        """MemoryRows."""
        return []

    def start(self, name, work):
        return Server(name, self.servers[name], work, CPUS[-1])


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


def load_once(bench, server, scenario, seconds):
    """Runs the load; returns its numbers, and how many CPUs other programs used meanwhile."""
    cpu = CPUS[-1] if scenario.one_cpu else CPUS[0]
    options = ["-s", str(seconds), "-w", "0.2", "-p", str(server.process.pid), *scenario.load]
    if server.kind.ours:
        options.append("-v")
    if not scenario.one_cpu:
        options.append("-b")
    if server.kind.journal:
        touch_memory(server.directory, int((seconds + 0.2) * bench.journal_rate))
    ticks, start = busy_ticks(), time.monotonic()
    run = subprocess.run([os.path.join(BUILD, bench.generator), *options, server.address],
                         stdout=subprocess.PIPE, check=False, preexec_fn=run_on(cpu))
    if run.returncode not in (0, 1):
        raise Failure("%s %s: exit code %d" % (bench.generator, " ".join(options), run.returncode))
    result = json.loads(run.stdout)
    wall = time.monotonic() - start
    ours = (result["server_us"] + result["client_us"]) * result["rate"] / 1e6
    for key in result:
        if key.startswith("total_"):
            server.total[key] = server.total.get(key, 0) + result[key]
    return result, (busy_ticks() - ticks) / os.sysconf("SC_CLK_TCK") / wall - ours


def load(bench, server, scenario, seconds, results):
    """The numbers of a run. One that other programs disturbed is repeated, whatever it measured."""
    for _ in range(ATTEMPTS):
        result, noise = load_once(bench, server, scenario, seconds)
        results.check("%s, %s" % (server.name, scenario.title), result,
                      result["total_" + bench.units])
        if noise <= DISTURBED and result[bench.units]:
            break
        results.repeated += 1
    if not result[bench.units]:
        raise Failure("%s answered nothing, %s\n%s" % (server.name, scenario.title,
                                                       "\n".join(results.wrong)))
    results.noise.append(noise)
    return result


class Results:
    def __init__(self, bench):
        self.pairs = {s.title: [] for s in bench.scenarios}  # title: [(ours, limit), ...]
        self.memory = []  # MemoryRows
        self.wrong = []
        self.journal = []  # (lines due, lines, bytes)
        self.noise = []  # CPUs that other programs used, for each run that counts
        self.repeated = 0

    def check(self, who, result, total):
        if result["failed"]:
            faults = ", ".join("%s %d" % f for f in result["faults"].items() if f[1])
            self.wrong.append("%s: %s of %d" % (who, faults, total))


def mean(halves):
    return {key: statistics.mean(half[key] for half in halves)
            for key, value in halves[0].items() if isinstance(value, (int, float))}


def play(bench, results, scenario, number, seconds, work):
    names = [scenario.ours, scenario.limit]
    servers = {name: bench.start(name, work) for name in names}
    halves = {name: [] for name in names}
    order = names if number % 2 else names[::-1]
    for name in order + order[::-1]:  # A B B A: a machine that slowly changes hits both alike
        halves[name].append(load(bench, servers[name], scenario, seconds / 2, results))
    bench.compare(halves[scenario.ours][0], halves[scenario.limit][0])
    for server in servers.values():
        due = bench.lines_due(server, scenario) if server.kind.journal else None
        lines, size = server.stop()
        if due is not None:
            results.journal.append((due, lines, size))
    results.pairs[scenario.title].append(tuple(mean(halves[name]) for name in names))


def raise_files(count):
    """True if that many files may be open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
    except (ValueError, OSError):
        print("memory: not measured, the limit of open files is %d" % hard, file=sys.stderr)
        return False
    return True


def progress(text):
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def options(description):
    parser = argparse.ArgumentParser(description=description)
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


def measure(bench, opt, work):
    results = Results(bench)
    chosen = [s for s in bench.scenarios
              if (s.quick or not opt.quick) and (opt.only or "") in s.title]
    for count in {kind.exceptions for kind in bench.servers.values() if kind.exceptions}:
        write_exceptions(os.path.join(work, "exceptions-%d" % count), count)
    for number in range(opt.rounds):
        for i, scenario in enumerate(chosen):
            progress("\rround %d of %d, load %d of %d " % (
                number + 1, opt.rounds, i + 1, len(chosen)))
            play(bench, results, scenario, number, opt.seconds, work)
    progress("\r%40s\r" % "")
    if not opt.only:
        results.memory = list(bench.measure_memory(work))
    return results


def main(bench, description):
    """Exit code: 0 measured (whether or not a goal was met), 1 a reply was wrong or a server
    failed."""
    opt = options(description)
    work = tempfile.mkdtemp(prefix="mailreeve-bench-")
    os.chmod(work, 0o755)
    try:
        results = measure(bench, opt, work)
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
    rows = report.table(results, bench)
    foot = list(report.notes(results, bench, len(CPUS)))
    print("%s\n\n%s\n\n%s" % (head, report.show(rows, opt.markdown), "\n".join(foot)))
    if opt.update:
        report.update(opt.update, bench.name, head, rows, foot)
    if opt.json:
        with open(opt.json, "w", encoding="ascii") as out:
            json.dump({"pairs": results.pairs, "memory": results.memory}, out, indent=1)
    return 1 if results.wrong else 0
