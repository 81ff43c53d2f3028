# SPDX-License-Identifier: Apache-2.0
"""What the gate writes down, and that nothing which goes wrong with it stops an answer."""
import os
import shutil
import signal
import subprocess
import time

from gated import BOB, BUILD, NAME, Gate, encode, fail, plain
from daemon import REPOSITORY, SLOW, expect, note, same, test, wait_for
from disk import FIFREEZE, FITHAW, NO_LEAK_CHECK, SHIM, SmallDisk

FIXED = {"event": "auth_refused", "key": None, "src": NAME, "service": "mailreeve-25", "role": "smtp", "action": "reject",
         "finding": "auth-tried-on-smtp-port", "findings": ["auth-tried-on-smtp-port"]}
FIX = "in the client's outgoing server settings, change port 25 to 465 (SSL/TLS) or 587 (STARTTLS)"


@test
def journal_line():
    """`auth_refused` as docs/journal.md has it: nothing more, nothing that was not told"""
    with Gate() as g, g.peer(pid=31337) as peer:
        peer.refused(1, "plain", plain("Bob@Example.com"), tls=True)
        peer.refused(2, "X-JUNK", encode("bob"))
        peer.refused(3, "CRAM-MD5", client="2001:db8::17", server="2001:db8::1")
        peer.refused(4, client="unknown", server="")
        common = {"mta_pid": 31337, **FIXED}
        there = {"client_address": "192.0.2.17", "server_address": "198.51.100.1"}
        wanted = [{**common, **there, "sasl_method": "PLAIN", "sasl_username": g.user_hash(BOB), "tls": True},
                  {**common, **there, "tls": False},
                  {**common, "client_address": "2001:db8::17", "server_address": "2001:db8::1", "sasl_method": "CRAM-MD5", "tls": False},
                  {**common, "sasl_method": "PLAIN", "tls": False}]
        frame = ("v", "ts", "mono", "host", "boot", "seq")
        got = g.refusals(4)
        same([{name: value for name, value in line.items() if name not in frame} for line in got], wanted, "the lines")
        g.stop()
        same([line["event"] for line in g.journal()], ["start"] + ["auth_refused"] * 4 + ["stop"], "the events")
        same([line["seq"] for line in g.journal()], [1, 2, 3, 4, 5, 6], "their numbers")


@test
def user_hashes():
    """users are HMAC-SHA256 with the journal's secret, computed here by hand; letter case does not count; restarts keep them"""
    users = [BOB, "BOB@EXAMPLE.COM", "alice", "j\u00fcrgen", "a" * 255, "x\ty", "hunter2"]
    with Gate() as g:
        for _ in range(2):
            with g.peer() as peer:
                for number, user in enumerate(users):
                    peer.refused(number, "LOGIN", encode(user))
                    peer.refused(number, "PLAIN", encode(f"admin\0{user}\0secret"))
                peer.refused(99, "LOGIN", encode("a" * 256))
            g.refusals(15 if not _ else 30)
            g.stop()
            g.start()
        wanted = [g.user_hash(user) for user in users for _ in range(2)] + [None]
        same([line.get("sasl_username") for line in g.refusals(30)], wanted * 2, "the users")
        same(wanted[0], wanted[2], "the hash of another case")


@test
def hash_by_hand():
    """the command of docs/gate.md gives the hash that is in the journal"""
    with open(os.path.join(REPOSITORY, "docs/gate.md")) as f:
        command = next(line for line in f if line.startswith("printf 'user"))
    with Gate() as g:
        g.refuse(1, response=plain())
        (line,) = g.refusals(1)
        said = subprocess.run(["sh", "-c", command.replace("/var/lib/mailreeve/journal", g.journal_path)], capture_output=True, text=True)
        same(said.stdout.strip(), line["sasl_username"], f"what it says {said.stderr}")


@test
def addresses():
    """--address plain, hash, network: in the journal and in the log alike; the server's stays"""
    for how, four, six in (("plain", "192.0.2.17", "2001:db8:1:2::17"), ("network", "192.0.2.0/24", "2001:db8:1::/48"), ("hash", "", "")):
        with Gate("--address", how) as g:
            g.refuse(1, response=plain())
            g.refuse(1, response=plain("alice"), client="2001:db8:1:2::17")
            lines = g.refusals(2)
            four = four or g.hash("address", bytes([192, 0, 2, 17]))
            six = six or g.hash("address", bytes.fromhex("20010db8000100020000000000000017"))
            same([line["client_address"] for line in lines], [four, six], f"the addresses, {how}")
            same(lines[0]["server_address"], "198.51.100.1", "the server's")
            wait_for("the log", lambda: g.logged().count("client=") == 2)
            expect(f"client={four} user=" in g.logged() and f"client={six} user=" in g.logged(), g.logged())


