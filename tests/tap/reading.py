# SPDX-License-Identifier: Apache-2.0
"""Captures that are read: what was sent comes out the same, however it was cut, packed and ordered."""
import os
import random
import struct
import subprocess
import sys
import tempfile

import pcap
from daemon import Failure, note, test
from pcap import ACK, EN10MB, FIN, LOOP, NULL, RAW, RST, SLL, SLL2, SYN, Client
from tapd import CONFIG, FRAME, PROGRAM, expect, number, read, run, same, session, text

EHLO = "EHLO [192.168.1.20]\r\n"
SECRET = b"AGJvYgBodW50ZXIy"            # a password, as PLAIN sends it


def alone(line):
    """What a line tells of the session itself."""
    return {name: value for name, value in line.items() if name not in FRAME}


def starttls(port=587, segment=1460, **how):
    """A client that does everything right."""
    client = Client(port, **how).open().wait(0.05).say(EHLO).wait(0.05).say("STARTTLS\r\n").wait(0.05)
    return client.say(pcap.hello(alpn=b"smtp"), segment).wait(0.05).say(pcap.FINISHED).say(bytes(9000)).fin()


RIGHT = {
    "listener": "submission", "role": "submission", "mode": "enforce", "protocol_state": "EHLO", "client_address": pcap.CLIENT,
    "client_port": 40001, "server_address": pcap.SERVER, "server_port": 587, "helo_name": "[192.168.1.20]", "action": "pass",
    "would": "pass", "tls_mode": "starttls", "first_bytes": "smtp", "commands": ["EHLO", "STARTTLS"],
    "tls_offered": ["TLSv1.3", "TLSv1.2"], "tls_offered_highest": "TLSv1.3", "tls_sni": "mail.example.com", "tls_alpn": "smtp",
    "handshake": "answered", "ended": "seen"}


def compare(line, expected):
    got = {name: value for name, value in alone(line).items() if name not in ("silent_ms", "duration_ms", "ja4")}
    same(got, expected, "the session")


# ---- one session, every field ----

@test
def every_field():
    """a session with STARTTLS: every field of its line"""
    line = session(read(pcap.pcap(starttls().packets)), event="session", src="mailreeve-tap", ts="2026-11-21T03:15:00.205000Z",
                   silent_ms=52)
    compare(line, RIGHT)
    expect(len(line["key"]) == 16 and len(line["ja4"]) == 36 and line["ja4"].startswith("t13d"), "key or ja4 is wrong")
    same(line["duration_ms"], 205, "duration_ms")


@test
def nothing_found():
    """text: a session with nothing found is a number only"""
    shown = text(pcap.pcap(starttls().packets))
    expect("TIME" not in shown and "192.0.2" not in shown, shown)
    same([number(shown, "packets"), number(shown, "connections"), number(shown, "with something found")], [14, 1, 0], "numbers")


@test
def a_line_for_people():
    """text: who, where, what, the versions, the setting"""
    shown = text(pcap.pcap(Client(587).open().say(pcap.hello()).fin().packets))
    expect(shown.splitlines()[1].split() == (
        "2026-11-21T03:15:00Z 192.0.2.17:40001 submission:587 implicit-tls-on-starttls-port TLSv1.3 TLSv1.2 - set the client's "
        "connection security to STARTTLS on this port, or its port to 465").split(), shown)


# ---- links and files ----

LINKS = {
    "Ethernet": (EN10MB, {}), "VLAN": (EN10MB, {"vlans": [(0x8100, 5)]}), "QinQ": (EN10MB, {"vlans": [(0x88a8, 7), (0x8100, 5)]}),
    "SLL": (SLL, {}), "SLL2": (SLL2, {}), "NULL": (NULL, {}), "NULL, macOS": (NULL, {}), "LOOP": (LOOP, {}), "RAW": (RAW, {}),
}


