# SPDX-License-Identifier: Apache-2.0
"""A private Sendmail: own .cf, queue, aliases, users and log, high ports on loopback; the mail stays in its queue.

It takes its host name and /dev/log from the machine, so it lives in namespaces of its own where both are others. Root
is needed for that; the machine's own /dev, /etc and host name are not touched.
"""
import os
import subprocess
import sys

import certs
import tree
from daemons import HAVE_IPV6, Logging, Trouble, listens, wait_for
from dovecot import PASSWORD, USER

SENDMAIL, CF = tree.path("sendmail-bin", "usr/libexec/sendmail/sendmail"), tree.path("sendmail-cf", "usr/share/sendmail/cf")
SASLPASSWD = tree.path("sasl2-bin", "usr/sbin/saslpasswd2")
MECHANISMS = "PLAIN LOGIN CRAM-MD5"

# Two filters that are one: what happens when Mailreeve does not answer is a flag of the filter, and differs by role.
# The load average is that of the whole machine, and must not close a port.
MC = """\
divert(-1)
define(`_CF_DIR_', `{cf}/')
include(`{cf}/m4/cf.m4')
OSTYPE(`linux')
define(`confDOMAIN_NAME', `{host}')
define(`QUEUE_DIR', `{folder}/queue')
define(`confPID_FILE', `{folder}/pid')
define(`confSERVICE_SWITCH_FILE', `{folder}/service.switch')
define(`confHOSTS_FILE', `{folder}/hosts')
define(`ALIAS_FILE', `{folder}/aliases')
define(`STATUS_FILE', `{folder}/statistics')
define(`HELP_FILE', `{folder}/helpfile')
define(`confCONTROL_SOCKET_NAME', `')
define(`confDONT_PROBE_INTERFACES', `True')
define(`confTO_IDENT', `0s')
define(`confTO_STARTTLS', `15s')
define(`confREFUSE_LA', `100000')
define(`confQUEUE_LA', `100000')
define(`confDELAY_LA', `0')
define(`confCONNECTION_RATE_THROTTLE', `0')
define(`confLOG_LEVEL', `9')
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')
define(`confDELIVERY_MODE', `queueonly')
define(`confSERVER_CERT', `{certificate}')
define(`confSERVER_KEY', `{key}')
define(`confCACERT', `{believed}')
define(`confCACERT_PATH', `{folder}')
define(`confCERT_FINGERPRINT_ALGORITHM', `sha256')
define(`confAUTH_MECHANISMS', `{mechanisms}')
TRUST_AUTH_MECH(`{mechanisms}')
define(`confAUTH_OPTIONS', `A')
FEATURE(`no_default_msa')
FEATURE(`nocanonify')
FEATURE(`accept_unresolvable_domains')
RELAY_DOMAIN(`127 IPv6:0:0:0:0:0:0:0:1')
{filters}
{daemons}
MAILER(`smtp')
LOCAL_CONFIG
ESASL_CONF_PATH={folder}/sasl
{tls}
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/users
mech_list: {mechanisms}
"""

# In the namespaces: $1 is the folder, what follows the command. A chroot has no / to make private, and no need to.
ENTER = """\
set -e
mount --make-rprivate / 2>/dev/null || :
hostname {host}
for node in null zero random urandom; do : >"$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"; done
mount --bind "$1/dev" /dev
for file in hosts nsswitch.conf; do [ ! -e "/etc/$file" ] || mount --bind "$1/$file" "/etc/$file"; done
shift
exec "$@"
"""
NAMES = {"service.switch": "hosts files\naliases files\npasswd files\n", "nsswitch.conf": "passwd: files\nhosts: files\n",
         "hosts": f"127.0.0.1 localhost {certs.HOST}\n::1 localhost\n", "aliases": "", "statistics": "",
         "helpfile": "#vers 2\n"}


