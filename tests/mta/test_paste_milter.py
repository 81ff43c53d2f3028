# SPDX-License-Identifier: Apache-2.0
"""Do the milter's lines that users are told to paste work as pasted? TAP on stdout.

    test_paste_milter.py [WORD...]      only the ways with one of these words in their name

The lines are those of README.md and etc/; replaced are ports, addresses and the places of sockets. Each way is run as the
README says: first with mode audit, then changed to enforce and reloaded, then without the milter. What `mailreeve setup
sendmail` prints is followed line by line. Sendmail has Debian's own sendmail.mc; what a user's machine has besides (names, certificate, passwords) is in its provider.m4, as sendmail.py
has it. The ways run side by side. MAILREEVE_BUILD=build/asan tests another build.
"""
import concurrent.futures
import difflib
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import threading

sys.dont_write_bytecode = True

import certs
import dovecot
import paste
import sendmail
import tap
import tree
from cases import IMPLICIT, LOGIN, NEEDS_AUTH, NEEDS_TLS, NO_TLS, SENT, STARTTLS
from daemons import Trouble, free_ports, wait_for
from listeners import Listener
from milter import Milter
from plugin import program
from postfix import MAIL_OWNER, Postfix
from rig import Rig
from suite import run
from test_paste import (AUTH_OFF, AUTH_ON, BOTH, INBOUND, NO_AUTH_HERE, NO_AUTH_OFFERED, POSTFIX_SAYS_NO, Row, checks, enforce,
                        leave, nothing_in_the_log, same_lines, session)
from ways import MILTER, POSTFIX_MILTER, SENDMAIL_MILTER

MASTER, MC = paste.file("postfix/master.cf.milter"), paste.file("sendmail/mailreeve.mc")
SOCKET = "/run/mailreeve-milter/milter.sock"
STOCK = tree.path("sendmail-cf", "usr/share/sendmail/cf/debian/sendmail.mc")
MAKEMAP = tree.path("sendmail-bin", "usr/libexec/sendmail/makemap")
DEBIANS = r"^DAEMON_OPTIONS\(`Family=inet,  Name=M(?:TA|SP)-v4, .*\n"       # "Debian's: MTA-v4, MSP-v4"
ACCESS = "GreetPause:127.0.0.1 0\nClientRate:127.0.0.1 0\nClientConn:127.0.0.1 0\n"
AUTH_STILL_ON = "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\n"         # in main.cf, so on port 25, too
POSTFIX_LATER, SENDMAIL_LATER = "451 4.7.1 Service unavailable", "451 4.3.2 Please try again later"     # to MAIL
LATER_454 = "454 4."                                                                # to STARTTLS and AUTH
# before TLS: end of file (8: SSL_ERROR_EOF, as Python has it when OpenSSL gives no reason), reset
HUNG_UP = "(UNEXPECTED_EOF_WHILE_READING)", "(TLS/SSL connection has been closed (EOF)", "([Errno 8]", "([Errno 104]", "([Errno 32]"


def block(containing):
    """The lines of README.md's code block with that text."""
    return next(paste.lines_of(text) for language, text in paste.readme_blocks() if not language and containing in text)


def yaml(section_of):
    """README.md's mailreeve.yaml with one of its `milter` sections, the one for Postfix or for Sendmail."""
    section, = (text for language, text in paste.readme_blocks() if language == "yaml" and text.startswith("milter:")
                and (paste.QUEUE in text) == (section_of == "postfix"))
    return re.sub(r"^policyd:\n(  .*\n)+", "", paste.readme_yaml(), flags=re.M) + section


def master_cf():
    """etc/postfix/master.cf, policyd taken out as the README says, with the two lines more for each service."""
    services = paste.SMTP_SERVICE + re.sub(r"\$mailreeve_\w+,", "", paste.file("postfix/master.cf"))
    for service, options in re.findall(r"^(\w.*\n)((?:  -o .*\n)+)", MASTER, flags=re.M):
        assert services.count(service) == 1, f"not a service of master.cf: {service}"
        services = services.replace(service, service + options)
    return services


