#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measure mailreeve-milter against the least that a filter on libmilter can do.

How is in benchlib.py; docs/performance.md says what the rows mean. Exit code: 0 measured (whether
or not a goal was met), 1 an answer was wrong, a server failed, or the two negotiate other terms.
"""

import os
import subprocess
import sys

import benchlib
from benchlib import MemoryRow, Scenario
from servers import BUILD, Failure, Kind

IDLE = 4000
GOAL = 1.1
MB = 1e6


def at_once(count, **more):
    return Scenario("%s at once" % ("1 session" if count == 1 else "{:,} sessions".format(count)),
                    "plain", "limit", ["-m", "all", "-o", "200", "-c", str(count)], cpu_goal=GOAL,
                    **more)


class Milter(benchlib.Bench):
    name = "bench_milter.py"
    generator = "milload"
    units = "sessions"
    latency = "p99 us at MAIL"
    journaled = "mails and programs"
    journal_rate = 40e6

    servers = {
        "limit": Kind("millimit", []),
        "headers": Kind("millimit", ["-H"]),
        "plain": Kind("mailreeve-milter", [], 1000),
        "journal": Kind("mailreeve-milter", [], 1000, True),
    }

    scenarios = [
        at_once(1, quick=False),
        at_once(10),
        at_once(100, quick=False),
        at_once(1000),
        Scenario("1,000 more held open", "plain", "limit",
                 ["-m", "all", "-o", "200", "-c", "10", "-i", "1000"], cpu_goal=GOAL, quick=False),
        Scenario("ten mails a session", "plain", "limit",
                 ["-m", "pass", "-c", "10", "-n", "10"], cpu_goal=GOAL),
        Scenario("port 25 passes, journal on", "journal", "headers",
                 ["-m", "smtp", "-c", "10"], quick=False),
        Scenario("every mail journaled, headers read", "journal", "headers",
                 ["-m", "submission", "-o", "200", "-c", "10"]),
    ]

    def lines_due(self, server, scenario):
        """Each mail has a line, and so has the software that a mail's headers name."""
        if "submission" not in scenario.load:
            return None
        return server.total["total_mails"] + server.total["total_named"]

    def compare(self, ours, limit):
        if ours["terms"] != limit["terms"]:
            raise Failure("ours and the limit negotiate different terms:\n%s\n%s" % (
                ours["terms"], limit["terms"]))

    def idle_memory(self, name, work):
        """(memory before, memory) with idle sessions, which have said HELO."""
        server = self.start(name, work)
        load = [os.path.join(BUILD, "milload"), "-m", "pass", server.address]
        # What the first sessions allocate is not the idle ones'.
        first = subprocess.run([*load, "-s", "0.2"], stdout=subprocess.PIPE, text=True, check=False)
        if first.returncode != 0:
            raise Failure("%s: %s" % (name, first.stdout))
        server.wait_quiet()
        before = server.memory()
        with subprocess.Popen([*load, "--hold", "-i", str(IDLE)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            server.wait_quiet()
            after = server.memory()
            holder.communicate()
        if holder.returncode != 0:
            raise Failure("%s: idle sessions were not left alone" % name)
        server.stop()
        return before, after

    def measure_memory(self, work):
        if not benchlib.raise_files(IDLE + 500):
            return
        ours, limit = (self.idle_memory(name, work) for name in ("plain", "limit"))
        title = "4,000 idle sessions"
        for what, key, goal in (("MB resident", "Rss", None), ("MB anonymous", "Anonymous", 8)):
            yield MemoryRow(title, what, ours[1][key] / MB, limit[1][key] / MB, goal)
        yield MemoryRow(title, "anonymous bytes each", *(
            (m[1]["Anonymous"] - m[0]["Anonymous"]) / IDLE for m in (ours, limit)))
        yield MemoryRow("no session", "MB resident", ours[0]["Rss"] / MB, limit[0]["Rss"] / MB)


if __name__ == "__main__":
    sys.exit(benchlib.main(Milter(), __doc__.split("\n")[0]))
