# SPDX-License-Identifier: Apache-2.0
"""What `mailreeve audit` is to say about real clients' sessions, and what it says: for tests/mta/test_clients.py, which
has just driven the clients, and for test_clients_replay.py, which has their recordings."""
import collections
import dataclasses
import json
import os
import pathlib
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parent / "clients"
ROOT = FOLDER.parents[2]
PROGRAM = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"
# Debian's Postfix logs of a ClientHello what comes before the greeting, or a part of it that it takes for a command, or
# nothing: by chance. What a line has: the mode that stands for it in expected.txt.
BY_CHANCE = {r"\026\003": "E", r"\b\v\b\004": "E-signatures", "non-SMTP command": "E-part",
             "unknown=0/": "E-part-unknown"}
LIKELY = {"waits-on-implicit-port"}     # the only finding that a log makes likely, not certain


@dataclasses.dataclass(frozen=True)
class Expected:
    mode: str                           # "-": not compared
    findings: frozenset


class Table:
    """expected.txt. A row that names a client goes before one for all."""

    def __init__(self):
        self.rows = {}
        for line in (FOLDER / "expected.txt").read_text().splitlines():
            if words := line.split("#")[0].split():
                mta, mode, clients, told, *findings = words
                for client in clients.split(","):
                    self.rows[mta, mode, client] = Expected(told, frozenset(findings) - {"-"})

    def of(self, mta, client, mode, lines):
        if mode == "E-default":
            mode = next((chance for text, chance in BY_CHANCE.items() if any(text in line for line in lines)), mode)
        return self.rows.get((mta, mode, client)) or self.rows[mta, mode, "*"]


@dataclasses.dataclass
class Told:
    """What the audit says of the sessions of one address."""
    sessions: int = 0
    modes: set = dataclasses.field(default_factory=set)
    findings: set = dataclasses.field(default_factory=set)      # of --lines
    likely: set = dataclasses.field(default_factory=set)
    reported: set = dataclasses.field(default_factory=set)      # of the report


def run(log, *options):
    done = subprocess.run([PROGRAM, "audit", "-c", "/dev/null", *options, "-"], input=log, text=True, timeout=60,
                          capture_output=True)
    if done.returncode > 1:             # 1: customers have something to change
        raise RuntimeError(f"mailreeve audit {' '.join(options)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def audit(log):
    """{address: Told} of a log."""
    told, address_of = collections.defaultdict(Told), {}
    for each in map(json.loads, run(log, "--lines", "--json").splitlines()):
        if "client" in each:
            address_of[each["session"]] = each["client"]
        elif "ended" in each:
            one = told[address_of.get(each["ended"])]
            one.sessions += 1
            one.modes.add(each["mode"])
            one.findings.update(each.get("findings", []))
            one.likely.update(each.get("likely", []))
    for entry in json.loads(run(log, "--json", "--by", "client"))["entries"]:
        for address in entry["client_addresses"]:
            told[address].reported.update(entry["findings"])
    return told


def differences(expected, told, lines):
    """What is not as it should be of one client in one mode, with its lines."""
    wanted = set(expected.findings)
    wrong = [f"{name}: expected {sorted(want) or 'none'}, got {sorted(got) or 'none'}" for name, want, got in [
        ("findings", wanted, told.findings),
        ("findings in the report", wanted, told.reported),
        ("likely", wanted & LIKELY, told.likely),
        ("TLS mode", {expected.mode}, told.modes if expected.mode != "-" else {"-"}),
    ] if want != got]
    if not told.sessions:
        wrong.append("no session of it was found")
    return wrong + lines if wrong else []
