# SPDX-License-Identifier: Apache-2.0
"""make demo: the cases on a private MTA with Mailreeve plugged in, as one table.

    demo.py [postfix|sendmail]      also by MTA=sendmail; Postfix, with both plug-ins, is the default

KEEP=1 leaves everything running and tells how to go on by hand."""
import os
import re
import shlex
import sys

sys.dont_write_bytecode = True

import cases
import certs
import listeners
import tree
from case import NO_DECISION, SENT
from daemons import Trouble, end_on_signals
from dovecot import PASSWORD, USER
from plugin import program
from rig import Rig
from ways import POSTFIX_BOTH, SENDMAIL_MILTER

MAIN_PORTS = ("smtp", "submission", "submissions", "alternate")
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, GREEN, RED = "1", "32", "31"
PLAYED = {"postfix": POSTFIX_BOTH, "sendmail": SENDMAIL_MILTER}

# heading, width
COLUMNS = [("port", 4), ("client", 7), ("what the client did", 23), ("what it was told", 45), ("finding", 17),
           ("verdict", 12), ("expected", 16), ("ok", 2)]

INTRODUCTION = {
    "postfix": "A private Postfix and Dovecot run on loopback with mailreeve-policyd and mailreeve-milter plugged in, mode\n"
               "enforce. The milter is asked first, at MAIL; mailreeve-policyd at RCPT.",
    "sendmail": "A private Sendmail runs on loopback with mailreeve-milter plugged in, mode enforce.",
}

BELOW = sum(width + 2 for _, width in COLUMNS[:3])      # what belongs to a row begins below what the client was told
QUEUE_ID = re.compile(r"[0-9A-Za-z]{14}")               # Sendmail's

# Why a finding without a question was not made, by the reason that the case gives
UNSEEN = {"postfix-2": "Postfix shows its plug-ins nothing of such a session; Sendmail does"}


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if COLOUR else text


def row(cells):
    """One line of the table. A cell that is too long is cut and says so."""
    fitted = [cell if len(cell) <= width else cell[:width - 3] + "..." for cell, (_, width) in zip(cells, COLUMNS)]
    return "  ".join(f"{cell:<{width}}" for cell, (_, width) in zip(fitted, COLUMNS)).rstrip()


def full(told):
    """A reply; of one to a mail or to EHLO without the queue id of this run, the capabilities, and who is greeted."""
    if not told.startswith("250"):
        return told
    told = told.split(" / ")[0].split(" as ")[0].split(" Hello ")[0]
    return " ".join(word for word in told.split(" ") if not QUEUE_ID.fullmatch(word))


def shown(told):
    """The part of a reply that has room in the table: up to where it says what to do."""
    return full(told).partition(";")[0]


def word(verdict):
    return "-" if verdict == NO_DECISION else verdict


def expected(case):
    code = case.told[:3] if case.told[0].isdigit() else ""
    return f"{code} {word(case.verdict)}".strip()


def introduce(rig):
    ports = ", ".join(f"{each.plays} = {each.port}" for each in rig.listeners.values() if each.name in MAIN_PORTS)
    print(paint(f"Mailreeve on a real {rig.way.mta.capitalize()}", BOLD))
    print(f"""
{INTRODUCTION[rig.way.mta]} High ports play the real ones:
{ports}. AUTH is possible on 25 only in rows 3 and 4.
Each row is one session of a real mail client. Finding and verdict are read from Mailreeve's journal; "-": there was
nothing to decide. What is expected was written by hand, from the RFCs and the design; "ok" means that finding and
wording are the expected ones, too. "Noticed" are findings that no answer follows from: the milter looks on.
""")


def notice(case, change, outcome):
    """What stands below a row: what the milter has noticed, or why it could not."""
    if outcome.detected:
        return "noticed: " + ", ".join(finding for _, finding in outcome.detected)
    if case.detected:
        return f"not noticed: {UNSEEN[change.why]}"
    return ""


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
        line = row([port, case.client, case.does, shown(outcome.told), outcome.finding or "-", word(outcome.verdict),
                    expected(case), "no" if outcome.faults else "ok"])
        print(paint(line, RED) if outcome.faults else line[:-2] + paint(line[-2:], GREEN), flush=True)
        if below := notice(case, case.differs.get(rig.way.name), outcome):
            print(" " * BELOW + below, flush=True)
    return outcomes


def sum_up(outcomes):
    """The line below the table, and what was wrong."""
    wrong = [each for each in outcomes if each.faults]
    taken = sum(each.told.startswith(SENT) for each in outcomes)
    refused = sum(each.told[0] in "45" for each in outcomes)
    print(f"\n{len(outcomes)} sessions, {len(outcomes) - len(wrong)} as expected: {taken} mails taken, {refused} refused or "
          f"put off, each with its reason, and {len(outcomes) - taken - refused} ended\nbefore there was a mail.")
    if longer := dict.fromkeys(each.told for each in outcomes if ";" in each.told):
        print("Some replies go on and say what to change:\n  " + "\n  ".join(longer))
    for each in wrong:
        print(paint(f"\nWrong: {each.case.listener}, {each.case.client}, {each.case.does}", RED))
        print("\n".join(["  " + fault for fault in each.faults]))
    return 1 if wrong else 0


