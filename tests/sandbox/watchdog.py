# SPDX-License-Identifier: Apache-2.0
"""What the service manager hears: a sentence, and signs of life as long as there is life."""
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import time

from places import Apart, Gate, Milter, Tap
from daemon import NO_AUTH, SLOW, Daemon, expect, free_port, note, same, test, wait_for
from disk import SHIM

PERIOD = 2.0 if SLOW > 1 else 1.0       # WatchdogSec=, seconds


class Manager:
    """Listens as systemd does."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.heard = []                 # (when, text)

    def environment(self, period=PERIOD, **more):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(period * 1e6)), **more}

    def listen(self, seconds=0.0):
        """All that comes for so long."""
        end = time.monotonic() + seconds
        while select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
            self.heard.append((time.monotonic(), self.socket.recv(9999).decode()))

    def times(self, text):
        return [when for when, said in self.heard if said == text]

    def wait(self, what, condition, limit=60):
        wait_for(what, lambda: self.listen(0.01) or condition(), limit)

    def sentence(self, pattern):
        self.wait(f"the sentence {pattern}", lambda: any(re.fullmatch(f"STATUS={pattern}", said) for _, said in self.heard))

    def pulses(self, count=6):
        """So many signs of life, half a period apart. Their distances."""
        before = len(self.times("WATCHDOG=1"))
        self.wait("signs of life", lambda: len(self.times("WATCHDOG=1")) >= before + count)
        times = self.times("WATCHDOG=1")[before:]
        return [b - a for a, b in zip(times, times[1:])]

    def silence(self, seconds=2 * PERIOD):
        """No sign of life for so long."""
        self.listen()
        before = len(self.times("WATCHDOG=1"))
        self.listen(seconds)
        same(len(self.times("WATCHDOG=1")) - before, 0, "signs of life of one that hangs")

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def managed(make, **environment):
    with make() as d, contextlib.closing(Manager(d.folder)) as m:
        d.start(env=m.environment(**environment))
        m.wait("READY=1", lambda: m.times("READY=1"))
        yield d, m


def alive(d, m, pace=0.5):
    distances = m.pulses()
    note(f"{min(distances):.2f} to {max(distances):.2f} s apart, of {PERIOD:.0f} s")
    expect(max(distances) < 0.75 * PERIOD and sum(distances) > 0.8 * pace * PERIOD * len(distances), f"distances: {distances}")
    os.kill(d.pid, signal.SIGSTOP)
    m.silence()
    os.kill(d.pid, signal.SIGCONT)
    m.pulses(2)


@test
def policyd_watchdog():
    """policyd: WATCHDOG=1 at half of WATCHDOG_USEC, none while it is stopped; what it does in a sentence, after requests another"""
    with managed(lambda: Apart(start=False)) as (d, m):
        m.sentence("3 listeners, 0 connections, 0 requests, 0 refused, 0 put off, journal ok")
        alive(d, m)
        with d.client() as client:
            for i in range(1234):
                client.ask(instance=f"w{i}", client_address="192.0.2.7", **NO_AUTH)
            m.sentence("3 listeners, 1 connection, 1,234 requests, 1,234 refused, 0 put off, journal ok")
        sentences = [said for _, said in m.heard if said.startswith("STATUS=")]
        same(sum(a == b for a, b in zip(sentences, sentences[1:])), 0, "sentences that were told twice")
        d.reload()
        m.wait("the reload", lambda: len(m.times("READY=1")) == 2)
        reloading = [said for _, said in m.heard if said.startswith("RELOADING=1\n")]
        expect(len(reloading) == 1 and re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=[0-9]+", reloading[0]), f"{reloading}")
        expect(abs(int(reloading[0].split("=")[2]) / 1e6 - time.clock_gettime(time.CLOCK_MONOTONIC)) < 60, "its time")
        d.stop()
        m.listen()
        same([said for _, said in m.heard if not said.startswith("STATUS=")][-1], "STOPPING=1", "the last message")


@test
def gate_watchdog():
    """the gate: the same of its own loop"""
    with managed(lambda: Gate(start=False)) as (g, m):
        m.sentence("0 connections, 0 AUTH refused")
        alive(g, m)
        with g.peer() as peer:
            peer.refused(1)
            m.sentence("1 connection, 1 AUTH refused")


@test
def tap_watchdog():
    """the tap: the same"""
    class Told(Tap):
        def start(self, env=None, **how):
            super().start(**how, **({"env": {**os.environ, **env}} if env else {}))

    with managed(lambda: Told([free_port()], start=False)) as (t, m):
        m.sentence("1 listener, 0 connections open, 0 looked at, 0 packets lost, journal ok")
        alive(t, m)


@test
def milter_watchdog():
    """the milter: the same, of its loop and of the lock that every answer needs"""
    with managed(lambda: Milter(start=False)) as (d, m):
        m.sentence("[0-9]+ listeners, 0 connections, 0 mails, 0 refused, 0 put off, journal ok")
        alive(d, m)


@test
def milter_processes_watchdog():
    """the milter with two sockets: the first process tells READY=1 when both serve, and is only alive as long as each of them is"""
    with managed(lambda: Milter(start=False, sockets=['"unix:@/second.sock"'])) as (d, m):
        m.sentence("2 sockets, each with a process of its own; see mailreeve status")
        same(len(m.times("READY=1")), 1, "READY=1")
        alive(d, m, pace=0.25)
        for pid in d.children():
            os.kill(pid, signal.SIGSTOP)
            m.listen(0.5 * PERIOD)      # what was on its way
            m.silence()
            os.kill(pid, signal.SIGCONT)
            m.pulses(2)
        d.stop()
        m.listen()
        same(len(m.times("STOPPING=1")), 1, "STOPPING=1")


@test
def not_for_us():
    """a WATCHDOG_PID that is another's, and one that is no number: no sign of life; without NOTIFY_SOCKET nothing at all"""
    for pid in ("1", "x"):
        with managed(lambda: Daemon(start=False), WATCHDOG_PID=pid) as (d, m):
            m.silence(PERIOD)
    with Daemon(start=False) as d:
        d.start(env={"WATCHDOG_USEC": "1000000"})
        same(d.ask(**NO_AUTH).split()[0], "530", "the answer")


