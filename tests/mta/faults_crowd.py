# SPDX-License-Identifier: Apache-2.0
"""Crowds of sessions, said by ourselves instead of an MTA: more than there are descriptors for, a hundred in one moment.

TESTS are functions that return (what was wrong, what else there is to tell); their docstrings are their names. How long
something took is told; only what is out of all proportion is wrong.
"""
import contextlib
import os
import select
import signal
import time

from daemons import Workshop, wait_for
from faults_play import end, journal, journal_with
from listeners import SUBMISSION, Listener
from milter import SESSION, Milter, wire
from plugin import Configuration, program

LIMIT = 80                      # descriptors
BEYOND = 40                     # sessions that find none
BURST, PATIENCE = 100, 30       # sessions, seconds
WATCH = 1.0                     # seconds in which nothing is to happen
PORT = "2525"
CLIENT = "192.0.2.7"
IN_CLEAR = {**SESSION, "HELO": {}, "MAIL": {}}


def at_connect(session):
    return {**session["CONNECT"], "daemon_port": PORT, "v": "Postfix 3.7.11"}


class Cramped(Milter):
    """With few descriptors."""

    def start(self):
        mark = self.mark()
        # a search for leaks needs descriptors of its own at the end
        self.process = self.workshop.start(
            ["prlimit", f"--nofile={LIMIT}:{LIMIT}", program(self.name), "-c", self.configuration.file, "--stderr",
             "-u", self.user], self.log, {"ASAN_OPTIONS": "detect_leaks=0"})
        wait_for(f"{self.name} to be ready", lambda: self.is_ready(self.logged(mark)) or self.failed(), 30)


@contextlib.contextmanager
def started(kind):
    with Workshop() as workshop:
        configuration = Configuration(workshop, [Listener("alternate", int(PORT), SUBMISSION, port=int(PORT))])
        milter = kind(workshop, configuration)
        configuration.write()
        milter.start()
        yield milter


class Peer(wire.MTA):
    """A session; the client does everything right, or with IN_CLEAR nothing."""

    def __init__(self, milter, session=SESSION, timeout=PATIENCE):
        super().__init__(milter.sockets["unix"], timeout)
        self.session, self.wanted = session, wire.CONTINUE if session is SESSION else wire.REPLYCODE

    def begin(self):
        self.negotiate()
        self.tell("CONNECT", at_connect(self.session))
        self.connect("client.example.com", CLIENT)
        self.tell("HELO", self.session["HELO"])
        self.helo()
        return self

    def send_mail(self, sender):
        self.tell("MAIL", self.session["MAIL"])
        self.send("MAIL", wire.strings(f"<{sender}>"))

    def ask(self, sender):
        """Is it answered as it should be?"""
        self.abort()
        self.send_mail(sender)
        return self.reply().code == self.wanted

    def has(self, count):
        """Reads what is there; True when there are so many packets in all. EOFError when the filter has closed."""
        more = self.socket.recv(65536)
        if not more:
            raise EOFError
        self.rest += more
        return len(packets(self.rest)) >= count


def packets(text):
    """The whole ones in a stream, as (letter, data)."""
    found = []
    while len(text) >= 4 and len(text) - 4 >= (size := int.from_bytes(text[:4], "big")):
        found.append((chr(text[4]), text[5:4 + size]))
        text = text[4 + size:]
    return found


def gather(peers, count):
    """(seconds until the last has so many packets, what went wrong) of peers that have all said what they say."""
    began, waiting, wrong = time.monotonic(), {peer.socket: peer for peer in peers}, []
    while waiting and (left := began + PATIENCE - time.monotonic()) > 0:
        for ready in select.select(list(waiting), [], [], left)[0]:
            try:
                if not waiting[ready].has(count):
                    continue
            except (EOFError, ConnectionResetError):
                wrong.append("a connection was closed")
            del waiting[ready]
    wrong += [f"no answer within {PATIENCE} s"] * len(waiting)
    wrong += [f"answered {got[-1]}, expected {peer.wanted}" for peer in peers
              if (got := packets(peer.rest)) and got[-1][0] != peer.wanted]
    return time.monotonic() - began, wrong


