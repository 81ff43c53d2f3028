# SPDX-License-Identifier: Apache-2.0
"""The cases: one row each. To add one, add a row.

What is expected is written by hand and never computed: codes from the RFCs, findings and their actions from the table
of findings. Where no RFC has words (TLS version and cipher, AUTH in clear, mechanisms) the text is that of
common/core/reply.c, and which of two equally strict findings decides is their order in common/core/findings.def.

RFC 3207 4: a server that requires STARTTLS answers 530 5.7.0, and must not require it on port 25.
RFC 6409 4.3 and RFC 4954 6: 530 5.7.0 Authentication required.
RFC 8996, RFC 9325 3.1 and 4.1: no TLS 1.0 and 1.1, no anonymous ciphers. RFC 8314 3.3: implicit TLS on 465.
"""
import dataclasses

from policyd import EXCEPTED, EXPIRED, TRUSTED


@dataclasses.dataclass(frozen=True)
class Case:
    listener: str                   # a name in listeners.py
    client: str                     # a name in CLIENTS
    does: str                       # in words, for people
    told: str                       # code, enhanced code and the key phrase of the reply that decides
    verdict: str                    # pass, defer, reject, "would reject" (audit), or "not asked"
    finding: str = ""               # the finding that decides
    also: tuple = ()                # other findings of the same decision
    lines: int = 1                  # decisions in the journal (one a message)
    journal: dict = dataclasses.field(default_factory=dict)     # more that the line must say
    # what the client does
    tls: str = ""                   # "", starttls, implicit
    version: str = ""               # of TLS, if not the newest
    cipher: str = ""
    certificate: str = ""           # one of its own that it shows (raw and smtplib): relay, stranger
    auth: str = ""                  # the SASL mechanism
    source: str = "127.0.0.1"
    host: str = "127.0.0.1"
    sender: str = "alice@example.com"
    to: tuple = ("bob@example.com",)
    script: str = ""                # for the raw client: lines to say, see smtp.perform()


STARTTLS, IMPLICIT, LOGIN = {"tls": "starttls"}, {"tls": "implicit"}, {"auth": "PLAIN"}
ANONYMOUS = "ADH-AES256-GCM-SHA384"

SENT = "250 2.0.0 Ok: queued"
NO_AUTH_HERE = "554 5.7.1 AUTH is not accepted on port 25; use 465 (TLS) or 587 (STARTTLS)"
NEEDS_TLS = "530 5.7.0 Must issue a STARTTLS command first"
NEEDS_AUTH = "530 5.7.0 Authentication required"
OLD_TLS = "554 5.7.10 TLS version too old"
NO_CIPHER = "554 5.7.10 TLS cipher gives no protection"
DEFERRED_TLS = "451 4.7.0 Must issue a STARTTLS command first"
DEFERRED_AUTH = "451 4.7.0 Authentication required"

