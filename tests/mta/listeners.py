# SPDX-License-Identifier: Apache-2.0
"""The listeners of the private MTAs: one row each, seen by the MTA and by Mailreeve.

A variant of a configuration is a row, not another MTA: almost every smtpd setting may differ per service in master.cf,
and what Sendmail has to vary is in its DAEMON_OPTIONS. Rows are told apart by name; the name is policy_context or
{daemon_name} in the MTA and the listener's name in Mailreeve.
"""
import dataclasses

from ways import MILTER, POLICYD

SUBMISSION, SUBMISSIONS, SMTP = "submission", "submissions", "smtp"

# Where policyd is asked, and what the MTA does when a plug-in does not answer. Asking comes first of all restrictions,
# since nothing behind a permit is reached. On port 25 policyd is asked only about clients that have authenticated.
UNANSWERED = {
    SMTP: "DUNNO",
    SUBMISSION: "451 4.3.5 Try again later",
    SUBMISSIONS: "451 4.3.5 Try again later",
}
NO_FILTER = {SMTP: "accept", SUBMISSION: "tempfail", SUBMISSIONS: "tempfail"}       # Postfix: default_action
FILTER_FLAG = {SMTP: "", SUBMISSION: ", F=T", SUBMISSIONS: ", F=T"}                 # Sendmail: the same
NOBODY = "check_client_access static:DUNNO"         # in place of the policy service, where there is none
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
# Sendmail's modifiers (M=). A: no AUTH; E: no ETRN; s: TLS at once. There is no `a`: so Mailreeve asks for AUTH.
SENDMAIL = {SMTP: "A", SUBMISSION: "E", SUBMISSIONS: "s"}


@dataclasses.dataclass
class Listener:
    name: str
    plays: int                      # the port that it stands for
    role: str
    postfix: dict = dataclasses.field(default_factory=dict)     # what differs from POSTFIX[role]
    mailreeve: str = ""             # what follows role in Mailreeve's listeners list
    asks: str = "unix"              # a plug-in's socket: unix, inet, or "nobody" (one of policyd that must not be asked)
    context: str = ""               # what the MTA calls it to Mailreeve, if not by its name
    sendmail: str = None            # what takes the place of SENDMAIL[role]
    only: str = ""                  # the MTA or plug-in without which it makes no sense
    port: int = 0                   # the port it has in this run

    @property
    def told(self):
        return self.context or self.name

    def settings(self, sockets):
        """smtpd's settings for this listener. sockets: {plug-in: {what `asks` may be: address}}."""
        settings = {"syslog_name": f"postfix/{self.name}", **POSTFIX[self.role], **self.postfix}
        if MILTER in sockets:
            settings.update(self.filter_settings(sockets[MILTER]))
        service = self.service(sockets[POLICYD]) if POLICYD in sockets else NOBODY
        return {name: value.replace("{ask}", service) for name, value in settings.items()}

    def service(self, sockets):
        """The call of the policy service, for {ask}."""
        return (f"check_policy_service {{ {sockets[self.asks]}, policy_context={self.told}, timeout=5s, "
                f"{{ default_action = {UNANSWERED[self.role]} }} }}")

    def filter_settings(self, sockets):
        address = sockets.get(self.asks, sockets["unix"])
        return {"smtpd_milters": f"{{ {address}, default_action={NO_FILTER[self.role]}, connect_timeout=5s, "
                                 "command_timeout=5s }", "milter_macro_daemon_name": self.told}

    def sendmail_filter(self):
        """The name of the filter for this listener, and what its definition says about a filter that is away."""
        flag = FILTER_FLAG[self.role]
        return f"mailreeve{flag[-1:].lower()}", flag

    def sendmail_options(self):
        """What this listener has in its DAEMON_OPTIONS, but for address and port."""
        modifiers = SENDMAIL[self.role] if self.sendmail is None else self.sendmail
        return (f"Name={self.told}" + (f", M={modifiers}" if modifiers else "")
                + f", InputMailFilters={self.sendmail_filter()[0]}")


# What `make demo` shows
DEMO = [
    Listener("smtp", 25, SMTP),
    Listener("smtp-auth", 25, SMTP, AUTH, sendmail=""),
    Listener("submission", 587, SUBMISSION),
    Listener("submissions", 465, SUBMISSIONS),
    Listener("alternate", 2525, SUBMISSION, asks="inet"),
    Listener("auditing", 587, SUBMISSION, mailreeve="mode: audit"),
    Listener("deferring", 587, SUBMISSION, mailreeve="actions: {tls-required: defer, auth-required: defer}"),
]

# What the integration test adds
MORE = [
    Listener("smtp-alone", 25, SMTP, asks="nobody", only=POLICYD),
    Listener("at-once", 587, SUBMISSION, ASK_AT_EVERY_STAGE, only=POLICYD),
    Listener("at-once-465", 465, SUBMISSIONS, ASK_AT_EVERY_STAGE, only=POLICYD),
    Listener("etrn", 587, SUBMISSION, ASK_AT_ETRN, only="postfix"),
    Listener("xclient", 587, SUBMISSION, {"smtpd_authorized_xclient_hosts": "127.0.0.0/8"}, "tls_by: proxy",
             only="postfix"),
    Listener("xclient-direct", 587, SUBMISSION, {"smtpd_authorized_xclient_hosts": "127.0.0.0/8"}, only="postfix"),
    Listener("haproxy", 587, SUBMISSION, {"smtpd_upstream_proxy_protocol": "haproxy"}, only="postfix"),
    Listener("mechanisms", 587, SUBMISSION,
             mailreeve="mechanisms: [PLAIN, LOGIN], actions: {auth-mechanism: reject}"),
    Listener("modern", 587, SUBMISSION, mailreeve="min_tls: TLSv1.3"),
    Listener("certified", 587, SUBMISSION, {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_fingerprint_digest": "sha256"}),
    Listener("misnamed", 587, SUBMISSION, context="submission"),
    Listener("hanging-up", 587, SUBMISSION, mailreeve="disconnect_implicit_tls: yes", only=MILTER),
    Listener("audit-465", 465, SUBMISSIONS, mailreeve="mode: audit"),
    Listener("audit-25", 25, SMTP, AUTH, "mode: audit", sendmail=""),
]


def role(name):
    return next(each.role for each in DEMO + MORE if each.name == name)
