# SPDX-License-Identifier: Apache-2.0
"""The MTA's side of the milter protocol, version 6, over a raw socket.

A packet is a length (4 bytes, of what follows), a command letter and its data: strings that end with NUL. Nothing of
libmilter is used, so that what is sent may be as wrong as a test likes. Numbers and letters are those of
libmilter/mfdef.h.
"""
import collections
import fcntl
import socket
import struct
import termios
import time

COMMANDS = {"ABORT": "A", "BODY": "B", "CONNECT": "C", "MACRO": "D", "EOM": "E", "HELO": "H", "QUIT_NC": "K", "HEADER": "L",
            "MAIL": "M", "EOH": "N", "OPTNEG": "O", "QUIT": "Q", "RCPT": "R", "DATA": "T", "UNKNOWN": "U"}

CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, REPLYCODE, SKIP = "cartdys"

# What the filter may do with a message (SMFIF_*), and what the MTA can leave out (SMFIP_*).
ACTIONS = 0x1ff
SETSYMLIST = 0x100
PROTOCOL = 0x1fffff
NOCONNECT, NOHELO, NOMAIL, NORCPT, NOBODY, NOHDRS, NOEOH = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
NR_HDR, NOUNKNOWN, NODATA, SKIPS, RCPT_REJ = 0x80, 0x100, 0x200, 0x400, 0x800
NR_CONN, NR_HELO, NR_MAIL, NR_RCPT, NR_DATA, NR_UNKN, NR_EOH, NR_BODY = (0x1000 << n for n in range(8))
HDR_LEADSPC = 0x100000
NR_ALL = 0xff080

# By command letter: (not wanted, not answered).
BITS = {"C": (NOCONNECT, NR_CONN), "H": (NOHELO, NR_HELO), "M": (NOMAIL, NR_MAIL), "R": (NORCPT, NR_RCPT), "T": (NODATA, NR_DATA),
        "L": (NOHDRS, NR_HDR), "N": (NOEOH, NR_EOH), "B": (NOBODY, NR_BODY), "U": (NOUNKNOWN, NR_UNKN), "E": (0, 0)}

STAGES = ["CONNECT", "HELO", "MAIL", "RCPT", "DATA", "EOM", "EOH"]      # as smfi_setsymlist numbers them

# What an MTA sends without smfi_setsymlist: Postfix 3.7's defaults, and those of Sendmail 8.17's stock files.
POSTFIX_LISTS = {"CONNECT": "j {daemon_name} {daemon_addr} v _",
                 "HELO": "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
                 "MAIL": "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}"}
SENDMAIL_LISTS = {"CONNECT": "j _ {daemon_name} {if_name} {if_addr}",
                  "HELO": "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
                  "MAIL": "i {auth_type} {auth_authen} {auth_ssf} {auth_author} {mail_mailer} {mail_host} {mail_addr}"}

Negotiated = collections.namedtuple("Negotiated", "version actions protocol macros")
Reply = collections.namedtuple("Reply", "code text")


def letter(command):
    return COMMANDS.get(command, command)


def octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def strings(*texts):
    """Each with its NUL."""
    return b"".join(octets(text) + b"\0" for text in texts)


def packet(command, payload=b"", length=None):
    """length: what the packet says of itself, if that is not the truth."""
    data = octets(letter(command)) + payload
    return struct.pack(">I", len(data) if length is None else length) + data


def macro_name(name):
    """As it is sent: names longer than a letter stand in braces."""
    return name if len(name) == 1 or name.startswith("{") else "{" + name + "}"


def macro_packet(command, values):
    pairs = [part for name, value in values.items() if value is not None for part in (macro_name(name), value)]
    return packet("MACRO", octets(letter(command)) + strings(*pairs))


def odd_macros(payload):
    """Has the macro packet an odd number of strings, which libmilter 1.0.1 cannot stand?"""
    return payload[1:].count(b"\0") % 2 == 1


def connect_payload(host="localhost", address="127.0.0.1", port=1, family="4"):
    """Families: 4, 6, L (a unix socket), U (unknown: the rest is left out)."""
    if family == "U":
        return strings(host) + b"U"
    return strings(host) + octets(family) + struct.pack(">H", port) + strings(address)


