# SPDX-License-Identifier: Apache-2.0
"""The ways to plug Mailreeve in that are tested: an MTA and the plug-ins that it asks."""
import dataclasses

POLICYD, MILTER = "policyd", "milter"


@dataclasses.dataclass(frozen=True)
class Way:
    mta: str
    plugins: tuple

    @property
    def name(self):
        return f"{self.mta}+{'both' if len(self.plugins) == 2 else self.plugins[0]}"

    def has(self, word):
        """Is this MTA, or this plug-in, part of it? "" is part of everything."""
        return word in ("", self.mta, *self.plugins)


POSTFIX_POLICYD = Way("postfix", (POLICYD,))
POSTFIX_MILTER = Way("postfix", (MILTER,))
POSTFIX_BOTH = Way("postfix", (POLICYD, MILTER))
SENDMAIL_MILTER = Way("sendmail", (MILTER,))

WAYS = {way.name: way for way in (POSTFIX_POLICYD, POSTFIX_MILTER, POSTFIX_BOTH, SENDMAIL_MILTER)}