@test
def links():
    """every link type, with IPv4 and IPv6, gives the same session"""
    for name, (kind, how) in LINKS.items():
        for client, server in ((pcap.CLIENT, pcap.SERVER), (pcap.CLIENT6, pcap.SERVER6)):
            if "macOS" in name:
                how = {"family": 30 if ":" in client else 2}
            packets = starttls(client=client, server=server).packets
            try:
                compare(session(read(pcap.pcap(packets, kind, **how))),
                        {**RIGHT, "client_address": client, "server_address": server})
            except Failure as failure:
                raise Failure(f"{name}, {client}: {failure}") from None
    for kind, server in ((pcap.IPV4, pcap.SERVER), (pcap.IPV6, pcap.SERVER6)):
        client = pcap.CLIENT6 if ":" in server else pcap.CLIENT
        session(read(pcap.pcap(starttls(client=client, server=server).packets, kind)), client_address=client)


@test
def files():
    """pcap of either byte order, with nanoseconds, and pcapng give the same session at the same time"""
    packets = starttls().packets
    lines = [session(read(capture)) for capture in (
        pcap.pcap(packets), pcap.pcap(packets, order=">"), pcap.pcap(packets, nanoseconds=True), pcap.pcapng(packets))]
    for line in lines[1:]:
        same([line["ts"], line["mono"], alone(line) | {"key": 0}], [lines[0]["ts"], lines[0]["mono"], alone(lines[0]) | {"key": 0}],
             "the session")


