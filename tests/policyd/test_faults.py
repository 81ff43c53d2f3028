#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around the daemon: peers, descriptors, disks, configurations, kills. Answers go on."""
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess

from daemon import (AUTHENTICATE, DUNNO, EX_UNAVAILABLE, NO_AUTH, SANITIZED, SLOW, Daemon, expect, free_port, main, note,
                    request, same, test, wait_for)
from load import Load, ask_many

hard = max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 11_000)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

INBOUND = {"server_port": "25", **NO_AUTH}      # which passes and is not journaled


# ---- connections ----

@test
def silent_connections():
    """10,000 connections that send nothing: others are served, and all of it is given back"""
    port = free_port()
    with Daemon(listen=["x"], start=False) as d:
        d.listen = [f'"unix:{d.path}"', f'"inet:127.0.0.1:{port}"']
        d.configure()
        d.start()
        d.ask()
        files, memory = d.descriptors(), d.rss()
        with Load(d, [DUNNO], **INBOUND) as load:
            silent = [d.client(("127.0.0.1", port) if i % 2 else None) for i in range(10_000)]
            wait_for("all to be accepted", lambda: d.descriptors() >= files + 10_000)
            asked = load.asked
            wait_for("others to be served", lambda: load.asked > asked + 1000)
        load.tell(0.25 * SLOW)
        each = (d.rss() - memory) / 10_000
        note(f"{each:.0f} bytes of memory for each")
        expect(each < 400 or SANITIZED, f"{each:.0f} bytes for each")
        same(silent[9_999].ask(**NO_AUTH), AUTHENTICATE, "the answer to one that speaks at last")
        for client in silent:
            client.close()
        wait_for("the descriptors to be closed", lambda: d.descriptors() <= files)


@test
def descriptor_limit():
    """at the limit of descriptors: accepting stops without spinning, and resumes; all that waited are served"""
    with Daemon(start=False) as d:
        d.start(prefix=["prlimit", "--nofile=128:128"])
        inside = [d.client() for _ in range(96)]
        for client in inside:
            same(client.ask(), DUNNO, "the answer inside the limit")
        waiting = [d.client() for _ in range(60)]
        for client in waiting:
            client.send(request(**NO_AUTH))
        before = d.cpu()
        answered = select.select([client.socket for client in waiting], [], [], 2)[0]
        spent = d.cpu() - before
        same(answered, [], "those who were answered beyond the limit")
        note(f"{spent:.2f} s of processor time in 2 s")
        expect(spent < 0.3, f"it spins: {spent} s in 2 s")
        for client in inside:
            same(client.ask(**NO_AUTH), AUTHENTICATE, "the answer inside the limit")
        for client in inside[:48]:
            client.close()
        for client in waiting:
            same(client.reply(), AUTHENTICATE, "the answer after waiting")
            client.close()
        for client in inside[48:]:
            same(client.ask(), DUNNO, "the answer inside the limit")
        expect("as many connections as this process may have" in d.logged(), "nothing was said of it")


@test
def silent_at_the_limit():
    """silent connections that fill all room are closed, so that those who ask are served"""
    with Daemon(start=False) as d:
        d.start(prefix=["prlimit", "--nofile=128:128"])
        first = d.client()
        same(first.ask(), DUNNO, "the answer")
        silent = [d.client() for _ in range(150)]
        with d.client() as client:
            same(client.ask(), DUNNO, "the answer to one that asks")
        same(first.ask(), DUNNO, "the answer on a connection that asked before")
        closed = [client for client in silent if select.select([client.socket], [], [], 0)[0]]
        note(f"{len(closed)} of 150 closed")
        expect(len(closed) >= 90, "too few were closed")


@test
def too_low_a_limit():
    """a limit of descriptors that leaves no room for connections: said, and not started"""
    with Daemon(start=False) as d:
        d.start(prefix=["prlimit", "--nofile=40:40"], wait=False)
        same(d.ended(), EX_UNAVAILABLE, "the exit code")
        expect("limit of open files is 40" in d.logged(), d.logged())


