#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real programs inside their sandboxes: what they have to do still works, kernels without Landlock, the way to switch it off.
What is forbidden is tried in tests/unit/test_sandbox.c. As root. TAP."""
import contextlib
import errno
import os
import subprocess
import sys

sys.dont_write_bytecode = True

from places import ERRNO, KILL_PROCESS, Apart, Gate, Milter, Tap, landlock, no_new_privileges, without_landlock  # noqa: E402
from daemon import (AUTHENTICATE, BUILD, DUNNO, NO_AUTH, SLOW, USER, Daemon, expect, free_port, main, note, same, test,  # noqa: E402
                    wait_for)
from load import Load, ask_many     # noqa: E402

HAS = landlock()
TOLD = f"landlock {HAS}" if HAS else "none: kernel has no Landlock"
EXCEPTED = {"client_address": "203.0.113.9", **NO_AUTH}


def status_of(d, *which):
    def read():
        with contextlib.suppress(FileNotFoundError):
            return d.status(*which)
    return wait_for("the status", read)


NAMES = {Daemon: "mailreeve-policyd", Apart: "mailreeve-policyd", Milter: "mailreeve-milter", Tap: "mailreeve-tap", Gate: "mailreeve-gate"}


def told(d, sandbox):
    """Log and status file agree."""
    same([line for line in d.logged().splitlines() if "sandbox" in line], [f"{NAMES[type(d)]}: info: sandbox: {sandbox}"], "the log's line")
    same(status_of(d)["sandbox"], sandbox, "the status file")



# ---- what is there ---------------------------------------------------------------------------------------------------

@test
def all_programs():
    """each program tells its sandbox in log and status file; every thread of it has no_new_privs; `mailreeve status` shows it"""
    note(f"this kernel: {os.uname().release}, Landlock {HAS or 'is missing: what it forbids could not be tried here'}")
    with Apart() as policyd, Milter() as milter, Tap([free_port()]) as tap:
        for d in (policyd, milter, tap):
            told(d, TOLD)
            same(set(no_new_privileges(d.pid).values()), {"1"}, "no_new_privs of its threads")
        shown = subprocess.run([os.path.join(BUILD, "mailreeve"), "status", "-c", policyd.config], capture_output=True, text=True)
        expect(f"  sandbox        {TOLD}\n" in shown.stdout, shown.stdout)
    with Gate() as gate:
        gate.refuse()
        gate.refusals(1)
        same(sorted(line.split(": ", 1)[1] for line in gate.logged().splitlines() if "sandbox" in line),
             [f"info: sandbox of the journal: {TOLD}", f"info: sandbox: {TOLD}"], "what the log says of it")
        with open(os.path.join(gate.journal_path, "mailreeve-gate", "status")) as f:
            expect(f'"sandbox":"{TOLD}"' in f.read(), "the status file")
        same(set(no_new_privileges(gate.pid).values()), {"1"}, "no_new_privs of its threads")


@test
def several_sockets():
    """the milter with two sockets: each process, the first one included, has its own; a reload reaches both, and both end with it"""
    with Milter(sockets=['"unix:@/second.sock"']) as milter:
        same(milter.logged().count(f"sandbox: {TOLD}\n"), 2, "processes that serve")
        same(milter.logged().count(f"sandbox of the first process: {TOLD}\n"), 1, "the first process")
        same(status_of(milter, "mailreeve-milter-2")["sandbox"], TOLD, "the second one's status")
        for pid in [milter.pid, *milter.children()]:
            same(set(no_new_privileges(pid).values()), {"1"}, "no_new_privs")
        milter.hang_up()
        wait_for("both to have read it again", lambda: milter.read_again() == [True, True])


# ---- what has to work ------------------------------------------------------------------------------------------------

@test
def reloads():
    """under load: configuration and exceptions are read again after a rename, after a rewrite in place, and through symbolic links"""
    with Apart() as d:
        same((d.ask(**NO_AUTH), d.ask(**EXCEPTED)), (AUTHENTICATE, DUNNO), "the answers at first")
        with Load(d, [DUNNO]):
            d.except_client("203.0.113.10")
            d.reload()
            same((d.ask(**EXCEPTED), d.ask(**{**EXCEPTED, "client_address": "203.0.113.10"})), (AUTHENTICATE, DUNNO), "after a rename")
            with open(d.exceptions, "w") as f:
                f.write("203.0.113.9 | auth-required | 2099-12-31 | it | in place\n")
            d.configure(mode="audit")
            d.reload()
            same(d.ask(**NO_AUTH), DUNNO, "after another mode")
            d.configure(more=f"exceptions_file: {d.etc}/beside\n", mode="enforce")
            d.except_client("203.0.113.11", f"{d.etc}/beside")
            d.reload()
            same(d.ask(**{**EXCEPTED, "client_address": "203.0.113.11"}), DUNNO, "with a new file beside the configuration")
    with Apart(start=False) as d:
        os.rename(d.config, f"{d.lists}/real.yaml")
        os.symlink(f"{d.lists}/real.yaml", d.config)
        d.start()
        d.reload()
        same(d.ask(**EXCEPTED), DUNNO, "behind a symbolic link")


@test
def elsewhere():
    """a reload that names an exceptions file elsewhere: rejected with a reason that says restart, in log, journal and status; so it works"""
    with Apart() as d:
        moved = os.path.join(d.folder, "moved")
        os.mkdir(moved)
        d.except_client("203.0.113.9", f"{moved}/exceptions")
        d.configure(more=f"exceptions_file: {moved}/exceptions\n")
        if not HAS:
            d.reload()
            return
        d.reload(ok=False)
        why = d.reloads()[-1]["why"]
        expect("forbidden by the sandbox" in why and "restart it" in why, f"why: {why}")
        expect("forbidden by the sandbox" in d.logged() and "REJECTED" in d.logged(), "the log")
        wait_for("the status", lambda: d.status()["reloads"] == 1)
        expect("restart it" in d.status()["reload_why"], "the status")
        same((d.ask(**NO_AUTH), d.ask(**EXCEPTED)), (AUTHENTICATE, DUNNO), "the answers by the old policy")
        os.chmod(f"{moved}/exceptions", 0)
        d.reload(ok=False)
        expect("Permission denied" in d.reloads()[-1]["why"], "an owner's prohibition is not called the sandbox's")
        os.chmod(f"{moved}/exceptions", 0o644)
        d.stop()
        d.start()
        same(d.ask(**EXCEPTED), DUNNO, "the answer after a restart")


@test
def directory_replaced():
    """the whole directory of the configuration is replaced: a reload is rejected with the reason, the old policy stays"""
    with Apart() as d:
        os.rename(d.etc, d.etc + ".old")
        os.mkdir(d.etc)
        d.configure()
        d.reload(ok=not HAS)
        expect(not HAS or "restart it" in d.reloads()[-1]["why"], "the reason")
        same(d.ask(**NO_AUTH), AUTHENTICATE, "the answer")


@test
def rotation():
    """new segments are begun and old ones deleted; a segment that somebody deleted is replaced; the socket is removed at the end"""
    with Apart(limits=", max_total: 1 MiB") as d, d.client() as client:
        def all_written():
            with contextlib.suppress(FileNotFoundError):    # deleted while we read
                return d.decisions(instance="last")
        ask_many(client, 0, 6000, at_once=400, spread=256, **NO_AUTH)
        client.ask(instance="last", **NO_AUTH)
        wait_for("the journal", all_written)
        numbers = [int(path.rsplit("-", 1)[1].split(".")[0]) for path in d.segments()]
        note(f"segments {numbers[0]} to {numbers[-1]} are left")
        expect(numbers[0] > 1 and len(numbers) > 2, f"segments {numbers}")
        os.unlink(d.segments()[-1])
        wait_for("another segment", lambda: d.ask(**NO_AUTH) and int(d.segments()[-1].rsplit("-", 1)[1].split(".")[0]) > numbers[-1])
        same(d.status()["journal"]["lost"], 0, "events that were lost")
        expect(os.path.exists(d.path), "the socket")
        client.close()
        d.stop()
        expect(not os.path.exists(d.path), "the socket is still there")


@test
def gate_late():
    """the gate without a right to its journal: it refuses, and begins the journal, inside the sandbox, once it may"""
    with Gate(start=False) as g:
        g.journal_path = os.path.join(g.folder, "logs")
        os.mkdir(g.journal_path, 0o700)
        os.chmod(g.folder, 0o777)
        g.start(prefix=["setpriv", f"--reuid={USER}", "--clear-groups"], user=None)
        g.refuse()
        expect("sandbox of the journal" not in g.logged(), "shut in before it has its journal")
        os.chmod(g.journal_path, 0o777)
        wait_for("the journal", lambda: g.refuse() or g.journal("auth_refused"), 60 * SLOW)
        expect(f"sandbox of the journal: {TOLD}\n" in g.logged(), g.logged())


# ---- what may be missing -----------------------------------------------------------------------------------------------

LESS = [("ENOSYS: a kernel from before it", ERRNO | errno.ENOSYS, "none: kernel has no Landlock", "info"),
        ("EOPNOTSUPP: a kernel where it is not switched on", ERRNO | errno.EOPNOTSUPP,
         "none: the kernel's Landlock is not switched on (lsm=)", "info"),
        ("EPERM: a container's filter", ERRNO | errno.EPERM, "none: Landlock: Operation not permitted; going on without it", "warning"),
        ("death: an old unit file's SystemCallFilter=", KILL_PROCESS,
         "none: Landlock: a filter of system calls forbids it; the unit file may be an old one; going on without it", "warning")]


def register(what, action, said, level):
    def one():
        for kind in (Daemon, Milter, Gate):
            with kind(start=False) as d:
                d.start(preexec_fn=without_landlock(action))
                same(d.logged().count(f"{level}: sandbox: {said}\n"), 1,
                     f"lines in the log of {NAMES[kind]}:\n{d.logged()}")
                same(set(no_new_privileges(d.pid).values()), {"1"}, "no_new_privs of its threads")
                if kind is Daemon:
                    same(d.ask(**NO_AUTH), AUTHENTICATE, "the answer")
                    same(status_of(d)["sandbox"], said.split("; going on")[0], "the status file")
                    d.reload()
                elif kind is Gate:
                    d.refuse()
                    d.refusals(1)
    one.__doc__ = f"Landlock answers with {what}: told, and everything goes on"
    test(one)


for row in LESS:
    register(*row)


@test
def switched_off():
    """MAILREEVE_SANDBOX=off switches Landlock off, and that is told; a value that is neither on nor off leaves it on, with a warning"""
    with Apart(start=False) as d:
        d.start(env={"MAILREEVE_SANDBOX": "off"})
        said = "none: switched off: MAILREEVE_SANDBOX=off"
        expect(f"warning: sandbox: {said}; going on without it\n" in d.logged(), d.logged())
        same(status_of(d)["sandbox"], said, "the status file")
        same(set(no_new_privileges(d.pid).values()), {"1"}, "no_new_privs of its threads")
        os.mkdir(f"{d.folder}/moved")
        d.except_client("203.0.113.9", f"{d.folder}/moved/exceptions")
        d.configure(more=f"exceptions_file: {d.folder}/moved/exceptions\n")
        d.reload()
        d.stop()
        d.start(env={"MAILREEVE_SANDBOX": "no"})
        expect('warning: sandbox: MAILREEVE_SANDBOX is "on" or "off", not "no"; taken as on\n' in d.logged(), d.logged())
        expect(f"sandbox: {TOLD}\n" in d.logged(), d.logged())


import watchdog     # noqa: E402,F401  (registers its tests)

main()
