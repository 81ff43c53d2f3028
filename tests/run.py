#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the suites; ends with `N passed, N failed, N skipped`.

usage: run.py check | check-full | SUITE...

A suite is a command that speaks TAP. tests/expected.txt says how many tests and skips
each has: fewer tests, or a skip that is not listed, is a failure, so that nothing falls
silent. Of its output, lines that begin with "#| " are shown: what it has measured. All of it is in
build/check/.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build/check"
PYTHON = sys.executable

# These run under ThreadSanitizer for every change.
THREADED = ["test_journal", "test_journal_disks", "test_journal_ring", "test_milter_life"]

# What has to be built, by variant.
BUILDS = {
    "check": [("dev", ["all", "tests", "bench-programs"]), ("asan", ["all", "tests"]), ("clang", ["all"]),
              ("tsan", ["all", *(f"build/tsan/tests/{t}" for t in THREADED)])],
    "check-full": [("dev", ["all", "tests", "bench-programs"]), ("asan", ["all", "tests"]), ("tsan", ["all", "tests"]),
                   ("clang", ["all", "tests"]), ("rel", ["all"])],
}


def script(path, variant="dev", timeout=300):
    return [PYTHON, path], f"build/{variant}", timeout


def units(variant, names):
    return {f"{variant}/{n}": ([f"build/{variant}/tests/{n}"], f"build/{variant}", 300) for n in names}


def corpora(variant, names):
    return {f"{variant}/fuzz_{n}": ([f"build/{variant}/tests/fuzz_{n}", f"tests/fuzz/corpus/{n}"],
                                    f"build/{variant}", 300) for n in names}


UNIT = sorted(p.stem for p in (ROOT / "tests/unit").glob("test_*.c"))
FUZZ = sorted(p.stem.removeprefix("fuzz_") for p in (ROOT / "tests/fuzz").glob("fuzz_*.c"))

# name: (command, build directory, seconds)
SUITES = {
    "check": {
        **units("asan", UNIT),
        **corpora("asan", FUZZ),
        **units("tsan", THREADED),
        "dev/mutation": script("tests/mutation.py"),
        "dev/lint": script("tests/lint.py"),
        "asan/cli": script("tests/cli/test_cli.py", "asan"),
        "dev/completion": script("tests/cli/test_completion.py"),
        "asan/audit": script("tests/audit/test_command.py", "asan"),
        "asan/join": script("tests/audit/test_join.py", "asan"),
        "asan/join-told": script("tests/audit/test_join_told.py", "asan"),
        "dev/wild": script("tests/audit/test_wild.py"),
        "asan/clients-replay": script("tests/audit/test_clients_replay.py", "asan"),
        "asan/tap": script("tests/tap/test_tap.py", "asan"),
        "dev/large-capture": script("tests/tap/test_large.py"),
        "asan/report-schema": script("tests/audit/test_report_schema.py", "asan"),
        "asan/html": script("tests/audit/test_html.py", "asan"),
        "dev/bad-logs": script("tests/audit/test_bad_input.py"),
        "dev/fail2ban": script("tests/fail2ban/test_fail2ban.py"),
        "asan/doctor": script("tests/doctor/test_postfix.py", "asan", 600),
        "asan/doctor-manners": script("tests/doctor/test_manners.py", "asan"),
        "asan/doctor-sendmail": script("tests/doctor/test_sendmail.py", "asan"),
        "asan/doctor-fail2ban": script("tests/doctor/test_fail2ban.py", "asan"),
        "asan/setup-sendmail": script("tests/setup/test_setup_sendmail.py", "asan"),
        "asan/protocol": script("tests/policyd/test_protocol.py", "asan"),
        "dev/faults": script("tests/policyd/test_faults.py"),
        "asan/milter": script("tests/milter/test_protocol.py", "asan"),
        "tsan/reload": script("tests/milter/test_reload.py", "tsan"),
        "asan/gate": script("tests/gate/test_gate.py", "asan"),
        "asan/probe": script("tests/probe/test_probe.py", "asan"),
        "asan/probe-liars": script("tests/probe/test_liars.py", "asan"),
        "asan/sandbox": script("tests/sandbox/test_sandbox.py", "asan"),
        "asan/postfix": script("tests/mta/test_postfix.py", "asan"),
        "asan/sendmail": script("tests/mta/test_sendmail.py", "asan"),
        "dev/same": script("tests/mta/test_same.py"),
        "dev/milter-faults": script("tests/mta/test_milter_faults.py"),
        "dev/paste": script("tests/mta/test_paste.py"),
        "dev/paste-milter": script("tests/mta/test_paste_milter.py"),
        "dev/doctor-sendmail-mta": script("tests/mta/test_doctor_sendmail.py"),
        "dev/mta-gate": script("tests/mta/test_gate.py"),
        "dev/clients": script("tests/mta/test_clients.py"),
        "dev/situations": script("tests/mta/test_situations.py"),
        "dev/all-sources": script("tests/mta/test_all_sources.py"),
        "dev/demo-log": script("tests/mta/test_demo_log.py"),
        "dev/setup": script("tests/setup/test_setup.py", timeout=900),
        "dev/demo": script("tests/mta/test_demo.py"),
        "dev/bench-selftest": script("tests/bench/selftest.py"),
    },
    "check-full": {
        **units("dev", UNIT),
        **units("clang", UNIT),
        **units("tsan", UNIT),
        "dev/getting-started": script("tests/setup/test_getting_started.py", timeout=900),
        "dev/protocol": script("tests/policyd/test_protocol.py"),
        "dev/postfix": script("tests/mta/test_postfix.py"),
        "dev/sendmail": script("tests/mta/test_sendmail.py"),
        "dev/milter": script("tests/milter/test_protocol.py"),
        "dev/tap": script("tests/tap/test_tap.py"),
        "tsan/tap": script("tests/tap/test_tap.py", "tsan", 600),
        "asan/situations": script("tests/mta/test_situations.py", "asan", 600),
        "dev/gate": script("tests/gate/test_gate.py"),
        "dev/probe": script("tests/probe/test_probe.py"),
        "dev/setup-killed": script("tests/setup/test_killed.py", timeout=1800),
        "tsan/probe-liars": script("tests/probe/test_liars.py", "tsan"),
        "dev/sandbox": script("tests/sandbox/test_sandbox.py"),
        "tsan/gate": script("tests/gate/test_gate.py", "tsan"),
        "asan/mta-gate": script("tests/mta/test_gate.py", "asan"),
        "asan/reload": script("tests/milter/test_reload.py", "asan"),
        "asan/same": script("tests/mta/test_same.py", "asan", 600),
        "asan/bad-logs": script("tests/audit/test_bad_input.py", "asan", 600),
        "asan/paste": script("tests/mta/test_paste.py", "asan"),
        "tsan/protocol": script("tests/policyd/test_protocol.py", "tsan", 600),
        "asan/faults": script("tests/policyd/test_faults.py", "asan", 600),
        "tsan/faults": script("tests/policyd/test_faults.py", "tsan", 600),
    },
}


