# SPDX-License-Identifier: Apache-2.0
"""The daemon on the loopback: real connections, the rights that it has left, reload and end."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pcap
from daemon import EX_CONFIG, EX_UNAVAILABLE, SANITIZED, free_port, test
from tapd import PROGRAM, Tap, expect, same, wait_for


class Listener:
    """A server that says its lines, one after each thing it hears."""

    def __init__(self, *lines):
        self.lines = lines
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                for line in self.lines:
                    connection.sendall(line)
                    if not connection.recv(4096):
                        break

    def talk(self, *parts):
        """Says each part when something was heard; returns our port."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            for part in parts:
                client.recv(4096)
                client.sendall(part)
            return client.getsockname()[1]

    def close(self):
        self.socket.close()


SMTP = (b"220 mail ESMTP\r\n", b"250 STARTTLS\r\n", b"220 go on\r\n", b"\x15\3\3\0\2\2\x28")


def play(tap, server, *parts):
    """One connection, and its line."""
    port = server.talk(*parts)
    return wait_for("the session's line", lambda: [line for line in tap.journal("session") if line["client_port"] == port])[0]


def status_of(path):
    with open(path) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


@test
def a_real_connection():
    """lo: a client that leaves before STARTTLS, and one whose handshake fails, by their real ports"""
    server = Listener(*SMTP)
    with Tap((free_port(), server.port, free_port())) as tap:
        line = play(tap, server, b"EHLO client.test\r\n", b"QUIT\r\n")
        same([line["finding"], line["commands"], line["helo_name"], line["server_port"]],
             ["closed-before-starttls", ["EHLO", "QUIT"], "client.test", server.port], "the session")
        expect(line["ended"] in ("fin", "rst"), line)      # RST: the server's last line was not read
        line = play(tap, server, b"EHLO client.test\r\n", b"STARTTLS\r\n", pcap.hello(pad=1200))
        same([line["finding"], line["tls_mode"], line["tls_offered_highest"]], ["handshake-unknown", "starttls", "TLSv1.3"],
             "the session")
        wait_for("the line in the log", lambda: "closed-before-starttls logged: client=127.0.0.1" in tap.logged())
        wait_for("the numbers", lambda: tap.status()["counters"]["connections"] == 2)
        same(tap.status()["counters"]["packets-retransmitted"], 0, "packets that came twice")
        keys = {line["key"] for line in tap.journal("session")}
        expect(len(keys) == 2 and None not in keys, keys)
    server.close()


@test
def any_interface():
    """any: each packet of the loopback counts once"""
    server = Listener(*SMTP)
    with Tap((free_port(), server.port, free_port()), interface="any") as tap:
        same(play(tap, server, b"EHLO client.test\r\n")["finding"], "closed-before-starttls", "the finding")
        wait_for("the numbers", lambda: tap.status()["counters"]["connections"] == 1)
        counters = tap.status()["counters"]
        same([counters["packets-retransmitted"], counters["connections-begun"]], [0, 1], "packets that came twice, connections")
    server.close()


INJECT = """
import socket, sys, time
sys.path.insert(0, sys.argv[1])
import pcap
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("tap1", 0))
for n, tags in enumerate(([], [(0x8100, 5)], [(0x88a8, 7), (0x8100, 5)], [(0x8100, 7), (0x8100, 5)])):
    for client, server in (("10.77.0.2", "10.77.0.1"), ("fd00::2", "fd00::1")):
        for _, packet in pcap.Client(587, 2000 + n, client, server).open().say("EHLO x\\r\\n").fin().packets:
            wire.send(pcap.link(pcap.EN10MB, packet, tags))
            time.sleep(0.002)
"""