@test
def frozen_journal():
    """a journal's disk that hangs is not taken for a program that hangs: signs of life go on, and the sentence says so"""
    with Daemon(start=False) as d, contextlib.closing(Manager(d.folder)) as m:
        shim, ice = f"{d.folder}/shim.so", f"{d.folder}/ice"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-x", "c", "-", "-o", shim, "-ldl"], input=SHIM.encode(), check=True)
        d.start(env=m.environment(LD_PRELOAD=shim, FROZEN=ice, ASAN_OPTIONS="detect_leaks=0:verify_asan_link_order=0"))
        open(ice, "w").close()
        d.ask(**NO_AUTH)
        m.sentence("3 listeners, [0-9,]+ connections?, [0-9,]+ requests?, [0-9,]+ refused, 0 put off, "
                   "JOURNAL STALLED: the disk has not answered for [0-9]+ s")
        distances = m.pulses()
        expect(max(distances) < 0.75 * PERIOD, f"distances: {distances}")
        os.unlink(ice)
        m.sentence("3 listeners, 0 connections, 1 request, 1 refused, 0 put off, journal ok")


@test
def deaf_manager():
    """a manager that does not read: answers are not held up by it, and a reload is done"""
    with Apart(start=False) as d, contextlib.closing(Manager(d.folder)) as m, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one_more:
        one_more.connect(m.path)

        def full():
            return not select.select([], [one_more], [], 0)[1]
        d.start(env=m.environment(0.01))
        wait_for("its queue to be full", full)
        slowest = 0.0
        with d.client() as client:
            for i in range(500):
                begun = time.monotonic()
                client.ask(instance=f"deaf{i}", **NO_AUTH)
                slowest = max(slowest, time.monotonic() - begun)
        expect(full(), "it was read")
        d.reload()
        note(f"the slowest answer took {slowest * 1000:.1f} ms")
        expect(slowest < 0.5 * SLOW, f"{slowest} s")
