# SPDX-License-Identifier: Apache-2.0
"""Sessions whose replies are compared with faults_tables.py, many at once."""
import concurrent.futures
import itertools
import time

from case import Case
from faults_tables import CLIENTS, HELD, SERVED
from listeners import SUBMISSION
from smtp import HELO, Talk, Wire

LINES = {"EHLO": f"EHLO {HELO}", "AUTH": "AUTH PLAIN", "RCPT": "RCPT TO:<bob@example.com>"}
ANYBODY = Case("", "raw", "", "", "")


class Session:
    """A client's, on a listener, interrupted at a moment. What was heard and what was wrong with it is kept, not raised."""
    numbers = itertools.count(1)

    def __init__(self, rig, listener, client, moment):
        self.rig, self.listener, self.client = rig, listener, client
        self.before, self.after = client.says[moment]
        self.number, self.senders = next(self.numbers), []
        self.heard, self.wrong, self.slowest = [], [], 0.0
        self.talk, self.over, self.refused = None, False, False

    def line(self, word):
        if word != "MAIL":
            return LINES.get(word, word)
        self.senders.append(f"s{self.number}.{len(self.senders)}@example.com")
        return f"MAIL FROM:<{self.senders[-1]}>"

    def answer(self, word):
        if self.talk:
            return self.talk.say(self.line(word))
        self.talk = Talk(Wire(self.rig.target(self.listener.name), ANYBODY))
        self.talk.greeted = True
        return self.talk.reply("(greeting)")

    def say(self, word):
        """The reply; in parentheses how the session ended, if it did."""
        began = time.monotonic()
        try:
            answer = self.answer(word)
            got = f"{answer.code} {answer.text}"
        except OSError as problem:
            got, self.over = f"({problem})", True
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        self.heard.append(f"{word} -> {got}  [{took:.1f} s]")
        return got

    def play(self, words, expected):
        """Say the words, those that make sense after what was heard, and compare. It begins with the greeting."""
        for word in ([] if self.talk else ["greeting"]) + words.split():
            if self.over or self.refused and word in ("RCPT", "DATA"):
                continue
            wanted = expected.get(word, "no such command: the session should have ended")
            got = self.say(word)
            if not got.startswith(wanted.removesuffix(" held")):
                self.wrong.append(f"{word}: expected {wanted!r}, got {got!r}")
            elif word == "DATA" and self.rig.is_held(self.senders[-1]) != (wanted == HELD):
                self.wrong.append(f"DATA: expected {wanted!r}, but the message is {'not ' * (wanted == HELD)}held")
            if word == "MAIL":
                self.refused = not got.startswith("250")
            if got.startswith("421") and not self.over:
                self.over = True
                self.wrong += [] if self.is_closed() else ["still open after 421"]

    def served(self, words):
        """Say them to a filter that is there."""
        self.play(words, {**SERVED, "MAIL": self.client.mail})

    def is_closed(self):
        try:
            return not self.talk.connection.receive()
        except OSError as problem:
            return not isinstance(problem, TimeoutError)

    def close(self):
        if self.talk:
            self.talk.connection.close()

    @property
    def decided(self):
        """The senders that are in the journal, if all said so far was said to a filter that is there."""
        return self.senders if self.client.role == SUBMISSION or self.client.proves else []

    def faults(self):
        """What was wrong, and then all that was said."""
        said = [f"    {line}" for line in self.heard] if self.wrong else []
        return [f"{self.client.name}: {wrong}" for wrong in self.wrong] + said


def at_once(do, sessions):
    """The same with all sessions, each in a thread of its own."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(sessions))) as pool:
        list(pool.map(do, sessions))


def sessions_at(rig, *moments):
    """One of every client that has something to say at these moments, on every listener; not connected."""
    return [Session(rig, listener, client, moment) for moment in moments for listener in rig.listeners.values()
            for client in CLIENTS if client.role == listener.role and moment in client.says]
