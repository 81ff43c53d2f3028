# SPDX-License-Identifier: Apache-2.0
"""What a row of a table cannot say: policies that change, plug-ins that die, files that are broken.

Each is a function of the rig that returns faults in words, none when all is well. Its docstring is its name.
UPSETS lists them in the order of running, with the ways on which they are played; each leaves the rig as it found it, but
for the last. Those that need a policy service or a filter in particular are in files of their own.
"""
import contextlib
import dataclasses
import datetime
import re
import threading
import time

import cases
from cases import LOGIN, NEEDS_TLS, NO_DECISION, SENT, STARTTLS, Case
from daemons import wait_for
from milter import wire
from outcome import own_words
from plugin import EXPIRED, port_of
from smtp import HELO, Talk, Wire
from ways import MILTER, POLICYD, POSTFIX_MILTER, POSTFIX_POLICYD, SENDMAIL_MILTER

PROPER = Case("submission", "smtplib", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN)
IN_CLEAR = Case("submission", "smtplib", "no TLS, no AUTH", NEEDS_TLS, "reject", "tls-required")
INBOUND = Case("smtp", "smtplib", "inbound mail", SENT, NO_DECISION)
AUTH_ON_25 = Case("smtp-auth", "smtplib", "AUTH on 25", cases.NO_AUTH_HERE, "reject", "auth-on-smtp-port", **LOGIN)


def faults_of(rig, *played):
    """Play cases and collect what was wrong, with the case in front."""
    return [f"{case.does}: {fault}" for case in played for fault in rig.play(case).faults]


@contextlib.contextmanager
def session(rig, listener):
    """A session by hand on a listener; gives a function that says a line and returns the whole reply."""
    case = dataclasses.replace(PROPER, listener=listener)
    with contextlib.closing(Wire(rig.target(listener), case)) as wire:
        talk = Talk(wire)

        def say(line):
            answer = talk.say(line)
            return f"{answer.code} {answer.text}"
        yield say


@contextlib.contextmanager
def configured(rig, **changes):
    """Another configuration for a while; gives whether it was taken. See Configuration.write()."""
    rig.configuration.write(**changes)
    try:
        yield rig.reload()
    finally:
        rig.configuration.write()
        rig.reload()


@contextlib.contextmanager
def listener_says(rig, name, text):
    """The same, when it is what one listener says of itself."""
    listener = rig.listeners[name]
    before, listener.mailreeve = listener.mailreeve, text
    rig.configuration.write()
    try:
        yield rig.reload()
    finally:
        listener.mailreeve = before
        rig.configuration.write()
        rig.reload()


def sign_on(say):
    for line in (f"EHLO {HELO}", "STARTTLS", f"EHLO {HELO}", "AUTH PLAIN"):
        say(line)


def dialogue(say, *lines):
    """Say lines of the form `LINE => REPLY` and return the differences."""
    found = []
    for line in lines:
        line, wanted = line.split(" => ")
        if not (got := say(line)).startswith(wanted) and wanted not in got:
            found.append(f"{line}: expected {wanted!r}, got {got!r}")
    return found


def exception_ends(rig):
    """an exception holds until the second it ends, without a reload"""
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=3)
    with configured(rig, until=end.strftime("%Y-%m-%dT%H:%M:%SZ")) as taken:
        found = [] if taken else ["the configuration was refused"]
        before = dataclasses.replace(IN_CLEAR, does="before", told=SENT, verdict="pass", finding="", source=EXPIRED)
        found += faults_of(rig, before)
        if time.time() >= end.timestamp():
            found.append("the machine was too slow to try it before the end")
        wait_for("the exception to end", lambda: time.time() > end.timestamp())
        return found + faults_of(rig, dataclasses.replace(IN_CLEAR, does="after", source=EXPIRED))


# ---- a broken file under load --------------------------------------------------------------------------------------

def asked_policyd(rig, number):
    """Questions to policyd over one connection, each True when it was answered as it should be."""
    port = port_of(rig.configuration.listeners, "submission")
    with rig.policyd.connect() as client:
        for count in range(1 << 30):
            reply = rig.policyd.ask(client, instance=f"load.{number}.{count}", policy_context="submission", server_port=port)
            yield reply == b"action=DUNNO\n\n"


