# SPDX-License-Identifier: Apache-2.0
"""make demo: the cases on a private Postfix with Mailreeve plugged in, as one table.

KEEP=1 leaves everything running and tells how to go on by hand."""
import os
import shlex
import sys

sys.dont_write_bytecode = True

import cases
import listeners
import tree
from daemons import Trouble, end_on_signals
from dovecot import PASSWORD, USER
from rig import Rig

MAIN_PORTS = ("smtp", "submission", "submissions", "alternate")
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, GREEN, RED = "1", "32", "31"

# heading, width
COLUMNS = [("port", 4), ("client", 7), ("what the client did", 31), ("what it was told", 45), ("finding", 17),
           ("verdict", 12), ("expected", 21), ("ok", 2)]


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if COLOUR else text


def row(cells):
    """One line of the table. A cell that is too long is cut and says so."""
    fitted = [cell if len(cell) <= width else cell[:width - 3] + "..." for cell, (_, width) in zip(cells, COLUMNS)]
    return "  ".join(f"{cell:<{width}}" for cell, (_, width) in zip(fitted, COLUMNS)).rstrip()


def shown(told):
    """A reply without the queue id of this run."""
    return told.split(" as ")[0] if told.startswith("250") else told


def expected(case):
    return f"{case.told[:3]} {case.finding or case.verdict}"


def introduce(rig):
    ports = ", ".join(f"{each.plays} = {each.port}" for each in listeners.DEMO if each.name in MAIN_PORTS)
    print(paint("Mailreeve on a real Postfix", BOLD))
    print(f"""
A private Postfix and Dovecot run on loopback with mailreeve-policyd plugged in, mode enforce. High ports play the real
ones: {ports}. Each row is one session of a real mail client.
Finding and verdict are read from Mailreeve's journal. What is expected was written by hand, from the RFCs and the design.
""")


def play(rig):
    """Print the table while the sessions go on; returns the outcomes."""
    print(paint(row([heading for heading, _ in COLUMNS]), BOLD))
    outcomes, before = [], None
    for case in cases.DEMO:
        port = str(rig.listeners[case.listener].plays)
        if before not in (None, port):
            print()
        before = port
        outcome = rig.play(case)
        outcomes.append(outcome)
        line = row([port, case.client, case.does, shown(outcome.told), outcome.finding or "-", outcome.verdict,
                    expected(case), "no" if outcome.faults else "ok"])
        print(paint(line, RED) if outcome.faults else line[:-2] + paint(line[-2:], GREEN), flush=True)
    return outcomes


def sum_up(outcomes):
    """The line below the table, and what was wrong."""
    wrong = [each for each in outcomes if each.faults]
    taken = sum(each.told.startswith("250") for each in outcomes)
    print(f"\n{len(outcomes)} sessions, {len(outcomes) - len(wrong)} as expected: {taken} mails taken, "
          f"{len(outcomes) - taken} refused, each with its reason.")
    for each in wrong:
        print(paint(f"\nWrong: {each.case.listener}, {each.case.client}, {each.case.does}", RED))
        print("\n".join(["  " + fault for fault in each.faults]))
    return 1 if wrong else 0


def by_hand(rig):
    """How to go on with what KEEP=1 has left running."""
    port = {each.name: each.port for each in listeners.DEMO}
    mail = "--from alice@example.com --to bob@example.com"
    login = f"--auth PLAIN --auth-user {USER} --auth-password {PASSWORD}"
    pids = " ".join(str(daemon.pid) for daemon in rig.workshop.running)
    journal = rig.policyd.journal / "mailreeve-policyd"
    print(f"""
{paint('Still running', BOLD)} (KEEP=1). Try:
  swaks --server 127.0.0.1:{port['submission']} {mail}
  swaks --server 127.0.0.1:{port['submission']} {mail} --tls {login}
  swaks --server 127.0.0.1:{port['submissions']} {mail} --tls-on-connect {login}
  swaks --server 127.0.0.1:{port['smtp-auth']} {mail} {login}
  openssl s_client -starttls smtp -connect 127.0.0.1:{port['submission']} -CAfile {rig.certificates['server'].file} -quiet -crlf
See:
  tail -n 3 {journal}/*.jsonl
  tail {rig.policyd.log} {rig.postfix.log}
Change the policy:
  edit {rig.policyd.config} and kill -HUP {rig.policyd.process.pid}
End:
  kill {pids} && rm -r {shlex.quote(str(rig.workshop.path))}""")


def main():
    keep = os.environ.get("KEEP", "") not in ("", "0")
    with Rig(listeners.DEMO, keep) as rig:
        introduce(rig)
        status = sum_up(play(rig))
        if keep:
            by_hand(rig)
        else:
            print("Nothing is left running. Next: KEEP=1 make demo to try by hand; README.md to plug it into your\n"
                  "Postfix; make deps check for the tests.")
    return status


if __name__ == "__main__":
    end_on_signals()
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(main())
    except (Trouble, tree.TreeError) as trouble:
        sys.exit(f"demo: {trouble}")
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted; everything is stopped")
