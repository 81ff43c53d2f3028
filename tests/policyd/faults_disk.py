# SPDX-License-Identifier: Apache-2.0
"""The journal's disk is full or frozen, and the daemon is killed: answers go on, what is lost is counted."""
import os
import signal
import subprocess
import time

from daemon import (AUTHENTICATE, DUNNO, EX_UNAVAILABLE, NO_AUTH, SLOW, Daemon, expect, note, request, same,
                    test, wait_for)
from disk import FIFREEZE, FITHAW, NO_LEAK_CHECK, SHIM, SmallDisk
from load import Load, ask_many


class Disk(SmallDisk):
    def daemon(self, **how):
        """A daemon whose journal is there."""
        d = Daemon(start=False, **how)
        d.journal_path, d.view = os.path.join(self.point, "journal"), self.view
        d.configure()
        d.start(prefix=self.enter, env=NO_LEAK_CHECK)
        return d


@test
def full_disk():
    """a full journal disk: answers go on, the loss is counted, said loudly, and journaled when there is room again"""
    with Disk('mount -t tmpfs -o size=24m tmpfs "$1"') as disk, disk.daemon() as d, d.client() as client:
        expect(disk.works, "no tmpfs to be had")
        ask_many(client, 0, 100, **NO_AUTH)
        d.settled()
        disk.fill()
        with Load(d, [DUNNO]) as load:
            count = 20_000
            same(set(ask_many(client, 1000, count, **NO_AUTH)), {AUTHENTICATE}, "the answers on a full disk")
            wait_for("the alarm", lambda: "error: JOURNAL STALLED: cannot write: No space left" in d.logged())
        load.tell(0.25 * SLOW)
        disk.free()
        wait_for("it to resume", lambda: "warning: journal resumed; " in d.logged())
        wait_for("the loss in the journal", lambda: d.journal("lost"))
        said = int(d.logged().split("journal resumed; ")[1].split()[0])
        same(d.ask(instance="after"), DUNNO, "the answer after it")
        wait_for("new lines", lambda: d.decisions(instance="after"))
        lost = sum(line["count"] for line in d.journal("lost"))
        same(said, lost, "the loss in log and journal")
        seen = [line["instance"] for line in d.decisions() if line["instance"].startswith("many.")]
        note(f"{lost} of {count} lost")
        same(len(set(seen)), len(seen), "lines without those that are there twice")
        loads = sum(load.seen.values())
        journaled = len(d.decisions()) - 2                  # without the fence and "after"
        same(journaled + lost, 100 + count + loads, "lines and losses")
        expect(lost > 1000, "the ring was not full")
        # Every seq that is missing is in the losses.
        numbers = {line["seq"] for line in d.journal()}
        same(max(numbers) - min(numbers) + 1 - len(numbers), lost, "the gaps in seq")
        wait_for("the loss in the status", lambda: d.status()["journal"]["lost"] == lost)


@test
def too_little_space():
    """less space than min_free: nothing more is written, that is said, and a reload can change it"""
    with Disk('mount -t tmpfs -o size=8m tmpfs "$1"') as disk, disk.daemon() as d:
        d.settled()
        d.min_free = "min_free: 99%"
        disk.fill()
        d.configure()
        d.hang_up()
        wait_for("the reload", lambda: "read again" in d.logged())
        disk.free()
        with open(f"{disk.view}{disk.point}/filler", "wb") as f:
            f.write(bytes(1 << 20))
        wait_for("the alarm", lambda: "less free disk space than journal.min_free" in d.logged() or d.ask() is None)
        before = len(d.journal())
        for i in range(100):
            same(d.ask(instance=f"space.{i}"), DUNNO, "the answer with too little space")
        same(len(d.journal()), before, "lines written with too little space")
        d.min_free = "min_free: 0%"
        d.configure()
        d.hang_up()
        wait_for("it to resume", lambda: "journal resumed; 0 events" in d.logged())
        wait_for("those lines", lambda: d.decisions(instance="space.99"))
        wait_for("the reloads in the journal", lambda: len(d.reloads()) == 2)


def frozen(d, freeze, thaw):
    """What must hold while the disk does not answer, and after it."""
    # Passes on role smtp are not journaled, so this load does not fill the ring.
    with d.client() as client, Load(d, [DUNNO], server_port="25", **NO_AUTH) as load:
        ask_many(client, 0, 100, **NO_AUTH)
        d.settled()
        freeze()
        same(set(ask_many(client, 100, 500, **NO_AUTH)), {AUTHENTICATE}, "the answers while it is frozen")
        wait_for("the alarm", lambda: "error: JOURNAL STALLED: the disk has not answered for" in d.logged())
        same(set(ask_many(client, 600, 500, **NO_AUTH)), {AUTHENTICATE}, "the answers while it is frozen")
        thaw()
        wait_for("it to resume", lambda: "journal resumed; 0 events" in d.logged())
    load.tell(0.25 * SLOW)
    d.settled()
    seen = [line["instance"] for line in d.decisions() if line["instance"].startswith("many.")]
    same(seen, [f"many.{i}" for i in range(1100)], "the decisions in the journal")