DEMO = [
    Case("smtp", "swaks", "inbound mail, no TLS", SENT, "not asked"),
    Case("smtp", "openssl", "inbound mail, STARTTLS", SENT, "not asked", **STARTTLS),
    Case("smtp-auth", "swaks", "no TLS, AUTH", NO_AUTH_HERE, "reject", "auth-on-smtp-port",
         ("cleartext-auth",), **LOGIN),
    Case("smtp-auth", "curl", "STARTTLS, AUTH", NO_AUTH_HERE, "reject", "auth-on-smtp-port",
         **STARTTLS, **LOGIN),

    Case("submission", "smtplib", "neither TLS nor AUTH", NEEDS_TLS, "reject", "tls-required", ("auth-required",)),
    Case("submission", "swaks", "no TLS, AUTH", NEEDS_TLS, "reject", "tls-required",
         ("cleartext-auth",), **LOGIN),
    Case("submission", "curl", "STARTTLS, no AUTH", NEEDS_AUTH, "reject", "auth-required", **STARTTLS),
    Case("submission", "swaks", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN),
    Case("submission", "openssl", "TLS 1.0, AUTH", OLD_TLS, "reject", "tls-version",
         version="TLSv1", **STARTTLS, **LOGIN),
    Case("submission", "openssl", "TLS 1.1, AUTH", OLD_TLS, "reject", "tls-version",
         version="TLSv1.1", **STARTTLS, **LOGIN),
    Case("submission", "openssl", "anonymous cipher, AUTH", NO_CIPHER, "reject", "tls-cipher",
         version="TLSv1.2", cipher=ANONYMOUS, **STARTTLS, **LOGIN),
    Case("submission", "openssl", "TLS 1.3, AUTH", SENT, "pass", version="TLSv1.3",
         journal={"encryption_protocol": "TLSv1.3"}, **STARTTLS, **LOGIN),
    Case("submission", "smtplib", "neither, trusted client", SENT, "pass", source=TRUSTED,
         journal={"trusted": ["tls-required", "auth-required"]}),
    Case("submission", "smtplib", "neither, exception", SENT, "pass", source=EXCEPTED,
         journal={"excepted": ["tls-required", "auth-required"]}),
    Case("submission", "smtplib", "neither, exception over", NEEDS_TLS, "reject", "tls-required",
         source=EXPIRED),

    Case("submissions", "curl", "TLS at once, AUTH", SENT, "pass", **IMPLICIT, **LOGIN),
    Case("submissions", "smtplib", "TLS at once, AUTH", SENT, "pass", **IMPLICIT, **LOGIN),
    Case("submissions", "swaks", "TLS at once, no AUTH", NEEDS_AUTH, "reject", "auth-required", **IMPLICIT),
    Case("submissions", "openssl", "TLS 1.1 at once, AUTH", OLD_TLS, "reject", "tls-version",
         version="TLSv1.1", **IMPLICIT, **LOGIN),

    Case("alternate", "curl", "neither TLS nor AUTH", NEEDS_TLS, "reject", "tls-required", ("auth-required",)),
    Case("alternate", "smtplib", "STARTTLS, no AUTH", NEEDS_AUTH, "reject", "auth-required", **STARTTLS),
    Case("alternate", "smtplib", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN),

    Case("auditing", "swaks", "neither, mode audit", SENT, "would reject", "tls-required", ("auth-required",)),
    Case("deferring", "smtplib", "neither, action defer", DEFERRED_TLS, "defer", "tls-required",
         ("auth-required",)),
]

AUTH_TLS = """EHLO client.example.com
STARTTLS => 220
EHLO client.example.com
AUTH PLAIN => 235
"""
MAIL, RCPT = "MAIL FROM:<alice@example.com> => 250 2.1.0\n", "RCPT TO:<bob@example.com>"
MAIL_UTF8, RCPT_UTF8 = "MAIL FROM:<ålice@exämple.com> SMTPUTF8 => 250 2.1.0\n", "RCPT TO:<πέτρος@example.com>"
FROM_PROXY = {"client_address": "192.0.2.33", "client_port": 40000}

