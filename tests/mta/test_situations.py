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
        wrong += [f"{name} should be {value}: {event}" for name, value in ours.items() if event.get(name) != value]
        wrong += [f"no {name}: {event}" for name in ("key", "duration_ms", "silent_ms", "ended") if event.get(name) is None]
    return wrong


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
    """One session, of the client's address, and with the port that only the tap has seen."""
    wrong = compare(row["both"], said)
    ours = {"client_port": scene.port if is_journaled(scene, row) else None, "software": scene.act.software}
    return wrong + [f"{name} should be {value}: {each}" for each in said for name, value in ours.items() if each.get(name) != value]


def name(scene, source):
    return f"{scene}: {WHAT[source]}"


def main(words):
    expected = situations.table()
    scenes = situations.scenes(expected)
    with situations.Theatre(scenes) as theatre:
        theatre.play_all(scenes)
        events = {mta: theatre.tap[mta].session_events() for mta in MTA_NAMES}
        policy, log = theatre.policy, {mta: theatre.mta[mta].log for mta in MTA_NAMES}
        alone = {mta: audit(policy[mta], log[mta]) for mta in MTA_NAMES}
        journal = {mta: audit(policy[mta], policy[mta].journal) for mta in MTA_NAMES}
        both = {mta: audit(policy[mta], log[mta], policy[mta].journal) for mta in MTA_NAMES}
        lines = {mta: by_address(mta, theatre.mta[mta].logged()) for mta in MTA_NAMES}

    tests = []
    for scene in scenes:
        row, mta = expected[scene.mta, scene.situation, scene.place], scene.mta
        seen = events[mta].pop((scene.address, scene.port), [])
        tests += [(name(scene, source), scene.mistakes() + wrong, scene) for source, wrong in [
            ("log", compare(row["log"], of_log(scene, row, alone[mta][scene.address]))),
            ("tap", check_tap(scene, row, seen, of_both(scene, journal[mta][scene.address]))),
            ("both", check_both(scene, row, of_both(scene, both[mta][scene.address])))]]
    chosen = [test for test in tests if not words or any(word in test[0] for word in words)]
    if not chosen:
        raise Trouble(f"no test has {' or '.join(words)} in its name")
    shared = sum(scene.place in SHARED for scene in scenes)
    nobody_else = [(f"{mta}: mailreeve-tap saw nobody else", list(map(str, events[mta].values()))) for mta in MTA_NAMES]
    nobody_else.append(("postfix: as many sessions as clients behind one address",
                        both["postfix"][SHARED_ADDRESS] if len(both["postfix"][SHARED_ADDRESS]) != shared else []))
    print(f"1..{len(chosen) + len(nobody_else)}", flush=True)
    failed = 0
    for number, (what, wrong, scene) in enumerate(chosen, 1):
        failed += tap.result(number, what, wrong and [*wrong, "--- the client", str(scene.transcript),
                                                      "--- the log", *lines[scene.mta].get(scene.address, [])])
    for number, (what, wrong) in enumerate(nobody_else, len(chosen) + 1):
        failed += tap.result(number, what, list(map(str, wrong)))
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