# Under a heading: what a command shows, the words to look for in its output, and the command. test_demo.py runs them all.
MAIL = "--from alice@example.com --to bob@example.com"
LOGIN = f"--auth PLAIN --auth-user {USER} --auth-password {PASSWORD}"
TRY = [
    ("587, neither TLS nor AUTH", cases.NEEDS_TLS, f"swaks --server 127.0.0.1:{{submission}} {MAIL}"),
    ("587, STARTTLS and AUTH", cases.SENT, f"swaks --server 127.0.0.1:{{submission}} {MAIL} --tls {LOGIN}"),
    ("465, TLS at once and AUTH", cases.SENT,
     f"swaks --server 127.0.0.1:{{submissions}} {MAIL} --tls-on-connect {LOGIN}"),
    ("25, AUTH where the MTA accepts it", cases.NO_AUTH_HERE, f"swaks --server 127.0.0.1:{{smtp_auth}} {MAIL} {LOGIN}"),
    # an MTA takes lines that come too early for an attack; -quiet also stops openssl from taking a line that begins with
    # R (RCPT) or Q for a command to itself
    ("587, STARTTLS, no AUTH, line by line", cases.NEEDS_AUTH,
     "for line in 'EHLO me' 'MAIL FROM:<alice@example.com>' 'RCPT TO:<bob@example.com>' QUIT; do\n"
     "    echo \"$line\"; sleep 0.5; done |\n"
     "    openssl s_client -starttls smtp -connect 127.0.0.1:{submission} -servername {host} \\\n"
     "    -CAfile {certificate} -quiet -verify_quiet -crlf"),
]
SEE = [
    ("the last decision in the journal", '"event":"decision"',
     "grep -h '\"event\":\"decision\"' {journal}/*/*.jsonl | sort | tail -n 1"),
    ("what Mailreeve found, for people", "auth-on-smtp-port refused:", "grep -h refused: {logs}"),
    ("the counters", "submission-rejected", "{status} status -c {config}"),
]
MTA_VIEW = {"postfix": ("Postfix's view", "NOQUEUE: milter-reject: MAIL", "grep NOQUEUE {maillog}"),
            "sendmail": ("Sendmail's view", "reject=530 5.7.0 Must issue", "grep reject= {maillog}")}
CHANGE = ("from now on, the first one above is told 250", "",
          "sed -i 's/^mode: enforce/mode: audit/' {config} && {reload}")
# the daemons write their last lines while they end
END = ("nothing is left", "", "kill {pids}; until rm -rf {folder}; do sleep 0.2; done")


def commands(way):
    """What is printed for a way: {heading: [(what it shows, words in its output, command)]}."""
    return {"Try": TRY, "See": [*SEE, MTA_VIEW[way.mta]], "Change the policy": [CHANGE], "End": [END]}


def by_hand(rig):
    """How to go on with what KEEP=1 has left running."""
    plugins = rig.plugins.values()
    known = {each.name.replace("-", "_"): each.port for each in rig.listeners.values()}
    known.update(host=certs.HOST, certificate=rig.certificates["server"].file, journal=rig.configuration.journal,
                 logs=" ".join(str(plugin.log) for plugin in plugins), maillog=rig.mta.log,
                 status=program("mailreeve"), config=rig.configuration.file,
                 reload=" && ".join(f"kill -{plugin.reload_signal.name.removeprefix('SIG')} {plugin.process.pid}"
                                    for plugin in plugins),
                 pids=" ".join(str(daemon.pid) for daemon in rig.workshop.running),
                 folder=shlex.quote(str(rig.workshop.path)))
    print(f"\n{paint('Still running', BOLD)} (KEEP=1).")
    for heading, listed in commands(rig.way).items():
        print(f"{heading}:")
        for what, words, command in listed:
            print(f"  # {what}{': ' if words else ''}{words}\n  {command.format(**known)}")


def next_steps(mta):
    other = "make demo MTA=sendmail" if mta == "postfix" else "make demo"
    print(f"Nothing is left running. Next: KEEP=1 make demo{' MTA=sendmail' * (mta == 'sendmail')} to try by hand; {other} "
          "for the other MTA;\nREADME.md to plug it into your own; make deps check for the tests.")


def main(mta):
    keep = os.environ.get("KEEP", "") not in ("", "0")
    with Rig(PLAYED[mta], listeners.DEMO, keep) as rig:
        introduce(rig)
        status = sum_up(play(rig))
        if keep:
            by_hand(rig)
        else:
            next_steps(mta)
    return status


def chosen(argv):
    """Which MTA; the end if there is none of that name."""
    mta = (argv or [os.environ.get("MTA") or "postfix"])[0].lower()
    if mta not in PLAYED or len(argv) > 1:
        sys.exit("usage: demo.py [postfix|sendmail]")
    return mta


if __name__ == "__main__":
    end_on_signals()
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(main(chosen(sys.argv[1:])))
    except (Trouble, tree.TreeError) as trouble:
        sys.exit(f"demo: {trouble}")
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted; everything is stopped")