@test
def a_file_by_name():
    """a file by its name, without any right: as nobody, and with another capture's name in front of the numbers"""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(pcap.pcap(starttls().packets))
        file.flush()
        os.chmod(file.name, 0o644)
        done = subprocess.run([PROGRAM, "--read", file.name, "-c", "/dev/null"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              user="nobody" if os.getuid() == 0 else None, check=False)
        same([done.returncode, done.stderr], [0, b""], "exit code")
        expect(done.stdout.startswith(file.name.encode() + b"\n"), done.stdout)


@test
def an_unknown_link():
    """a link type that is not known is 65, and says so"""
    done = run("--read", "-", stdin=pcap.pcap(starttls().packets, 127))
    same([done.returncode, done.stdout], [65, b""], "what it did")
    expect(b"link type 127" in done.stderr, done.stderr)


# ---- order, loss, repetition ----

@test
def segmentation():
    """a ClientHello in segments and records of any size is the same one"""
    for segment in (1, 7, 536, 1460, 65000):
        compare(session(read(pcap.pcap(starttls(segment=segment).packets))), RIGHT)
    for split in (5, 100):
        client = Client(465).open().say(pcap.hello(split=split)).say(pcap.KEY_EXCHANGE).fin()
        session(read(pcap.pcap(client.packets)), handshake="answered", tls_mode="implicit", finding=None,
                tls_offered=["TLSv1.3", "TLSv1.2"])


@test
def any_order():
    """segments in any order, some twice, some overlapping with other bytes, are what came first"""
    chance = random.Random(7)
    for _ in range(25):
        packets = starttls(segment=chance.choice((20, 90, 300))).packets
        first, body = packets[:2], [p for _, p in packets[2:]]
        body = body[:40] + chance.sample(body, 5)
        chance.shuffle(body)
        # No more than the list of segments holds may wait: so it is shuffled in pieces.
        ordered = [p for _, p in packets[2:]]
        for at in range(0, len(ordered), 12):
            piece = ordered[at:at + 12]
            chance.shuffle(piece)
            ordered[at:at + 12] = piece
        ordered[6:6] = ordered[:3]
        mixed = first + [(0.01 + n / 1000, p) for n, p in enumerate(ordered)]
        compare(session(read(pcap.pcap(mixed))), RIGHT)


@test
def overlaps():
    """of bytes that come twice the first copy counts"""
    client = Client(587).open()
    client.raw(ACK, b"EHLO x\r\n").raw(ACK, b"HELO x\r\nMAIL FROM:<>\r\n")
    client.seq += 22
    session(read(pcap.pcap(client.fin().packets)), commands=["EHLO", "MAIL"])


@test
def wrapping():
    """sequence numbers that wrap within the ClientHello"""
    for isn in range(0xfffffe00, 0x1_0000_0000, 101):
        compare(session(read(pcap.pcap(starttls(isn=isn, segment=100).packets))), RIGHT)


@test
def a_lost_packet():
    """a packet that is missing is a gap, and nothing is said that needs it"""
    packets = starttls().packets
    del packets[3]                      # STARTTLS
    session(read(pcap.pcap(packets)), ended="gap", finding=None, commands=["EHLO"])
    client = Client(587).open().say(EHLO)
    client.seq += 6
    session(read(pcap.pcap(client.fin().packets)), ended="gap", finding=None)


@test
def snaplen():
    """a capture that cut its packets: a gap where it matters, and none behind MAIL"""
    packets = Client(587).open().say(pcap.hello(pad=900)).fin().packets
    session(read(pcap.pcap(packets, EN10MB, snaplen=200)), ended="gap", first_bytes="tls",
            findings=["implicit-tls-on-starttls-port"], likely=["implicit-tls-on-starttls-port"])
    packets = Client(25).open().say(EHLO).say("AUTH PLAIN " + SECRET.decode() + "\r\n").fin().packets
    session(read(pcap.pcap(packets, EN10MB, snaplen=96)), ended="seen", finding="auth-tried-on-smtp-port")


@test
def large_packets():
    """packets of 60 kB on the loopback, of which 4 kB were captured, cost the session nothing"""
    client = Client(25).open().say(EHLO).say("MAIL FROM:<bob@example.com>\r\n")
    for _ in range(20):
        client.say(bytes(60000), 60000)
    capture = pcap.pcap(client.fin().packets, EN10MB, snaplen=4096)
    same(read(capture), [], "lines for a good session on port 25")
    shown = text(capture)
    same([number(shown, "ended: seen"), number(shown, "ended: gap")], [1, 0], "ends")
    client = Client(587).open().say(EHLO).say("STARTTLS\r\n").say(pcap.hello(pad=3000) + pcap.FINISHED + bytes(50000), 60000)
    session(read(pcap.pcap(client.packets, EN10MB, snaplen=4096)), handshake="answered", ended="seen")


@test
def timing():
    """packets whose times go back, and a connection that is idle"""
    client = Client(587).open().wait(-100).say(EHLO).wait(50).fin()
    session(read(pcap.pcap(client.packets)), silent_ms=1, duration_ms=1, ended="fin")
    packets = Client(587).open().say(EHLO).packets + [(1000.0, Client(9, sport=9).syn().packets[0][1])]
    session(read(pcap.pcap(packets)), ended="idle", duration_ms=330002, finding=None, ts="2026-11-21T03:20:30.002000Z")


# ---- what is found ----

FINDINGS = [
    ("implicit TLS on 587", 587, [pcap.hello()], ["implicit-tls-on-starttls-port"], {"tls_mode": "implicit", "handshake": "left"}),
    ("clear text on 465", 465, [EHLO], ["cleartext-on-implicit-port"], {"tls_mode": "cleartext"}),
    ("waiting on 465", 465, [9.0], ["waits-on-implicit-port"], {"silent_ms": 9002, "tls_mode": None, "first_bytes": "nothing"}),
    ("HTTP", 25, ["GET / HTTP/1.1\r\nHost: mail\r\n\r\n"], ["not-smtp"], {"first_bytes": "http"}),
    ("rubbish", 587, [b"\x80\xff\x01\x02\x03\x04\x05\x06\x07\x08\n"], ["not-smtp"], {"first_bytes": "other"}),
    ("a password in clear text", 587, [EHLO, b"AUTH PLAIN " + SECRET + b"\r\n"], ["cleartext-auth"],
     {"would": "reject", "action": "pass", "sasl_method": "PLAIN", "likely": None}),
    ("AUTH LOGIN in clear text", 587, [EHLO, "AUTH LOGIN\r\n", "Ym9i\r\n"], ["cleartext-auth"],
     {"likely": ["cleartext-auth"], "sasl_method": "LOGIN"}),
    ("AUTH on 25", 25, [EHLO, "auth login\r\n"], ["auth-tried-on-smtp-port", "cleartext-auth"], {}),
    ("mail without TLS", 587, [EHLO, "MAIL FROM:<bob@example.com>\r\n"], ["tls-required", "auth-required"],
     {"would": "reject", "action": "pass", "held": "passive", "protocol_state": "MAIL", "tls": False, "auth": False}),
    ("leaving before STARTTLS", 587, [EHLO, "QUIT\r\n"], ["closed-before-starttls"], {"commands": ["EHLO", "QUIT"]}),
    ("TLS 1.0 only", 465, [pcap.hello(versions=(), legacy=0x0301)], ["handshake-version"],
     {"tls_offered": ["TLSv1"], "tls_offered_highest": "TLSv1", "likely": ["handshake-version"]}),
    ("our certificate rejected", 587, [EHLO, "STARTTLS\r\n", pcap.hello(), pcap.alert(48)], ["certificate-rejected"],
     {"handshake": "alert", "alert": 48}),
    ("an alert that is hidden", 465, [pcap.hello(), pcap.HIDDEN_ALERT], ["handshake-unknown"], {"handshake": "hidden-alert"}),
    ("a port that is not what it seems", 587, [pcap.hello(), pcap.FINISHED], ["listener-mode-mismatch"], {"handshake": "answered"}),
]


@test
def findings():
    """every finding that the tap can have, end to end, and nothing of what must not be kept"""
    for what, port, says, found, fields in FINDINGS:
        client = Client(port).open()
        for part in says:
            client = client.wait(part) if isinstance(part, float) else client.say(part)
        capture = pcap.pcap(client.fin().packets, EN10MB)
        try:
            session(read(capture), findings=found, finding=found[0], **fields)
        except Failure as failure:
            raise Failure(f"{what}: {failure}") from None
        output = run("--read", "-", "--json", stdin=capture).stdout + text(capture).encode()
        for secret in (SECRET, b"Ym9i", b"bob@example.com", b"Host: mail"):
            expect(secret not in output, f"{what}: {secret} in {output}")


@test
def ports():
    """role smtp without a finding has no line, a monitor neither, another port is not looked at"""
    same(read(pcap.pcap(Client(25).open().say(EHLO).say("QUIT\r\n").fin().packets)), [], "lines of port 25")
    same(read(pcap.pcap(Client(587, client="203.0.113.3").open().say(EHLO).fin().packets)), [], "lines of a monitor")
    same(read(pcap.pcap(Client(588).open().say(EHLO).fin().packets)), [], "lines of port 588")
    session(read(pcap.pcap(Client(587).open().fin().packets)), finding=None, first_bytes="nothing", tls_mode=None)


@test
def proxies():
    """a PROXY header of either version is believed where one is due, and nowhere else"""
    for header in (pcap.proxy1("2001:db8::9", "2001:db8::25", 1234, 465), pcap.proxy2("2001:db8::9", "2001:db8::25", 1234, 465),
                   pcap.proxy2("2001:db8::9", "2001:db8::25", 1234, 465, tlv=b"\4\1\0" + bytes(256))):
        client = Client(10587, client="192.0.2.80").open().say(header).wait(3).say(EHLO).fin()
        session(read(pcap.pcap(client.packets)), client_address="2001:db8::9", client_port=1234, server_address="2001:db8::25",
                server_port=465, listener="submissions", proxy_address="192.0.2.80", proxy_port=40001, silent_ms=3003,
                finding="cleartext-on-implicit-port")
        session(read(pcap.pcap(Client(587).open().say(header).fin().packets)), client_address=pcap.CLIENT, proxy_address=None)
    missing = Client(10587).open().say(EHLO).fin()
    same(read(pcap.pcap(missing.packets)), [], "lines for a port of no listener")


@test
def privacy():
    """privacy applies to both outputs"""
    capture = pcap.pcap(Client(587).open().say(EHLO).fin().packets)
    for kind in ("hash", "network"):
        config = CONFIG + f"privacy: {{address: {kind}}}\n"
        for output in (run("--read", "-", "--json", stdin=capture, config=config).stdout, text(capture, config=config).encode()):
            expect(b"192.0.2.17" not in output and b"192.168.1.20" not in output and b"closed-before" in output, output)


# ---- what is wrong ----

@test
def broken_captures():
    """a capture that is cut or broken: what was read is told, and 65"""
    capture = pcap.pcap(starttls().packets + Client(587, sport=40002, began=5).open().say(EHLO).fin().packets)
    for cut in range(24, len(capture), 97):
        done = run("--read", "-", "--json", stdin=capture[:cut])
        expect(done.returncode in (0, 65), f"cut at {cut}: {done.returncode}")
        if done.returncode == 65:
            expect(b"cut off" in done.stderr, done.stderr)
    compare(read(capture[:-10], 65)[0], RIGHT)
    for rubbish in (b"", b"\xd4\xc3\xb2\xa1", os.urandom(5000), b"From bob@example.com\n" * 100, capture[:24][::-1]):
        done = run("--read", "-", stdin=rubbish)
        same([done.returncode, done.stdout], [65, b""], "what it did")
        expect(b"no capture that can be read" in done.stderr, done.stderr)


@test
def wrong_use():
    """64 for a wrong command line, 66 for a missing file, 78 for a wrong configuration"""
    for arguments, code in (((["--read"]), 64), (["--json"], 64), (["--read", "-", "more"], 64), (["--read", "-", "-u", "bob"], 64),
                            (["--read", "/nonexistent.pcap"], 66), (["--bogus"], 64)):
        done = run(*arguments)
        same(done.returncode, code, f"exit code of {arguments}")
        expect(done.stderr and not done.stdout, f"{arguments}: {done}")
    done = run("--read", "-", config="tap: {interfaces: eth0}\n")
    same(done.returncode, 78, "exit code")
    expect(b'unknown key "interfaces"' in done.stderr, done.stderr)
    done = subprocess.run([PROGRAM, "-h"], stdout=subprocess.PIPE, check=False)
    expect(done.returncode == 0 and b"--read FILE" in done.stdout, done)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, "--read", "-", "-c", "/dev/null"], input=pcap.pcap(starttls().packets), stdout=full,
                              stderr=subprocess.PIPE, check=False)
    same(done.returncode, 74, "exit code on a full disk")