@test
def log_line():
    """one line in the log for each client network, user and finding, which names the client and the setting to change"""
    with Gate() as g, g.peer() as peer:
        for number in range(100):
            peer.refused(number, response=plain(), client=f"192.0.2.{number}")
        peer.refused(100, response=plain("alice"), tls=True)
        peer.refused(101, response=plain(), client="203.0.113.9")
        peer.refused(102)
        g.refusals(103)
        said = [line.split(": info: ")[1] for line in g.logged().splitlines() if "auth-tried" in line]
        what = "listener=smtp:25 tls={}: the client tried to authenticate on the port for mail from other servers; " + FIX
        same(said, [f"auth-tried-on-smtp-port refused: client={client} user={user} {what.format(tls)}" for client, user, tls in (
            ("192.0.2.0", g.user_hash(BOB), "none"), ("192.0.2.17", g.user_hash("alice"), "yes"), ("203.0.113.9", g.user_hash(BOB), "none"),
            ("192.0.2.17", "-", "none"))], "the lines")


@test
def no_journal():
    """without --journal: refused and logged; the user's hash is one of this process only"""
    with Gate(journal=False) as g:
        hashes = []
        for _ in range(2):
            g.refuse(1, response=plain())
            wait_for("the log", lambda: "user=h:" in g.logged())
            hashes.append(g.logged().split("user=")[1].split()[0])
            g.stop()
            g.start()
        expect(hashes[0] != hashes[1], "the key is always the same")
        expect(not os.path.exists(g.journal_path), "a journal was made")


@test
def journal_in_the_way():
    """a journal that cannot be made: refused all the same, that is said once, and it is tried again until it can"""
    with Gate(start=False) as g:
        os.chmod(g.folder, 0o777)
        with open(g.journal_path, "w") as f:
            f.write("a file")
        g.start()
        expect(": error: " in g.logged() and "tried again every 10 s" in g.logged(), g.logged())
        g.refuse(1, response=plain())
        wait_for("the log", lambda: "client=192.0.2.17 user=- " in g.logged())
        os.unlink(g.journal_path)
        wait_for("the journal", lambda: g.journal("start"))
        wait_for("it to be said", lambda: "1 refusals before this are not in it" in g.logged())
        same(g.logged().count(": error: "), 1, "complaints")
        g.refuse(1, response=plain())
        same([line["sasl_username"] for line in g.refusals(1)], [g.user_hash(BOB)], "the user")


@test
def no_right():
    """no right to the journal, started as the user and not as root: the same"""
    with Gate(start=False) as g:
        os.mkdir(g.journal_path, 0o700)
        os.chmod(g.folder, 0o777)
        g.start(prefix=["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"], user=None)
        wait_for("the complaint", lambda: "Permission denied" in g.logged())
        g.refuse(1, response=plain())
        os.chmod(g.journal_path, 0o777)
        wait_for("the journal", lambda: g.journal("start"))
        g.refuse(1, response=plain())
        g.refusals(1)


@test
def bad_secret():
    """a secret that is none: journaled without the user; with --address hash without the address, too"""
    for options, fields in (((), {"client_address": "192.0.2.17"}), (("--address", "hash"), {})):
        with Gate(*options, start=False) as g:
            os.mkdir(g.journal_path)
            with open(os.path.join(g.journal_path, "secret"), "w") as f:
                f.write("short")
            g.start()
            expect("is not a secret of 32 bytes" in g.logged() and "its record is without the user" in g.logged(), g.logged())
            g.refuse(1, response=plain())
            (line,) = g.refusals(1)
            same({name: line[name] for name in ("client_address", "sasl_username") if name in line}, fields, "what is told of the client")


@test
def second_writer():
    """a journal that another gate writes: refused all the same, and it is said whose it is"""
    with Gate() as first, Gate(start=False) as second:
        second.journal_path = first.journal_path
        second.start()
        expect(f"pid {first.pid}" in second.logged(), second.logged())
        second.refuse(1, response=plain())
        first.refuse(1, response=plain("alice"))
        same([line["sasl_username"] for line in first.refusals(1)], [first.user_hash("alice")], "the users")
        wait_for("the log", lambda: "client=192.0.2.17 user=- " in second.logged())


@test
def full_disk():
    """a full journal disk: every AUTH is refused, the loss is counted, said loudly, and journaled when there is room again"""
    with SmallDisk('mount -t tmpfs -o size=8m tmpfs "$1"') as disk, Gate(start=False) as g:
        expect(disk.works, "no tmpfs to be had")
        g.journal_path, g.view = os.path.join(disk.point, "journal"), disk.view
        g.start(prefix=disk.enter, env=NO_LEAK_CHECK)
        g.refuse(1, response=plain())
        g.refusals(1)
        disk.fill()
        count, queued = 15_000, 500             # the ring takes some 11,000
        with g.peer() as peer:
            for number in range(0, count, queued):
                peer.send(*("AUTH\t%d\tPLAIN\tservice=mailreeve-25\tnologin\tlip=198.51.100.1\trip=192.0.2.17\tresp=%s" % (n, plain())
                            for n in range(number, number + queued)))
                same([peer.line() for _ in range(queued)], [fail(n) for n in range(number, number + queued)], "the answers on a full disk")
                wait_for("the scribe", lambda: not g.process.poll())
        wait_for("the alarm", lambda: "error: JOURNAL STALLED: " in g.logged())
        disk.free()
        wait_for("it to resume", lambda: "warning: journal resumed; " in g.logged())
        wait_for("the loss in the journal", lambda: g.journal("lost"))
        g.refuse(1, response=plain("alice"))
        wait_for("a new line", lambda: [line for line in g.journal("auth_refused") if line["sasl_username"] == g.user_hash("alice")])
        lost = sum(line["count"] for line in g.journal("lost"))
        dropped = sum(int(line.split(": error: ")[1].split()[0]) for line in g.logged().splitlines() if "were not written down" in line)
        note(f"{lost} lost and {dropped} dropped of {count}")
        same(len(g.journal("auth_refused")) + lost + dropped, count + 2, "lines and losses")
        expect(lost > 100, "the ring was not full")


