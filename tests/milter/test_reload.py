#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reloads and ends while sessions go on: no session is lost, each keeps the policy it began with, a broken file changes
nothing. The crowds here are also what ThreadSanitizer looks at (MAILREEVE_BUILD=build/tsan)."""
import datetime
import os
import random
import signal
import threading

from milterd import NAME, Milter
from daemon import EX_CONFIG, SLOW, STARTTLS, Failure, expect, main, note, same, test, wait_for
from sessions import Postfix, Sendmail, play

PASS = "continue"
LATER = "451 4.7.0 Must issue a STARTTLS command first"
BROKEN = "mode: enforce\nmood: bad\n"
MANY = 400_000 // SLOW                  # exceptions: enough to make a reload slow


class Crowd:
    """Threads that play session after session on 587 without TLS, some MAILs each; a session must have one answer to all of
    its MAILs, out of `allowed`."""

    def __init__(self, milter, allowed, threads=6, mails=3):
        self.milter, self.allowed, self.mails = milter, set(allowed), mails
        self.seen = {answer: 0 for answer in allowed}   # sessions
        self.asked = 0
        self.trouble = None
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if kind is None and self.trouble:
            raise Failure(f"in the crowd: {self.trouble!r}")

    def run(self, number):
        chance = random.Random(number)
        try:
            while not self.stopping.is_set() and not self.trouble:
                self.one(chance)
        except Exception as e:
            self.trouble = e

    def one(self, chance):
        persona = chance.choice((Postfix, Sendmail))
        with persona(self.milter.address, client=f"192.0.2.{chance.randrange(1, 250)}") as session:
            answers = [play(session, "ehlo mail")]
            for _ in range(self.mails - 1):
                answers.append(play(session, chance.choice(("rset mail", "ehlo mail", "mail"))))
            if answers[0] == PASS:
                same(session.message((("User-Agent", "Mutt/2.2.9"),)).code, "a", "the end of the headers")
            expect(len(set(answers)) == 1 and answers[0] in self.allowed, f"a session was answered {answers}")
            if chance.randrange(4):
                session.quit()
                expect(session.ended(), "something came after QUIT")
        with self.lock:
            self.seen[answers[0]] += 1
            self.asked += len(answers)

    def goes_on(self, more=40):
        asked = self.asked
        wait_for("the sessions to go on", lambda: self.trouble or self.asked > asked + more)


@test
def keeps_its_policy():
    """a session keeps the policy it began with, over any number of reloads; a new session has the new one"""
    with Milter() as milter:
        sessions = []
        for turn in range(8):
            for persona in (Postfix, Sendmail):
                sessions.append((persona(milter.address), STARTTLS if turn % 2 == 0 else PASS))
            milter.configure(mode="audit" if turn % 2 == 0 else "enforce")
            milter.reload()
        for _ in range(3):
            for session, answer in sessions:
                same(play(session, "ehlo mail"), answer, "the answer of the policy it began with")
            milter.reload()
        for session, answer in sessions:
            same(play(session, "rset mail"), answer, "the answer once more")
            session.quit()
            expect(session.ended(), "something came after QUIT")
            session.close()
        events = milter.recorded(lambda lines: len(lines) == 11, "reload")
        same([line["ok"] for line in events], [True] * 11, "the reloads in the journal")
        same(len({line["policy"] for line in events}), 2, "the policies in the journal")


@test
def broken_files():
    """a file that is broken, missing or unreadable: the old policy stays, and log, journal and status say so"""
    with Milter() as milter:
        with Postfix(milter.address) as session:
            for number, spoil in enumerate((lambda: milter.write_config(BROKEN), lambda: os.chmod(milter.config, 0),
                                            lambda: os.unlink(milter.config)), 1):
                spoil()
                milter.reload(ok=False)
                with Sendmail(milter.address) as new:
                    same(play(new, "ehlo mail"), STARTTLS, "a new session's answer")
                same(play(session, "ehlo mail"), STARTTLS, "an old session's answer")
                lines = milter.recorded(lambda lines, n=number: len(lines) == n, "reload")
                same(lines[-1]["ok"], False, "the journal")
                expect(milter.config in lines[-1]["why"], f"why: {lines[-1]['why']}")
        wait_for("the status", lambda: milter.status()["reload_ok"] is False)
        milter.configure(mode="audit")
        milter.reload()
        with Sendmail(milter.address) as new:
            same(play(new, "ehlo mail"), PASS, "the answer of the new policy")


@test
def broken_at_start():
    """a file that is broken at the start: exit code 78, with one socket and with several"""
    for sockets in ((), ('"unix:@/2.sock"',)):
        with Milter(sockets=sockets, start=False) as milter:
            milter.write_config(BROKEN)
            milter.start(wait=False)
            same(milter.ended(), EX_CONFIG, "the exit code")
            expect(f"{milter.config}:2:1" in milter.logged(), milter.logged())


@test
def storm():
    """40 reloads, of good and broken files, while sessions go on: no session is lost, each has one policy's answers"""
    with Milter() as milter:
        with Crowd(milter, [STARTTLS, PASS]) as crowd:
            for turn in range(40):
                if turn % 4 == 3:
                    milter.write_config(BROKEN)
                else:
                    milter.configure(mode="audit" if turn % 4 == 0 else "enforce")
                milter.reload(ok=turn % 4 != 3)
                if turn % 4 < 2:
                    crowd.goes_on()
        note(f"sessions: {crowd.seen}")
        expect(all(crowd.seen.values()), f"the answers that were met: {crowd.seen}")
        milter.stop()
        same(milter.status()["counters"]["mails"], crowd.asked, "the MAILs counted")
        same(len(milter.decisions()), crowd.asked, "decisions in the journal")


