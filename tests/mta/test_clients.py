# SPDX-License-Identifier: Apache-2.0
"""Real clients in every mode against a private Postfix and a private Sendmail without Mailreeve: `mailreeve audit` names
the mode of each from the log, as tests/audit/clients/expected.txt says. TAP on stdout.

    test_clients.py [WORD...]       only what has one of these words in its name
    test_clients.py --record        writes the logs to tests/audit/clients/, for tests/audit/test_clients_replay.py
"""
import base64
import pathlib
import re
import socket
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "audit"))

import client_reports
import stand
import tap
from daemons import Trouble

MTAS = ("postfix", "sendmail")


def name(mta, client, mode):
    return f"{mta}: {client.name} {mode.name} ({mode.means})"


def passwords(log):
    """Lines with the password, plain or as AUTH sends it (RFC 4616, and the LOGIN mechanism)."""
    users = [stand.user(client) for client in stand.CLIENTS]
    secrets = [stand.PASSWORD, *(base64.b64encode(secret.encode()).decode() for secret in
                                 [stand.PASSWORD, *(f"\0{user}\0{stand.PASSWORD}" for user in users)])]
    return [line for line in log.splitlines() if any(secret in line for secret in secrets)]


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


def main(words):
    recording = words == ["--record"]
    chosen = [(mta, client, mode) for mta in MTAS for client, mode in stand.cases(mta)
              if recording or not words or any(word in name(mta, client, mode) for word in words)]
    if not chosen:
        raise Trouble(f"no test has {' or '.join(words)} in its name")
    with stand.Stand(MTAS) as both:
        played = both.play_all(chosen)
        logs = {mta: both.mta[mta].logged() for mta in MTAS}
    if recording:
        for mta in MTAS:
            record(mta, logs[mta], [each for each in played if each.mta == mta])
        return 0

    print(f"1..{len(chosen) + len(MTAS)}", flush=True)
    table, failed = client_reports.Table(), 0
    told = {mta: client_reports.audit(logs[mta]) for mta in MTAS}
    for number, (case, each) in enumerate(zip(chosen, played), 1):
        failed += tap.result(number, name(*case), test(each, told[each.mta][each.address], table))
    for number, mta in enumerate(MTAS, len(chosen) + 1):
        failed += tap.result(number, f"{mta}: no password is in its log", passwords(logs[mta]))
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