def frozen(g, freeze, thaw):
    """What must hold while the disk does not answer, and after it."""
    g.refuse(1, response=plain())
    g.refusals(1)
    freeze()
    slowest = 0.0
    with g.peer() as peer:
        for number in range(300):
            begun = time.monotonic()
            peer.refused(number, response=plain())
            slowest = max(slowest, time.monotonic() - begun)
        wait_for("the alarm", lambda: "JOURNAL STALLED: the disk has not answered for" in g.logged())
        peer.refused(301)
    note(f"the slowest answer took {slowest * 1000:.1f} ms")
    expect(slowest < 0.5 * SLOW, "answers wait for the disk")
    thaw()
    g.refusals(302)


@test
def frozen_disk():
    """a frozen journal disk: every AUTH is refused at once, that is said, and nothing is lost"""
    with SmallDisk('mount -o loop image "$1"', "truncate -s 16M image && mkfs.ext4 -q image") as disk, Gate(start=False) as g:
        if disk.works:
            note("an ext4 image on a loop device, frozen by FIFREEZE")
            g.journal_path, g.view = os.path.join(disk.point, "journal"), disk.view
            g.start(prefix=disk.enter, env=NO_LEAK_CHECK)
            frozen(g, lambda: disk.ioctl(FIFREEZE), lambda: disk.ioctl(FITHAW))
            g.stop()
            return
        note("there is no loop device: a preloaded library holds write() and fsync()")
        shim, ice = f"{g.folder}/shim.so", f"{g.folder}/ice"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-x", "c", "-", "-o", shim, "-ldl"], input=SHIM.encode(), check=True)
        g.start(env={"LD_PRELOAD": shim, "FROZEN": ice, "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"})
        frozen(g, lambda: open(ice, "w").close(), lambda: os.unlink(ice))


@test
def frozen_from_the_start():
    """a journal that freezes while it is opened: refused at once; SIGTERM ends within 15 s; what it says is true"""
    with SmallDisk('mount -o loop image "$1"', "truncate -s 16M image && mkfs.ext4 -q image") as disk, Gate(start=False) as g:
        if not disk.works:
            note("not played: there is no loop device")
            return
        g.journal_path, g.view = os.path.join(disk.point, "journal"), disk.view
        os.chmod(disk.view + disk.point, 0o777)
        os.chmod(g.folder, 0o777)
        disk.ioctl(FIFREEZE)
        try:
            g.start(prefix=[*disk.enter, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"], user=None,
                    env={**NO_LEAK_CHECK, "TSAN_OPTIONS": "halt_on_error=1 report_thread_leaks=0"})
            with g.peer() as peer:
                for number in range(1100):              # more than the queue takes
                    peer.refused(number, response=plain())
            begun = time.monotonic()
            os.kill(g.pid, signal.SIGTERM)
            wait_for("the end", lambda: "the journal does not answer; what was not written is lost" in g.logged(), 15 * SLOW)
            note(f"SIGTERM took {time.monotonic() - begun:.1f} s")
        finally:
            disk.ioctl(FITHAW)
        code = g.ended()
        expect(code == 0, f"exit code {code}: {g.logged()[-3000:]}")


@test
def killed():
    """SIGKILL: the journal stays readable, the stale socket is replaced, numbers begin anew"""
    with Gate() as g:
        g.refuse(1, response=plain())
        g.refusals(1)
        os.kill(g.pid, signal.SIGKILL)
        g.ended()
        g.start()
        g.refuse(1, response=plain())
        lines = g.refusals(2)
        same(len({line["boot"] for line in lines}), 2, "boots")


@test
def status():
    """`mailreeve status` shows the gate and its numbers"""
    with Gate() as g:
        g.refuse(1, response=plain())
        g.refuse(1, tls=True)
        config = os.path.join(g.folder, "mailreeve.yaml")
        with open(config, "w") as f:
            f.write(f"journal: {{path: {g.journal_path}}}\n")
        wait_for("the numbers", lambda: '"refused":2' in subprocess.run([os.path.join(BUILD, "mailreeve"), "status", "--json", "-c", config],
                                                                     capture_output=True, text=True).stdout)
        said = subprocess.run([os.path.join(BUILD, "mailreeve"), "status", "-c", config], capture_output=True, text=True)
        same(said.returncode, 0, "the exit code")
        expect(NAME in said.stdout and "without-tls" in said.stdout, said.stdout)
        shutil.rmtree(g.journal_path, ignore_errors=True)