def asked_milter(rig, number):
    """The same of the milter, in a session each."""
    for count in range(1 << 30):
        reply = rig.milter.talk(rig.milter.sockets["unix"], f"load.{number}.{count}@example.com")
        yield reply.code in (wire.CONTINUE, wire.ACCEPT)


ASKED = {POLICYD: asked_policyd, MILTER: asked_milter}


class Load:
    """Four threads that ask each plug-in without a pause. As a context manager it stops them and waits for them."""

    def __init__(self, rig):
        self.over, self.good, self.wrong = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.ask, args=(ASKED[name](rig, number),))
                        for name in rig.plugins for number in range(4)]

    def ask(self, answers):
        with contextlib.closing(answers):
            try:
                for answer in answers:
                    if answer:
                        self.good += 1
                    else:
                        self.wrong.append("a wrong answer")
                    if self.over.is_set():
                        return
            except (OSError, EOFError) as problem:
                self.wrong.append(repr(problem))

    def goes_on(self):
        """Wait for a hundred more answers."""
        before = self.good
        wait_for("the load to go on", lambda: self.good > before + 100 or self.wrong)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def broken_reload(rig):
    """a broken file at reload under load: the old policy stays, it is said loudly, no question is lost"""
    marks = {plugin: plugin.mark() for plugin in rig.plugins.values()}
    with Load(rig) as load:
        load.goes_on()
        with configured(rig, extra="listeners: [\n") as taken:
            found = ["the broken file was accepted"] if taken else []
            load.goes_on()
            # what they are told, not the journal: that is full of the load
            for case in (IN_CLEAR, PROPER):
                if not (told := own_words(rig.converse(case).told)).startswith(case.told):
                    found.append(f"{case.does}: expected {case.told!r}, got {told!r}")
    if load.wrong:
        found.append(f"{len(load.wrong)} of {len(load.wrong) + load.good} questions went wrong, first: {load.wrong[0]}")
    found += [f"{plugin.name} has not said that the old policy stays: {plugin.logged(mark)}"
              for plugin, mark in marks.items() if "stays in force" not in plugin.logged(mark)]
    rig.lines()
    return found + faults_of(rig, IN_CLEAR, PROPER)


# ---- the end -------------------------------------------------------------------------------------------------------

COMPLAINTS = {"postfix": r"\b(warning|error|fatal|panic):", "sendmail": r"\b(error|SYSERR|unsafe|warning)\b|Milter \("}
EXPECTED = (
    "`check_sasl_access' ignored: no SASL support",         # port 25 without AUTH: nobody to ask about
    # a client that speaks TLS at once: sometimes its bytes look like a command, sometimes they come before the greeting
    "lost connection", "non-SMTP command", "improper command pipelining",
)


def nothing_unexpected_in_the_mail_log(rig):
    """the MTA has had nothing to complain about so far"""
    return [line for line in rig.mta.logged().splitlines()
            if re.search(COMPLAINTS[rig.way.mta], line) and not any(words in line for words in EXPECTED)]


# What is told while the only plug-in is away: to good clients and bad ones, and in the middle of a session
AWAY = {POSTFIX_POLICYD: ("451 4.3.5", "451 4.3.5", "451 4.3.5"), POSTFIX_MILTER: ("454 4.", "451 4.7.1", "451 4.7.1"),
        SENDMAIL_MILTER: ("454 4.", "451 4.3.2", "451 4.3.2")}


def sudden_death(rig):
    """the plug-in is SIGKILLed: 25 goes on, 587 defers; restarted, 587 works again"""
    good, bad, _ = AWAY[rig.way]
    plugin, = rig.plugins.values()
    plugin.kill()
    found = []
    for case, told in ((INBOUND, SENT), (AUTH_ON_25, SENT), (PROPER, good), (IN_CLEAR, bad)):
        if not (got := rig.converse(case).told).startswith(told):
            found.append(f"while away, {case.does}: expected {told!r}, got {got!r}")
    plugin.start()
    rig.lines()
    return found + faults_of(rig, INBOUND, AUTH_ON_25, PROPER, IN_CLEAR)


def clean_end(rig):
    """SIGTERM ends the plug-ins with status 0 and nothing from a sanitizer"""
    statuses = {plugin: plugin.stop() for plugin in rig.plugins.values()}
    found = [f"{plugin.name}: exit status {status}" for plugin, status in statuses.items() if status]
    return found + [said for plugin in statuses for said in re.findall(r".*(?:Sanitizer|runtime error).*", plugin.logged())]
