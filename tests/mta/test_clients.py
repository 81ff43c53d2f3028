# SPDX-License-Identifier: Apache-2.0
"""Real clients in every mode against a private Postfix and a private Sendmail that do not know of Mailreeve: `mailreeve
audit` names the mode of each from the log, as tests/audit/clients/expected.txt says, and from the log and the journal of
mailreeve-tap, as expected-joined.txt says. TAP on stdout.

    test_clients.py [WORD...]       only what has one of these words in its name
    test_clients.py --record        writes the logs to tests/audit/clients/, for tests/audit/test_clients_replay.py
"""
import base64
import collections
import itertools
import pathlib
import re
import socket
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "audit"))

import client_reports
import stand
import tap
from client_reports import MTAS
from daemons import Trouble


def name(mta, client, mode):
    return f"{mta}: {client.name} {mode.name} ({mode.means})"


def passwords(log):
    """Lines with the password, plain or as AUTH sends it (RFC 4616, and the LOGIN mechanism)."""
    users = [stand.user(client) for client in stand.CLIENTS]
    secrets = [stand.PASSWORD, *(base64.b64encode(secret.encode()).decode() for secret in
                                 [stand.PASSWORD, *(f"\0{user}\0{stand.PASSWORD}" for user in users)])]
    return [line for line in log.splitlines() if any(secret in line for secret in secrets)]


def by_client(events):
    """{address: session events}"""
    found = collections.defaultdict(list)
    for (address, _), of_port in events.items():
        found[address] += of_port
    return found


def record(mta, log, played):
    """The sessions' lines in their order, and which address is which case. Nothing in it tells of this machine."""
    ours = {line for each in played for line in each.lines}
    lines = [re.sub(rf"@{re.escape(socket.gethostname())}\b", "@client.example.com", line)
             for line in log.splitlines() if line in ours]
    cases = [f"# CASE {each.client}/{each.mode} {each.address}" for each in played]
    head = f"# Real clients' sessions in {mta}'s log; tests/mta/clients.py says what the modes are."
    (client_reports.FOLDER / f"{mta}.log").write_text("\n".join([head, *cases, *lines]) + "\n")


def test(played, told, table):
    expected = table.of(played.mta, played.client, played.mode, played.lines)
    wrong = client_reports.differences(expected, told, played.lines)
    return wrong + ["--- the client", *played.said.splitlines()[-8:]] if wrong else []


def test_joined(mta, client, mode, sessions, events, lines, table):
    expected = table.rows.get((mta, mode.name, client.name))
    if not expected:
        return [f"expected-joined.txt does not name {client.name}, {mode.name} on {mta}"]
    if len(events) > 1:
        return [f"mailreeve-tap tells {len(events)} sessions, where one was held", *map(str, events)]
    event = events[0] if events else None
    return client_reports.joined_differences(expected, table.shows[client.name], sessions, event, lines)


def main(words):
    recording = words == ["--record"]
    chosen = [(mta, client, mode) for mta in MTAS for client, mode in stand.cases(mta)
              if recording or not words or any(word in name(mta, client, mode) for word in words)]
    if not chosen:
        raise Trouble(f"no test has {' or '.join(words)} in its name")
    with stand.Stand(MTAS) as both:
        played = both.play_all(chosen)
        events = {mta: by_client(both.tap[mta].session_events()) for mta in MTAS}
        logs = {mta: both.mta[mta].logged() for mta in MTAS}
        written = {mta: logs[mta] + both.tap[mta].written() for mta in MTAS}
        joined = {mta: client_reports.audit_both(logs[mta], policy.file, policy.journal)
                  for mta, policy in both.policy.items()}
    logs = {mta: stand.as_one_port(log) for mta, log in logs.items()}
    if recording:
        for mta in MTAS:
            record(mta, logs[mta], [each for each in played if each.mta == mta])
        return 0

    print(f"1..{2 * len(chosen) + len(MTAS)}", flush=True)
    table, joined_table, failed = client_reports.Table(), client_reports.JoinedTable(), 0
    told = {mta: client_reports.audit(logs[mta]) for mta in MTAS}
    numbers = itertools.count(1)
    for case, each in zip(chosen, played):
        failed += tap.result(next(numbers), name(*case), test(each, told[each.mta][each.address], table))
    for case, each in zip(chosen, played):
        wrong = test_joined(*case, joined[each.mta][each.address], events[each.mta][each.address], each.lines, joined_table)
        failed += tap.result(next(numbers), f"{name(*case)}, log and tap", wrong and wrong + each.lines)
    for mta in MTAS:
        failed += tap.result(next(numbers), f"{mta}: no password is in its log, nor in what mailreeve-tap wrote",
                             passwords(written[mta]))
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
