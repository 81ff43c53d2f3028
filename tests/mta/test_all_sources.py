# SPDX-License-Identifier: Apache-2.0
"""Everything at once on a real Postfix: mailreeve-policyd and mailreeve-milter plugged in, mailreeve-tap looking on, the
log. What each has of a session becomes one session. TAP on stdout."""
import collections
import json
import subprocess
import sys

sys.dont_write_bytecode = True

import cases
import listeners
import suite
import tap
from plugin import program
from rig import Rig
from ways import POSTFIX_BOTH
from wiretap import Wiretap

PROGRAMS = ("mailreeve-policyd", "mailreeve-milter", "mailreeve-tap")


class WatchedRig(Rig):
    def plug_in(self):
        self.configuration.sections.append("tap: {interface: lo}")
        super().plug_in()
        self.tap = Wiretap(self.workshop, self.configuration)
        self.tap.start()

    def stop(self):
        """Everything said is written then."""
        self.mta.settle()
        for daemon in (self.tap, *self.plugins.values()):
            daemon.stop()


def events(rig):
    """{key: {program: its events}} of all that the journals have of sessions."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for name in PROGRAMS:
        for segment in (rig.configuration.journal / name).glob("*.jsonl"):
            for line in map(json.loads, segment.read_text().splitlines()):
                if line.get("key"):
                    found[line["key"]][name].append(line)
    return found


def audit(rig, *options):
    command = [program("mailreeve"), "audit", "-c", rig.configuration.file, *options, rig.mta.log, rig.configuration.journal]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


def explain(rig, key):
    command = [program("mailreeve"), "explain", "-c", rig.configuration.file, "--session", key, rig.mta.log, rig.configuration.journal]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


# ---- what has to be true -----------------------------------------------------------------

def nothing_is_alone(ended, _):
    """each session of the journals is one of the log, and each of the log is in the journals"""
    return [f"{each}" for each in ended if "log" not in each["sources"]] + ["no session was played"] * (len(ended) < 20)


def one_key(_, by_key):
    """the three programs write the same key"""
    every = [key for key, of in by_key.items() if set(of) == set(PROGRAMS)]
    alone = [key for key, of in by_key.items() if "mailreeve-tap" not in of]
    return ["no session has all three"] * (len(every) < 10) + [f"{key} was not seen by the tap: {by_key[key]}" for key in alone
                                                                 if by_key[key].keys() - {"mailreeve-tap"} and on_submission(by_key[key])]


def on_submission(of):
    """The tap has no line of a session on port 25 in which it found nothing."""
    return any(line["role"] != "smtp" for lines in of.values() for line in lines)


def all_that_was_found(ended, by_key):
    """what the plug-ins found is found, in the one session"""
    wrong = []
    sessions = {(each["client"], each.get("client_port")): each for each in ended}
    for of in by_key.values():
        lines = [line for lines in of.values() for line in lines]
        session = sessions[lines[0]["client_address"], lines[0]["client_port"]]
        missing = {finding for name in PROGRAMS[:2] for line in of[name] for finding in line.get("findings", [])} - set(session.get("findings", []))
        # Nobody is told twice: who left without TLS has a better name, if the tap has seen why.
        if missing - {"no-tls-seen"}:
            wrong.append(f"{sorted(missing)} is missing in {session}")
    return wrong


TESTS = [nothing_is_alone, one_key, all_that_was_found]


def main():
    print(f"1..{len(TESTS) + 1}", flush=True)
    with WatchedRig(POSTFIX_BOTH, listeners.DEMO) as rig:
        for case in cases.DEMO:
            if case.listener in rig.listeners and case.on(POSTFIX_BOTH):
                rig.converse(case.on(POSTFIX_BOTH))
        rig.stop()
        by_key = events(rig)
        ended = [each for each in map(json.loads, audit(rig, "--lines", "--json").splitlines()) if "ended" in each]
        failed = 0
        for number, test in enumerate(TESTS, 1):
            failed += tap.result(number, test.__doc__, suite.run(test, ended, by_key))
        key = next(key for key, of in by_key.items() if set(of) == set(PROGRAMS))
        told = explain(rig, key)
        failed += tap.result(len(TESTS) + 1, "mailreeve explain --session shows who saw what",
                             [] if "seen by   log, policyd, milter, tap\n" in told else [told])
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main)
