# SPDX-License-Identifier: Apache-2.0
"""Every situation of docs/sources.md on a private Postfix and a private Sendmail: what `mailreeve audit` says of the log
alone, mailreeve-tap alone, and `mailreeve audit` of both, which has to be one session. TAP on stdout.

    test_situations.py [WORD...]        only what has one of these words in its name
"""
import collections
import json
import subprocess
import sys

sys.dont_write_bytecode = True

import situations
import tap
from daemons import Trouble
from listeners import SMTP
from plugin import program
from situations import MTA_NAMES, NOT_LOGGED, PROXIED, SHARED, SHARED_ADDRESS, Found
from stand import by_address

WHAT = {"log": "log alone", "tap": "mailreeve-tap alone", "both": "log and tap"}


def audit(policy, *sources):
    """{client's address: what was said of its sessions, in their order}"""
    done = subprocess.run([program("mailreeve"), "audit", "-c", policy.file, "--lines", "--json", *sources], text=True,
                          timeout=60, capture_output=True)
    if done.returncode not in (0, 1) or done.stderr:
        raise Trouble(f"mailreeve audit ended with {done.returncode}: {done.stderr}")
    said, address_of = collections.defaultdict(list), {}
    for each in map(json.loads, done.stdout.splitlines()):
        if "line" in each and "client" in each:
            address_of[each["session"]] = each["client"]
        elif "ended" in each:
            said[each.get("client", address_of.get(each["ended"]))].append(each)
    return said


def judgement(said):
    return Found(frozenset(said.get("findings", [])), frozenset(said.get("likely", [])))


def compare(allowed, said):
    """said: what a source has of one session, each time that it is told."""
    if not said:
        return [] if NOT_LOGGED in allowed else ["there is no session of it"]
    if len(said) != 1:
        return [f"there are {len(said)} sessions of it, where one was held", *map(str, said)]
    it = judgement(said[0])
    return [] if it in allowed else [f"expected {' or '.join(map(str, allowed))}, got {it}", str(said[0])]


def is_journaled(scene, row):
    """Are the tap's events of that kind lines of the journal, or only counted? (docs/journal.md)"""
    return not scene.act.monitor and (scene.listener.role != SMTP or bool(row["tap"][0].findings))


def check_tap(scene, row, events, told):
    """told: what `mailreeve audit` makes of the journal without a log."""
    if not is_journaled(scene, row):
        return [f"should only be counted: {each}" for each in events + told]
    wrong = compare(row["tap"], events)
    wrong += [f"`mailreeve audit` of the journal alone: {each}" for each in compare(row["tap"], told)]
    for event in events:
        ours = {"listener": scene.listener.name, "role": scene.listener.role, "mode": "audit", "action": "pass",
                "server_port": scene.server_port, "proxy_address": scene.source if scene.place in PROXIED else None,
                **scene.shows()}
        wrong += differences(ours, event)
        always = ("key", "duration_ms", "silent_ms", "ended", *["ja4", "tls_offered"] * ("tls_sni" in ours))
        wrong += [f"no {name}: {event}" for name in always if event.get(name) is None]
    return wrong


def differences(wanted, got):
    return [f"{name} should be {value}: {got}" for name, value in wanted.items() if got.get(name) != value]


def of_log(scene, row, said):
    """The sessions that the log has of a scene. Of those that share an address any one that is as it should be: which
    is whose, `mailreeve audit` does not print."""
    if scene.place not in SHARED:
        return said
    fitting = [each for each in said if judgement(each) in row["log"]][:1]
    for each in fitting:
        said.remove(each)
    return fitting


def of_both(scene, said):
    """The same of log and tap, where the port tells them apart."""
    return [each for each in said if scene.place not in SHARED or each.get("client_port") == scene.port]


def check_both(scene, row, said):
    """One session of all who saw it, of the client's address, and with the port that only the tap has seen."""
    journaled = is_journaled(scene, row)
    ours = {"client_port": scene.port if journaled else None, "software": scene.act.software,
            "sources": ["log"] * (NOT_LOGGED not in row["log"]) + ["tap"] * journaled}
    return compare(row["both"], said) + [line for each in said for line in differences(ours, each)]


class Result:
    """What there is to be compared, of one MTA; the files are gone when the theatre is."""

    def __init__(self, theatre, mta):
        policy, log = theatre.policy[mta], theatre.mta[mta].log
        self.events = theatre.tap[mta].session_events()
        self.log, self.journal, self.both = (audit(policy, *sources) for sources in [
            (log,), (policy.journal,), (log, policy.journal)])
        self.lines = by_address(mta, theatre.mta[mta].logged())

    def check(self, scene, row):
        """(source, what is wrong) of one scene."""
        address, events = scene.address, self.events.pop((scene.address, scene.port), [])
        yield "log", compare(row["log"], of_log(scene, row, self.log[address]))
        yield "tap", check_tap(scene, row, events, of_both(scene, self.journal[address]))
        yield "both", check_both(scene, row, of_both(scene, self.both[address]))


def tests(scenes, expected, results):
    """(name, what is wrong)"""
    for scene in scenes:
        result = results[scene.mta]
        seen = ["--- the client", str(scene.transcript), "--- the log", *result.lines.get(scene.address, [])]
        for source, wrong in result.check(scene, expected[scene.mta, scene.situation, scene.place]):
            wrong = scene.mistakes() + wrong
            yield f"{scene}: {WHAT[source]}", wrong and wrong + seen
    for mta, result in results.items():
        yield f"{mta}: mailreeve-tap saw nobody else", [str(event) for events in result.events.values() for event in events]
    crowd = results["postfix"].both[SHARED_ADDRESS]
    as_many = len(crowd) == sum(scene.place in SHARED for scene in scenes)
    yield "postfix: as many sessions as clients behind one address", [] if as_many else list(map(str, crowd))


def main(words):
    expected = situations.table()
    scenes = situations.scenes(expected)
    with situations.Theatre(scenes) as theatre:
        theatre.play_all(scenes)
        results = {mta: Result(theatre, mta) for mta in MTA_NAMES}
    chosen = [test for test in tests(scenes, expected, results) if not words or any(word in test[0] for word in words)]
    if not chosen:
        raise Trouble(f"no test has {' or '.join(words)} in its name")
    print(f"1..{len(chosen)}", flush=True)
    return int(sum(tap.result(number, *test) for number, test in enumerate(chosen, 1)) > 0)


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
