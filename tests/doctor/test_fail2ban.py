#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What mailreeve doctor says of fail2ban's jails, against the real filters of Debian's fail2ban. TAP.

LINES are what Postfix and Sendmail log about customers whose mail program is set wrong; a filter that matches one of the
first kind is a warning, one that only matches those of the second a note.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/fail2ban"))

import test_fail2ban as stock  # noqa: E402

PROGRAM = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"
ETC = stock.TREE / "etc/fail2ban"

LEFT = "postfix/submission/smtpd[9]: lost connection after STARTTLS from unknown[192.0.2.17]"
TRIED = "postfix/submission/smtpd[9]: disconnect from unknown[192.0.2.17] ehlo=1 auth=0/1 quit=1 commands=2/3"
GATE = ("postfix/smtpd[9]: warning: unknown[192.0.2.17]: SASL PLAIN authentication failed: AUTH is not accepted on port 25; "
        "your password was not checked; use 465 or 587")
EARLY = r"postfix/submission/smtpd[9]: improper command pipelining after CONNECT from unknown[192.0.2.17]: \026\003\001\002"
RELAY = ("postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[192.0.2.17]: 454 4.7.1 <a@example.org>: Relay access denied; "
         "from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<laptop>")
HANDSHAKE = "postfix/smtps/smtpd[9]: SSL_accept error from unknown[192.0.2.17]: -1"
NO_MAIL = "sm-mta[9]: 4ALLFS00012345: [192.0.2.17] did not issue MAIL/EXPN/VRFY/ETRN during connection to MSP-v4"
GREET = "sm-mta[9]: 4ALLFS00012345: rejecting commands from host.example.net [192.0.2.17] due to pre-greeting traffic after 0 seconds"
GREET6 = "sm-mta[9]: rejecting commands from [IPv6:2001:db8::17] due to pre-greeting traffic after 0 seconds"
LINES = [LEFT, TRIED, GATE, EARLY, RELAY, HANDSHAKE, NO_MAIL, GREET, GREET6]

# filter, mode: which lines it matches, written by hand
MATCHES = {
    "postfix[mode=more]": [EARLY, RELAY], "postfix[mode=normal]": [EARLY, RELAY], "postfix[mode=auth]": [GATE],
    "postfix[mode=rbl]": [], "postfix[mode=errors]": [], "postfix[mode=ddos]": [LEFT, TRIED],
    "postfix[mode=extra]": [GATE, EARLY, RELAY], "postfix[mode=aggressive]": [LEFT, TRIED, GATE, EARLY, RELAY],
    "sendmail-reject[mode=normal]": [GREET, GREET6], "sendmail-reject[mode=extra]": [GREET, GREET6, NO_MAIL],
    "sendmail-reject[mode=aggressive]": [GREET, GREET6, NO_MAIL], "sendmail-auth": [],
}
# what the doctor says of a jail with that filter: on a Postfix without and with the gate, on a Sendmail without and with greet_pause
W, N = "warning", "note"
SAYS = {
    "postfix[mode=more]": ([N], [N], [], []), "postfix[mode=normal]": ([N], [N], [], []),
    "postfix[mode=auth]": ([], [W], [], []), "postfix[mode=rbl]": ([], [], [], []), "postfix[mode=errors]": ([], [], [], []),
    "postfix[mode=ddos]": ([W], [W], [], []), "postfix[mode=extra]": ([N], [W], [], []),
    "postfix[mode=aggressive]": ([W], [W, W], [], []),
    "sendmail-reject[mode=normal]": ([], [], [], [W]), "sendmail-reject[mode=extra]": ([], [], [W], [W, W]),
    "sendmail-reject[mode=aggressive]": ([], [], [W], [W, W]), "sendmail-auth": ([], [], [], []),
}
CF = "V10/Berkeley\nO DaemonPortOptions=Port=25, Addr=127.0.0.1\n"
SMTPD = "smtp inet n - y - - smtpd\n"
POSTFIX = {"main.cf": "myhostname = mx.example.com\n# not mailreeve-gate\n", "master.cf": SMTPD}
GATED = {**POSTFIX, "master.cf": SMTPD + "  -o smtpd_sasl_service=mailreeve-25\n"}
SENDMAIL = {"sendmail.cf": CF}
GREETING = {"sendmail.cf": CF + "Sgreet_pause\nR$*\t$# 1000\n"}
MTAS = [POSTFIX, GATED, SENDMAIL, GREETING]


