# SPDX-License-Identifier: Apache-2.0
"""Captures written by hand: links, IP, TCP, and files of pcap and pcapng."""
import ipaddress
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
EN10MB, NULL, RAW, LOOP, SLL, SLL2, IPV4, IPV6 = 1, 0, 101, 108, 113, 276, 228, 229
SERVER, CLIENT = "198.51.100.1", "192.0.2.17"
SERVER6, CLIENT6 = "2001:db8::25", "2001:db8:17::1"
BEGAN = 1795_230_900.0                  # 2026-11-21T03:15:00Z


# ---- packets ----

def tcp(sport, dport, seq, flags, payload=b"", options=b"", offset=None):
    words = offset if offset is not None else 5 + len(options) // 4
    return struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, 0, words << 4, flags, 65535, 0, 0) + options + payload


def ip4(source, target, payload, protocol=6, options=b"", fragment=0, total=None, header=None):
    size = 20 + len(options) + len(payload)
    return struct.pack("!BBHHHBBH4s4s", 0x40 | (header if header is not None else 5 + len(options) // 4), 0,
                       size if total is None else total, 1, fragment, 64, protocol, 0,
                       ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed) + options + payload


def ip6(source, target, payload, extensions=(), length=None, last=6):
    """extensions: (type, whole header with a placeholder for the next one in its first byte)."""
    kinds = [kind for kind, _ in extensions] + [last]
    headers = b"".join(bytes([following]) + header[1:] for (_, header), following in zip(extensions, kinds[1:]))
    size = len(headers) + len(payload)
    return struct.pack("!IHBB16s16s", 6 << 28, size if length is None else length, kinds[0], 64,
                       ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed) + headers + payload


def ip(source, target, payload, **more):
    return (ip6 if ":" in source else ip4)(source, target, payload, **more)


def link(kind, packet, vlans=(), family=None):
    """The link's header in front; vlans: (EtherType, id) from the outermost."""
    ether = 0x86dd if packet[:1] and packet[0] >> 4 == 6 else 0x0800
    types = [kind for kind, _ in vlans] + [ether]
    tags = b"".join(struct.pack("!HH", vid, following) for (_, vid), following in zip(vlans, types[1:]))
    af = family if family is not None else (10 if ether == 0x86dd else 2)
    heads = {
        EN10MB: lambda: bytes(12) + struct.pack("!H", types[0]),
        SLL: lambda: struct.pack("!HHH8sH", 0, 1, 6, bytes(8), types[0]),
        SLL2: lambda: struct.pack("!HHIHBB8s", types[0], 0, 1, 1, 0, 6, bytes(8)),
        NULL: lambda: struct.pack("<I", af),
        LOOP: lambda: struct.pack("!I", af),
    }
    return heads.get(kind, lambda: b"")() + tags + packet


# ---- connections ----

class Client:
    """One client's side of a connection: each call appends a packet (time, bytes) to `packets`."""

    def __init__(self, port=587, sport=40001, client=CLIENT, server=SERVER, began=0.0, isn=1000, packets=None):
        self.port, self.sport, self.client, self.server = port, sport, client, server
        self.now, self.seq, self.isn = began, isn, isn
        self.packets = [] if packets is None else packets

    def wait(self, seconds):
        self.now += seconds
        return self

    def raw(self, flags, payload=b"", seq=None, options=b""):
        self.packets.append((self.now, ip(self.client, self.server, tcp(
            self.sport, self.port, self.seq if seq is None else seq, flags, payload, options))))
        self.now += 0.001
        return self

    def syn(self, **more):
        self.raw(SYN, **more)
        self.seq = self.isn + 1
        return self

    def open(self):
        return self.syn().raw(ACK)

    def say(self, data, segment=1460):
        if isinstance(data, str):
            data = data.encode()
        for at in range(0, len(data), segment):
            piece = data[at:at + segment]
            self.raw(ACK | PSH, piece)
            self.seq += len(piece)
        return self

    def fin(self):
        self.raw(FIN | ACK)
        self.seq += 1
        return self

    def rst(self):
        return self.raw(RST)


# ---- TLS ----

def record(kind, body, version=0x0301):
    return struct.pack("!BHH", kind, version, len(body)) + body


def hello(versions=(0x0304, 0x0303), legacy=0x0303, sni=b"mail.example.com", alpn=None, pad=0,
          ciphers=(0x1301, 0x1302, 0xc02f), split=None):
    """A ClientHello; split: bytes of the message in each record."""
    def extension(kind, body):
        return struct.pack("!HH", kind, len(body)) + body
    extensions = b""
    if sni:
        extensions += extension(0, struct.pack("!HBH", len(sni) + 3, 0, len(sni)) + sni)
    extensions += extension(10, b"\0\4\0\x1d\0\x17") + extension(13, b"\0\4\4\3\x08\4")
    if alpn:
        extensions += extension(16, struct.pack("!HB", len(alpn) + 1, len(alpn)) + alpn)
    if versions:
        extensions += extension(43, bytes([2 * len(versions)]) + b"".join(struct.pack("!H", v) for v in versions))
    if pad:
        extensions += extension(21, bytes(pad))
    suites = b"".join(struct.pack("!H", c) for c in ciphers)
    body = (struct.pack("!H", legacy) + bytes(range(32)) + b"\0" + struct.pack("!H", len(suites)) + suites + b"\1\0" +
            struct.pack("!H", len(extensions)) + extensions)
    message = b"\1" + len(body).to_bytes(3, "big") + body
    size = split or len(message)
    return b"".join(record(22, message[at:at + size]) for at in range(0, len(message), size))


FINISHED = record(20, b"\1", 0x0303) + record(23, bytes(53), 0x0303)      # TLS 1.3: change cipher spec, Finished
KEY_EXCHANGE = record(22, b"\x10\0\0\x21" + bytes(33), 0x0303) + record(20, b"\1", 0x0303) + record(22, bytes(40), 0x0303)
HIDDEN_ALERT = record(20, b"\1", 0x0303) + record(23, bytes(19), 0x0303)  # two bytes, a type, a tag of 16


def alert(number):
    return record(21, bytes([2, number]), 0x0303)


# ---- PROXY headers ----

def proxy1(client, server, sport, dport):
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {server} {sport} {dport}\r\n".encode()


def proxy2(client, server, sport, dport, tlv=b"", local=False):
    source, target = ipaddress.ip_address(client), ipaddress.ip_address(server)
    body = source.packed + target.packed + struct.pack("!HH", sport, dport) + tlv
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 if local else 0x21, 0x21 if source.version == 6 else 0x11]) +
            struct.pack("!H", len(body)) + body)


