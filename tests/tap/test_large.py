#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A capture of more than a gigabyte, through `mailreeve-tap --read -`: the numbers are true to the last one, and memory
does not grow with it. TAP."""
import resource
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True

import pcap
from pcap import Client
from tapd import PROGRAM, number

GIGABYTE = 1 << 30
MAILS, WRONG = 40, 8            # of a block: bulk mail to port 25; TLS at once on 587
MAIL = 250                      # packets of a mail, 1,448 bytes each


def block():
    """(records, where in it clients' addresses stand). Each client is another, and all are again in the next block."""
    packets = []
    for n in range(MAILS):
        mail = Client(25, client=f"10.0.0.{n + 1}", began=n * 0.01).open()
        mail.say("EHLO mx.example.org\r\n").say("MAIL FROM:<list@example.org>\r\n")
        for _ in range(MAIL):
            mail.say(bytes(1448))
        packets += mail.fin().packets
    for n in range(WRONG):
        packets += Client(587, client=f"10.0.1.{n + 1}", began=n * 0.01).open().say(pcap.hello()).fin().packets
    packets.sort(key=lambda packet: packet[0])
    records, places = bytearray(), []
    for at, packet in packets:
        places.append(len(records) + 16 + 12 + 1)       # the second octet of the source address
        records += struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(packet), len(packet)) + packet
    return records, places, len(packets)


def feed(pipe):
    """Writes the capture; how many blocks, and packets in each."""
    records, places, packets = block()
    blocks = GIGABYTE // len(records) + 1
    pipe.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, pcap.RAW))
    for n in range(blocks):
        for place in places:
            records[place] = n & 255
            records[place + 1] = n >> 8 << 4 | records[place + 1] & 15
        pipe.write(records)
    pipe.close()
    return blocks, packets


def main():
    reader = subprocess.Popen([PROGRAM, "--read", "-", "-c", "/dev/null"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    shown = []
    listening = threading.Thread(target=lambda: shown.append(reader.stdout.read().decode()))
    listening.start()
    blocks, packets = feed(reader.stdin)
    listening.join()
    code = reader.wait()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    wanted = {"packets": blocks * packets, "connections": blocks * (MAILS + WRONG), "implicit-tls-on-starttls-port": blocks * WRONG}
    got = {what: number(shown[0], what) for what in wanted}
    checks = [
        ("it is read to its end", code == 0, f"exit code {code}"),
        ("every packet, connection and finding is counted", got == wanted, f"{got}, wanted {wanted}"),
        ("memory does not grow with it", spent.ru_maxrss < 100 * 1024, f"{spent.ru_maxrss / 1024:.0f} MB"),
    ]
    print(f"1..{len(checks)}\n# {spent.ru_maxrss / 1024:.0f} MB at most, {spent.ru_utime + spent.ru_stime:.1f} CPU s, {blocks * packets} packets")
    for n, (what, good, why) in enumerate(checks, 1):
        print(f"{'' if good else 'not '}ok {n} - {what}" + ("" if good else f"\n# {why}"))
    return not all(good for _, good, _ in checks)


if __name__ == "__main__":
    sys.exit(main())
