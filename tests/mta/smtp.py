# SPDX-License-Identifier: Apache-2.0
"""Clients that send one mail, or talk by a script, and record what they were told.

Every client is a function (target, case) -> Transcript; CLIENTS names them. `raw`, `openssl` and `smtplib` are here,
the programs that run a whole session by themselves are in tools.py. What a case may ask of a client is in cases.py.
"""
import base64
import contextlib
import dataclasses
import re
import select
import smtplib
import socket
import ssl
import subprocess
import threading
import time
import warnings

import certs
from dovecot import PASSWORD, USER

HELO = "client.example.com"
MESSAGE = "From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Mailreeve\r\n\r\nHello.\r\n"
SECONDS = 15

# A version of TLS: how Python, openssl s_client, curl and swaks call it
VERSIONS = {
    "TLSv1": (ssl.TLSVersion.TLSv1, "-tls1", "1.0", "tlsv1"),
    "TLSv1.1": (ssl.TLSVersion.TLSv1_1, "-tls1_1", "1.1", "tlsv1_1"),
    "TLSv1.2": (ssl.TLSVersion.TLSv1_2, "-tls1_2", "1.2", "tlsv1_2"),
    "TLSv1.3": (ssl.TLSVersion.TLSv1_3, "-tls1_3", "1.3", "tlsv1_3"),
}
OLD = ("TLSv1", "TLSv1.1")          # Debian's OpenSSL speaks them only at security level 0


@dataclasses.dataclass
class Target:
    """Where a client goes: a listener of this run, and the certificates."""
    port: int
    certificates: dict              # "server" is to be believed, the others are for clients
    ports: dict                     # port of every listener by name, for scripts

    @property
    def believed(self):
        return str(self.certificates["server"].file)


@dataclasses.dataclass
class Exchange:
    said: str
    code: int
    text: str

    def __str__(self):
        return f"{self.said} -> {self.code} {self.text}"


class Transcript:
    """What was said and answered. `told` is the reply that decided: the last one that is not about leaving."""

    def __init__(self):
        self.exchanges = []
        self.mistakes = []          # replies that a script had expected otherwise
        self.ended = ""             # how the session broke, if it did

    def add(self, said, code, text):
        self.exchanges.append(Exchange(said, int(code), text))

    @property
    def told(self):
        deciding = [each for each in self.exchanges
                    if each.code != 221 and not re.match(r"(QUIT|RSET)\b", each.said, re.I)]
        if self.ended and (not deciding or deciding[-1].code < 400):
            return self.ended
        return f"{deciding[-1].code} {deciding[-1].text}" if deciding else "nothing"

    def __str__(self):
        return "\n".join([*map(str, self.exchanges), *self.mistakes, *([self.ended] if self.ended else [])])


def cipher_list(case):
    """The OpenSSL cipher string a case needs, or None for the default."""
    if case.cipher or case.version in OLD:
        return f"{case.cipher or 'DEFAULT'}:@SECLEVEL=0"
    return None


def tls_context(target, case):
    context = ssl.create_default_context(cafile=target.believed)
    if case.cipher:                 # perhaps an anonymous one, which has no certificate to verify
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if ciphers := cipher_list(case):
        context.set_ciphers(ciphers)
    if case.certificate:
        shown = target.certificates[case.certificate]
        context.load_cert_chain(shown.file, shown.key)
    if case.version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = VERSIONS[case.version][0]
    return context


def credentials():
    return base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()


# ---- talking line by line ----------------------------------------------------------------------------------------

