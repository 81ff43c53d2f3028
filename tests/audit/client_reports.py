# SPDX-License-Identifier: Apache-2.0
"""What `mailreeve audit` is to say about real clients' sessions, and what it says: for tests/mta/test_clients.py, which
has just driven the clients, and for test_clients_replay.py, which has their recordings."""
import collections
import dataclasses
import json
import os
import pathlib
import re
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parent / "clients"
ROOT = FOLDER.parents[2]
PROGRAM = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"
# Debian's Postfix logs of a ClientHello what comes before the greeting, or a part of it that it takes for a command, or
# nothing: by chance. What a line has: the mode that stands for it in expected.txt.
BY_CHANCE = {r"\026\003": "E", r"\b\v\b\004": "E-signatures", "non-SMTP command": "E-part",
             "unknown=0/": "E-part-unknown"}
MTAS = ("postfix", "sendmail")
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


class JoinedTable:
    """expected-joined.txt: what log and tap tell together."""

    def __init__(self):
        self.rows, self.shows, row = {}, {}, None
        for line in (FOLDER / "expected-joined.txt").read_text().splitlines():
            words = line.split("#")[0].split()
            if words[:1] == ["="]:
                self.shows[words[1]] = Shows(*words[2:])
            elif words and not line.startswith(" "):
                mta, mode, told, *found = words
                row = Joined(told, frozenset(word.removesuffix("?") for word in found) - {"-"},
                             frozenset(word[:-1] for word in found if word.endswith("?")))
            else:
                self.add(row, [(each, mode, client) for client in words for each in (MTAS if mta == "both" else [mta])])

    def add(self, row, keys):
        for key in keys:
            if key in self.rows:
                raise RuntimeError(f"expected-joined.txt has {', '.join(key)} twice")
            self.rows[key] = row


@dataclasses.dataclass(frozen=True)
class Shows:
    """What a client shows of itself."""
    software: str                       # in its mail; "-": nothing that is known
    server_name: str                    # always, never, implicit


@dataclasses.dataclass(frozen=True)
class Joined(Expected):
    likely: frozenset


@dataclasses.dataclass
class Told:
    """What the audit says of the sessions of one address."""
    sessions: int = 0
    modes: set = dataclasses.field(default_factory=set)
    findings: set = dataclasses.field(default_factory=set)      # of --lines
    likely: set = dataclasses.field(default_factory=set)
    reported: set = dataclasses.field(default_factory=set)      # of the report


def run(log, *options, policy="/dev/null"):
    done = subprocess.run([PROGRAM, "audit", "-c", policy, *options], input=log, text=True, timeout=60,
                          capture_output=True)
    if done.returncode not in (0, 1):   # 1: customers have something to change
        raise RuntimeError(f"mailreeve audit {' '.join(options)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def audit(log):
    """{address: Told} of a log."""
    told, address_of = collections.defaultdict(Told), {}
    for each in map(json.loads, run(log, "--lines", "--json", "-").splitlines()):
        if "client" in each:
            address_of[each["session"]] = each["client"]
        elif "ended" in each:
            one = told[address_of.get(each["ended"])]
            one.sessions += 1
            one.modes.add(each["mode"])
            one.findings.update(each.get("findings", []))
            one.likely.update(each.get("likely", []))
    for entry in json.loads(run(log, "--json", "--by", "client", "-"))["entries"]:
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


def audit_both(log, policy, journal):
    """{address: the sessions} of a log and a journal."""
    sessions = collections.defaultdict(list)
    for each in map(json.loads, run(log, "--lines", "--json", "-", journal, policy=policy).splitlines()):
        if "ended" in each:
            sessions[each["client"]].append(each)
    return sessions


def joined_differences(expected, shows, sessions, event, lines):
    """The same of log and tap. event: the tap's, or None; lines: the log's."""
    if len(sessions) != 1:
        return [f"there are {len(sessions)} sessions of it, where one was held", *map(str, sessions)]
    it, signed = sessions[0], shows.software != "-" and any(": client=" in line for line in lines)
    wrong = [f"{name}: expected {want}, got {got}" for name, want, got in [
        ("findings", sorted(expected.findings), sorted(it.get("findings", []))),
        ("likely", sorted(expected.likely), sorted(it.get("likely", []))),
        ("TLS mode", expected.mode, it["mode"] if expected.mode != "*" else "*"),
        ("client's port", event and event["client_port"], it.get("client_port")),
        ("software", shows.software if signed else None, it.get("software")),
        ("fingerprint", event and event.get("ja4"), it.get("ja4")),
    ] if want != got]
    if event and "tls_offered" in event:
        wrong += hello_differences(event, shows)
    return wrong + [str(it), str(event)] if wrong else []


# JA4_a: TLS over TCP, the highest version offered, is there a server name, numbers of ciphers and extensions, ALPN
JA4 = re.compile(r"t(1[0-3])([di])\d{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
JA4_VERSIONS = {"TLSv1": "10", "TLSv1.1": "11", "TLSv1.2": "12", "TLSv1.3": "13"}


def hello_differences(event, shows):
    """A ClientHello: its fingerprint has to be one of JA4, and to say the same as the other fields."""
    if not (ja4 := JA4.fullmatch(event.get("ja4", ""))):
        return [f"no JA4: {event.get('ja4')}"]
    named = shows.server_name == "always" or shows.server_name == event["tls_mode"]
    wrong = [] if event.get("tls_sni") == ("localhost" if named else None) else [f"server name {event.get('tls_sni')}"]
    if ja4[1] != JA4_VERSIONS[event["tls_offered_highest"]] or (ja4[2] == "d") != named:
        wrong.append("the fingerprint says otherwise")
    return wrong