@test
def unasked_storm():
    """200 times SIGUSR1 without waiting, while sessions go on: they are served, and the last file is in force at the end"""
    with Milter() as milter:
        with Crowd(milter, [STARTTLS, PASS]) as crowd:
            for turn in range(200):
                milter.configure(mode="audit" if turn % 2 else "enforce")
                milter.hang_up()
                if turn % 20 == 0:
                    crowd.goes_on(10)
            milter.configure(mode="audit")
            milter.reload()
        with Postfix(milter.address) as session:
            wait_for("the last file to be in force", lambda: milter.read_again())
            play(session, "ehlo")
        milter.reload()
        with Postfix(milter.address) as session:
            same(play(session, "ehlo mail"), PASS, "the answer of the last file")
        note(f"{len(milter.read_again())} reloads; sessions: {crowd.seen}")


def write_exceptions(path):
    until = datetime.date.today() + datetime.timedelta(days=365)
    tail = f" | tls-required, auth-required | {until} | help desk | old copier\n"
    with open(path + ".new", "w") as f:
        f.writelines(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}{tail}" for i in range(MANY))
    os.rename(path + ".new", path)


def reading(milter, path):
    """True while the milter has that file open."""
    folder = f"/proc/{milter.pid}/fd"
    for fd in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{fd}") == path:
                return True
        except FileNotFoundError:
            pass
    return False


def slow_reload(milter):
    """Begins a reload that takes a while, and returns while it goes on."""
    path = f"{milter.folder}/exceptions"
    write_exceptions(path)
    milter.configure(more=f"exceptions_file: {path}\n")
    milter.hang_up()
    wait_for("the file to be read", lambda: reading(milter, path))
    return path


