# SPDX-License-Identifier: Apache-2.0
"""The rig: Dovecot, mailreeve-policyd and Postfix plugged together, and playing a case on them."""
import dataclasses
import os
import re
import socket

import cases
import certs
import dovecot
import tools
import tree
from daemons import Trouble, Workshop, free_ports
from policyd import Policyd, program
from postfix import Postfix, master_cf
from smtp import Target, Transcript


@dataclasses.dataclass
class Outcome:
    case: cases.Case
    transcript: Transcript
    decisions: list                 # the lines of the journal
    maillog: str
    faults: list                    # what differs from what the case expects, in words

    @property
    def told(self):
        return own_words(self.transcript.told)

    @property
    def finding(self):
        return self.decisions[-1].get("finding", "") if self.decisions else ""

    @property
    def verdict(self):
        return verdict(self.decisions[-1]) if self.decisions else "not asked"


def own_words(reply):
    """A reply without the words that Postfix puts in front of a policy service's text."""
    return re.sub(r"<.*>: (Client host|(Helo|Etrn) command|SASL login name|(Sender|Recipient) address) rejected: ", "", reply)


def verdict(line):
    """One word or two for the action of a journal line: audit passes, and says what it would have done."""
    return f"would {line['would']}" if line["action"] == "pass" and line["would"] != "pass" else line["action"]


def faults(case, transcript, decisions):
    """Compare an outcome with a case; what is returned is empty when all is as expected."""
    found = list(transcript.mistakes)
    told = own_words(transcript.told)

    def expect(what, wanted, got):
        if wanted != got:
            found.append(f"{what}: expected {wanted!r}, got {got!r}")

    if not told.startswith(case.told):
        found.append(f"told: expected {case.told!r}, got {told!r}")
    if case.verdict == "not asked":
        expect("decisions in the journal", 0, len(decisions))
        return found
    expect("decisions in the journal", case.lines, len(decisions))
    if not decisions:
        return found
    line = decisions[-1]
    expect("verdict", case.verdict, verdict(line))
    expect("finding", case.finding, line.get("finding", ""))
    if missing := {case.finding, *case.also} - {"", *line.get("findings", [])}:
        found.append(f"findings: expected also {sorted(missing)}, got {line.get('findings', [])}")
    for name, wanted in {"listener": case.listener, **case.journal}.items():
        expect(f"journal: {name}", str(wanted), str(line.get(name)))
    return found


class Rig:
    """Everything up, as a context manager; keep=True leaves it up after a run without an exception."""

    def __init__(self, listeners, keep=False):
        if os.geteuid() != 0:
            raise Trouble("this starts a private Postfix, whose master has to be root; run it as root")
        for package in tree.PACKAGES:
            tree.check(package)
        if not program().exists():
            raise Trouble(f"{program()} is not there; run: make")
        self.listeners = {each.name: each for each in listeners}
        self.workshop = Workshop(keep)
        try:
            self.start(listeners)
        except BaseException:
            self.workshop.keep = False
            self.workshop.__exit__(None, None, None)
            raise

    def start(self, listeners):
        *ports, policy_port = free_ports(len(listeners) + 1)
        for listener, port in zip(listeners, ports):
            listener.port = port
        self.trap = socket.create_server(("127.0.0.1", 0))      # a policy service that must never be asked
        self.trap.setblocking(False)
        self.certificates = certs.make_all(self.workshop.folder("certificates"))
        sasl = dovecot.start(self.workshop)
        self.policyd = Policyd(self.workshop, listeners, policy_port, self.certificates["relay"].fingerprint)
        sockets = {**self.policyd.sockets, "nobody": f"inet:127.0.0.1:{self.trap.getsockname()[1]}"}
        self.postfix = Postfix(self.workshop)
        self.postfix.start(ports, master_cf(listeners, sockets), self.certificates["server"], sasl)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.trap.close()
        self.workshop.__exit__(*problem)

    def target(self, listener):
        return Target(self.listeners[listener].port, self.certificates,
                      {each.name: each.port for each in self.listeners.values()})

    def trapped(self):
        """Has anybody connected to the policy service that must not be asked?"""
        try:
            self.trap.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def converse(self, case):
        """Let a client do what a case says and return its transcript."""
        return tools.CLIENTS[case.client](self.target(case.listener), case)

    def play(self, case):
        """The same, with what the journal has about it and whether all of it is as the case expects."""
        mark = self.postfix.mark()
        transcript = self.converse(case)
        decisions = self.policyd.decisions()
        found = faults(case, transcript, decisions)
        if self.trapped():
            found.append("policyd was asked about a client that has not authenticated")
        return Outcome(case, transcript, decisions, self.postfix.logged(mark), found)
