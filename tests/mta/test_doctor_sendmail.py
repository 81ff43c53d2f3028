# SPDX-License-Identifier: Apache-2.0
"""What mailreeve doctor says of a Sendmail's ports, and what that Sendmail does: do they agree? TAP on stdout.

Each row is a daemon of one private Sendmail for each of CONFIGURATIONS. A client looks whether AUTH is offered before and under
TLS, whether STARTTLS is, and whether mail is taken without a login; the doctor reads the same sendmail.cf.
"""
import json
import re
import smtplib
import ssl
import subprocess
import sys

sys.dont_write_bytecode = True

import certs
import sendmail
import tap
import tree
from daemons import Workshop, free_ports
from listeners import SMTP, SUBMISSION, SUBMISSIONS, Listener
from plugin import program
from suite import run

NO, YES, UNDER_TLS = "no", "yes", "under TLS"           # AUTH
NONE, STARTTLS, AT_ONCE = "none", "STARTTLS", "at once"
OPEN, CLOSED = "open", "closed"

PLAIN = [("all", 25, SMTP, "", STARTTLS, YES, OPEN), ("no-auth", 25, SMTP, "A", STARTTLS, NO, OPEN),
         ("login", 587, SUBMISSION, "Ea", STARTTLS, YES, CLOSED), ("no-tls", 587, SUBMISSION, "ES", NONE, YES, OPEN),
         ("at-once", 465, SUBMISSIONS, "Es", AT_ONCE, UNDER_TLS, OPEN), ("at-once-S", 465, SUBMISSIONS, "EasS", AT_ONCE, UNDER_TLS, CLOSED)]


def auth(rows, word):
    return [row[:5] + (word if row[5] == YES else row[5],) + row[6:] for row in rows]


RULES = """\
LOCAL_SRV_FEATURES
R$*\t\t$: $&{daemon_name}
Rno-auth\t$# A
Rno-clear\t\t$# c
Rlogin\t$# l c
Rno-tls\t$# S
"""
BY_RULES = [("no-auth", 25, SMTP, "", STARTTLS, NO, OPEN), ("no-clear", 25, SMTP, "", STARTTLS, UNDER_TLS, OPEN),
            ("login", 587, SUBMISSION, "", STARTTLS, UNDER_TLS, CLOSED), ("no-tls", 587, SUBMISSION, "", NONE, YES, OPEN),
            ("other", 587, SUBMISSION, "", STARTTLS, YES, OPEN)]
ACCESS = "Srv_Features:192.0.2.1\ta\nSrv_Features:\tA\n"          # read where there is FEATURE(`access_db')
MAKEMAP = tree.path("sendmail-bin", "usr/libexec/sendmail/makemap")
MECHANISMS = "define(`confAUTH_MECHANISMS', `PLAIN LOGIN CRAM-MD5')"
ONLY_PLAIN = "define(`confAUTH_MECHANISMS', `PLAIN LOGIN')"
OPTIONS, WITH_P = "define(`confAUTH_OPTIONS', `A')", "define(`confAUTH_OPTIONS', `A p')"

# name: what is replaced in sendmail.mc, what is put at its end, the daemons: name, port, role, M=, TLS, AUTH, without a login
CONFIGURATIONS = {
    "as it is": ([], "", PLAIN),
    "A p, and only PLAIN and LOGIN": ([(OPTIONS, WITH_P), (MECHANISMS, ONLY_PLAIN)], "", auth(PLAIN[:3], UNDER_TLS)),
    "A p, with CRAM-MD5": ([(OPTIONS, WITH_P)], "", PLAIN[:3]),
    "srv_features": ([(MECHANISMS, ONLY_PLAIN)], RULES, BY_RULES),
    "the access map": ([(MECHANISMS, ONLY_PLAIN + "\nFEATURE(`access_db', `hash -T<TMPF> FOLDER/access')")], "",
                       [("smtp", 25, SMTP, "", STARTTLS, NO, OPEN), ("at-once", 465, SUBMISSIONS, "Es", AT_ONCE, NO, OPEN)]),
    "no certificate": ([("define(`confSERVER_CERT', ", "dnl define(`confSERVER_CERT', ")], "",
                       [row[:4] + (NONE,) + row[5:] for row in PLAIN[:3]]),
}


