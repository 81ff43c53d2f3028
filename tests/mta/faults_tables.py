# SPDX-License-Identifier: Apache-2.0
"""What an MTA answers when its filter is away: by MTA, by what the administrator wants in that case, and by the moment.

Written by hand from what Sendmail 8.17.1 and Postfix 3.7.11 were seen to do with filters that were down, killed and slow.
A reply is compared by its beginning. A command that a row leaves empty is never said there.

Newer Postfix has default_action=shutdown, too (421 and the end, as Sendmail's F=4); 3.7.11 takes the word for an error of
its configuration, 451 4.3.5.
"""
import dataclasses
import re

import listeners

NONE, TEMPFAIL, REJECT, CLOSE = "none", "T", "R", "4"       # Sendmail's F=; none: without it
POSTFIX_MODES = ("accept", "tempfail", "reject", "quarantine")
HELD = "250 held"               # accepted, and in Postfix's hold queue

# The moment at which the filter goes away
AWAY = "before the session"
EHLO = "after EHLO"             # or later, but what the filter would be told next is EHLO or MAIL
RCPT = "after RCPT"             # in the middle of a message


def table(text):
    """{mode: {command: reply}}; columns are two blanks apart, `-` is empty."""
    head, *rows = [re.split(r" {2,}", line.strip()) for line in text.strip().splitlines()]
    return {mode: {command: reply for command, reply in zip(head[1:], row) if reply != "-"} for mode, *row in rows}


REPLIES = {
    ("sendmail", AWAY): table("""
        mode  greeting   EHLO  STARTTLS   AUTH       MAIL       RCPT  DATA
        none  220        250   220        235        250        250   250
        T     220        250   454 4.7.0  454 4.3.0  451 4.3.2  -     -
        R     554        250   550 5.0.0  550 5.0.0  550 5.0.0  -     -
        4     421 4.7.0  -     -          -          -          -     -"""),
    # R: 5.0.0 when EHLO has found it out, 5.7.1 when MAIL has
    ("sendmail", EHLO): table("""
        mode  STARTTLS   EHLO       AUTH       MAIL       RCPT  DATA
        none  220        250        235        250        250   250
        T     220        250        454 4.3.0  451 4.3.2  -     -
        R     220        250        550 5.0.0  550 5.     -     -
        4     220        421 4.     -          421 4.3.0  -     -"""),
    ("sendmail", RCPT): table("""
        mode  DATA       MAIL
        none  250        250
        T     451 4.3.2  451 4.3.2
        R     554 5.7.1  550 5.7.1
        4     421 4.7.0  -"""),
    ("postfix", AWAY): table("""
        mode        greeting  EHLO  STARTTLS   AUTH       MAIL       RCPT  DATA
        accept      220       250   220        235        250        250   250
        tempfail    220       250   454 4.3.0  454 4.3.0  451 4.7.1  -     -
        reject      554       250   550 5.5.0  550 5.5.0  550 5.5.0  -     -
        quarantine  220       250   220        235        250        250   250 held"""),
    ("postfix", EHLO): table("""
        mode        STARTTLS   EHLO       AUTH       MAIL       RCPT  DATA
        accept      220        250        235        250        250   250
        tempfail    220        250        454 4.3.0  451 4.7.1  -     -
        reject      220        250        550 5.5.0  550 5.5.0  -     -
        quarantine  220        250        235        250        250   250 held"""),
    ("postfix", RCPT): table("""
        mode        DATA       MAIL
        accept      250        250
        tempfail    451 4.7.1  451 4.7.1
        reject      550 5.5.0  550 5.5.0
        quarantine  250 held   250"""),
}

# Mailreeve's documentation: mail on 25 goes on, and submission defers
DOCUMENTED = {
    ("sendmail", listeners.SMTP): NONE, ("sendmail", listeners.SUBMISSION): TEMPFAIL,
    ("postfix", listeners.SMTP): "accept", ("postfix", listeners.SUBMISSION): "tempfail",
}

# While the filter is there: what is said before it goes away, and in new sessions when it is back
SERVED = {"greeting": "220", "EHLO": "250", "STARTTLS": "220", "AUTH": "235", "MAIL": "250", "RCPT": "250", "DATA": "250",
          "RSET": "250", "QUIT": "221"}
NO_TLS, AUTH_ON_25 = "530 5.7.0 Must issue a STARTTLS", "554 5.7.1 AUTH is not accepted on port 25"


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    role: str
    says: dict                      # {moment: (what it says before the filter goes away, after that)}
    mail: str = SERVED["MAIL"]      # what MAIL is told while the filter is there

    @property
    def proves(self):
        """Can one tell by its reply to MAIL that the filter is there?"""
        return self.mail != SERVED["MAIL"]


MESSAGE = " MAIL RCPT DATA"
SIGN_ON = "EHLO STARTTLS EHLO AUTH"
CLIENTS = [
    Client("no TLS", listeners.SUBMISSION, {AWAY: ("", "EHLO AUTH" + MESSAGE), EHLO: ("EHLO MAIL", MESSAGE)}, NO_TLS),
    Client("STARTTLS and AUTH", listeners.SUBMISSION,
           {AWAY: ("", SIGN_ON + MESSAGE), EHLO: (SIGN_ON, MESSAGE), RCPT: (SIGN_ON + " MAIL RCPT", "DATA")}),
    Client("STARTTLS only then", listeners.SUBMISSION, {EHLO: ("EHLO", "STARTTLS EHLO AUTH" + MESSAGE)}),
    Client("inbound", listeners.SMTP,
           {AWAY: ("", "EHLO" + MESSAGE), EHLO: ("EHLO", MESSAGE), RCPT: ("EHLO MAIL RCPT", "DATA")}),
    Client("AUTH on 25", listeners.SMTP,
           {AWAY: ("", "EHLO AUTH" + MESSAGE), EHLO: ("EHLO AUTH MAIL", MESSAGE)}, AUTH_ON_25),
]


def replies(mta, moment, mode, client, stays):
    """{command: how its reply begins} from that moment on. stays: the connection to the filter does not end."""
    row = {**REPLIES[mta, moment][mode], "RSET": "250", "QUIT": "221"}
    if moment == RCPT and client.role == listeners.SMTP:
        # The filter has said at MAIL that it need not see more of an inbound message: only the next MAIL finds it out, or
        # does not, if the filter has come to itself before.
        row.update(DATA="250", MAIL=SERVED["MAIL"] if stays else REPLIES[mta, EHLO][mode]["MAIL"])
    return row


def gist(mta, moment, mode, role):
    """What a row comes down to, in a few words."""
    row = REPLIES[mta, moment][mode]
    if moment == RCPT and role == listeners.SMTP:
        return "the message passes"
    if row.get("DATA") == HELD:
        return "the message passes, and is held"
    if moment == RCPT:
        return f"the message is told {row['DATA']}"
    return f"MAIL {row['MAIL']}" if "MAIL" in row else f"greeting {row['greeting']}"
