# SPDX-License-Identifier: Apache-2.0
"""What came of a case: what the client was told, what the journals say of it, and what of that was not expected."""
import collections
import dataclasses
import re

from case import NO_DECISION, Case
from smtp import Transcript
from ways import MILTER


def verdict(line):
    """One word or two for the action of a journal line: audit passes, and says what it would have done."""
    return f"would {line['would']}" if line["action"] == "pass" and line["would"] != "pass" else line["action"]


def own_words(reply):
    """A reply without the words that an MTA puts in front of ours: Postfix of a policy service's, Sendmail (in 550 and
    450) of a filter's."""
    reply = re.sub(r"<.*>: (Client host|(Helo|Etrn) command|SASL login name|(Sender|Recipient) address) rejected: ", "",
                   reply)
    return re.sub(r"^((?:550|450) [\d.]+ )<[^>]*>\.\.\. ", r"\1", reply)


@dataclasses.dataclass
class Outcome:
    case: Case                # as it was expected on this way
    transcript: Transcript
    lines: dict                     # {plug-in: its lines of the journal}
    maillog: str
    port: int                       # the listener's, in this run
    faults: list = dataclasses.field(default_factory=list)      # what differs from what the case expects, in words

    def __post_init__(self):
        self.faults = self.faults + list(faults(self))

    @property
    def told(self):
        return own_words(self.transcript.told)

    def of(self, event):
        """The lines of all plug-ins about an event, in the order in which it happened (their clock is the same)."""
        return sorted((line for lines in self.lines.values() for line in lines if line["event"] == event),
                      key=lambda line: line["mono"])

    @property
    def decisions(self):
        return self.of("decision")

    @property
    def detected(self):
        """What was found without being asked, each finding once a session whoever has found it."""
        return tuple(sorted({(line["key"], line["finding"]) for line in self.of("finding")}))

    @property
    def software(self):
        return [line["client_software"] for line in self.of("software")]

    @property
    def finding(self):
        return self.decisions[-1].get("finding", "") if self.decisions else ""

    @property
    def verdict(self):
        return verdict(self.decisions[-1]) if self.decisions else NO_DECISION

    def messages(self):
        """How many there were: two plug-ins that decide about one message are joined by the session's key, so that it
        counts once."""
        counts = collections.defaultdict(collections.Counter)
        for program, lines in self.lines.items():
            counts[program].update(line["key"] for line in lines if line["event"] == "decision")
        return sum(max(count[key] for count in counts.values()) for key in set().union(*counts.values()))


def differences(name, wanted, got):
    if wanted != got:
        yield f"{name}: expected {wanted!r}, got {got!r}"


def faults(outcome):
    """Compare an outcome with its case; nothing is yielded when all is as expected."""
    case = outcome.case
    yield from outcome.transcript.mistakes
    if not outcome.told.startswith(case.told):
        yield f"told: expected {case.told!r}, got {outcome.told!r}"
    yield from differences("verdict", case.verdict, outcome.verdict)
    yield from differences("messages in the journal", 0 if case.verdict == NO_DECISION else case.lines, outcome.messages())
    yield from differences("found without being asked", case.detected, tuple(found for _, found in outcome.detected))
    if MILTER in outcome.lines:
        yield from differences("software", [case.recognised] * bool(case.recognised), outcome.software)
    yield from contradictions(outcome.lines)
    if outcome.decisions:
        yield from faults_of_line(case, outcome.decisions[-1])
        yield from differences("journal: server_port", {outcome.port}, {line["server_port"] for line in outcome.decisions})


def faults_of_line(case, line):
    yield from differences("finding", case.finding, line.get("finding", ""))
    if missing := {case.finding, *case.also} - {"", *line.get("findings", [])}:
        yield f"findings: expected also {sorted(missing)}, got {line.get('findings', [])}"
    for name, wanted in {"listener": case.listener, **case.journal}.items():
        yield from differences(f"journal: {name}", str(wanted), str(line.get(name)))


def contradictions(lines):
    """Where two plug-ins have decided about the same messages, the milter has found nothing that policyd has not: they
    have the same rules, and policyd is told more (of certificates)."""
    decided = [[line for line in each if line["event"] == "decision"] for each in lines.values()]
    if len(decided) != 2 or len(decided[0]) != len(decided[1]):
        return
    for policyd, milter in zip(*decided):
        if policyd["key"] != milter["key"]:
            yield f"one session, two keys: {policyd['key']} and {milter['key']}"
        if more := set(milter.get("findings", [])) - set(policyd.get("findings", [])):
            yield f"only the milter has found {sorted(more)}"
