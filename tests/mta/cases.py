# SPDX-License-Identifier: Apache-2.0
"""The cases: one row each. To add one, add a row.

What is expected is written by hand and never computed: codes from the RFCs, findings and their actions from the table
of findings. Where no RFC has words (TLS version and cipher, AUTH in clear, mechanisms) the text is that of
common/core/reply.c, and which of two equally strict findings decides is their order in common/core/findings.def.

RFC 3207 4: a server that requires STARTTLS answers 530 5.7.0, and must not require it on port 25.
RFC 6409 4.3 and RFC 4954 6: 530 5.7.0 Authentication required.
RFC 8996, RFC 9325 3.1 and 4.1: no TLS 1.0 and 1.1, no anonymous ciphers. RFC 8314 3.3: implicit TLS on 465.

All of it holds for every way to plug Mailreeve in; where one way cannot do the same, the row says so with `differs` and
names the entry of docs/mta-differences.md that says why. Any other difference is a failure.
"""
from case import NO_DECISION, SENT, Case, but, cannot
from dovecot import USER
from plugin import EXCEPTED, EXPIRED, TRUSTED

STARTTLS, IMPLICIT, LOGIN = {"tls": "starttls"}, {"tls": "implicit"}, {"auth": "PLAIN"}
ANONYMOUS = "ADH-AES256-GCM-SHA384"

NO_AUTH_HERE = "554 5.7.1 AUTH is not accepted on port 25; use 465 (TLS) or 587 (STARTTLS)"
NEEDS_TLS = "530 5.7.0 Must issue a STARTTLS command first"
NEEDS_AUTH = "530 5.7.0 Authentication required"
OLD_TLS = "554 5.7.10 TLS version too old"
NO_SMTP = "(WRONG_VERSION_NUMBER)"                   # a TLS client that hears a greeting in clear text
NO_CIPHER = "554 5.7.10 TLS cipher gives no protection"
DEFERRED_TLS = "451 4.7.0 Must issue a STARTTLS command first"
DEFERRED_AUTH = "451 4.7.0 Authentication required"

NO_TLS, WRONG_TLS, WRONG_NAME = ("no-tls-seen",), ("implicit-tls-on-starttls-port",), ("listener-mode-mismatch",)
HIDDEN = dict.fromkeys(("postfix+milter", "postfix+both"), but("postfix-2", detected=()))   # Postfix shows nothing of it


def unasked(told):
    """What a milter is not shown: {way: Change}."""
    nothing = {"verdict": NO_DECISION, "finding": "", "journal": {}}
    return {"postfix+milter": but("postfix-19", told=told, **nothing),
            "sendmail+milter": but("sendmail-18", told=told, **nothing)}