class MTA:
    """One connection to a filter. Every wait ends after `timeout` seconds with TimeoutError.

    A command method sends its packet and returns the Reply. It returns None when there is none to wait for: the filter
    does not want the command, and then nothing is sent, or said that it does not answer it.
    """

    def __init__(self, address, timeout=10):
        """address: unix:/path or inet:host:port (inet:[::1]:port)."""
        kind, _, place = address.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(place)
        else:
            host, _, port = place.rpartition(":")
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.trickle = False            # send byte by byte, each when the last one was taken (unix sockets)
        self.rest = b""
        self.protocol = 0
        self.lists = {}                 # of the macros that go with a stage; a stage that is not here: all

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # ---- bytes ----

    def send_raw(self, data):
        """Any bytes, as they are; EOFError when the filter has closed."""
        try:
            if not self.trickle:
                self.socket.sendall(data)
                return
            for byte in data:
                self.socket.sendall(bytes([byte]))
                self.taken()
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError("the filter closed the connection") from None

    def taken(self):
        """Waits until the filter has read everything (a unix socket, whose queue is the filter's)."""
        end = time.monotonic() + self.timeout
        while struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
            if time.monotonic() > end:
                raise TimeoutError("the filter does not read")

    def send(self, command, payload=b""):
        """One packet, whether the filter wants it or not."""
        self.send_raw(packet(command, payload))

    def finish(self):
        """Ends our side; what the filter still says can be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def read(self, count):
        while len(self.rest) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError(f"the filter closed the connection; {len(self.rest)} bytes of a packet were there")
            self.rest += more
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def read_packet(self):
        """(letter, data) of the next one."""
        length = struct.unpack(">I", self.read(4))[0]
        if not 1 <= length <= 1 << 20:
            raise ValueError(f"a packet of {length} bytes from the filter")
        data = self.read(length)
        return data[:1].decode("latin-1"), data[1:]

    def reply(self):
        code, data = self.read_packet()
        return Reply(code, data.rstrip(b"\0").decode("utf-8", "surrogateescape"))

    def quiet(self, seconds=0.0):
        """Is there nothing from the filter, not even the end, for so long?"""
        if self.rest:
            return False
        self.socket.settimeout(seconds)
        try:
            self.rest = self.socket.recv(65536)
            return False
        except (TimeoutError, BlockingIOError):
            return True
        except ConnectionResetError:
            return False
        finally:
            self.socket.settimeout(self.timeout)

    def ended(self):
        """Waits for the end of the connection; False when the filter said something before."""
        try:
            self.read(1)
        except EOFError:
            return not self.rest
        return False

    # ---- commands ----

    def negotiate(self, actions=ACTIONS, protocol=PROTOCOL, version=6, lists=None):
        """lists: this MTA's own, for stages of which the filter does not say what it wants (see tell())."""
        self.send("OPTNEG", struct.pack(">III", version, actions, protocol))
        code, data = self.read_packet()
        if code != COMMANDS["OPTNEG"] or len(data) < 12:
            raise ValueError(f"{code!r} with {len(data)} bytes is not an answer to OPTNEG")
        version, actions, self.protocol = struct.unpack(">III", data[:12])
        macros, at = {}, 12
        while at < len(data):
            end = data.index(b"\0", at + 4)
            macros[STAGES[struct.unpack(">I", data[at:at + 4])[0]]] = data[at + 4:end].decode()
            at = end + 1
        self.lists = {**(lists or {}), **macros}
        return Negotiated(version, actions, self.protocol, macros)

    def macros(self, command, values=None, **more):
        """SMFIC_MACRO for the next command. A value of None: that macro is not there."""
        self.send_raw(macro_packet(command, {**(values or {}), **more}))

    def tell(self, command, values):
        """Like macros(), but as an MTA does it: only those on the list for that stage."""
        wanted = self.lists[command].split() if command in self.lists else None
        self.macros(command, {name: value for name, value in values.items()
                              if wanted is None or macro_name(name) in wanted})

    def command(self, command, payload=b""):
        unwanted, unanswered = BITS[letter(command)]
        if self.protocol & unwanted:
            return None
        self.send(command, payload)
        return None if self.protocol & unanswered else self.reply()

    def connect(self, host="localhost", address="127.0.0.1", port=1, family="4"):
        return self.command("CONNECT", connect_payload(host, address, port, family))

    def helo(self, name="client.example.com"):
        return self.command("HELO", strings(name))

    def mail(self, sender="<alice@example.com>", *arguments):
        return self.command("MAIL", strings(sender, *arguments))

    def rcpt(self, recipient="<bob@example.org>", *arguments):
        return self.command("RCPT", strings(recipient, *arguments))

    def data(self):
        return self.command("DATA")

    def header(self, name, value):
        return self.command("HEADER", strings(name, value))

    def eoh(self):
        return self.command("EOH")

    def body(self, text=b"text\r\n"):
        return self.command("BODY", octets(text))

    def eom(self):
        return self.command("EOM")

    def unknown(self, text):
        return self.command("UNKNOWN", strings(text))

    def abort(self):
        self.send("ABORT")

    def quit(self):
        self.send("QUIT")

    def quit_nc(self):
        """The end of the SMTP session; the connection is used for the next one, without negotiation."""
        self.send("QUIT_NC")