@test
def malformed_packets():
    """packets that are wrong are counted by reason, and harm nobody else"""
    good = pcap.tcp(40009, 587, 1, SYN)
    packets = [pcap.ip4(pcap.CLIENT, pcap.SERVER, good, header=4), pcap.ip4(pcap.CLIENT, pcap.SERVER, good, total=5000),
               pcap.ip4(pcap.CLIENT, pcap.SERVER, good)[:30], pcap.ip4(pcap.CLIENT, pcap.SERVER, good[:12]),
               pcap.ip4(pcap.CLIENT, pcap.SERVER, pcap.tcp(1, 587, 1, SYN, offset=15)), b"\x75" + bytes(40),
               pcap.ip4(pcap.CLIENT, pcap.SERVER, good, fragment=0x2000), pcap.ip4(pcap.CLIENT, pcap.SERVER, bytes(8), protocol=17),
               pcap.ip6(pcap.CLIENT6, pcap.SERVER6, good, [(60, bytes(8))] * 9)]
    shown = text(pcap.pcap([(n / 100, p) for n, p in enumerate(packets)] + starttls(began=5).packets))
    wanted = {"malformed: ip-header": 1, "malformed: ip-length": 3, "malformed: tcp-header": 1, "malformed: ip-version": 1,
              "malformed: ip-extensions": 1, "fragments of IP packets, which are not put together": 1, "not TCP": 1,
              "connections": 1, "packets": 23}
    same({what: number(shown, what) for what in wanted}, wanted, "the numbers")