@test
def slow_readers():
    """peers that pipeline and do not read: memory is bounded, others are served, and at last every reply comes"""
    with Daemon() as d, Load(d, [DUNNO], **INBOUND) as load:
        with d.client() as client:
            ask_many(client, 0, 12_000)         # so that the journal's ring has its memory
        text, memory = request(**NO_AUTH) * 100, d.rss()
        sent, peers = [], [d.client() for _ in range(10)]
        for client in peers:
            client.socket.setblocking(False)
            n = 0
            while select.select([], [client.socket], [], 0.1)[1]:
                n += client.socket.send(text[n % len(text):])
            client.socket.settimeout(30)
            sent.append(n)
        asked = load.asked
        wait_for("others to be served", lambda: load.asked > asked + 500)
        each = (d.rss() - memory) / len(peers)
        note(f"{sum(sent) // len(peers)} bytes taken and {each:.0f} bytes of memory for each")
        expect(each < 300_000 or SANITIZED, "too much memory")
        size = len(text) // 100
        for client, n in zip(peers, sent):
            if n % size:
                client.send(text[n % size:size])
            same(set(client.replies(-(-n // size))), {AUTHENTICATE}, "the replies at last")
            client.no_more()
    load.tell(0.25 * SLOW)


@test
def gone_in_mid_request():
    """peers that go away in mid-request or with replies unread, also by a reset: no descriptor is lost"""
    port = free_port()
    with Daemon(listen=["x"], start=False) as d:
        d.listen = [f'"unix:{d.path}"', f'"inet:127.0.0.1:{port}"']
        d.configure()
        d.start()
        d.ask()
        files = d.descriptors()
        for i in range(1000):
            client = d.client(("127.0.0.1", port) if i % 2 else None)
            if i % 4 >= 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send([b"", request()[:300], request() * 50, request() + b"req"][i % 8 // 2])
            client.close()
        wait_for("the descriptors to be closed", lambda: d.descriptors() <= files)
        same(d.ask(), DUNNO, "the answer to others")


@test
def memory_stays():
    """200,000 decisions about as many clients: the memory stays as it is"""
    with Daemon() as d, d.client() as client:
        count = 40_000 if SANITIZED else 200_000
        ask_many(client, 0, 30_000, at_once=400, spread=256, **NO_AUTH)
        memory = d.rss()
        answers = ask_many(client, 30_000, count, at_once=400, spread=256, **NO_AUTH)
        same(set(answers), {AUTHENTICATE}, "the answers")
        grown = d.rss() - memory
        note(f"{grown / 1024:.0f} KiB more after {count} requests")
        expect(grown < 1024 * 1024 or SANITIZED, f"it grew by {grown} bytes")


@test
def nobody_reads_stderr():
    """a log that nobody takes stops no answer, and what was lost of it is said"""
    with Daemon(start=False) as d:
        read, write = os.pipe()
        with open(read, "rb") as stderr:
            d.log = "/dev/null"
            command = ["sh", "-c", f"exec \"$@\" 2>&{write}", "sh"]
            d.start(prefix=command, wait=False, pass_fds=[write])
            os.close(write)
            wait_for("the socket", lambda: os.path.exists(d.path) and d.process.poll() is None)
            said = b""
            while b": ready\n" not in said:
                said += os.read(read, 65536)
            with d.client() as client:
                same(set(ask_many(client, 0, 3000, spread=256, **NO_AUTH)), {AUTHENTICATE}, "the answers")
                os.set_blocking(read, False)
                while stderr.read(65536):
                    pass
                same(set(ask_many(client, 4000, 10, spread=256, **NO_AUTH)), {AUTHENTICATE}, "the answers")
            expect(re.search(rb"[0-9]+ lines of this log were lost", stderr.read(65536) or b""), "the loss was not said")


@test
def passwords():
    """the value of an attribute that is unknown, or of a request not understood, is written down nowhere"""
    with Daemon() as d:
        secret = "hunter2.correct-horse"
        with d.client() as client:
            for changes in ({}, NO_AUTH, {"server_port": "25"}):
                client.ask(password=secret, sasl_password=secret, authorization=secret, tls_sni=secret, **changes)
        for text in (b"AUTH PLAIN " + secret.encode() + b"\n\n", request(password="\0" + secret),
                     request(request=secret), request()[:-1] + secret.encode() + b"\n\n", b"password=" + secret.encode()):
            with d.client() as client:
                client.send(text)
                client.socket.shutdown(1)
                same(client.reply(), None, "what came for it")
        d.stop()
        expect(len(d.decisions()) >= 3, "too few lines")
        found = subprocess.run(["grep", "-rl", "hunter2", d.folder], capture_output=True, text=True).stdout
        same(found, "", "where the secret is")


import faults_disk      # noqa: E402,F401  (register their tests)
import faults_reload    # noqa: E402,F401

main()
