# SPDX-License-Identifier: Apache-2.0
"""A filter goes away while sessions go on, and comes back; each session is told what faults_tables.py says."""
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

from daemons import Trouble, wait_for
from faults_sessions import Session, at_once, sessions_at
from faults_tables import AWAY, EHLO, RCPT, SERVED, replies

END_SECONDS = 3                 # within which the milter ends


# ---- the journal ---------------------------------------------------------------------------------------------------

def journal(milter):
    """Every decision that it has ever journaled: {sender: lines}."""
    decisions = {}
    for segment in (file for directory in milter.directories() for file in directory.glob("*.jsonl")):
        text = segment.read_bytes()
        for line in map(json.loads, text[:text.rfind(b"\n") + 1].splitlines()):
            if line["event"] == "decision":
                decisions.setdefault(line["sender"], []).append(line)
    return decisions


def journal_with(milter, senders):
    """The same, when it has these; or after a while, without them."""
    with contextlib.suppress(Trouble):
        wait_for("the journal", lambda: journal(milter).keys() >= set(senders), 10)
    return journal(milter)


def decided(sessions):
    return [sender for session in sessions for sender in session.decided]


def missing(decisions, session):
    """What was wrong with the journal about a session whose MAILs the filter has all answered."""
    return [f"{session.client.name}: {len(decisions.get(sender, []))} lines in the journal about {sender}"
            for sender in session.decided if len(decisions.get(sender, [])) != 1]


# ---- what happens to the filter ------------------------------------------------------------------------------------

def processes(milter):
    """{pid: state} of the milter's that have not ended."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
            if int(group) == milter.process.pid and state != "Z":
                found[int(stat.parent.name)] = state
    return found


def kill(milter):
    milter.kill()
    wait_for("the milter's processes to be gone", lambda: not processes(milter))


def kill_and_remove(milter):
    kill(milter)
    milter.socket.unlink()


def halt(milter):
    os.killpg(milter.process.pid, signal.SIGSTOP)
    wait_for("the milter to stand still", lambda: set(processes(milter).values()) == {"T"})


def go_on(milter):
    os.killpg(milter.process.pid, signal.SIGCONT)


def end(milter, number):
    """What was wrong with how it ended on a signal."""
    began, mark = time.monotonic(), milter.mark()
    milter.process.send_signal(number)
    try:
        code = milter.process.wait(30)
    except subprocess.TimeoutExpired:
        code = "none"
    took = time.monotonic() - began
    milter.stop()
    said = [f"exit code {code}, expected 0", *milter.logged(mark).splitlines()[-20:]] if code != 0 else []
    return said + [f"it took {took:.1f} s"] * (took > END_SECONDS)


def terminate(milter):
    return end(milter, signal.SIGTERM)


def hang_up(milter):
    return end(milter, signal.SIGHUP)


def start(milter):
    milter.start()


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    moment: str
    strike: object              # a function of the milter; what it returns was wrong with how it ended
    mend: object = start

    @property
    def title(self):
        return f"{self.name} {self.moment}"


FAULTS = [
    Fault("its socket is dead", AWAY, kill),
    Fault("its socket is missing", AWAY, kill_and_remove),
    Fault("it stands still", AWAY, halt, go_on),
    Fault("it is killed", EHLO, kill),
    Fault("it stands still", EHLO, halt, go_on),
    Fault("SIGTERM", EHLO, terminate),
    Fault("SIGHUP", EHLO, hang_up),
    Fault("it is killed", RCPT, kill),
    Fault("it stands still", RCPT, halt, go_on),
]
ENDINGS = [fault for fault in FAULTS if fault.strike in (terminate, hang_up)]


# ---- playing one -----------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Course:
    """What came of a fault: what was wrong on each listener, and what with the filter's own end."""
    by_listener: dict
    of_the_end: list
    notes: list


COURSES = {}                    # (rig, fault): Course, or why it could not be played


