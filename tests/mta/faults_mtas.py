# SPDX-License-Identifier: Apache-2.0
"""The private MTAs of the tests about faults: a listener for every answer to "and if the filter is away?"."""
import dataclasses
import re

import listeners
from daemons import Trouble
from faults_tables import CLOSE, DOCUMENTED, NONE, POSTFIX_MODES, REJECT, TEMPFAIL
from listeners import SMTP, SUBMISSION, Listener
from rig import Rig
from sendmail import Sendmail
from ways import POSTFIX_MILTER, SENDMAIL_MILTER

SECONDS = 3                     # that an MTA waits for its filter


@dataclasses.dataclass
class Faulty(Listener):
    """A listener with a mode of its own; without one, it is as the other tests have it, which is what is documented."""
    mode: str = ""

    def effective(self, mta):
        """The mode that it has to have in the end."""
        return self.mode or DOCUMENTED[mta, self.role]

    def title(self, mta):
        if not self.mode:
            return "as documented"
        setting = f"default_action={self.mode}" if mta == "postfix" else f"F={self.mode}" if self.mode != NONE else "no F="
        return setting + ", over TCP" * (self.asks == "inet")

    def sendmail_filter(self):
        if not self.mode:
            return super().sendmail_filter()
        return ("mailreeve", "") if self.mode == NONE else (f"mailreeve{self.mode.lower()}", f", F={self.mode}")

    def filter_settings(self, sockets):
        settings = super().filter_settings(sockets)
        text = re.sub(r"_timeout=\d+s", f"_timeout={SECONDS}s", settings["smtpd_milters"])
        text = text.replace(" }", f", content_timeout={SECONDS}s }}")
        if self.mode:
            text = re.sub(r"default_action=\w+", f"default_action={self.mode}", text)
        return {**settings, "smtpd_milters": text}


def both_ports(mode):
    """A submission port and a port 25, on which AUTH is possible: so one can see that the filter is there."""
    name = (mode or "documented").lower()
    return [Faulty(f"{name}-587", 587, SUBMISSION, mode=mode),
            Faulty(f"{name}-25", 25, SMTP, listeners.AUTH, sendmail="", mode=mode)]


SENDMAIL = [row for mode in ("", NONE, TEMPFAIL, REJECT, CLOSE) for row in both_ports(mode)]
POSTFIX = [row for mode in ("", *POSTFIX_MODES) for row in both_ports(mode)] + [
    Faulty("tempfail-tcp", 587, SUBMISSION, mode="tempfail", asks="inet"),
    Faulty("accept-tcp", 25, SMTP, listeners.AUTH, mode="accept", asks="inet"),
]
MTAS = {"sendmail": (SENDMAIL_MILTER, SENDMAIL), "postfix": (POSTFIX_MILTER, POSTFIX)}


class ImpatientSendmail(Sendmail):
    """One that waits a shorter time for its filters."""

    def configure(self, *arguments):
        super().configure(*arguments)
        cf = self.folder / "sendmail.cf"
        timeouts = ";".join(f"{what}:{SECONDS}s" for what in "CSRE")
        text, count = re.subn(r"^(X.*, *T=).*$", rf"\g<1>{timeouts}", cf.read_text(), flags=re.M)
        if not count:
            raise Trouble("no filter with timeouts in sendmail.cf")
        cf.write_text(text)


class FaultRig(Rig):
    """As the cases have it, but with the listeners above."""

    def __init__(self, mta):
        super().__init__(*MTAS[mta])

    def start_sendmail(self, rows):
        self.mta = ImpatientSendmail(self.workshop)
        self.mta.start(rows, self.certificates, self.milter.socket)

    def is_held(self, sender):
        """Is there a message from that sender in Postfix's hold queue?"""
        return self.way.has("postfix") and any(sender.encode() in file.read_bytes()
                                               for file in (self.mta.spool / "hold").rglob("*") if file.is_file())