DEMO = [
    Case("smtp", "swaks", "inbound mail, no TLS", SENT, NO_DECISION),
    Case("smtp", "openssl", "inbound mail, STARTTLS", SENT, NO_DECISION, **STARTTLS),
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
    Case("submission", "openssl", "TLS 1.3, AUTH", SENT, "pass", version="TLSv1.3", **STARTTLS, **LOGIN,
         journal={"encryption_protocol": "TLSv1.3", "sasl_username": USER, "sasl_method": "PLAIN"}),
    Case("submission", "smtplib", "neither, trusted client", SENT, "pass", source=TRUSTED,
         journal={"trusted": ["tls-required", "auth-required"]}),
    Case("submission", "smtplib", "neither, exception", SENT, "pass", source=EXCEPTED,
         journal={"excepted": ["tls-required", "auth-required"]}),
    Case("submission", "smtplib", "neither, exception over", NEEDS_TLS, "reject", "tls-required",
         source=EXPIRED),
    Case("submission", "smtplib", "TLS at once", NO_SMTP, NO_DECISION, detected=WRONG_TLS, differs=HIDDEN, **IMPLICIT),
    Case("submission", "swaks", "EHLO, and leaves", "250", NO_DECISION, detected=NO_TLS, leaves="EHLO"),

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
OFFER = "MAIL FROM:<alice@example.com> !\n"         # a milter refuses here, policyd at the first recipient
MAIL_UTF8, RCPT_UTF8 = "MAIL FROM:<ålice@exämple.com> SMTPUTF8 !\n", "RCPT TO:<πέτρος@example.com>"
QUEUING = "250 Queuing started"
FROM_PROXY = {"client_address": "192.0.2.33", "client_port": 40000}

MORE = [
    # Every row of the demo's kind that the demo has no room for
    Case("smtp", "smtplib", "inbound over IPv6", SENT, NO_DECISION, host="::1", source="::1"),
    Case("smtp", "openssl", "inbound with TLS 1.0", SENT, NO_DECISION, version="TLSv1", **STARTTLS),
    Case("smtp", "openssl", "inbound with an anonymous cipher", SENT, NO_DECISION, version="TLSv1.2", cipher=ANONYMOUS,
         **STARTTLS),
    Case("smtp-auth", "smtplib", "no AUTH although offered", SENT, NO_DECISION),
    Case("smtp-auth", "smtplib", "AUTH from a trusted network", NO_AUTH_HERE, "reject", "auth-on-smtp-port",
         source=TRUSTED, **LOGIN),
    Case("smtp-alone", "swaks", "policyd's socket is a trap", SENT, NO_DECISION),
    Case("smtp-alone", "curl", "policyd's socket is a trap, STARTTLS", SENT, NO_DECISION, **STARTTLS),
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
         journal={"trusted": ["auth-required"]}, differs={"postfix+milter": cannot("postfix-27")}, **STARTTLS),
    Case("certified", "raw", "no AUTH, a stranger's certificate", NEEDS_AUTH, "reject", "auth-required",
         certificate="stranger", **STARTTLS),
    Case("misnamed", "smtplib", "the MTA gives it another listener's name", SENT, "pass",
         "listener-mode-mismatch", journal={"listener": "submission"}, detected=WRONG_NAME, **STARTTLS, **LOGIN),

    # Findings without a question, which a milter makes
    Case("smtp", "smtplib", "TLS at once on 25", NO_SMTP, NO_DECISION, detected=WRONG_TLS, differs=HIDDEN, **IMPLICIT),
    Case("alternate", "smtplib", "TLS at once on 2525, mode enforce", NO_SMTP, NO_DECISION, detected=WRONG_TLS,
         differs=HIDDEN, **IMPLICIT),
    Case("auditing", "curl", "TLS at once, with curl", "(curl: ", NO_DECISION, detected=WRONG_TLS, differs=HIDDEN,
         **IMPLICIT),
    Case("submission", "swaks", "TLS at once, with swaks", "(swaks: ", NO_DECISION, detected=WRONG_TLS, differs=HIDDEN,
         **IMPLICIT),
    Case("hanging-up", "smtplib", "TLS at once, and the connection is ended", NO_SMTP, NO_DECISION, detected=WRONG_TLS,
         differs=HIDDEN, **IMPLICIT),
    Case("hanging-up", "swaks", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN),
    Case("smtp", "swaks", "EHLO, and leaves 25", "250", NO_DECISION, leaves="EHLO"),
    Case("submissions", "swaks", "TLS at once, EHLO, and leaves", "250", NO_DECISION, leaves="EHLO", **IMPLICIT),
    Case("submission", "swaks", "STARTTLS, EHLO, and leaves", "250", NO_DECISION, leaves="EHLO", **STARTTLS),
    Case("submission", "swaks", "trusted, EHLO, and leaves", "250", NO_DECISION, leaves="EHLO", source=TRUSTED),
    Case("submission", "raw", "leaves with the greeting in hand", "220", NO_DECISION, script="QUIT"),
    Case("submission", "raw", "STARTTLS, and leaves without another EHLO", "220 2.0.0", NO_DECISION, detected=NO_TLS,
         script="EHLO client.example.com\nSTARTTLS => 220\nQUIT"),
    Case("submission", "raw", "two EHLO, and leaves: one finding", "250", NO_DECISION, detected=NO_TLS,
         script="EHLO client.example.com\nEHLO client.example.com\nQUIT"),
    Case("submission", "raw", "a mail program that says its name", SENT, "pass", software="thunderbird", script=AUTH_TLS
         + f"{MAIL}{RCPT} => 250\nDATA User-Agent: Mozilla Thunderbird\nQUIT"),
    Case("smtp", "raw", "a mail program's name in somebody's mail", SENT, NO_DECISION,
         script=f"EHLO client.example.com\n{MAIL}{RCPT} => 250\nDATA User-Agent: Mozilla Thunderbird\nQUIT"),

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
{OFFER}
RCPT TO:<b1@example.com> => 530 5.7.0
RCPT TO:<b2@example.com> => 530 5.7.0
RCPT TO:<b3@example.com> => 530 5.7.0
QUIT"""),
    Case("submission", "raw", "two messages in one session", SENT, "pass", lines=2,
         script=AUTH_TLS + f"{MAIL}{RCPT} => 250\nDATA => 250\n{MAIL}{RCPT} => 250\nDATA => 250\nQUIT"),
    Case("submission", "raw", "refused in clear, then STARTTLS and AUTH", SENT, "pass", lines=2,
         script=f"EHLO client.example.com\n{OFFER}{RCPT} ! => 530 5.7.0\nRSET => 250\n"
                + AUTH_TLS + f"{MAIL}{RCPT} => 250\nDATA\nQUIT"),
    Case("submission", "raw", "RSET begins a new transaction", SENT, "pass", lines=2,
         script=AUTH_TLS + f"{MAIL}{RCPT} => 250\nRSET => 250\n{MAIL}{RCPT} => 250\nDATA => 250\nQUIT"),
    Case("submission", "raw", "AUTH in clear, then STARTTLS forgets it", NEEDS_AUTH, "reject", "auth-required",
         differs={"sendmail+milter": but("sendmail-12", told=SENT, verdict="pass", finding="")}, script=f"""
EHLO client.example.com
AUTH PLAIN => 235
STARTTLS => 220
EHLO client.example.com
{OFFER}{RCPT} !
DATA
QUIT"""),
    Case("submission", "raw", "no EHLO after STARTTLS", SENT, "pass", script=f"""
EHLO client.example.com
STARTTLS => 220
AUTH PLAIN => 235
{MAIL}{RCPT} => 250
DATA
QUIT"""),
    Case("submission", "raw", "HELO, no TLS", NEEDS_TLS, "reject", "tls-required", script=f"""
HELO client.example.com
{OFFER}{RCPT} !
QUIT"""),
    Case("submission", "raw", "no HELO at all", NEEDS_TLS, "reject", "tls-required", script=f"{OFFER}{RCPT} !\nQUIT"),
    Case("submission", "raw", "BDAT", "250 2.0.0 Ok", "pass", only="postfix",
         script=AUTH_TLS + f"{MAIL}{RCPT} => 250\nBDAT => 250\nQUIT"),
    Case("submission", "raw", "BDAT after a refusal", "554 5.5.1", "reject", "tls-required", only="policyd",
         differs={"postfix+both": cannot("postfix-30")},
         script=f"EHLO client.example.com\n{MAIL}{RCPT} => 530 5.7.0\nBDAT\nQUIT"),
    Case("submission", "raw", "SMTPUTF8", SENT, "pass", only="postfix",
         script=AUTH_TLS + f"{MAIL_UTF8}{RCPT_UTF8} => 250\nDATA\nQUIT"),
    Case("submission", "raw", "SMTPUTF8 in clear", NEEDS_TLS, "reject", "tls-required", only="postfix",
         script=f"EHLO client.example.com\n{MAIL_UTF8}{RCPT_UTF8}\nQUIT"),
    Case("submission", "raw", "VRFY in clear", NEEDS_TLS, "reject", "tls-required",
         detected=NO_TLS, differs=unasked("252 2."),
         script="EHLO client.example.com\nVRFY bob@example.com\nQUIT"),
    Case("submission", "raw", "VRFY after STARTTLS and AUTH", "252 2.", "pass", differs=unasked("252 2."),
         script=AUTH_TLS + "VRFY bob@example.com\nQUIT"),
    Case("etrn", "raw", "ETRN in clear", NEEDS_TLS, "reject", "tls-required", journal={"protocol_state": "ETRN"},
         detected=NO_TLS, differs=unasked(QUEUING), script="EHLO client.example.com\nETRN example.com\nQUIT"),
    Case("etrn", "raw", "ETRN after STARTTLS, no AUTH", NEEDS_AUTH, "reject", "auth-required",
         journal={"protocol_state": "ETRN"}, differs=unasked(QUEUING), script="""
EHLO client.example.com
STARTTLS => 220
EHLO client.example.com
ETRN example.com
QUIT"""),
    Case("etrn", "raw", "ETRN after STARTTLS and AUTH", QUEUING, "pass",
         journal={"protocol_state": "ETRN"}, differs=unasked(QUEUING), script=AUTH_TLS + "ETRN example.com\nQUIT"),

    # smtpd_delay_reject=no: asked at every stage, and nothing before MAIL may be refused
    Case("at-once", "raw", "STARTTLS stays possible, refusal at MAIL", NEEDS_TLS, "reject", "tls-required", detected=NO_TLS,
         script="""
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
{OFFER}{RCPT}
QUIT"""),
    Case("xclient-direct", "raw", "XCLIENT with a user, not called a proxy", SENT, "pass", detected=NO_TLS, script=f"""
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
{OFFER}{RCPT}
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