class Wire:
    """A connection that this process makes itself."""
    greeted = False

    def __init__(self, target, case):
        self.target, self.case = target, case
        self.socket = socket.create_connection((case.host, target.port), SECONDS, (case.source, 0))

    def start_tls(self):
        self.socket = tls_context(self.target, self.case).wrap_socket(self.socket, server_hostname=certs.HOST)

    def client_hello(self):
        sent = ssl.MemoryBIO()
        tls = tls_context(self.target, self.case).wrap_bio(ssl.MemoryBIO(), sent, server_hostname=certs.HOST)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        return sent.read()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        return self.socket.recv(65536)

    def wait(self, seconds):
        """Until the other side has closed, or so long; what comes is thrown away."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ConnectionError):
            while (left := deadline - time.monotonic()) > 0:
                if select.select([self.socket], [], [], left)[0] and not self.receive():
                    break

    def close(self):
        self.socket.close()


class OpenSSL:
    """A connection through `openssl s_client`, which by itself hears the greeting and does STARTTLS."""

    def __init__(self, target, case):
        host = f"[{case.host}]" if ":" in case.host else case.host
        argv = ["openssl", "s_client", "-connect", f"{host}:{target.port}", "-quiet", "-crlf",
                "-CAfile", target.believed, "-bind", case.source]
        self.greeted = case.tls == "starttls"
        argv += ["-starttls", "smtp"] if self.greeted else []
        argv += [VERSIONS[case.version][1]] if case.version else []
        argv += ["-cipher", cipher_list(case)] if cipher_list(case) else []
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def send(self, data):
        self.process.stdin.write(data.replace(b"\r\n", b"\n"))
        self.process.stdin.flush()

    def receive(self):
        if not select.select([self.process.stdout], [], [], SECONDS)[0]:
            raise TimeoutError("openssl s_client says nothing")
        return self.process.stdout.read1(65536)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Talk:
    """A session of commands and replies on a connection, written into a transcript.

    Besides SMTP commands, say() knows: `TLS` (handshake at once), `STARTTLS` (with the handshake), `AUTH MECHANISM`
    (with the credentials), `DATA` and `BDAT` (with a message, to DATA also a header field of it), `PROXY ...` (a line that
    gets no reply). Of what is no SMTP: `GREETING` (hears it), `SAY COMMAND` (as it stands, STARTTLS without a handshake),
    `SEND ...` (with escapes, and nothing is heard), `HELLO` (a ClientHello and no more), `HEAR` and `SILENCE SECONDS` (hear what comes until the other side has
    closed, or the time is over)."""
    at_once = ("TLS", "HELLO", "PROXY", "SEND", "HEAR", "SILENCE")       # what does not wait for the greeting

    def __init__(self, connection):
        self.connection = connection
        self.transcript = Transcript()
        self.heard = b""
        self.greeted = connection.greeted

    def say(self, line):
        word = line.split(" ")[0].upper()
        if not self.greeted and word not in self.at_once:
            self.greeted = True
            self.reply("(greeting)")
        return self.SPECIAL.get(word, Talk.command)(self, line)

    def command(self, line):
        self.connection.send(line.encode() + b"\r\n")
        return self.reply(line)

    def reply(self, said):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            while b"\n" not in self.heard:
                more = self.connection.receive()
                if not more:
                    raise ConnectionError("connection closed")
                self.heard += more
            line, self.heard = self.heard.split(b"\n", 1)
            lines.append(line.decode("utf-8", "replace").rstrip("\r"))
        self.transcript.add(said, lines[-1][:3], " / ".join(line[4:] for line in lines[:1] + lines[1:][-1:]))
        return self.transcript.exchanges[-1]

    def proxy(self, line):
        self.connection.send(line.encode() + b"\r\n")

    def tls(self, _line):
        self.connection.start_tls()

    def starttls(self, line):
        answer = self.command(line)
        if answer.code == 220:
            self.connection.start_tls()
        return answer

    def auth(self, line):
        mechanism = line.split()[1]
        if mechanism == "PLAIN":
            return self.command(f"AUTH PLAIN {credentials()}")
        answer = self.command(line)             # LOGIN, the other one that Python's library does not need to know about
        for word in (USER, PASSWORD):
            if answer.code == 334:
                answer = self.command(base64.b64encode(word.encode()).decode())
        return answer

    def data(self, line):
        command, _, field = line.partition(" ")
        answer = self.command(command)
        if answer.code == 354:
            self.connection.send(f"{field}\r\n".lstrip().encode() + MESSAGE.encode() + b".\r\n")
            answer = self.reply("(message)")
        return answer

    def bdat(self, line):
        self.connection.send(f"{line} {len(MESSAGE)} LAST\r\n{MESSAGE}".encode())
        return self.reply(line)

    def greeting(self, _line):
        return self.transcript.exchanges[-1]

    def verbatim(self, line):
        return self.command(line.partition(" ")[2])

    def send(self, line):
        self.connection.send(line.partition(" ")[2].encode().decode("unicode_escape").encode("latin-1"))

    def hello(self, _line):
        self.connection.send(self.connection.client_hello())

    def hear(self, _line):
        self.silence(f"SILENCE {SECONDS}")

    def silence(self, line):
        self.connection.wait(float(line.split()[1]))

    SPECIAL = {"TLS": tls, "STARTTLS": starttls, "AUTH": auth, "DATA": data, "BDAT": bdat, "PROXY": proxy,
               "GREETING": greeting, "SAY": verbatim, "SEND": send, "HELLO": hello, "HEAR": hear, "SILENCE": silence}


def dialogue(case, with_tls=True):
    """The script of a client that does what the fields of a case say and stops at the first refusal."""
    yield from ["TLS"] * (with_tls and case.tls == "implicit")
    yield f"EHLO {HELO}"
    yield from ["STARTTLS", f"EHLO {HELO}"] * (with_tls and case.tls == "starttls")
    yield from [f"AUTH {case.auth} !"] * bool(case.auth)
    yield f"MAIL FROM:<{case.sender}> !"
    yield from [f"RCPT TO:<{recipient}> !" for recipient in case.to]
    yield "DATA"
    yield "QUIT"


def perform(talk, script, target):
    """Say the lines of a script. `LINE => REPLY` checks how the reply begins; `LINE !` goes on with the next RSET or QUIT
    after a refusal."""
    refused = False
    for line in script:
        line, _, wanted = map(str.strip, line.format(**target.ports).partition(" => "))
        if refused and line not in ("RSET", "QUIT"):
            continue
        refused = line.endswith(" !")
        answer = talk.say(line.removesuffix(" !"))
        if wanted and not f"{answer.code} {answer.text}".startswith(wanted):
            talk.transcript.mistakes.append(f"wanted {wanted!r} from {line!r}, got {answer.code} {answer.text}")
        refused = refused and answer.code >= 400


def talked(connection, script, target):
    """Open a connection, perform a script on it, and give back the transcript, broken off or not."""
    talk = None
    try:
        with contextlib.closing(connection()) as opened:
            talk = Talk(opened)
            perform(talk, script, target)
    except OSError as problem:                  # ssl.SSLError is one of them
        transcript = talk.transcript if talk else Transcript()
        transcript.ended = f"({getattr(problem, 'reason', None) or problem})"
        return transcript
    return talk.transcript


def raw(target, case):
    script = case.script.strip().splitlines() if case.script else dialogue(case)
    return talked(lambda: Wire(target, case), script, target)


def openssl(target, case):
    return talked(lambda: OpenSSL(target, case), dialogue(case, with_tls=False), target)


# ---- Python's smtplib --------------------------------------------------------------------------------------------

class Recorder:
    """Mixed into an smtplib client: notes every command and reply in `current.transcript`, since smtplib hears the
    greeting before its constructor returns."""
    current = threading.local()
    said = "(greeting)"

    def putcmd(self, cmd, args=""):
        self.said = f"{cmd} {args}".strip()
        super().putcmd(cmd, args)

    def getreply(self):
        code, text = super().getreply()
        self.current.transcript.add(self.said, code, text.decode("utf-8", "replace").replace("\n", " / "))
        self.said = "(message)"
        return code, text


class Plain(Recorder, smtplib.SMTP):
    pass


class Implicit(Recorder, smtplib.SMTP_SSL):
    pass


def python(target, case):
    transcript = Recorder.current.transcript = Transcript()
    options = {"local_hostname": HELO, "timeout": SECONDS, "source_address": (case.source, 0)}
    try:
        if case.tls == "implicit":
            # smtplib verifies the name it connects to; the certificate has the loopback addresses too
            client = Implicit(case.host, target.port, context=tls_context(target, case), **options)
        else:
            client = Plain(case.host, target.port, **options)
        with client:
            if case.tls == "starttls":
                client.starttls(context=tls_context(target, case))
            if case.auth:
                client.login(USER, PASSWORD)
            client.sendmail(case.sender, case.to, MESSAGE)
    except smtplib.SMTPResponseException:
        pass                                    # the transcript has it
    except smtplib.SMTPRecipientsRefused:
        pass
    except OSError as problem:
        transcript.ended = f"({getattr(problem, 'reason', None) or problem})"
    return transcript


CLIENTS = {"raw": raw, "openssl": openssl, "smtplib": python}