def course(rig, fault):
    """What came of a fault, which is played when it is asked for the first time."""
    if (rig, fault) not in COURSES:
        try:
            COURSES[rig, fault] = play(rig, fault)
        except (Trouble, OSError) as trouble:
            COURSES[rig, fault] = trouble
            revive(rig.milter)
        except BaseException:               # an interruption, which a milter that stands still would hold up
            with contextlib.suppress(OSError):
                go_on(rig.milter)
            raise
    if isinstance(COURSES[rig, fault], Exception):
        raise COURSES[rig, fault]
    return COURSES[rig, fault]


def revive(milter):
    """For the next fault's sake, after one that could not be played to its end."""
    if milter.process.poll() is None:
        go_on(milter)
        milter.stop()
    milter.start()


def expected(fault, mta, session):
    """The replies from the fault on."""
    return replies(mta, fault.moment, session.listener.effective(mta), session.client, stays=fault.mend == go_on)


def play(rig, fault):
    """On all listeners at once: a fault, what is told then and later in the same sessions, and new sessions."""
    sessions = sessions_at(rig, fault.moment)
    if fault.moment != AWAY:
        at_once(lambda session: session.served(session.before), sessions)
    heard = decided(session for session in sessions if not session.wrong)
    of_the_end = fault.strike(rig.milter) or []
    if fault in ENDINGS:
        decisions = journal(rig.milter)
        of_the_end += [f"{sender} is not in the journal" for sender in heard if sender not in decisions]
    for session in sessions:
        session.slowest = 0.0
    at_once(lambda session: session.play(session.after, expected(fault, rig.way.mta, session)), sessions)
    slowest = max(session.slowest for session in sessions)

    fault.mend(rig.milter)
    at_once(lambda session: session.play("RSET MAIL QUIT", expected(fault, rig.way.mta, session)), sessions)
    again = [session for session in sessions_at(rig, EHLO) if session.client.proves]
    at_once(lambda session: session.served(session.before + " QUIT"), again)
    at_once(Session.close, sessions + again)

    decisions = journal_with(rig.milter, decided(again))
    by_listener = {name: [] for name in rig.listeners}
    for session in sessions:
        by_listener[session.listener.name] += session.faults()
    for session in again:
        wrong = session.faults() + missing(decisions, session)
        by_listener[session.listener.name] += [f"when it is back, {line}" for line in wrong]
    unheard = sum(sender in decisions and sender not in heard for session in sessions for sender in session.senders)
    return Course(by_listener, of_the_end, [f"{len(sessions)} sessions, the slowest reply took {slowest:.1f} s"]
                  + [f"{unheard} decisions in the journal that no MTA has heard"] * bool(unheard))


# ---- reloading ---------------------------------------------------------------------------------------------------------

def keep_their_policy(rig):
    """What was wrong when the filter reads a new configuration while sessions are in the middle."""
    old, new = sessions_at(rig, EHLO, RCPT), sessions_at(rig, EHLO)
    at_once(lambda session: session.served(session.before), old)
    reload(rig, "mode: audit")
    at_once(lambda session: session.served(session.after + " RSET MAIL"), old)
    at_once(lambda session: session.play(session.before + " RSET MAIL", SERVED), new)
    reload(rig, "")
    at_once(lambda session: session.served("RSET MAIL QUIT"), old)
    at_once(lambda session: session.play("RSET MAIL QUIT", SERVED), new)
    at_once(Session.close, old + new)

    decisions = journal_with(rig.milter, decided(old + new))
    wrong = [f"{session.listener.name}, {line}" for session in old + new
             for line in session.faults() + missing(decisions, session)]
    policies = [{line["policy"] for sender in decided(some) for line in decisions.get(sender, [])} for some in (old, new)]
    if [len(each) for each in policies] != [1, 1] or policies[0] == policies[1]:
        wrong.append(f"policies of the old sessions: {policies[0]}, of the new ones: {policies[1]}")
    return wrong


def reload(rig, mailreeve):
    for listener in rig.listeners.values():
        listener.mailreeve = mailreeve
    rig.configuration.write()
    if not rig.reload():
        raise Trouble("the configuration was refused")
