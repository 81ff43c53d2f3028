#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mailreeve audit` on recordings of real clients in every mode (clients/*.log, made by tests/mta/test_clients.py
--record) says of each session what clients/expected.txt says. TAP."""
import re
import sys

sys.dont_write_bytecode = True

import client_reports

CASE = re.compile(r"# CASE (\S+)/(\S+) (\S+)")


def main():
    table, number = client_reports.Table(), 0
    failed = False
    for file in ("postfix.log", "postfix-rare.log", "sendmail.log"):
        mta = re.match(r"\w+", file)[0]
        text = (client_reports.FOLDER / file).read_text()
        log = [line for line in text.splitlines() if not line.startswith("#")]
        told = client_reports.audit("".join(line + "\n" for line in log))
        for client, mode, address in CASE.findall(text):
            number += 1
            lines = [line for line in log if f"[{address}]" in line]
            wrong = client_reports.differences(table.of(mta, client, mode, lines), told[address], lines)
            print(f"{'not ' * bool(wrong)}ok {number} - {mta}: {client} {mode}")
            print("".join(f"# {line}\n" for line in wrong), end="")
            failed |= bool(wrong)
    print(f"1..{number}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