def expected():
    table = {}
    for line in (ROOT / "tests/expected.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            table[words[0]] = (int(words[1]), int(words[2]) if len(words) > 2 else 0)
    return table


def build(variant, targets):
    log = LOGS / f"build-{variant}.log"
    with log.open("w") as out:
        done = subprocess.run(["make", f"-j{os.cpu_count()}", f"V={variant}", *targets], cwd=ROOT,
                              stdout=out, stderr=subprocess.STDOUT)
    if done.returncode:
        print(f"build {variant} FAILED, see {log.relative_to(ROOT)}:")
        print("".join(log.read_text().splitlines(keepends=True)[-20:]))
    return done.returncode == 0


def run(name, argv, directory, timeout):
    """(passed, failed, skipped, what to show) of one suite."""
    log = LOGS / (name.replace("/", "-") + ".log")
    environment = {**os.environ, "MAILREEVE_BUILD": directory, "SRCDIR": str(ROOT),
                   "CMOCKA_MESSAGE_OUTPUT": "TAP", "PYTHONDONTWRITEBYTECODE": "1",
                   "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
    notes = []
    with log.open("wb") as out:
        try:
            code = subprocess.run(argv, cwd=ROOT, env=environment, stdout=out, timeout=timeout,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT).returncode
        except subprocess.TimeoutExpired:
            code = "none: it took too long"
        except OSError as e:
            code = str(e)
    text = log.read_text(errors="replace")
    passed = skipped = failed = 0
    for line in text.splitlines():
        if line.startswith("#| "):
            notes.append(line[3:])
        elif line.startswith("not ok"):
            failed += 1
            notes.append(line)
        elif re.match(r"ok \d+", line):
            if "# SKIP" in line:
                skipped += 1
            else:
                passed += 1
    if code != 0 and not failed:
        notes.append(f"exit code {code}; the end of {log.relative_to(ROOT)}:")
        notes += text.splitlines()[-8:]
        failed += 1
    want = expected().get(name)
    if not want or want != (passed + failed + skipped, skipped):
        notes.append(f"tests/expected.txt says (tests, skips) = {want}, but there were "
                          f"{(passed + failed + skipped, skipped)}")
        failed += not failed
    return passed, failed, skipped, notes


def main(what):
    LOGS.mkdir(parents=True, exist_ok=True)
    suites = {**SUITES["check"], **SUITES["check-full"]}
    builds = []
    if len(what) == 1 and what[0] in SUITES:
        builds, suites = BUILDS[what[0]], SUITES[what[0]]
    elif what:
        suites = {name: suites[name] for name in what}
    else:
        sys.exit(__doc__)

    began = time.monotonic()
    total = [0, 0, 0]
    for variant, targets in builds:
        good = build(variant, targets)
        print(f"{'ok  ' if good else 'FAIL'} {time.monotonic() - began:6.0f} s  build {variant}", flush=True)
        total[1] += not good
    for name, (argv, directory, timeout) in suites.items():
        start = time.monotonic()
        *counts, notes = run(name, argv, directory, timeout)
        total = [a + b for a, b in zip(total, counts)]
        print(f"{'FAIL' if counts[1] else 'ok  '} {time.monotonic() - start:6.1f} s  {name}: "
              f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True)
        for line in notes:
            print(f"        {line}", flush=True)
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return total[1] != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