MORE = [
    # Every row of the demo's kind that the demo has no room for
    Case("smtp", "smtplib", "inbound over IPv6", SENT, "not asked", host="::1", source="::1"),
    Case("smtp", "openssl", "inbound with TLS 1.0", SENT, "not asked", version="TLSv1", **STARTTLS),
    Case("smtp", "openssl", "inbound with an anonymous cipher", SENT, "not asked", version="TLSv1.2", cipher=ANONYMOUS,
         **STARTTLS),
    Case("smtp-auth", "smtplib", "no AUTH although offered", SENT, "not asked"),
    Case("smtp-auth", "smtplib", "AUTH from a trusted network", NO_AUTH_HERE, "reject", "auth-on-smtp-port",
         source=TRUSTED, **LOGIN),
    Case("smtp-alone", "swaks", "policyd's socket is a trap", SENT, "not asked"),
    Case("smtp-alone", "curl", "policyd's socket is a trap, STARTTLS", SENT, "not asked", **STARTTLS),
    Case("alternate", "swaks", "no TLS, AUTH in clear", NEEDS_TLS, "reject", "tls-required",
         ("cleartext-auth",), **LOGIN),
    Case("alternate", "openssl", "TLS 1.0", OLD_TLS, "reject", "tls-version", version="TLSv1", **STARTTLS, **LOGIN),
    Case("alternate", "openssl", "TLS 1.1", OLD_TLS, "reject", "tls-version", version="TLSv1.1", **STARTTLS, **LOGIN),
    Case("alternate", "openssl", "anonymous cipher", NO_CIPHER, "reject", "tls-cipher", version="TLSv1.2",
         cipher=ANONYMOUS, **STARTTLS, **LOGIN),
    Case("alternate", "openssl", "TLS 1.3", SENT, "pass", version="TLSv1.3", **STARTTLS, **LOGIN),
    Case("alternate", "swaks", "trusted network, neither", SENT, "pass", source=TRUSTED),
    Case("submissions", "openssl", "TLS 1.0 at once", OLD_TLS, "reject", "tls-version",
         version="TLSv1", **IMPLICIT, **LOGIN),
    Case("submissions", "openssl", "TLS 1.3 at once", SENT, "pass", version="TLSv1.3", **IMPLICIT, **LOGIN),
    Case("submissions", "smtplib", "over IPv6", SENT, "pass", host="::1", source="::1",
         journal={"client_address": "::1"}, **IMPLICIT, **LOGIN),
    Case("submissions", "smtplib", "TLS at once, no AUTH, trusted network", SENT, "pass", source=TRUSTED, **IMPLICIT),
    Case("submission", "openssl", "no forward secrecy is only noted", SENT, "pass", "tls-cipher-weak",
         version="TLSv1.2", cipher="AES128-GCM-SHA256", **STARTTLS, **LOGIN),
    Case("submission", "openssl", "TLS 1.0 without AUTH: no password is asked for", OLD_TLS, "reject", "tls-version",
         ("auth-required",), version="TLSv1", **STARTTLS),

    Case("submission", "swaks", "exception for TLS, but AUTH in clear",
         "554 5.7.0 Your password was sent without TLS", "reject", "cleartext-auth",
         source=EXCEPTED, journal={"excepted": ["tls-required"]}, **LOGIN),
    Case("modern", "openssl", "TLS 1.2 where min_tls is 1.3", OLD_TLS, "reject", "tls-version", version="TLSv1.2",
         **STARTTLS, **LOGIN),
    Case("modern", "openssl", "TLS 1.3 where min_tls is 1.3", SENT, "pass", version="TLSv1.3", **STARTTLS, **LOGIN),
    Case("certified", "raw", "no AUTH, a trusted certificate", SENT, "pass", certificate="relay",
         journal={"trusted": ["auth-required"]}, **STARTTLS),
    Case("certified", "raw", "no AUTH, a stranger's certificate", NEEDS_AUTH, "reject", "auth-required",
         certificate="stranger", **STARTTLS),
    Case("misnamed", "smtplib", "the MTA gives it another listener's name", SENT, "pass",
         "listener-mode-mismatch", journal={"listener": "submission"}, **STARTTLS, **LOGIN),

    # Mechanisms
    Case("mechanisms", "swaks", "a mechanism of the list", SENT, "pass", tls="starttls", auth="LOGIN"),
    Case("mechanisms", "swaks", "a mechanism not of the list",
         "554 5.7.9 Authentication mechanism not accepted", "reject", "auth-mechanism", tls="starttls", auth="CRAM-MD5"),

    # Audit: the same sessions pass, and the journal says what would have been
    Case("auditing", "smtplib", "no TLS, no AUTH", SENT, "would reject", "tls-required", ("auth-required",)),
    Case("auditing", "swaks", "no TLS, AUTH in clear", SENT, "would reject", "tls-required",
         ("cleartext-auth",), **LOGIN),
    Case("auditing", "curl", "STARTTLS, no AUTH", SENT, "would reject", "auth-required", **STARTTLS),
    Case("auditing", "openssl", "TLS 1.0", SENT, "would reject", "tls-version", version="TLSv1", **STARTTLS, **LOGIN),
    Case("auditing", "openssl", "anonymous cipher", SENT, "would reject", "tls-cipher", version="TLSv1.2",
         cipher=ANONYMOUS, **STARTTLS, **LOGIN),
    Case("auditing", "swaks", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN),
    Case("audit-465", "swaks", "no AUTH", SENT, "would reject", "auth-required", **IMPLICIT),
    Case("audit-25", "swaks", "AUTH on 25", SENT, "would reject", "auth-on-smtp-port", **STARTTLS, **LOGIN),

    # Defer: 451, and a client that queues keeps the mail
    Case("deferring", "swaks", "no TLS", DEFERRED_TLS, "defer", "tls-required"),
    Case("deferring", "curl", "STARTTLS, no AUTH", DEFERRED_AUTH, "defer", "auth-required", **STARTTLS),
    Case("deferring", "openssl", "reject is stricter than defer", OLD_TLS, "reject", "tls-version", ("auth-required",),
         version="TLSv1", **STARTTLS),

    # Envelopes
    Case("submission", "swaks", "null sender, no TLS", NEEDS_TLS, "reject", "tls-required", sender=""),
    Case("submission", "swaks", "null sender, STARTTLS, AUTH", SENT, "pass", sender="", **STARTTLS, **LOGIN),
    Case("submission", "smtplib", "three recipients pass, one line", SENT, "pass", **STARTTLS, **LOGIN,
         to=("b1@example.com", "b2@example.com", "b3@example.com")),
    Case("submission", "raw", "three recipients, the same refusal, one line", NEEDS_TLS, "reject", "tls-required",
         script=f"""
EHLO client.example.com
{MAIL}
RCPT TO:<b1@example.com> => 530 5.7.0
RCPT TO:<b2@example.com> => 530 5.7.0
RCPT TO:<b3@example.com> => 530 5.7.0"""),
    Case("submission", "raw", "two messages in one session", SENT, "pass", lines=2,
         script=AUTH_TLS + f"{MAIL}{RCPT} => 250\nDATA => 250\n{MAIL}{RCPT} => 250\nDATA => 250\nQUIT"),
    Case("submission", "raw", "refused in clear, then STARTTLS and AUTH", SENT, "pass", lines=2,
         script=f"EHLO client.example.com\n{MAIL}{RCPT} => 530 5.7.0\nRSET => 250\n"
                + AUTH_TLS + f"{MAIL}{RCPT} => 250\nDATA\nQUIT"),
    Case("submission", "raw", "RSET begins a new transaction", SENT, "pass", lines=2,
         script=AUTH_TLS + f"{MAIL}{RCPT} => 250\nRSET => 250\n{MAIL}{RCPT} => 250\nDATA => 250\nQUIT"),
    Case("submission", "raw", "BDAT", "250 2.0.0 Ok", "pass",
         script=AUTH_TLS + f"{MAIL}{RCPT} => 250\nBDAT => 250\nQUIT"),
    Case("submission", "raw", "BDAT after a refusal", "554 5.5.1", "reject", "tls-required",
         script=f"EHLO client.example.com\n{MAIL}{RCPT} => 530 5.7.0\nBDAT\nQUIT"),
    Case("submission", "raw", "SMTPUTF8", SENT, "pass",
         script=AUTH_TLS + f"{MAIL_UTF8}{RCPT_UTF8} => 250\nDATA\nQUIT"),
    Case("submission", "raw", "SMTPUTF8 in clear", NEEDS_TLS, "reject", "tls-required",
         script=f"EHLO client.example.com\n{MAIL_UTF8}{RCPT_UTF8}\nQUIT"),
    Case("submission", "raw", "VRFY in clear", NEEDS_TLS, "reject", "tls-required",
         script="EHLO client.example.com\nVRFY bob@example.com\nQUIT"),
    Case("submission", "raw", "VRFY after STARTTLS and AUTH", "252 2.0.0", "pass",
         script=AUTH_TLS + "VRFY bob@example.com\nQUIT"),
    Case("etrn", "raw", "ETRN in clear", NEEDS_TLS, "reject", "tls-required", journal={"protocol_state": "ETRN"},
         script="EHLO client.example.com\nETRN example.com\nQUIT"),
    Case("etrn", "raw", "ETRN after STARTTLS, no AUTH", NEEDS_AUTH, "reject", "auth-required",
         journal={"protocol_state": "ETRN"}, script="""
EHLO client.example.com
STARTTLS => 220
EHLO client.example.com
ETRN example.com
QUIT"""),
    Case("etrn", "raw", "ETRN after STARTTLS and AUTH", "250 Queuing started", "pass",
         journal={"protocol_state": "ETRN"}, script=AUTH_TLS + "ETRN example.com\nQUIT"),

    # smtpd_delay_reject=no: asked at every stage, and nothing before MAIL may be refused
    Case("at-once", "raw", "STARTTLS stays possible, refusal at MAIL", NEEDS_TLS, "reject", "tls-required", script="""
EHLO client.example.com => 250
MAIL FROM:<alice@example.com>
QUIT"""),
    Case("at-once", "swaks", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN),
    Case("at-once", "swaks", "STARTTLS, no AUTH", NEEDS_AUTH, "reject", "auth-required", **STARTTLS),

    Case("at-once-465", "swaks", "TLS at once, AUTH", SENT, "pass", **IMPLICIT, **LOGIN),
    Case("at-once-465", "swaks", "TLS at once, no AUTH", NEEDS_AUTH, "reject", "auth-required", **IMPLICIT),

    # Behind a proxy
    Case("xclient", "raw", "XCLIENT with a user: TLS unknown, not refused", SENT, "pass",
         journal={"client_address": "192.0.2.7", "sasl_username": "carol@example.com"}, script=f"""
EHLO proxy.example.com
XCLIENT ADDR=192.0.2.7 PORT=40001 LOGIN=carol@example.com => 220
EHLO client.example.com
{MAIL}{RCPT} => 250
DATA
QUIT"""),
    Case("xclient", "raw", "XCLIENT without a user", NEEDS_AUTH, "reject", "auth-required",
         journal={"client_address": "192.0.2.7"}, script=f"""
EHLO proxy.example.com
XCLIENT ADDR=192.0.2.7 PORT=40001 => 220
EHLO client.example.com
{MAIL}{RCPT}
QUIT"""),
    Case("xclient-direct", "raw", "XCLIENT with a user, not called a proxy", SENT, "pass", script=f"""
EHLO proxy.example.com
XCLIENT ADDR=192.0.2.7 PORT=40001 LOGIN=carol@example.com => 220
EHLO client.example.com
{MAIL}{RCPT} => 250
DATA
QUIT"""),
    Case("xclient", "raw", "XCLIENT with an IPv4-mapped trusted address", SENT, "pass", script=f"""
EHLO proxy.example.com
XCLIENT ADDR=IPV6:::ffff:{TRUSTED} PORT=40001 => 220
EHLO client.example.com
{MAIL}{RCPT} => 250
DATA
QUIT"""),
    Case("haproxy", "raw", "addresses from the PROXY header, no TLS", NEEDS_TLS, "reject", "tls-required",
         journal=FROM_PROXY, script=f"""
PROXY TCP4 192.0.2.33 192.0.2.1 40000 {{haproxy}}
EHLO client.example.com
{MAIL}{RCPT}
QUIT"""),
    Case("haproxy", "raw", "addresses from the PROXY header, STARTTLS, AUTH", SENT, "pass",
         journal=FROM_PROXY, script=f"""
PROXY TCP4 192.0.2.33 192.0.2.1 40000 {{haproxy}}
{AUTH_TLS}{MAIL}{RCPT} => 250
DATA
QUIT"""),
    Case("haproxy", "raw", "trusted client named by the PROXY header", SENT, "pass", script=f"""
PROXY TCP4 {TRUSTED} 192.0.2.1 40000 {{haproxy}}
EHLO client.example.com
{MAIL}{RCPT} => 250
DATA
QUIT"""),
    Case("haproxy", "raw", "IPv4-mapped address in the PROXY header", SENT, "pass", script=f"""
PROXY TCP6 ::ffff:{TRUSTED} ::ffff:192.0.2.1 40000 {{haproxy}}
EHLO client.example.com
{MAIL}{RCPT} => 250
DATA
QUIT"""),
]