# ---- floods ----

def spent(capture):
    """(most memory in MB, what it wrote)"""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(capture)
        file.flush()
        # A process of its own in between: what counts as most begins with what the parent has.
        code = ("import resource,subprocess,sys\nd=subprocess.run(sys.argv[1:])\n"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,file=sys.stderr)\nsys.exit(d.returncode)")
        done = subprocess.run([sys.executable, "-c", code, PROGRAM, "--read", file.name, "-c", "/dev/null"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
    same(done.returncode, 0, f"exit code ({done.stderr})")
    return int(done.stderr.splitlines()[-1]) / 1024, done.stdout


def flood(count):
    """SYNs from as many addresses."""
    return [(n * 1e-5, pcap.ip4(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", pcap.SERVER, pcap.tcp(1024 + n % 60000, 587, n, SYN)))
            for n in range(count)]


@test
def syn_flood():
    """100,000 half-open connections: memory is bounded, the numbers are true, who was there is still there"""
    early = Client(587).open()
    packets = early.packets + [(at + 0.1, packet) for at, packet in flood(100_000)]
    opening = list(early.packets)
    late = early.wait(2).say(EHLO).fin().packets[2:]
    calm, _ = spent(pcap.pcap(opening + late))
    most, shown = spent(pcap.pcap(packets + late))
    wanted = {"packets": 100_000 + 4, "connections": 1, "attempts that came to no connection": 100_000, "closed-before-starttls": 1}
    same({what: number(shown, what) for what in wanted}, wanted, "the numbers")
    note(f"{most:.0f} MB at most, {calm:.0f} MB for one connection alone")
    sanitized = 3 if "asan" in PROGRAM or "tsan" in PROGRAM else 1
    expect(most - calm < 24 * sanitized, f"{most:.0f} MB for 100,000 half-open connections, {calm:.0f} MB for one")


@test
def greedy_flood():
    """20,000 connections that send half a ClientHello and out-of-order data: memory is bounded"""
    packets = []
    for n in range(20_000):
        source = f"10.1.{n >> 8}.{n & 255}"
        packets += [(n * 1e-4, pcap.ip4(source, pcap.SERVER, pcap.tcp(2000, 465, 0, SYN))),
                    (n * 1e-4, pcap.ip4(source, pcap.SERVER, pcap.tcp(2000, 465, 1, ACK, b"\x16\3\1\x3f\0\1\0\x3e\xfc" + bytes(1000)))),
                    (n * 1e-4, pcap.ip4(source, pcap.SERVER, pcap.tcp(2000, 465, 9000, ACK, bytes(1400))))]
    most, shown = spent(pcap.pcap(packets))
    same(number(shown, "connections"), 20_000, "connections")
    note(f"{most:.0f} MB at most")
    sanitized = 4 if "asan" in PROGRAM or "tsan" in PROGRAM else 1
    expect(most < 80 * sanitized, f"{most:.0f} MB")


@test
def rubbish_packets():
    """random packets, and good ones with random changes, harm nobody and are all counted"""
    chance = random.Random(11)
    good = [packet for _, packet in starttls(segment=60).packets]
    for kind in (EN10MB, SLL, SLL2, NULL, RAW, LOOP):
        parts = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, kind)]
        for n in range(3000):
            if n % 3:
                packet = bytearray(pcap.link(kind, chance.choice(good)))
                for _ in range(chance.randrange(4)):
                    packet[chance.randrange(len(packet))] = chance.randrange(256)
                packet = bytes(packet[:chance.randrange(len(packet) + 1)] if n % 5 == 0 else packet)
            else:
                packet = chance.randbytes(chance.randrange(120))
            parts += [struct.pack("<IIII", n, 0, len(packet), chance.randrange(len(packet), 70000)), packet]
        same(number(text(b"".join(parts)), "packets"), 3000, "packets")