# ---- files ----

def pcap(packets, kind=RAW, snaplen=262144, nanoseconds=False, order="<", began=BEGAN, **links):
    """A file of pcap; packets: (seconds since `began`, IP packet)."""
    parts = [struct.pack(order + "IHHiIII", 0xa1b23c4d if nanoseconds else 0xa1b2c3d4, 2, 4, 0, 0, snaplen, kind)]
    for at, packet in packets:
        whole = link(kind, packet, **links)
        when = round((began + at) * 1_000_000)
        parts.append(struct.pack(order + "IIII", when // 1_000_000, when % 1_000_000 * (1000 if nanoseconds else 1),
                                 min(len(whole), snaplen), len(whole)))
        parts.append(whole[:snaplen])
    return b"".join(parts)


def pcapng(packets, kind=RAW, snaplen=262144, began=BEGAN):
    def block(number, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", number, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    parts = [block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)), block(1, struct.pack("<HHI", kind, 0, snaplen))]
    for at, packet in packets:
        whole = link(kind, packet)
        when = round((began + at) * 1_000_000)
        parts.append(block(6, struct.pack("<IIIII", 0, when >> 32, when & 0xffffffff, min(len(whole), snaplen), len(whole)) +
                           whole[:snaplen]))
    return b"".join(parts)
