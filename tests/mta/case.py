# SPDX-License-Identifier: Apache-2.0
"""What a case is: what a client does, and what is to come of it, on each way to plug Mailreeve in."""
import dataclasses

import listeners
from ways import MILTER

NO_DECISION = "no decision"     # nothing was asked about, or nothing was found on a port of role smtp
SENT = "250 2.0.0"
SIGNED = {"swaks": "swaks"}     # clients whose mail says what has sent it, and what Mailreeve calls that


@dataclasses.dataclass(frozen=True)
class Change:
    """What is expected otherwise on one way, and why."""
    why: str                        # an entry of docs/mta-differences.md
    fields: dict                    # of Case; None: the case cannot be played there


def but(why, **fields):
    return Change(why, fields)


def cannot(why):
    return Change(why, None)


@dataclasses.dataclass(frozen=True)
class Case:
    listener: str                   # a name in listeners.py
    client: str                     # a name in CLIENTS
    does: str                       # in words, for people
    told: str                       # code, enhanced code and the key phrase of the reply that decides
    verdict: str                    # pass, defer, reject, "would reject" (audit), or NO_DECISION
    finding: str = ""               # the finding that decides
    also: tuple = ()                # other findings of the same decision
    lines: int = 1                  # decisions in the journal (one a message)
    journal: dict = dataclasses.field(default_factory=dict)     # more that the line must say
    detected: tuple = ()            # what a milter finds without being asked
    software: str = ""              # what a milter takes the client for, if its own mail does not say it (SIGNED)
    # where it is played
    only: str = ""                  # the MTA or plug-in that has to be there
    differs: dict = dataclasses.field(default_factory=dict)     # way's name: Change
    # what the client does
    tls: str = ""                   # "", starttls, implicit
    version: str = ""               # of TLS, if not the newest
    cipher: str = ""
    certificate: str = ""           # one of its own that it shows (raw and smtplib): relay, stranger
    auth: str = ""                  # the SASL mechanism
    leaves: str = ""                # the last command that it says (swaks)
    source: str = "127.0.0.1"
    host: str = "127.0.0.1"
    sender: str = "alice@example.com"
    to: tuple = ("bob@example.com",)
    script: str = ""                # for the raw client: lines to say, see smtp.perform()

    def on(self, way):
        """As it is expected on a way; None: it is not played there."""
        change = self.differs.get(way.name)
        if not way.has(self.only) or change and change.fields is None:
            return None
        case = dataclasses.replace(self, **change.fields) if change else self
        return case if way.has(MILTER) else dataclasses.replace(case, detected=())

    @property
    def recognised(self):
        """What a milter takes the client for: it is shown mail that passes, and looks at it only on submission ports."""
        looked_at = self.told == SENT and listeners.role(self.listener) != listeners.SMTP
        return self.software or looked_at and SIGNED.get(self.client) or ""