class Jails:
    """A copy of Debian's /etc/fail2ban with files of its own, and an MTA's directory."""

    def __init__(self, files, mta=POSTFIX):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailreeve-fail2ban-"))
        self.etc = self.folder / "fail2ban"
        shutil.copytree(ETC, self.etc)
        for name, text in files.items():
            (self.etc / name).write_text(text)
        self.mta = self.folder / "mta"
        self.mta.mkdir()
        for name, text in mta.items():
            (self.mta / name).write_text(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def doctor(self):
        done = subprocess.run([PROGRAM, "doctor", "--directory", self.mta, "--json", "--fail2ban", self.etc], text=True, capture_output=True, timeout=60)
        if done.returncode not in (0, 1) or done.stderr:
            raise RuntimeError(f"doctor ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def faults(self):
        return [f for f in self.doctor()["faults"] if f["id"] == "fail2ban-bans-customers"]


# name, files, [(where, severity)]
CASES = [
    ("Debian's jails as they are", {}, []),
    ("enabled, in the default mode", {"jail.local": "[postfix]\nenabled = true\n"}, [("jail.conf:583, jail postfix", N)]),
    ("a mode of its own", {"jail.local": "[postfix]\nenabled = true\nmode = ddos\n"}, [("jail.local:3, jail postfix", W)]),
    ("not enabled", {"jail.local": "[postfix]\nmode = ddos\n"}, []),
    ("switched off again later", {"jail.local": "[postfix]\nenabled = true\nmode = ddos\n", "jail.d/zz.local": "[postfix]\nenabled = no\n"}, []),
    ("the last file wins", {"jail.d/a.conf": "[postfix]\nenabled = true\nmode = ddos\n", "jail.local": "[postfix]\nmode = rbl\n"}, []),
    ("jail.d after jail.local", {"jail.local": "[postfix]\nenabled = 1\nmode = rbl\n", "jail.d/b.local": "[postfix]\nmode : aggressive ; why not\n"},
     [("jail.d/b.local:2, jail postfix", W)]),
    ("in the filter", {"jail.local": "[mine]\nenabled = yes\nfilter = postfix[logtype=file, mode=\"aggressive\"]\n"}, [("jail.local:3, jail mine", W)]),
    ("without a mode: the filter's own", {"jail.local": "[mine]\nenabled = yes\nfilter = postfix\n"}, [("jail.local:3, jail mine", N)]),
    ("by a name", {"jail.local": "[DEFAULT]\nmine = ddos\n[mine]\nenabled = on\nfilter = postfix[mode=%(mine)s]\n"}, [("jail.local:5, jail mine", W)]),
    ("a filter of one's own", {"jail.local": "[mine]\nenabled = on\n", "filter.d/mine.conf": "[Definition]\nfailregex = lost connection after \\S+ from \\S*\\[<HOST>\\]\n"},
     [("jail.local:2, jail mine", W)]),
    ("a filter of one's own, of something else", {"jail.local": "[mine]\nenabled = on\n", "filter.d/mine.conf": "[Definition]\n# lost connection after\nfailregex = x <HOST>\n"}, []),
    ("all jails at once", {"jail.local": "[DEFAULT]\nenabled = true\n"}, [("jail.conf:583, jail postfix", N)]),
]


def agrees(found, expected):
    told = sorted((f["where"], f["severity"]) for f in found)
    return [] if told == sorted(expected) else [f"expected {sorted(expected)}", f"found    {told}"]


def run_case(files, expected):
    with Jails(files) as jails:
        return agrees(jails.faults(), expected)


def real(name, config=ETC):
    """The lines that a filter matches."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        log.writelines(stock.STAMP + line + "\n" for line in LINES)
        log.flush()
        return stock.matched(name, log.name, config)[0]


def by_filter(name):
    wrong = []
    if real(name) != set(MATCHES[name]):
        wrong.append(f"{name} matches {sorted(real(name))}")
    for mta, expected in zip(MTAS, SAYS[name]):
        with Jails({"jail.local": f"[mine]\nenabled = true\nfilter = {name}\n"}, mta) as jails:
            told = sorted(f["severity"] for f in jails.faults())
            wrong += [f"{name}, {list(mta)}: expected {expected}, told {told}"] * (told != sorted(expected))
    return wrong


def serious(lines, mta):
    """The lines for which a ban is a warning on that MTA."""
    return [line for line in lines if line in (LEFT, TRIED, NO_MAIL) or (line == GATE and mta == GATED) or
            (line in (GREET, GREET6) and mta == GREETING)]


def advice(name, mta):
    """Follow the fixes: then neither the doctor nor the filter has anything but notes."""
    with Jails({"jail.local": f"[mine]\nenabled = true\nfilter = {name}\n"}, mta) as jails:
        filter_now = name
        for fault in [f for f in jails.faults() if f["severity"] == W]:
            fix = fault["fix"][0]
            if m := re.fullmatch(r"in /etc/fail2ban/jail\.local, under \[mine\]: (filter = (.*))", fix):
                filter_now = m[2]
                with open(jails.etc / "jail.local", "a") as local:
                    local.write(f"{m[1]}\n")
            elif m := re.fullmatch(r"cp (etc/fail2ban/postfix\.local) /etc/fail2ban/(filter\.d/postfix\.local)", fix):
                shutil.copy(ROOT / m[1], jails.etc / m[2])
            elif m := re.fullmatch(r"in /etc/fail2ban/(filter\.d/[\w.-]+), under \[Definition\]: (.*)", fix):
                (jails.etc / m[1]).write_text(f"[Definition]\n{m[2]}\n")
            else:
                return [f"not understood: {fix}"]
        left = serious(real(filter_now, jails.etc), mta)
        told = [f for f in jails.faults() if f["severity"] == W]
        return [f"{filter_now} still matches {line}" for line in left] + [f"still told: {f}" for f in told]


def no_fail2ban():
    with Jails({}) as jails:
        shutil.rmtree(jails.etc)
        unknown = jails.doctor()["unknown"]
        return [] if [u for u in unknown if "has no jail.conf" in u] else [f"unknown: {unknown}"]


def tests():
    for name, files, expected in CASES:
        yield name, lambda files=files, expected=expected: run_case(files, expected)
    for name in MATCHES:
        yield f"{name}: what it matches, and what is said of it", lambda name=name: by_filter(name)
    for name in SAYS:
        for mta, says in zip(MTAS, SAYS[name]):
            if W in says and mta in (GATED, GREETING):
                yield (f"{name}, {' '.join(mta)}: the advice helps", lambda name=name, mta=mta: advice(name, mta))
    yield "no fail2ban", no_fail2ban


def main():
    if not (stock.TREE / "usr/bin/fail2ban-regex").exists():
        print("1..0 # SKIP fail2ban is not in build/; run: make deps")
        return 0
    listed = list(tests())
    failed = 0
    print(f"1..{len(listed)}", flush=True)
    for number, (name, test) in enumerate(listed, 1):
        try:
            wrong = test()
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            wrong = [f"{type(e).__name__}: {e}"]
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}", flush=True)
        print("".join(f"# {line}\n" for text in wrong for line in text.splitlines()), end="", flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
