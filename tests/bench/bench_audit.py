#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure `mailreeve audit` against pflogsumm, grep and a bare line reader on the same log.

CPU time of the whole process, user and kernel, in rounds whose order alternates; what counts is the
ratio within a round. docs/performance.md says what the rows mean. Exit code: 0 measured, 1 a
program failed or audit missed a session.
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

import report
from servers import BUILD

HERE = os.path.dirname(os.path.abspath(__file__))
AUDIT = os.path.join(BUILD, "mailreeve")
GOAL = 20
WORDS = "SSL_accept error|TLS library problem|sasl_username|non-SMTP command"


def programs(log):
    """Title: (command, exit codes that are right)."""
    return {
        "pflogsumm": ([shutil.which("pflogsumm", path=os.environ["PATH"] + ":/usr/sbin") or "pflogsumm", log], (0,)),
        "mailreeve audit": ([AUDIT, "audit", "-c", "/dev/null", log], (0,)),
        "mailreeve audit --json": ([AUDIT, "audit", "-c", "/dev/null", "--json", log], (0,)),
        "mailreeve audit, log.gz": ([AUDIT, "audit", "-c", "/dev/null", log + ".gz"], (0,)),
        "grep -cE": (["grep", "-cE", WORDS, log], (0,)),
        "wc -l": (["wc", "-l", log], (0,)),
    }


def cpu(command, right):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in right:
        sys.exit("%s: exit code %d\n%s" % (command[0], done.returncode, done.stderr.decode()[-1000:]))
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def count_sessions(log):
    with open(log, encoding="ascii") as lines:
        return sum("smtpd[" in line and ": connect from" in line for line in lines)


def check(log, output):
    """Every session of the log must be in the report."""
    found = json.loads(output)["sessions"]["count"]
    if found != count_sessions(log):
        sys.exit("audit has %d sessions, the log %d" % (found, count_sessions(log)))


def measure(log, rounds):
    times = {title: [] for title in programs(log)}
    for number in range(rounds):
        order = list(programs(log).items())
        for title, (command, right) in order if number % 2 else reversed(order):
            seconds, output = cpu(command, right)
            times[title].append(seconds)
            if number == 0 and title.endswith("--json"):
                check(log, output)
    return times


def memory(work, count):
    """Most resident memory, MB, with so many sessions open at once."""
    log = os.path.join(work, "open.log")
    subprocess.run([sys.executable, os.path.join(HERE, "maillog.py"), log, "0", "--open", str(count)], check=True)
    code = ("import os,resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code, AUDIT, "audit", "-c", "/dev/null", log],
                          stdout=subprocess.PIPE, check=True)
    os.unlink(log)
    return int(done.stdout) / 1024


def table(times, lines):
    rows = [["program", "ns a line", "lines a second", "pflogsumm : it", "spread", "goal", "met"]]
    slow = times["pflogsumm"]
    for title, ours in times.items():
        ratios = [a / max(b, 1e-9) for a, b in zip(slow, ours)]
        median = statistics.median(ratios)
        goal = GOAL if title == "mailreeve audit" else None
        rows.append([title, "%.0f" % (statistics.median(ours) / lines * 1e9),
                     "{:,.0f}".format(lines / max(statistics.median(ours), 1e-9)), "%.1f" % median,
                     "%.1f-%.1f" % (min(ratios), max(ratios)), str(goal or ""),
                     "" if not goal else "yes" if median >= goal else "NO"])
    return rows


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--quick", action="store_true")
    options.add_argument("--update", action="store_true", help="write the results into docs/performance.md")
    given = options.parse_args()
    lines, rounds, open_sessions = (200000, 3, 100000) if given.quick else (1000000, 7, 1000000)
    with tempfile.TemporaryDirectory() as work:
        log = os.path.join(work, "mail.log")
        subprocess.run([sys.executable, os.path.join(HERE, "maillog.py"), log, str(lines)], check=True)
        subprocess.run(["gzip", "-k", log], check=True)
        rows = table(measure(log, rounds), lines)
        foot = ["{:,} sessions open at once: {:.0f} MB resident at most".format(open_sessions, memory(work, open_sessions))]
    print(report.show(rows, False), *foot, sep="\n")
    if given.update:
        head = "%s, %s lines, %d rounds" % (datetime.date.today(), "{:,}".format(lines), rounds)
        report.update(os.path.join(HERE, "../../docs/performance.md"), "bench_audit.py", head, rows, foot)


if __name__ == "__main__":
    main()