@test
def slow_reload_and_another():
    """SIGUSR1 during a slow reload: both happen, sessions are served meanwhile, and the last file is in force"""
    with Milter() as milter:
        with Crowd(milter, [STARTTLS, LATER], threads=2) as crowd:
            crowd.goes_on(5)
            path = slow_reload(milter)
            milter.configure(more=f"exceptions_file: {path}\nactions: {{tls-required: defer, auth-required: defer}}\n")
            milter.hang_up()
            milter.hang_up()
            asked = crowd.asked
            same(milter.read_again(), [], "reloads that are over")
            crowd.goes_on(5)
            during = crowd.asked - asked
            wait_for("both reloads", lambda: len(milter.read_again()) == 2, 60 * SLOW)
            crowd.goes_on(5)
        note(f"{during} MAILs answered while the file was read; sessions: {crowd.seen}")
        with Postfix(milter.address, client=f"10.{MANY - 1 >> 16}.{MANY - 1 >> 8 & 255}.{MANY - 1 & 255}") as session:
            same(play(session, "ehlo mail"), PASS, "the answer to one with an exception")
        with Postfix(milter.address) as session:
            same(play(session, "ehlo mail"), LATER, "the answer to one without")


@test
def end_during_reload():
    """SIGTERM during a slow reload: a clean end"""
    with Milter() as milter:
        slow_reload(milter)
        milter.stop(limit=60 * SLOW)
        same(milter.journal()[-1]["event"], "stop", "the journal's last line")


@test
def ends():
    """SIGTERM, SIGINT and SIGHUP end it with exit code 0 while 60 sessions are open; their decisions are in the journal"""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Milter() as milter:
            sessions = [(Postfix, Sendmail)[n % 2](milter.address) for n in range(60)]
            for n, session in enumerate(sessions):
                if n % 3:
                    same(play(session, "ehlo mail"), STARTTLS, "an answer")
            os.kill(milter.pid, number)
            milter.ends_well()
            for session in sessions:
                expect(session.ended(), "something came at the end")
                session.close()
            same(len(milter.decisions()), 40, "decisions in the journal")
            same(milter.journal()[-1]["event"], "stop", "the journal's last line")


@test
def ends_in_a_crowd():
    """SIGTERM while a crowd speaks: exit code 0; nobody passes who would be refused, and what was refused is in the journal"""
    for turn in range(3):
        with Milter() as milter:
            answers = [STARTTLS, "451 4.3.0 Try again later"]
            crowd = Crowd(milter, answers, mails=1)
            with crowd:
                crowd.goes_on()
                crowd.stopping.set()
                os.kill(milter.pid, signal.SIGTERM)
                milter.ends_well()
                if isinstance(crowd.trouble, (EOFError, OSError)):
                    crowd.trouble = None        # cut off, or too late
            expect(len(milter.decisions()) >= crowd.seen[STARTTLS],
                   f"{len(milter.decisions())} decisions in the journal, {crowd.seen} sessions")


@test
def several_processes():
    """with several sockets one SIGUSR1 reloads every process, one SIGTERM ends them, and each one's journal says so"""
    with Milter(sockets=('"unix:@/2.sock"', "{path: @/3.sock, listener: submission}")) as milter:
        addresses = [milter.address, f"unix:{milter.folder}/2.sock", f"unix:{milter.folder}/3.sock"]
        old = [Postfix(address) for address in addresses]
        milter.configure(mode="audit")
        milter.hang_up()
        wait_for("three reloads", lambda: milter.read_again() == [True] * 3)
        for session, address in zip(old, addresses):
            same(play(session, "ehlo mail"), STARTTLS, "an old session's answer")
            session.close()
            with Sendmail(address) as new:
                same(play(new, "ehlo mail"), PASS, "a new session's answer")
        milter.write_config(BROKEN)
        milter.hang_up()
        wait_for("three rejections", lambda: sorted(milter.read_again()) == [False] * 3 + [True] * 3)
        milter.stop()
        for n in ("", "-2", "-3"):
            with open(milter.segments(NAME + n)[-1]) as f:
                text = f.read()
            same([text.count(f'"event":"{event}"') for event in ("start", "reload", "decision", "stop")], [1, 2, 2, 1],
                 f"the journal of {NAME + n}")


main()