def stop_while_frozen(d):
    """SIGTERM; the main thread must be done in time, though a thread that the kernel holds cannot be ended."""
    d.ask(instance="frozen")
    begun, pid = time.monotonic(), d.pid
    os.kill(pid, signal.SIGTERM)

    def done():
        try:
            with open(f"/proc/{pid}/task/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True
    wait_for("the end", done, 10 * SLOW)
    note(f"SIGTERM took {time.monotonic() - begun:.1f} s")
    expect("events could not be written to the journal" in d.logged(), d.logged()[-500:])
    expect("stopped\n" in d.logged(), d.logged()[-500:])


@test
def frozen_disk():
    """a frozen journal disk: answers go on, that is said, nothing is lost; SIGTERM ends it within 10 s"""
    with Disk('mount -o loop image "$1"', "truncate -s 16M image && mkfs.ext4 -q image") as disk:
        if disk.works:
            note("an ext4 image on a loop device, frozen by FIFREEZE")
            with disk.daemon() as d:
                frozen(d, lambda: disk.ioctl(FIFREEZE), lambda: disk.ioctl(FITHAW))
                disk.ioctl(FIFREEZE)
                try:
                    stop_while_frozen(d)
                finally:
                    disk.ioctl(FITHAW)
                same(d.ended(), 0, "the exit code")
            return
    note("there is no loop device: a preloaded library holds write() and fsync()")
    with Daemon(start=False) as d:
        shim, ice = f"{d.folder}/shim.so", f"{d.folder}/ice"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-x", "c", "-", "-o", shim, "-ldl"],
                       input=SHIM.encode(), check=True)
        d.start(env={"LD_PRELOAD": shim, "FROZEN": ice, "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"})

        def freeze():
            open(ice, "w").close()
        frozen(d, freeze, lambda: os.unlink(ice))
        freeze()
        stop_while_frozen(d)
        same(d.ended(), 0, "the exit code")


# ---- the end ----

@test
def killed():
    """SIGKILL: what was decided 100 ms before is in the journal, which stays readable; a restart goes on"""
    with Daemon() as d:
        decided, client = {}, d.client()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            number = len(decided)
            client.send(request(instance=f"kill.{number}", **NO_AUTH))
            same(client.reply(), AUTHENTICATE, "the answer")
            decided[f"kill.{number}"] = time.monotonic()
        killed_at = time.monotonic()
        os.kill(d.pid, signal.SIGKILL)
        d.ended()
        client.close()
        seen = [line["instance"] for line in d.decisions()]
        missing = list(decided)[len(seen):]
        same(seen, list(decided)[:len(seen)], "the decisions in the journal")
        note(f"{len(missing)} of {len(decided)} missing: "
             + (f"the last {(killed_at - decided[missing[0]]) * 1000:.0f} ms" if missing else "nothing"))
        expect(all(killed_at - decided[i] < 0.1 * SLOW for i in missing), "older ones are missing")
        segments = d.segments()
        before = {path: open(path, "rb").read() for path in segments}
        d.start()
        same(d.ask(instance="again"), DUNNO, "the answer after the restart")
        d.settled()
        same(len(d.decisions(instance="again")), 1, "the new lines")
        same({path: open(path, "rb").read() for path in segments}, before, "the old segments")
        same(len({line["boot"] for line in d.journal()}), 2, "the number of boots")


@test
def second_writer():
    """a second writer on the same journal: refused with exit code 69, naming the process that has it"""
    with Daemon() as d, Daemon(start=False) as second:
        second.journal_path = d.journal_path
        second.configure()
        second.start(wait=False)
        same(second.ended(), EX_UNAVAILABLE, "the exit code")
        expect(f"another mailreeve-policyd writes this journal already: pid {d.pid}" in second.logged(), second.logged())
        same(d.ask(), DUNNO, "the answer of the first")


@test
def drained():
    """SIGTERM: everything that was answered is in the journal, and `stop` is its last line"""
    with Daemon() as d, d.client() as client:
        ask_many(client, 0, 5000, at_once=500, **NO_AUTH)
        d.stop()
        same([line["instance"] for line in d.decisions()], [f"many.{i}" for i in range(5000)], "the journal")
        same(d.journal()[-1]["event"], "stop", "the last line")
        same([line["seq"] for line in d.journal()], list(range(1, 5003)), "the numbers of the lines")
        same(client.reply(), None, "what came after")