@test
def tags():
    """a network of our own: no, one and two VLAN tags on an interface that is named; none and one on any; its interface goes away"""
    # Not `ip netns exec`: that mounts, which cannot be done where / is no mount point, as in a chroot.
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo there; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    try:
        same(holder.stdout.readline(), b"there\n", "a network of our own")
        subprocess.run([*inside, "sh", "-c", "ip link add tap0 type veth peer name tap1 && ip link set tap0 up && ip link set tap1 up"],
                       check=True)
        for interface, ports in (("tap0", [2000, 2001, 2002, 2003]), ("any", [2000, 2001])):
            with Tap((25, 587, 465), interface=interface, start=False) as tap:
                tap.start(prefix=inside)
                subprocess.run([*inside, sys.executable, "-c", INJECT, os.path.dirname(pcap.__file__)], check=True)
                wait_for("the lines", lambda: len(tap.journal("session")) >= 2 * len(ports))
                same(sorted({(line["client_port"], line["client_address"]) for line in tap.journal("session")}),
                     [(port, address) for port in ports for address in ("10.77.0.2", "fd00::2")], f"sessions on {interface}")
        with Tap((25, 587, 465), interface="tap0", start=False) as tap:
            tap.start(prefix=inside)
            subprocess.run([*inside, "ip", "link", "del", "tap0"], check=True)
            same(tap.ended(), EX_UNAVAILABLE, "exit code when its interface is gone")
            expect("The interface disappeared" in tap.logged(), tap.logged())
            same(tap.journal()[-1]["event"], "stop", "the last event")
    finally:
        holder.communicate()            # its input ends, and so does it


@test
def no_rights_left():
    """no thread of it has a capability, is root, can get a right or dumps its memory"""
    with Tap((free_port(), free_port(), free_port())) as tap:
        tap.reload()                    # a thread more
        threads = os.listdir(f"/proc/{tap.pid}/task")
        expect(len(threads) >= 2, "there should be a writer of the journal")
        for thread in threads:
            status = status_of(f"/proc/{tap.pid}/task/{thread}/status")
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                same(int(status[name], 16), 0, f"{name} of thread {thread}")
            same(status["NoNewPrivs"], "1", "NoNewPrivs")
            expect("0" not in status["Uid"].split() and "0" not in status["Gid"].split(), status)
        with open(f"/proc/{tap.pid}/limits") as limits:
            same(re.search(r"Max core file size +(\d+) +(\d+)", limits.read()).groups(), ("0", "0"), "core file size")
        same(os.stat(f"/proc/{tap.pid}/mem").st_uid, 0, "owner of its memory: it must not be dumpable")


