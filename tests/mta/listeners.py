# SPDX-License-Identifier: Apache-2.0
"""The listeners of the private Postfix: one row each, seen by Postfix and by Mailreeve.

A variant of a configuration is a row, not another Postfix: almost every smtpd setting may differ per service in
master.cf. Rows are told apart by name; the name is policy_context in Postfix and the listener's name in Mailreeve.
"""
import dataclasses

SUBMISSION, SUBMISSIONS, SMTP = "submission", "submissions", "smtp"

# Where policyd is asked, and what Postfix does when it does not answer. Asking comes first of all restrictions, since
# nothing behind a permit is reached. On port 25 it is asked only about clients that have authenticated.
UNANSWERED = {
    SMTP: "DUNNO",
    SUBMISSION: "451 4.3.5 Try again later",
    SUBMISSIONS: "451 4.3.5 Try again later",
}
ASK_FIRST = {"smtpd_recipient_restrictions": "{ask}, permit_mynetworks, reject_unauth_destination"}
ASK_IF_AUTHENTICATED = {
    "smtpd_restriction_classes": "mailreeve",
    "mailreeve": "{ask}",
    "smtpd_recipient_restrictions": "check_sasl_access static:mailreeve, permit_mynetworks, reject_unauth_destination",
}
ASK_AT_EVERY_STAGE = {
    "smtpd_delay_reject": "no",
    "smtpd_client_restrictions": "{ask}",
    "smtpd_helo_restrictions": "{ask}",
    "smtpd_sender_restrictions": "{ask}",
}
ASK_AT_ETRN = {"smtpd_etrn_restrictions": "{ask}"}
AUTH = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "no"}

# TLS stays at "may" on 587, and AUTH in clear is possible there: so Mailreeve refuses, not Postfix.
POSTFIX = {
    SMTP: {"smtpd_tls_security_level": "may", **ASK_IF_AUTHENTICATED},
    SUBMISSION: {"smtpd_tls_security_level": "may", **AUTH, **ASK_FIRST},
    SUBMISSIONS: {"smtpd_tls_wrappermode": "yes", **AUTH, **ASK_FIRST},
}


@dataclasses.dataclass
class Listener:
    name: str
    plays: int                      # the port that it stands for
    role: str
    postfix: dict = dataclasses.field(default_factory=dict)     # what differs from POSTFIX[role]
    mailreeve: str = ""             # what follows role in Mailreeve's listeners list
    asks: str = "unix"              # policyd's socket: unix, inet, or "nobody" (a socket that must not be asked)
    context: str = ""               # what Postfix calls it to Mailreeve, if not by its name
    port: int = 0                   # the port it has in this run

    def settings(self, sockets):
        """smtpd's settings for this listener; {ask} becomes the call of the policy service."""
        service = (f"check_policy_service {{ {sockets[self.asks]}, policy_context={self.context or self.name}, "
                   f"timeout=5s, {{ default_action = {UNANSWERED[self.role]} }} }}")
        settings = {"syslog_name": f"postfix/{self.name}", **POSTFIX[self.role], **self.postfix}
        return {name: value.replace("{ask}", service) for name, value in settings.items()}


# What `make demo` shows
DEMO = [
    Listener("smtp", 25, SMTP),
    Listener("smtp-auth", 25, SMTP, AUTH),
    Listener("submission", 587, SUBMISSION),
    Listener("submissions", 465, SUBMISSIONS),
    Listener("alternate", 2525, SUBMISSION, asks="inet"),
    Listener("auditing", 587, SUBMISSION, mailreeve="mode: audit"),
    Listener("deferring", 587, SUBMISSION, mailreeve="actions: {tls-required: defer, auth-required: defer}"),
]

# What the integration test adds
MORE = [
    Listener("smtp-alone", 25, SMTP, asks="nobody"),
    Listener("at-once", 587, SUBMISSION, ASK_AT_EVERY_STAGE),
    Listener("at-once-465", 465, SUBMISSIONS, ASK_AT_EVERY_STAGE),
    Listener("etrn", 587, SUBMISSION, ASK_AT_ETRN),
    Listener("xclient", 587, SUBMISSION, {"smtpd_authorized_xclient_hosts": "127.0.0.0/8"}, "tls_by: proxy"),
    Listener("xclient-direct", 587, SUBMISSION, {"smtpd_authorized_xclient_hosts": "127.0.0.0/8"}),
    Listener("haproxy", 587, SUBMISSION, {"smtpd_upstream_proxy_protocol": "haproxy"}),
    Listener("mechanisms", 587, SUBMISSION,
             mailreeve="mechanisms: [PLAIN, LOGIN], actions: {auth-mechanism: reject}"),
    Listener("modern", 587, SUBMISSION, mailreeve="min_tls: TLSv1.3"),
    Listener("certified", 587, SUBMISSION, {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_fingerprint_digest": "sha256"}),
    Listener("misnamed", 587, SUBMISSION, context="submission"),
    Listener("audit-465", 465, SUBMISSIONS, mailreeve="mode: audit"),
    Listener("audit-25", 25, SMTP, AUTH, "mode: audit"),
]