# ---- running them --------------------------------------------------------------------------------------------------

class PastedMilter(Milter):
    """mailreeve-milter where the configuration says: it is not told."""

    def __init__(self, workshop, configuration):
        super().__init__(workshop, configuration)
        self.socket, = re.findall(r'"unix:(.*)"', configuration.file.read_text())
        self.sockets = {"unix": f"unix:{self.socket}"}


class PastedSendmail(sendmail.Sendmail):
    """Debian's sendmail.mc with mailreeve.mc in place of its DAEMON_OPTIONS."""
    more = ""                       # of the comments of mailreeve.mc, what stands behind sasl.m4
    modifiers = ("", "")            # in place of the first: the second

    def configure(self, listeners, certificates, socket):
        super().configure([], certificates, socket)
        folder = self.workshop.folder("etc-mail")
        (folder / "m4").mkdir()
        for empty in ("local-host-names", "m4/dialup.m4"):
            (folder / empty).touch()
        (folder / "m4/provider.m4").write_text(self.provider())
        self.command(MAKEMAP, "-C", "/dev/null", "hash", folder / "access", input=ACCESS)
        with open(STOCK) as stock:
            text = stock.read().replace("/etc/mail/", f"{folder}/").replace("/usr/share/sendmail/cf/", f"{sendmail.CF}/")
        text = f"define(`_CF_DIR_', `{sendmail.CF}/')define(`MAIL_SETTINGS_DIR', `{folder}/')dnl\n" + text.replace(
            "OSTYPE(`debian')", f"include(`{sendmail.CF}/debian/autoconf.m4')dnl\nOSTYPE(`debian')")
        text = self.put_in(text, folder, listeners, str(socket))
        (self.folder / "sendmail.cf").write_text(self.compile(folder, text))

    def compile(self, folder, text):
        """A sendmail.mc in a folder like /etc/mail to a sendmail.cf, as make does."""
        (folder / "sendmail.mc").write_text(text)
        (folder / "sendmail.cf").write_text(self.command("m4", folder / "sendmail.mc"))
        return (folder / "sendmail.cf").read_text()

    def put_in(self, text, _folder, listeners, socket):
        """The lines of mailreeve.mc in place of Debian's."""
        pasted = MC.replace(*self.modifiers)
        for listener in listeners:
            pasted, count = re.subn(rf"\bPort={listener.plays},", f"Port={listener.port}, Addr=127.0.0.1,", pasted)
            assert count == 1, f"Port={listener.plays} is there {count} times"
        assert pasted.count(f"local:{SOCKET},") == 2
        pasted = pasted.replace(SOCKET, socket)
        text, count = re.subn(rf"({DEBIANS})(.*\n)({DEBIANS})", lambda found: found[2] + pasted, text, flags=re.M)
        assert count == 1, "no DAEMON_OPTIONS of MTA-v4 and MSP-v4 in Debian's sendmail.mc"
        return text

    def provider(self):
        """What a private Sendmail needs, as sendmail.py has written it, without what Debian's sendmail.mc has itself."""
        text = (self.folder / "sendmail.mc").read_text()
        text = "define(`confHOST_STATUS_DIRECTORY', `')\ndefine(`confTRUSTED_USER', `root')\n" \
            + text[text.index("define(`confDOMAIN_NAME'"):].replace("LOCAL_CONFIG\n", self.more + "LOCAL_CONFIG\n")
        return re.sub(r"^(FEATURE\(`no_default_msa'|MAILER\(|define\(`confDONT_BLAME).*\n", "", text, flags=re.M)


