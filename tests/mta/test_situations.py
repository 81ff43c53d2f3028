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
from plugin import program
from situations import MTA_NAMES, NOT_LOGGED, Found
from stand import by_address

WHAT = {"log": "log alone"}


def audit(policy, *sources):
    """{client's address: what was said of its sessions, in their order}"""
    done = subprocess.run([program("mailreeve"), "audit", "-c", policy.file, "--lines", "--json", *sources], text=True,
                          timeout=60, capture_output=True)
    if done.returncode > 1 or done.stderr:
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


def log_said(scene, said, counts):
    """Sessions of one address: those over IPv6 have it in common, and are told apart by their order."""
    of_address = said[scene.address]
    if scene.way != "IPv6":
        return of_address
    counts[scene.mta] += 1
    return of_address[counts[scene.mta] - 1:counts[scene.mta]]


def name(scene, source):
    return f"{scene}: {WHAT[source]}"


def main(words):
    expected = situations.table()
    scenes = situations.scenes(expected)
    with situations.Theatre() as theatre:
        theatre.play_all(scenes)
        logs = {mta: audit(theatre.policy[mta], theatre.mta[mta].log) for mta in MTA_NAMES}
        maillogs = {mta: theatre.mta[mta].logged() for mta in MTA_NAMES}

    tests, counts = [], collections.Counter()
    for scene in scenes:
        row = expected[scene.mta, scene.situation, scene.place]
        wrong = {"log": compare(row["log"], log_said(scene, logs[scene.mta], counts))}
        for source in WHAT:
            tests.append((name(scene, source), scene.mistakes() + wrong[source], scene))
    chosen = [test for test in tests if not words or any(word in test[0] for word in words)]
    if not chosen:
        raise Trouble(f"no test has {' or '.join(words)} in its name")
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, (what, wrong, scene) in enumerate(chosen, 1):
        lines = by_address(scene.mta, maillogs[scene.mta]).get(scene.address, [])
        failed += tap.result(number, what, wrong and [*wrong, "--- the client", str(scene.transcript), "--- the log", *lines])
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