def daemon_options(listener):
    """DAEMON_OPTIONS for a listener, one for each address."""
    options = listener.sendmail_options()
    return [f"DAEMON_OPTIONS(`Port={listener.port}, Addr={address}, Family={family}, {options}')"
            for address, family in [("127.0.0.1", "inet")] + [("::1", "inet6")] * HAVE_IPV6]


def filters(listeners, socket):
    """A MAIL_FILTER for every kind of filter that the listeners have: all of them are the one behind the socket."""
    kinds = dict.fromkeys(listener.sendmail_filter() for listener in listeners)
    return [f"MAIL_FILTER(`{name}', `S=local:{socket}{flag}, T=C:5s;S:5s;R:5s;E:5s')" for name, flag in kinds]


def private(*command):
    """A command in mount and UTS namespaces of its own."""
    return ["unshare", "--mount", "--uts", "--propagation", "unchanged", *command]


class Sendmail(Logging):
    """A Sendmail of its own in a folder of the workshop: made by the constructor, run by start()."""

    tls = "O CipherList=ALL:COMPLEMENTOFALL:@SECLEVEL=0\nO ServerSSLOptions="      # takes all that a client may offer

    def __init__(self, workshop, name="sendmail"):
        self.workshop, self.folder = workshop, workshop.folder(name)
        self.log, self.output = self.folder / "maillog", self.folder / "output"
        for inside, mode in (("queue", 0o700), ("dev", 0o755), ("sasl", 0o755)):
            workshop.folder(f"{name}/{inside}", mode)
        for file, text in NAMES.items():
            (self.folder / file).write_text(text)

    def command(self, *argv, **options):
        """Run a command that has to succeed, and return what it printed."""
        done = subprocess.run([str(word) for word in argv], text=True, timeout=60, capture_output=True, **options)
        if done.returncode:
            raise Trouble(f"{argv[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def add_user(self):
        (self.folder / "sasl" / "Sendmail.conf").write_text(SASL.format(folder=self.folder, mechanisms=MECHANISMS))
        name, _, realm = USER.partition("@")
        users = self.folder / "users"
        self.command(SASLPASSWD, "-p", "-c", "-f", users, "-u", realm, name, input=PASSWORD)
        users.chmod(0o600)

    def configure(self, listeners, certificates, socket):
        server, believed = certificates["server"], self.folder / "believed.pem"
        believed.write_text(certificates["relay"].file.read_text())     # whose certificates are verified
        os.chmod(server.key, 0o600)
        self.add_user()
        (self.folder / "sendmail.mc").write_text(MC.format(
            cf=CF, folder=self.folder, host=certs.HOST, certificate=server.file, key=server.key, believed=believed,
            mechanisms=MECHANISMS, tls=self.tls, filters="\n".join(filters(listeners, socket)),
            daemons="\n".join(line for listener in listeners for line in daemon_options(listener))))
        (self.folder / "sendmail.cf").write_text(self.command("m4", self.folder / "sendmail.mc"))

    def start(self, listeners, certificates, socket):
        """Start, and return when all ports accept connections. socket: the filter's."""
        self.configure(listeners, certificates, socket)
        log = self.folder / "dev" / "log"
        self.syslogd = self.workshop.start([sys.executable, tree.REPOSITORY / "tests/mta/syslogd.py", log, self.log],
                                           self.output)
        wait_for("/dev/log", log.exists)
        self.daemon = self.workshop.start(
            [*private("sh", "-c", ENTER.format(host=certs.HOST), "sh", self.folder), SENDMAIL,
             "-C", self.folder / "sendmail.cf", "-bD"], self.output)
        try:
            for listener in listeners:
                wait_for(f"Sendmail on port {listener.port}", lambda: listens(listener.port) or self.failed(), 30)
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{self.output.read_text()}{self.logged()}") from None

    def failed(self):
        if self.daemon.poll() is not None:
            raise Trouble(f"Sendmail ended with {self.daemon.returncode}")

    def stop(self):
        self.workshop.stop(self.daemon)
        self.workshop.stop(self.syslogd)