class CarefulSendmail(PastedSendmail):
    """What the comments of mailreeve.mc say besides: no `a`, no passwords in clear text."""
    more = "".join(line + "\n" for line in re.findall(r"^dnl #   (define\(`confAUTH_.*)", MC, flags=re.M))
    modifiers = ("M=Ea,", "M=E,")


class SetUpSendmail(PastedSendmail):
    """Debian's sendmail.mc after `mailreeve setup sendmail --print` has been followed."""
    tls = ""                        # what OpenSSL does by itself
    options = ()

    @classmethod
    def print(cls, directory, *options):
        done = subprocess.run([program("mailreeve"), "setup", "sendmail", "-c", directory, *options], text=True,
                              capture_output=True, timeout=60)
        if done.returncode or done.stderr:
            raise Trouble(f"mailreeve setup ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def put_in(self, text, folder, listeners, socket):
        self.compile(folder, text)
        told = self.print(folder, "--print", *self.options)
        assert told.count(f"local:{SOCKET},") == 2
        text = follow(text, told.replace(SOCKET, socket))
        self.as_told = re.sub(r" Addr=127\.0\.0\.1,", "", text)       # its comment: "remove to receive from any interface"
        for listener, name in zip(listeners, ("smtp", "submission", "465")):
            text, count = re.subn(rf"^(DAEMON_OPTIONS.*)\bPort={name},", rf"\1Port={listener.port},", text, flags=re.M)
            assert count == 1, f"Port={name} is there {count} times"
        return text


class StrictSetUpSendmail(SetUpSendmail):
    options = ("--enforce",)


def follow(text, told):
    """sendmail.mc with the lines where they say that they belong."""
    lines, place, end = text.splitlines(keepends=True), None, []
    first = []                      # before the first line that is replaced
    behind = {}                     # a line's number: what stands there
    end_block = False
    for line in told.splitlines(keepends=True):
        where = re.match(r"dnl # in place of line (\d+):", line)
        end_block = end_block or line.startswith("dnl # And behind the include of sasl.m4")
        if where:
            place = int(where[1])
            assert lines[place - 1].startswith("DAEMON_OPTIONS"), lines[place - 1]
            behind[place] = []
        (end if end_block else behind[place] if place else first).append(line)
    assert behind, told
    replaced = min(behind)
    behind[replaced] = first + behind[replaced]
    made = "".join("".join(behind.get(number, [line])) for number, line in enumerate(lines, 1))
    assert made.count("\nMAILER_DEFINITIONS\n") == 1
    return made.replace("\nMAILER_DEFINITIONS\n", "\n" + "".join(end) + "MAILER_DEFINITIONS\n")


class PastedRig(paste.PastedRig):
    """One of WAYS, up and running."""

    def __init__(self, name):
        self.kind, self.rows = WAYS[name]
        Rig.__init__(self, POSTFIX_MILTER if self.kind is Postfix else SENDMAIL_MILTER,
                     [Listener(*row) for row in paste.LISTENERS])

    def start(self):
        listeners = list(self.listeners.values())
        for listener, port in zip(listeners, free_ports(len(listeners))):
            listener.port = port
        self.certificates = certs.make_all(self.workshop.folder("certificates"))
        self.mta = self.kind(self.workshop)
        {"postfix": self.start_postfix, "sendmail": self.start_sendmail}[self.way.mta](listeners)

    def start_milter(self, listeners, text):
        self.configuration = paste.PastedConfiguration(self.workshop, listeners, getattr(self.mta, "spool", ""), text)
        self.milter = self.policyd = PastedMilter(self.workshop, self.configuration)
        self.plugins = {MILTER: self.milter}
        self.milter.start()

    def start_postfix(self, listeners):
        # as systemd-tmpfiles would, from the line that we install
        _, path, mode, user, group, _ = paste.lines_of(paste.file("tmpfiles.d/mailreeve.conf"))[1].split()
        assert (user, group) == (Milter.name, "postfix")
        made = pathlib.Path(path.replace(paste.QUEUE, str(self.mta.spool)))
        made.mkdir()
        os.chown(made, pwd.getpwnam(Milter.user).pw_uid, pwd.getpwnam(MAIL_OWNER).pw_gid)
        made.chmod(int(mode, 8))
        os.link(dovecot.start(self.workshop), self.mta.spool / "private/auth")          # seen from the chroot
        self.start_milter(listeners, yaml("postfix"))
        services, ports = master_cf(), {each.plays: each.port for each in listeners}
        for name, plays in paste.SERVICES.items():
            services, count = re.subn(rf"^{name}(?=\s+inet\s)", f"127.0.0.1:{ports[plays]}", services, flags=re.M)
            assert count == 1, f"{name} is there {count} times"
        self.mta.start(list(ports.values()), services, self.certificates["server"], "private/auth",
                       paste.BEFORE + AUTH_STILL_ON + paste.file("postfix/main.cf.milter"))

    def start_sendmail(self, listeners):
        folder, text = self.workshop.folder("run"), self.yaml()
        os.chown(folder, pwd.getpwnam(Milter.user).pw_uid, -1)
        assert text.count(f'"unix:{SOCKET}"') == 1
        self.start_milter(listeners, text.replace(SOCKET, str(folder / "milter.sock")))
        self.mta.start([each for each in listeners if each.plays != 2525], self.certificates, self.milter.socket)


    def yaml(self):
        """README.md's, or what `mailreeve setup sendmail` prints for Debian's sendmail.mc; there the ports have Debian's
        names, and the first name is the one that the journal has. 2525 is what milter.py's fence asks about."""
        if not issubclass(self.kind, SetUpSendmail):
            return yaml("sendmail")
        folder = self.workshop.folder("stock")
        shutil.copy(STOCK, folder / "sendmail.mc")
        text, = re.findall(r"^mode: audit\n(?:[^#\n].*\n)+", SetUpSendmail.print(folder), flags=re.M)
        return text.replace("[MTA-v4]", "[smtp, MTA-v4]").replace("[MSP-v4]", "[submission, MSP-v4]").replace(
            "milter:\n", "  - {names: [alternate], port: 2525, role: submission}\nmilter:\n")


# ---- what is played ------------------------------------------------------------------------------------------------

POSTFIX = INBOUND + AUTH_ON + [
    row for port in ("submission", "alternate") for row in (
        Row(port, "swaks", "no TLS", POSTFIX_SAYS_NO, NEEDS_TLS, POSTFIX_LATER, "tls-required"),
        Row(port, "curl", "STARTTLS, no AUTH", POSTFIX_SAYS_NO, NEEDS_AUTH, LATER_454, "auth-required", how=STARTTLS),
        Row(port, "smtplib", "STARTTLS, AUTH", SENT, SENT, LATER_454, how=BOTH))
] + [
    Row("submissions", "curl", "TLS at once, AUTH", SENT, SENT, LATER_454, how={**IMPLICIT, **LOGIN}),
    Row("submissions", "swaks", "TLS at once, no AUTH", POSTFIX_SAYS_NO, NEEDS_AUTH, POSTFIX_LATER, "auth-required",
        how=IMPLICIT),
]
NO_AUTH_ON_25 = INBOUND + [Row("smtp", "smtplib", "AUTH is not offered", *[NO_AUTH_OFFERED] * 3, asked=False, how=LOGIN),
                           *AUTH_OFF]
WITH_TLS = [
    Row("submission", "swaks", "STARTTLS, AUTH", SENT, SENT, LATER_454, how=BOTH),
    Row("submissions", "smtplib", "TLS at once, AUTH", SENT, SENT, HUNG_UP, how={**IMPLICIT, **LOGIN}),
]
SENDMAIL = NO_AUTH_ON_25 + WITH_TLS + [
    Row("submission", "swaks", "no TLS: Sendmail itself refuses", *[NEEDS_AUTH] * 3, asked=False, how={"detected": NO_TLS}),
    Row("submission", "curl", "STARTTLS, no AUTH: Sendmail itself refuses", *[NEEDS_AUTH] * 2, LATER_454, asked=False,
        how=STARTTLS),
    Row("submission", "swaks", "AUTH in clear", SENT, NEEDS_TLS, LATER_454, "tls-required", how=LOGIN),
    Row("submissions", "smtplib", "TLS at once, no AUTH: Sendmail itself refuses", *[NEEDS_AUTH] * 2, HUNG_UP, asked=False,
        how=IMPLICIT),
]
CAREFUL = NO_AUTH_ON_25 + WITH_TLS + [
    Row("submission", "swaks", "no TLS", SENT, NEEDS_TLS, SENDMAIL_LATER, "tls-required"),
    Row("submission", "smtplib", "AUTH in clear is not offered", *[NO_AUTH_OFFERED] * 3, asked=False,
        how={"detected": NO_TLS, **LOGIN}),
    Row("submission", "curl", "STARTTLS, no AUTH", SENT, NEEDS_AUTH, LATER_454, "auth-required", how=STARTTLS),
]

SET_UP = INBOUND + WITH_TLS + [
    Row("smtp", "curl", "STARTTLS, AUTH", SENT, NO_AUTH_HERE, SENT, "auth-on-smtp-port", how=BOTH),
    *[row for row in SENDMAIL if row.listener != "smtp" and row not in WITH_TLS],
]
SET_UP_STRICTLY = NO_AUTH_ON_25 + WITH_TLS + [
    *[row for row in SENDMAIL if "Sendmail itself refuses" in row.does],
    Row("submission", "smtplib", "AUTH in clear is not offered", *[NO_AUTH_OFFERED] * 3, asked=False,
        how={"detected": NO_TLS, **LOGIN}),
]

# the way: what is to be started, and what is played
WAYS = {
    "Postfix, main.cf.milter, AUTH on 25": (Postfix, POSTFIX),
    "Debian's Sendmail, mailreeve.mc": (PastedSendmail, SENDMAIL),
    "Debian's Sendmail, without `a`, with `A p`": (CarefulSendmail, CAREFUL),
    "Debian's Sendmail, mailreeve setup sendmail": (SetUpSendmail, SET_UP),
    "Debian's Sendmail, mailreeve setup sendmail --enforce": (StrictSetUpSendmail, SET_UP_STRICTLY),
}
# what doctor has to say in the end; what it leaves without --enforce as it was is what its comments name
FAULTS = {SetUpSendmail: ["auth-on-25 at MTA-v4", "auth-without-tls at MTA-v4", "auth-without-tls at MSP-v4"],
          StrictSetUpSendmail: []}


TEXTS = [
    ("README.md shows etc/postfix/main.cf.milter", lambda: same_lines("main.cf.milter", "mailreeve_milter =")),
    ("README.md shows a part of etc/postfix/master.cf.milter",
     lambda: [line for line in block("-o smtpd_milters=") if line not in paste.lines_of(MASTER)]),
    ("README.md shows etc/sendmail/mailreeve.mc",
     lambda: list(difflib.unified_diff(block("MAIL_FILTER"), re.findall(r"^(?!dnl).+", MC, flags=re.M), lineterm=""))),
    *((f"mailreeve check --strict has nothing to say about README.md's mailreeve.yaml for {mta}",
       lambda mta=mta: checks(yaml(mta))) for mta in ("postfix", "sendmail")),
]


def names_decide(rig):
    """Without the ports in mailreeve.yaml, what the MTA tells is all there is."""
    for listener in rig.listeners.values():
        rig.configuration.sed(f"port: {listener.port},", f"port: {listener.plays},")
    wrong = [] if rig.reload() else ["the configuration was refused"]
    for row in (row for row in rig.rows if row.asked and row.how in (BOTH, {**IMPLICIT, **LOGIN})):
        case = row.case(True)
        told, decisions = rig.converse(case).told, rig.milter.decisions()
        names = [line["listener"] for line in decisions]
        wrong += [f"{row.listener}: told {told!r}, journal: {names}"] * (names != [row.listener])
    return wrong


def while_away(rig, row):
    """The log shows of every session that its port was to ask the milter, Sendmail's also by which name."""
    name = "mailreeve-smtp" if row.listener == "smtp" else "mailreeve"
    missed = {"postfix": "warning: connect to Milter service unix:mailreeve-milter/milter.sock: ",
              "sendmail": f"Milter ({name}): to error state\n"}[rig.way.mta]
    mark = rig.mta.mark()
    told = rig.converse(row.case(True)).told
    wait_for(f"the log to have {missed!r}", lambda: missed in rig.mta.logged(mark))
    return [] if told.startswith(row.away) else [f"expected {row.away!r}, got {told!r}"]


def no_complaints(rig):
    return nothing_in_the_log(rig) + re.findall(r".*(?:SYSERR|unsafe|error state).*", rig.mta.logged())


def doctor(rig):
    """Of the same files, with the ports that they really have, and open to others."""
    folder = rig.workshop.folder("doctor")
    shutil.copytree(rig.workshop.path / "etc-mail", folder, dirs_exist_ok=True)
    rig.mta.compile(folder, rig.mta.as_told)
    text = rig.configuration.file.read_text()
    for listener in rig.listeners.values():
        text = text.replace(f"port: {listener.port},", f"port: {listener.plays},")
    (folder / "mailreeve.yaml").write_text(text)
    done = subprocess.run([program("mailreeve"), "doctor", "--json", "--directory", folder, "--name", certs.HOST, "--ca",
                           rig.certificates["server"].file, "sendmail"], text=True, capture_output=True, timeout=60)
    if done.returncode not in (0, 1) or done.stderr:
        return [f"it ended with {done.returncode}: {done.stderr}"]
    found = json.loads(done.stdout)
    told = [f"{fault['id']} at {fault['where'].split(', ')[1:2][0]}" for fault in found["faults"]]
    return [f"{told}, expected {FAULTS[rig.kind]}"] * (told != FAULTS[rig.kind]) + \
        [text for text in found["unknown"] if "TLS 1.0" not in text]       # it is not told to look at this machine


def steps(way):
    kind, rows = WAYS[way]
    for row in rows:
        yield f"audit: {row.listener}, {row.client}: {row.does}", lambda rig, row=row: session(rig, row, False)
    yield "changed to enforce and reloaded", enforce
    for row in rows:
        yield f"enforce: {row.listener}, {row.client}: {row.does}", lambda rig, row=row: session(rig, row, True)
    yield "the MTA tells the listener's name", names_decide
    if kind in FAULTS:
        yield "what mailreeve doctor has to say", doctor
    yield "the MTA's log has nothing to complain about", no_complaints
    yield "the milter ends with status 0", leave
    for row in rows:
        yield f"milter away: {row.listener}, {row.client}: {row.does}", lambda rig, row=row: while_away(rig, row)


def play(way, stopping):
    with PastedRig(way) as rig:
        return [(f"{way}: {name}", run(test, rig)) for name, test in steps(way) if not stopping.is_set()]


def main(words):
    ways = [way for way in WAYS if not words or any(word in way for word in words)]
    print(f"1..{len(TEXTS) + sum(len(list(steps(way))) for way in ways)}", flush=True)
    number = failed = 0
    stopping = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        played = [pool.submit(play, way, stopping) for way in ways]
        try:
            for result in [lambda: [(name, run(test)) for name, test in TEXTS], *[each.result for each in played]]:
                for number, (name, wrong) in enumerate(result(), number + 1):
                    failed += tap.result(number, name, wrong)
        finally:
            stopping.set()
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
