# SPDX-License-Identifier: Apache-2.0
"""make demo: the cases on a private Postfix with Mailreeve plugged in, as one table.

KEEP=1 leaves everything running and tells how to go on by hand."""
import os
import shlex
import sys

sys.dont_write_bytecode = True

import cases
import certs
import listeners
import tree
from daemons import Trouble, end_on_signals
from dovecot import PASSWORD, USER
from policyd import program
from rig import Rig

MAIN_PORTS = ("smtp", "submission", "submissions", "alternate")
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, GREEN, RED = "1", "32", "31"

# heading, width
COLUMNS = [("port", 4), ("client", 7), ("what the client did", 23), ("what it was told", 45), ("finding", 17),
           ("verdict", 12), ("expected", 16), ("ok", 2)]


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if COLOUR else text


def row(cells):
    """One line of the table. A cell that is too long is cut and says so."""
    fitted = [cell if len(cell) <= width else cell[:width - 3] + "..." for cell, (_, width) in zip(cells, COLUMNS)]
    return "  ".join(f"{cell:<{width}}" for cell, (_, width) in zip(fitted, COLUMNS)).rstrip()


def full(told):
    """A reply without the queue id of this run."""
    return told.split(" as ")[0] if told.startswith("250") else told


def shown(told):
    """The part of a reply that has room in the table: up to where it says what to do."""
    return full(told).partition(";")[0]


def expected(case):
    return f"{case.told[:3]} {case.verdict}"


def introduce(rig):
    ports = ", ".join(f"{each.plays} = {each.port}" for each in listeners.DEMO if each.name in MAIN_PORTS)
    print(paint("Mailreeve on a real Postfix", BOLD))
    print(f"""
A private Postfix and Dovecot run on loopback with mailreeve-policyd plugged in, mode enforce. High ports play the real
ones: {ports}. AUTH is possible on 25 only in rows 3 and 4.
Each row is one session of a real mail client. Finding and verdict are read from Mailreeve's journal. What is expected
was written by hand, from the RFCs and the design; "ok" means that finding and wording are the expected ones, too.
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
          f"{len(outcomes) - taken} refused or put off, each with its reason.")
    if longer := dict.fromkeys(each.told for each in outcomes if ";" in each.told):
        print("Some replies go on and say what to change:\n  " + "\n  ".join(longer))
    for each in wrong:
        print(paint(f"\nWrong: {each.case.listener}, {each.case.client}, {each.case.does}", RED))
        print("\n".join(["  " + fault for fault in each.faults]))
    return 1 if wrong else 0


# Under a heading: what a command shows, the words to look for in its output, and the command. test_demo.py runs them all.
MAIL = "--from alice@example.com --to bob@example.com"
LOGIN = f"--auth PLAIN --auth-user {USER} --auth-password {PASSWORD}"
BY_HAND = {
    "Try": [
        ("587, neither TLS nor AUTH", cases.NEEDS_TLS, f"swaks --server 127.0.0.1:{{submission}} {MAIL}"),
        ("587, STARTTLS and AUTH", cases.SENT, f"swaks --server 127.0.0.1:{{submission}} {MAIL} --tls {LOGIN}"),
        ("465, TLS at once and AUTH", cases.SENT,
         f"swaks --server 127.0.0.1:{{submissions}} {MAIL} --tls-on-connect {LOGIN}"),
        ("25, AUTH on a Postfix that accepts it there", cases.NO_AUTH_HERE,
         f"swaks --server 127.0.0.1:{{smtp_auth}} {MAIL} {LOGIN}"),
        # -quiet also stops openssl from taking a line that begins with R (RCPT) or Q for a command to itself
        ("587, STARTTLS, no AUTH, line by line", cases.NEEDS_AUTH,
         "printf '%s\\n' 'EHLO me' 'MAIL FROM:<alice@example.com>' 'RCPT TO:<bob@example.com>' QUIT |\n"
         "    openssl s_client -starttls smtp -connect 127.0.0.1:{submission} -servername {host} \\\n"
         "    -CAfile {certificate} -quiet -verify_quiet -crlf"),
    ],
    "See": [
        ("the last decision in the journal", '"event":"decision"', "tail -qn 1 {journal}/*.jsonl"),
        ("what Mailreeve found, for people", "auth-on-smtp-port refused:", "grep -h refused: {log}"),
        ("the counters", "submission-rejected", "{status} status -c {config}"),
        ("Postfix's view", "NOQUEUE: reject: RCPT", "grep NOQUEUE {maillog}"),
    ],
    "Change the policy": [
        ("from now on, the first one above is told 250", "",
         "sed -i 's/^mode: enforce/mode: audit/' {config} && kill -HUP {pid}"),
    ],
    "End": [
        ("nothing is left", "", "kill {pids} && rm -r {folder}"),
    ],
}


def by_hand(rig):
    """How to go on with what KEEP=1 has left running."""
    known = {each.name.replace("-", "_"): each.port for each in listeners.DEMO}
    known.update(host=certs.HOST, certificate=rig.certificates["server"].file,
                 journal=rig.policyd.journal / "mailreeve-policyd", log=rig.policyd.log, maillog=rig.postfix.log,
                 status=program().with_name("mailreeve"), config=rig.policyd.config, pid=rig.policyd.process.pid,
                 pids=" ".join(str(daemon.pid) for daemon in rig.workshop.running),
                 folder=shlex.quote(str(rig.workshop.path)))
    print(f"\n{paint('Still running', BOLD)} (KEEP=1).")
    for heading, commands in BY_HAND.items():
        print(f"{heading}:")
        for what, words, command in commands:
            print(f"  # {what}{': ' if words else ''}{words}\n  {command.format(**known)}")


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
