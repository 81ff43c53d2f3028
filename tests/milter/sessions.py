# SPDX-License-Identifier: Apache-2.0
"""SMTP sessions as Postfix 3.7.11 and Sendmail 8.17.1.9 tell them to a milter: which macros, at which stage, with which
values, and what comes between. Taken from recordings of both."""
import itertools

import wire

TLS = {"tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "cipher_bits": "256"}
PORTS = itertools.count(20001)          # the clients' ports: a session is found in the journal by its own


class Persona(wire.MTA):
    """An SMTP session on an MTA, as its filter sees it. The steps are words, so that tables can name them (see play())."""
    own_lists = {}

    def __init__(self, address, port=587, implicit=False, name=None, client="192.0.2.17", server="198.51.100.1",
                 client_port=None, negotiate=None, lists=None, changes=None, timeout=60, trickle=False):
        """port: the listener's, None: not told. implicit: TLS at once. name: {daemon_name}, if it is a special one.
        lists: what the MTA's own configuration sends, {}: everything at every stage; None: its default.
        changes: {stage: macros}, instead of or besides the usual ones (None: left out)."""
        super().__init__(address, timeout)
        self.trickle = trickle
        self.port, self.implicit, self.name, self.client, self.server = port, implicit, name, client, server
        self.changes = changes or {}
        self.tls, self.login = {}, {}
        self.client_port = client_port or next(PORTS)
        self.negotiated = self.negotiate(lists=self.own_lists if lists is None else lists, **(negotiate or {}))
        self.begin()

    def say(self, stage, values):
        self.tell(stage, {**values, **self.changes.get(stage, {})})

    def begin(self):
        """The client connects."""
        if self.implicit:
            self.encrypt()
        self.say("CONNECT", {**self.at_connect(), "client_port": str(self.client_port),
                             "daemon_port": None if self.port is None else str(self.port)})
        family = "6" if ":" in self.client else "4"
        return self.connect("host.example.net", self.client, self.client_port, family)

    def encrypt(self):
        self.tls = dict(TLS)

    # ---- steps ----

    def ehlo(self, name="client.example.com"):
        self.say("HELO", self.at_helo())
        return self.helo(name)

    def starttls(self):
        self.encrypt()

    def auth(self, user="alice@example.com", mechanism="PLAIN"):
        self.login = {"auth_type": mechanism, "auth_authen": user}

    def mail_from(self, sender="<alice@example.com>", *arguments):
        self.say("MAIL", self.at_mail())
        return self.mail(sender, *arguments)

    def rset(self):
        self.abort()

    def message(self, headers=(("Subject", "t"),), queue_id="4TbXyZ1aBc"):
        """From RCPT to the end of the message; the reply to the end of the headers, which says that the rest is not wanted."""
        self.rcpt()
        self.data()
        for name, value in headers:
            self.header(name, value)
        self.say("EOH", {"i": queue_id})
        return self.eoh()


class Postfix(Persona):
    own_lists = wire.POSTFIX_LISTS

    def at_connect(self):
        host = "mx.recon.test"
        return {"j": host, "_": f"localhost [{self.client}]", "v": "Postfix 3.7.11", "daemon_name": self.name or host,
                "daemon_addr": self.server, "client_name": "localhost", "client_ptr": "localhost", "client_resolve": "OK",
                "client_addr": ("IPv6:" if ":" in self.client else "") + self.client, "client_connections": "0", **self.tls}

    def at_helo(self):
        return {"daemon_port": str(self.port), **self.tls}

    def at_mail(self):
        return {"mail_addr": "alice@example.com", "mail_host": "example.com", "mail_mailer": "discard",
                "daemon_port": str(self.port), **self.tls, **self.login}

    def starttls(self):
        """Forgets who authenticated."""
        self.login = {}
        super().starttls()
        self.abort()


def sendmail_address(text):
    """IPv6 addresses in its own spelling, as far as the tests need it: ::1 and 2001:db8::x."""
    if ":" not in text:
        return text
    head, tail = text.split("::")
    groups = [g for g in head.split(":") if g]
    return "IPv6:" + ":".join([*groups, *["0"] * (7 - len(groups)), tail])


class Sendmail(Persona):
    own_lists = wire.SENDMAIL_LISTS
    flags = "EE a"
    queue_id = "6AL0DSua002186"

    def usual(self):
        address = sendmail_address(self.client)
        return {"j": "mail.example.test", "_": f"localhost [{address}]", "i": self.queue_id, "v": "8.17.1.9",
                "daemon_name": self.name or "MSA", "daemon_addr": sendmail_address(self.server),
                "daemon_port": str(self.port), "daemon_flags": "s" if self.implicit else self.flags,
                "if_name": "localhost", "client_name": "localhost", "client_addr": address,
                "client_port": str(self.client_port), "client_resolve": "OK", "client_ptr": "localhost",
                "client_rate": "1", "client_connections": "1", "opMode": "d"}

    def encrypt(self):
        """No client certificate: the names about it are there, and empty."""
        self.tls = {**TLS, "alg_bits": "256", "verify": "NO", "cert_subject": "", "cert_issuer": "", "cn_subject": ""}

    def at_connect(self):
        return self.usual()             # the handshake comes later, also with TLS at once

    def at_helo(self):
        return {**self.usual(), **self.tls}

    def at_mail(self):
        login = {**self.login, "auth_ssf": "0"} if self.login else {}
        return {**self.usual(), **self.tls, **login, "mail_mailer": "local", "mail_host": "", "mail_addr": "alice",
                "r": "ESMTPSA", "s": "client.test"}


def play(session, steps):
    """Does the steps, words like "ehlo starttls ehlo auth mail". The last step's reply, as verdict() words it."""
    reply = None
    for step in steps.split():
        reply = getattr(session, {"mail": "mail_from", "eoh": "message"}.get(step, step))()
    return verdict(reply)


def verdict(reply):
    """"continue", "accept", or the reply's text as a client would see it; None: there was none."""
    if reply is None:
        return None
    if reply.code != wire.REPLYCODE:
        return {wire.CONTINUE: "continue", wire.ACCEPT: "accept"}.get(reply.code, reply.code)
    singles = reply.text.replace("%%", "")
    if "%" in singles:                  # the MTA throws such a text away
        return f"a single % in {reply.text}"
    return reply.text.replace("%%", "%")
