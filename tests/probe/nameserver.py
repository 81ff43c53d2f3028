# SPDX-License-Identifier: Apache-2.0
"""A DNS server for one run, over UDP and TCP, that can also lie, break off and keep silent."""
import socket
import struct
import threading

A, CNAME, AAAA, SRV = 1, 5, 28, 33
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5
SILENT, TRUNCATED = "silent", "truncated"          # what an answer may be instead of a list


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def srv(priority, weight, port, target):
    return struct.pack("!3H", priority, weight, port) + name(target)


def srv_loop(offset_of_target):
    """A target that points at itself: its place is 12 + the question + the answer's head + 6."""
    return struct.pack("!4H", 0, 0, 465, 0xC000 | offset_of_target)


class NameServer:
    """zone: {(name, type): [rdata, ...] or an rcode or SILENT or (TRUNCATED, [rdata, ...])}; names that are absent do not exist."""

    def __init__(self, zone, family=socket.AF_INET):
        self.zone, self.asked = zone, []
        address = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.tcp = socket.create_server((address, 0), family=family)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((address, self.port))
        self.where = f"127.0.0.1:{self.port}" if family == socket.AF_INET else f"[::1]:{self.port}"
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        for each in (self.udp, self.tcp):
            try:
                each.shutdown(socket.SHUT_RDWR)     # wakes its thread
            except OSError:
                pass
        for thread in self.threads:
            thread.join(5)
        self.udp.close()
        self.tcp.close()

    def answer(self, query, over_tcp):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, _ = struct.unpack_from("!2H", query, at + 1)
        asked, question = ".".join(labels).lower(), query[12:at + 5]
        self.asked.append((asked, kind))
        found = self.zone.get((asked, kind), [] if any(known == asked for known, _ in self.zone) else NXDOMAIN)
        flags, records = 0x8180, []
        if found == SILENT:
            return None
        if isinstance(found, int):
            flags |= found
        elif found and found[0] == TRUNCATED:
            flags |= 0 if over_tcp else 0x0200
            records = found[1] if over_tcp else []
        else:
            records = found
        head = query[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, len(data)) + data
                                          for data in records)

    def serve_udp(self):
        while True:
            try:
                query, client = self.udp.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            answer = self.answer(query, False)
            if answer:
                self.udp.sendto(answer, client)

    def serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    size = client.recv(2)
                    query = client.recv(struct.unpack("!H", size)[0])
                    answer = self.answer(query, True)
                    if answer:
                        client.sendall(struct.pack("!H", len(answer)) + answer)
                except (OSError, struct.error):
                    pass