class Configured(sendmail.Sendmail):
    """A private Sendmail with something changed in its sendmail.mc, and no filters."""

    def __init__(self, workshop, name, replaced, end):
        super().__init__(workshop, name)
        self.replaced, self.end = replaced, end

    def configure(self, listeners, certificates, socket):
        super().configure(listeners, certificates, socket)
        path = self.folder / "sendmail.mc"
        text = re.sub(r"^MAIL_FILTER.*\n|, InputMailFilters=[^,']*", "", path.read_text(), flags=re.M)
        for before, after in self.replaced:
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        head, local = text.split("LOCAL_CONFIG\n")
        path.write_text((head + "LOCAL_CONFIG\n" + local + self.end).replace("FOLDER/", f"{self.folder}/"))
        (self.folder / "access").write_text(ACCESS)
        self.command(MAKEMAP, "-C", "/dev/null", "hash", self.folder / "access", input=ACCESS)
        (self.folder / "sendmail.cf").write_text(self.command("m4", path))


def observed(row, port, certificate):
    """(TLS, AUTH, without a login) as a client finds them."""
    context = ssl.create_default_context(cafile=certificate.file)
    at_once = "s" in row[3]
    client = smtplib.SMTP_SSL("localhost", port, context=context, timeout=20) if at_once else smtplib.SMTP("127.0.0.1", port, timeout=20)
    with client:
        client.ehlo()
        before = not at_once and "auth" in client.esmtp_features
        tls = AT_ONCE if at_once else STARTTLS if client.has_extn("starttls") else NONE
        code, _ = client.mail("<somebody@example.org>")
        client.rset()
        if tls == STARTTLS:
            client.starttls(context=context)
            client.ehlo()
        later = "auth" in client.esmtp_features
    return tls, YES if before else UNDER_TLS if later else NO, OPEN if code == 250 else CLOSED


def told(mta):
    done = subprocess.run([program("mailreeve"), "doctor", "--json", "--directory", mta.folder, "sendmail"], text=True,
                          capture_output=True, timeout=60)
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(f"doctor ended with {done.returncode}: {done.stderr}")
    return {each["port"]: (each["tls"], each["auth"]) for each in json.loads(done.stdout)["listeners"]}


def faults(mta, rows, ports):
    """The faults of an open submission port, without Addr= and with the port that it plays."""
    path = mta.folder / "elsewhere"
    path.mkdir()
    text = (mta.folder / "sendmail.cf").read_text()
    for row, port in zip(rows, ports):
        text = text.replace(f"Port={port}, Addr=127.0.0.1,", f"Port={row[1]},")
    (path / "sendmail.cf").write_text(text)
    done = subprocess.run([program("mailreeve"), "doctor", "--json", "--directory", path, "sendmail"], text=True,
                          capture_output=True, timeout=60)
    return {fault["where"].split(", ")[1] for fault in json.loads(done.stdout)["faults"] if fault["id"] == "submission-open"}


def play(workshop, number, replaced, end, rows, certificates):
    """(name, what is wrong) for each row."""
    listeners = [Listener(name, plays, role, sendmail=modifiers) for name, plays, role, modifiers, *_ in rows]
    for listener, port in zip(listeners, free_ports(len(listeners))):
        listener.port = port
    mta = Configured(workshop, f"sendmail{number}", replaced, end)
    mta.start(listeners, certificates, "/nonexistent")
    says, open_ones = told(mta), faults(mta, rows, [each.port for each in listeners])
    for row, listener in zip(rows, listeners):
        found = observed(row, listener.port, certificates["server"])
        wrong = [f"Sendmail does {found}, expected {row[4:]}"] * (found != row[4:])
        wrong += [f"doctor says {says[listener.port]}, Sendmail does {found}"] * (says[listener.port] != found[:2])
        is_open = row[2] != SMTP and found[2] == OPEN
        wrong += [f"submission-open: {listener.name in open_ones}, Sendmail is {found[2]}"] * ((listener.name in open_ones) != is_open)
        yield row[0], wrong
    mta.stop()


def main():
    print(f"1..{sum(len(rows) for _, _, rows in CONFIGURATIONS.values())}", flush=True)
    number = failed = 0
    with Workshop() as workshop:
        certificates = certs.make_all(workshop.folder("certificates"))
        for count, (name, (replaced, end, rows)) in enumerate(CONFIGURATIONS.items()):
            results = run(lambda: list(play(workshop, count, replaced, end, rows, certificates)))
            if len(results) != len(rows) or not isinstance(results[0], tuple):
                results = [(row[0], results) for row in rows]
            for daemon, wrong in results:
                number += 1
                failed += tap.result(number, f"{name}: {daemon}", wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main)