def cpu(milter):
    """Seconds of processor time so far."""
    with open(f"/proc/{milter.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(milter):
    return len(os.listdir(f"/proc/{milter.process.pid}/fd"))


def fill(milter):
    """Sessions until there is no descriptor left, or no more are served."""
    peers = []
    with contextlib.suppress(TimeoutError):
        while descriptors(milter) < LIMIT:
            peers.append(Peer(milter, timeout=5).begin())
    return peers


def watch(milter, peers=()):
    """(seconds of processor time in WATCH seconds, how many of these had an answer within them)"""
    before = cpu(milter)
    answered = select.select([peer.socket for peer in peers], [], [], WATCH)[0]
    return cpu(milter) - before, len(answered)


def all_answered(peers, name):
    right = all(peer.ask(f"{name}@example.com") for peer in peers)
    return [] if right else [f"{name}: no right answer to one of {len(peers)}"]


def descriptor_limit():
    """no descriptors left: open sessions are answered, more wait and are served when others end, the process lives"""
    with started(Cramped) as milter:
        inside = fill(milter)
        idle, _ = watch(milter)
        wrong = all_answered(inside, "inside")
        beyond = [Peer(milter) for _ in range(BEYOND)]
        for peer in beyond:
            peer.send("OPTNEG", wire.struct.pack(">III", 6, wire.ACTIONS, wire.PROTOCOL))
        busy, answered = watch(milter, beyond)
        # a file that was open for a moment may have had the place of one or two
        wrong += [f"{answered} beyond the limit were answered"] * (answered > 2)
        wrong += all_answered(inside, "inside, while others wait")
        for peer in inside[:-1]:
            peer.close()
        took, lost = gather(beyond, 1)
        wrong += [line for line in lost if not line.startswith("answered")]
        wrong += all_answered(inside[-1:], "the last one inside")
        for peer in beyond:
            peer.close()
        wrong += all_answered([Peer(milter).begin() for _ in range(BEYOND)], "new sessions")
        after, _ = watch(milter)
        wrong += end(milter, signal.SIGTERM)
    return wrong, [
        f"{len(inside)} sessions with {LIMIT} descriptors; {BEYOND} more were served {took:.2f} s after there was room",
        f"processor time in {WATCH:g} s: {idle:.2f} s at the limit, {busy:.2f} s while others wait, {after:.2f} s later"]


def end_at_the_limit():
    """no descriptors left: a reload is taken or refused, and said; after SIGTERM all decisions are in the journal"""
    with started(Cramped) as milter:
        inside = fill(milter)
        mark = milter.mark()
        event, = milter.reload()
        wrong = [] if event["ok"] or "stays in force" in milter.logged(mark) else ["a refused reload that was not said"]
        wrong += all_answered(inside, "limit")
        waiting = [Peer(milter) for _ in range(BEYOND)]
        wrong += end(milter, signal.SIGTERM)
        got = len(journal(milter).get("limit@example.com", []))
        wrong += [f"{got} decisions in the journal, expected {len(inside)}"] * (got != len(inside))
        for peer in inside + waiting:
            peer.close()
    return wrong, [f"the reload was {'taken' if event['ok'] else 'refused: ' + event['why'].rpartition(': ')[2]}"]


SIGNALS = [(signal.SIGUSR1, signal.SIGTERM), (signal.SIGTERM, signal.SIGUSR1), (signal.SIGUSR1, signal.SIGHUP),
           (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]


def signals_in_one_moment():
    """a reload and an end in one moment, or several ends, with sessions open: exit code 0 within 3 s"""
    wrong = []
    with started(Milter) as milter:
        for signals in SIGNALS * 4:
            peers = [Peer(milter).begin() for _ in range(3)]
            wrong += all_answered(peers, "before")
            for number in signals[:-1]:
                milter.process.send_signal(number)
            wrong += [f"{'+'.join(number.name for number in signals)}: {line}" for line in end(milter, signals[-1])]
            for peer in peers:
                peer.close()
            if wrong:
                break
            milter.start()
    return wrong, []


def burst():
    """a hundred sessions in one moment, first MAIL of all, then whole sessions: each has its answer and its line"""
    wrong, notes, senders = [], [], set()
    with started(Milter) as milter:
        for turn in range(3):
            open_ones = [Peer(milter, (SESSION, IN_CLEAR)[number % 2]).begin() for number in range(BURST)]
            for number, peer in enumerate(open_ones):
                senders.add(f"open.{turn}.{number}@example.com")
                peer.send_mail(f"open.{turn}.{number}@example.com")
            took, lost = gather(open_ones, 1)
            whole = [Peer(milter, (SESSION, IN_CLEAR)[number % 2]) for number in range(BURST)]
            for number, peer in enumerate(whole):
                senders.add(f"whole.{turn}.{number}@example.com")
                peer.send_raw(whole_session(peer.session, f"whole.{turn}.{number}@example.com"))
            took_whole, lost_whole = gather(whole, 3)       # to the negotiation, HELO and MAIL
            wrong += lost + lost_whole
            notes.append(f"{BURST} at once: MAIL of open sessions {took:.3f} s, whole sessions {took_whole:.3f} s")
            for peer in open_ones + whole:
                peer.close()
        lines = journal_with(milter, senders)
        wrong += [f"{sender}: {len(lines.get(sender, []))} lines in the journal" for sender in senders
                  if len(lines.get(sender, [])) != 1][:5]
        wrong += end(milter, signal.SIGTERM)
    return wrong, notes


def whole_session(session, sender):
    """All that an MTA says up to MAIL, without waiting for an answer."""
    said = wire.packet("OPTNEG", wire.struct.pack(">III", 6, wire.ACTIONS, wire.PROTOCOL))
    for command, macros, payload in (
            ("CONNECT", at_connect(session), wire.connect_payload(address=CLIENT)),
            ("HELO", session["HELO"], wire.strings("client.example.com")),
            ("MAIL", session["MAIL"], wire.strings(f"<{sender}>"))):
        said += wire.macro_packet(command, macros) + wire.packet(command, payload)
    return said


TESTS = [descriptor_limit, end_at_the_limit, signals_in_one_moment, burst]
