# SPDX-License-Identifier: Apache-2.0
"""What users are told to paste, read from docs/by-hand.md and etc/, and a private Postfix and policyd that run on it.

Nothing is written anew here. Replaced are only what a second mail system on one machine cannot share: ports, the queue
directory, accounts, the journal's place. smtpd stays chrooted.
"""
import os
import pathlib
import pwd
import re
import subprocess

import certs
import dovecot
from daemons import free_ports
from listeners import SMTP, SUBMISSION, SUBMISSIONS, Listener
from plugin import Configuration, program
from policyd import Policyd
from postfix import GROUP, MAIL_OWNER, Postfix
from rig import Rig
from tree import REPOSITORY
from ways import POLICYD, POSTFIX_POLICYD

QUEUE = "/var/spool/postfix"
LISTENERS = (("smtp", 25, SMTP), ("submission", 587, SUBMISSION), ("submissions", 465, SUBMISSIONS),
             ("alternate", 2525, SUBMISSION))
SERVICES = {"smtp": 25, "submission": 587, "submissions": 465, "2525": 2525}    # first word in master.cf
ACCOUNTS = {"mailreeve-policyd": Policyd.user, "postfix": MAIL_OWNER}

# What the provider has already: TLS is possible on port 25, and Debian's service for it, chrooted
BEFORE = "smtpd_tls_security_level = may\n"
SMTP_SERVICE = "smtp      inet  n       -       y       -       -       smtpd\n"
NO_AUTH = "smtpd_sasl_auth_enable = no\n"


def file(name):
    return (REPOSITORY / "etc" / name).read_text()


def lines_of(text):
    """The lines that count."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def readme_blocks():
    """The code blocks of docs/by-hand.md: (language, text)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", (REPOSITORY / "docs/by-hand.md").read_text(), re.M | re.S)


def readme_block(beginning):
    return next(text for _, text in readme_blocks() if text.startswith(beginning))


def readme_yaml():
    return next(text for language, text in readme_blocks() if language == "yaml")


# ---- the ways to plug it in: lines for main.cf, mailreeve.yaml, master.cf -------------------------------------------------

def commented(text, after):
    """The lines behind a comment, up to the first that is none or empty, without their `#`."""
    behind = text[text.index(after):].splitlines()[1:]
    block = []
    for line in behind:
        if not line.startswith("#") or (block and line == "#"):
            break
        block.append(line[1:])
    return "\n".join(line.removeprefix("   ") for line in block if line) + "\n"


def with_auth_on_25(main_cf, instead):
    """`instead` takes the place of the line that switches AUTH off."""
    assert main_cf.count(NO_AUTH) == 1
    return main_cf.replace(NO_AUTH, instead)


def old_yaml():
    """README's, but for the section `policyd`, which main.cf.before-3.1 has in a comment."""
    return re.sub(r"^policyd:\n(  .*\n)+", "", readme_yaml(), flags=re.M) + commented(OLD, "(mailreeve.yaml):")


NOW, OLD = file("postfix/main.cf"), file("postfix/main.cf.before-3.1")
MASTER = file("postfix/master.cf")
NETWORKS_PASS = MASTER.replace("submission,permit_", "submission,permit_mynetworks,permit_")    # README: trusted clients
WAYS = {
    "main.cf": (NOW, readme_yaml, MASTER),
    "main.cf.auth-on-25": (with_auth_on_25(NOW, file("postfix/main.cf.auth-on-25")), readme_yaml, MASTER),
    "main.cf.before-3.1": (OLD, old_yaml, MASTER),
    "main.cf.before-3.1, AUTH on 25": (with_auth_on_25(OLD, commented(OLD, 'instead of "smtpd_sasl')), old_yaml, MASTER),
    "main.cf, own networks may pass": (NOW, readme_yaml, NETWORKS_PASS),
}


# ---- running it ----------------------------------------------------------------------------------------------------

class PastedConfiguration(Configuration):
    """A configuration that is pasted, not made."""

    def __init__(self, workshop, listeners, spool, text):
        super().__init__(workshop, listeners)
        for listener in listeners:
            text, count = re.subn(rf"\bport: +{listener.plays},", f"port: {listener.port},", text)
            assert count == 1, f"port {listener.plays} is there {count} times"
        text = text.replace(QUEUE, str(spool)).replace("group: postfix", f"group: {GROUP}")
        self.file.write_text(text + f"journal: {{path: {self.journal}}}\n")

    def sed(self, before, after):
        """What a user would do with an editor."""
        text = self.file.read_text()
        assert text.count(before) == 1
        self.file.write_text(text.replace(before, after))


class PastedPolicyd(Policyd):
    """mailreeve-policyd where the configuration says: it is not told."""

    def __init__(self, workshop, configuration):
        super().__init__(workshop, configuration, port=0)
        sockets = re.findall(r"[\w./-]+\.sock", configuration.file.read_text())
        self.socket = next((name for name in sockets if "alternate" in name), sockets[0])


def make_socket_folder(spool):
    """As systemd-tmpfiles would, from the line that we install."""
    _, path, mode, user, _, _ = lines_of(file("tmpfiles.d/mailreeve.conf"))[0].split()
    made = pathlib.Path(path.replace(QUEUE, str(spool)))
    made.mkdir()
    os.chown(made, pwd.getpwnam(ACCOUNTS[user]).pw_uid, pwd.getpwnam(MAIL_OWNER).pw_gid)
    made.chmod(int(mode, 8))


class PastedRig(Rig):
    """One of WAYS, up and running."""

    def __init__(self, way):
        self.main_cf, yaml, self.master_cf = WAYS[way]
        self.yaml = yaml()
        super().__init__(POSTFIX_POLICYD, [Listener(*row) for row in LISTENERS])

    def start(self):
        listeners = list(self.listeners.values())
        ports = dict(zip([each.plays for each in listeners], free_ports(len(listeners))))
        for listener in listeners:
            listener.port = ports[listener.plays]
        self.certificates = certs.make_all(self.workshop.folder("certificates"))
        self.mta = Postfix(self.workshop)
        make_socket_folder(self.mta.spool)
        os.link(dovecot.start(self.workshop), self.mta.spool / "private" / "auth")         # seen from the chroot
        self.configuration = PastedConfiguration(self.workshop, listeners, self.mta.spool, self.yaml)
        self.policyd = PastedPolicyd(self.workshop, self.configuration)
        self.plugins = {POLICYD: self.policyd}
        self.policyd.start()
        services = SMTP_SERVICE + self.master_cf
        for name, plays in SERVICES.items():
            services, count = re.subn(rf"^{name}(?=\s+inet\s)", f"127.0.0.1:{ports[plays]}", services, flags=re.M)
            assert count == 1, f"{name} is there {count} times"
        self.mta.start(list(ports.values()), services, self.certificates["server"], "private/auth",
                       BEFORE + self.main_cf)

    def trapped(self):
        return False

    def __exit__(self, *problem):
        self.workshop.__exit__(*problem)


def check(text):
    """`mailreeve check` on a text: (exit code, what it says)."""
    done = subprocess.run([program("mailreeve"), "check", "--strict", "-c", "/dev/stdin"], input=text,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout
