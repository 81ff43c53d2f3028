#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure `mailreeve-tap --read`: packets a second on a mix of sessions, and what bulk mail costs it.

CPU time of the whole process, user and kernel, in rounds whose order alternates, beside programs that only read the
same file. docs/performance.md says what the rows mean. Exit code: 0 measured, 1 a program failed or the tap missed a
session.
"""
import argparse
import datetime
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

import report
from bench_audit import cpu
from servers import BUILD

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "../tap"))

import pcap  # noqa: E402
from pcap import Client  # noqa: E402

TAP = os.path.join(BUILD, "mailreeve-tap")
GOAL = 200_000                          # packets a second
SNAPLEN = 4096
EHLO = "EHLO client.example.com\r\n"
MAIL = "MAIL FROM:<alice@example.com> SIZE=20000\r\n"


def acknowledge(client, count):
    """What a client sends while the server talks."""
    for _ in range(count):
        client.raw(pcap.ACK)
    return client


def kinds():
    """(weight, a session): what a provider's ports see. Mails are of 20 kB, TLS has a post-quantum key."""
    hello = pcap.hello(pad=1216, alpn=b"smtp")
    mail = bytes(20_000)

    def starttls(port):
        return acknowledge(Client(port).open().say(EHLO).say("STARTTLS\r\n").say(hello).say(pcap.FINISHED).say(mail), 8).fin()
    return [
        (30, starttls(25)),
        (10, acknowledge(Client(25).open().say(EHLO).say(MAIL).say(mail), 8).fin()),
        (15, starttls(587)),
        (20, acknowledge(Client(465).open().say(hello).say(pcap.FINISHED).say(mail), 8).fin()),
        (5, Client(465).open().say(hello).fin()),                       # scanners
        (8, Client(25).open().fin()),
        (4, Client(587).open().say(hello).fin()),
        (2, Client(465).open().say(EHLO).fin()),
        (3, Client(587).open().say(EHLO).say("AUTH LOGIN\r\n").say("Ym9i\r\n").fin()),
        (3, Client(587).open().say(EHLO).say("QUIT\r\n").fin()),
    ]


def write_mix(path, wanted):
    """Sessions of all kinds, 50 at a time side by side. (packets, connections)"""
    sessions = [[packet for _, packet in client.packets] for weight, client in kinds() for _ in range(weight)]
    packets = connections = 0
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, SNAPLEN, pcap.EN10MB))
        while packets < wanted:
            number, chosen = connections, []
            for session in sessions[number * 7 % len(sessions):][:50] or sessions[:50]:
                chosen.append((struct.pack("!I", 0x0a000000 | number), struct.pack("!H", 1024 + number % 60000), iter(session)))
                number += 1
            connections = number
            while chosen:
                left = []
                for address, port, rest in chosen:
                    packet = next(rest, None)
                    if packet is None:
                        continue
                    left.append((address, port, rest))
                    when = 1_795_230_900_000_000 + packets * 20
                    head = struct.pack("<IIII", when // 1_000_000, when % 1_000_000, len(packet) + 14, len(packet) + 14)
                    out.write(head + bytes(12) + b"\x08\x00" + packet[:12] + address + packet[16:20] + port + packet[22:])
                    packets += 1
                chosen = left
    return packets, connections


def write_bulk(path, size):
    """One client after the other that sends 10 MB to port 25. (packets, connections)"""
    packets = connections = 0
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, SNAPLEN, pcap.EN10MB))
        while connections * 10_000_000 < size:
            client = Client(25, sport=2000 + connections).open().say(EHLO).say(MAIL).say(bytes(10_000_000)).fin()
            connections += 1
            packets += len(client.packets)
            for at, packet in client.packets:
                when = round((pcap.BEGAN + at) * 1_000_000)
                out.write(struct.pack("<IIII", when // 1_000_000, when % 1_000_000, len(packet) + 14, len(packet) + 14))
                out.write(bytes(12) + b"\x08\x00" + packet)
    return packets, connections


def programs(path):
    """Title: command. What only reads is what no reader of captures can be faster than."""
    list_ = {"mailreeve-tap --read": [TAP, "--read", path, "-c", "/dev/null"],
             "mailreeve-tap --read --json": [TAP, "--read", path, "-c", "/dev/null", "--json"],
             "wc -l": ["wc", "-l", path]}
    tcpdump = shutil.which("tcpdump", path=os.environ["PATH"] + ":/usr/sbin")
    if tcpdump:
        list_["tcpdump -r, a filter that nothing passes"] = [tcpdump, "-nnr", path, "udp"]
    return list_


def measure(path, rounds, packets, connections):
    times = {title: [] for title in programs(path)}
    for number in range(rounds):
        order = list(programs(path).items())
        for title, command in order if number % 2 else reversed(order):
            seconds, output = cpu(command, (0,))
            times[title].append(seconds)
            if number == 0 and title.endswith("--read"):
                seen = [int(re.search(rb"^ *(\d+)  " + what + rb"$", output, re.M)[1]) for what in (b"packets", b"connections")]
                if seen != [packets, connections]:
                    sys.exit("the tap has seen %s, not %s" % (seen, [packets, connections]))
    return times


def table(name, times, packets, size):
    rows = []
    ours = times["mailreeve-tap --read"]
    for title, theirs in times.items():
        median = statistics.median(theirs)
        ratios = [a / max(b, 1e-9) for a, b in zip(theirs, ours)]
        goal = name == "mix" and title == "mailreeve-tap --read"
        rate = packets / max(median, 1e-9)
        rows.append([name, title, "%.0f" % (median / packets * 1e9), "{:,.0f}".format(rate), "%.2f" % (median / size * 1e9),
                     "%.2f" % statistics.median(ratios), "%.2f-%.2f" % (min(ratios), max(ratios)),
                     "{:,}".format(GOAL) if goal else "", "" if not goal else "yes" if rate >= GOAL else "NO"])
    return rows


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--quick", action="store_true")
    options.add_argument("--update", action="store_true", help="write the results into docs/performance.md")
    given = options.parse_args()
    packets, size, rounds = (200_000, 50_000_000, 3) if given.quick else (1_000_000, 300_000_000, 7)
    rows = [["capture", "program", "ns a packet", "packets a second", "CPU s a GB", "it : the tap", "spread", "goal", "met"]]
    foot = []
    with tempfile.TemporaryDirectory() as work:
        for name, write, wanted in (("mix", write_mix, packets), ("bulk mail on port 25", write_bulk, size)):
            path = os.path.join(work, "capture.pcap")
            count, connections = write(path, wanted)
            rows += table(name, measure(path, rounds, count, connections), count, os.path.getsize(path))
            foot.append("%s: %s packets, %s connections, %.0f MB" % (name, "{:,}".format(count), "{:,}".format(connections),
                                                                  os.path.getsize(path) / 1e6))
    print(report.show(rows, False), *foot, sep="\n")
    if given.update:
        head = "%s, %d rounds" % (datetime.date.today(), rounds)
        report.update(os.path.join(HERE, "../../docs/performance.md"), "bench_tap.py", head, rows, foot)


if __name__ == "__main__":
    main()