@test
def started_with_one_right():
    """started as a user with CAP_NET_RAW, as systemd does, it gives that up, too"""
    with Tap((free_port(), free_port(), free_port()), start=False) as tap:
        tap.configure()
        os.mkdir(tap.journal_path, 0o777)
        os.chmod(tap.journal_path, 0o777)
        with open(tap.log, "ab") as log:
            tap.process = subprocess.Popen(
                ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw",
                 "--bounding-set=-all,+net_raw", PROGRAM, "-c", tap.config, "--stderr"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the tap to be ready", lambda: ": ready\n" in tap.logged() or tap.dead())
        for thread in os.listdir(f"/proc/{tap.pid}/task"):
            status = status_of(f"/proc/{tap.pid}/task/{thread}/status")
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                same(int(status[name], 16), 0, f"{name} of thread {thread}")
            same(status["NoNewPrivs"], "1", "NoNewPrivs")
        same(os.stat(f"/proc/{tap.pid}/mem").st_uid, 0, "owner of its memory: it must not be dumpable")


@test
def refuses():
    """it does not run as root, without the right to capture, or on an interface that is not there, and says what to do"""
    for how, interface, says in (({"user": None}, "lo", "-u USER"), ({}, "nosuch0", "tap.interface")):
        with Tap((free_port(), free_port(), free_port()), interface=interface, start=False) as tap:
            tap.start(wait=False, **how)
            same(tap.ended(), EX_UNAVAILABLE, "exit code")
            expect(says in tap.logged(), tap.logged())
            tap.process = None
    with Tap((free_port(), free_port(), free_port()), start=False) as tap:
        tap.configure()
        os.mkdir(tap.journal_path, 0o777)
        os.chmod(tap.journal_path, 0o777)
        done = subprocess.run([PROGRAM, "-c", tap.config, "--stderr"], user="nobody", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        same(done.returncode, EX_UNAVAILABLE, "exit code")
        expect(b"CAP_NET_RAW" in done.stdout, done.stdout)


@test
def reload_and_end():
    """SIGHUP changes the ports that are watched; a broken file changes nothing; SIGTERM tells what is open, and ends well"""
    old, new = Listener(*SMTP), Listener(*SMTP)
    with Tap((free_port(), old.port, free_port())) as tap:
        play(tap, old, b"EHLO one.test\r\n")
        tap.ports = (tap.ports[0], new.port, tap.ports[2])
        tap.configure()
        tap.reload()
        same(play(tap, new, b"EHLO two.test\r\n")["listener"], f"l{new.port}", "the listener")
        old.talk(b"EHLO three.test\r\n")
        tap.write_config("listeners: []\nbroken: yes\n")
        tap.reload(ok=False)
        same(play(tap, new, b"EHLO four.test\r\n")["helo_name"], "four.test", "the EHLO name")
        same([line["helo_name"] for line in tap.journal("session")], ["one.test", "two.test", "four.test"], "sessions")
        with socket.create_connection(("127.0.0.1", new.port)) as client:
            client.recv(100)
            client.sendall(b"EHLO five.test\r\n")
            client.recv(100)
            wait_for("it to be seen", lambda: tap.status()["counters"]["connections-speaking"] == 1)
            os.kill(tap.pid, signal.SIGTERM)
            same(tap.ended(), 0, "exit code")
        line = tap.journal("session")[-1]
        same([line["helo_name"], line["ended"], line.get("finding")], ["five.test", "stop", None], "the last session")
        same([line["event"] for line in tap.journal()][-1], "stop", "the last event")
        tap.check_sane()
    old.close()
    new.close()


@test
def lost_packets():
    """packets for which the kernel had no room are counted, and told once; it goes on"""
    server = Listener(b"220 mail ESMTP\r\n")
    with Tap((server.port, free_port(), free_port())) as tap, socket.create_server(("127.0.0.1", 0)) as sink:
        tap.ports = (server.port, sink.getsockname()[1], tap.ports[2])
        tap.configure()
        tap.reload()
        os.kill(tap.pid, signal.SIGSTOP)
        with socket.create_connection(sink.getsockname()) as client, sink.accept()[0] as other:
            threading.Thread(target=lambda: all(iter(lambda: other.recv(1 << 20), b"")), daemon=True).start()
            for _ in range(500):
                client.sendall(bytes(1 << 20))
            os.kill(tap.pid, signal.SIGCONT)
            wait_for("the shout", lambda: "packets were lost" in tap.logged())
            wait_for("the number", lambda: tap.status()["counters"]["packets-dropped"] > 0)
        same(play(tap, server, b"AUTH LOGIN\r\n")["finding"], "auth-tried-on-smtp-port", "what it finds behind that")
        same(tap.logged().count("packets were lost"), 1, "shouts")
    server.close()


@test
def checks_its_configuration():
    """-n checks; a wrong configuration is 78"""
    with Tap((1, 2, 3), start=False) as tap:
        tap.configure()
        done = subprocess.run([PROGRAM, "-n", "-c", tap.config], stdout=subprocess.PIPE, check=False)
        expect(done.returncode == 0 and b"interface lo" in done.stdout, done)
        tap.write_config("tap: {proxied_ports: [x]}\n")
        same(subprocess.run([PROGRAM, "-c", tap.config], stderr=subprocess.DEVNULL, check=False).returncode, EX_CONFIG, "exit code")


@test
def a_crowd():
    """2,000 real connections, one after the other and all at once: each has its line, and memory stays"""
    server = Listener(*SMTP)
    with Tap((free_port(), server.port, free_port())) as tap:
        count = 500 if SANITIZED else 2000
        before = tap.rss()
        for n in range(count):
            server.talk(b"EHLO x\r\n")
        wait_for("all lines", lambda: len(tap.journal("session")) == count)
        same({line["finding"] for line in tap.journal("session")}, {"closed-before-starttls"}, "findings")
        expect(SANITIZED or tap.rss() - before < 2_000_000, f"{tap.rss() - before} bytes more")
    server.close()
