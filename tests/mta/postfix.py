# SPDX-License-Identifier: Apache-2.0
"""A private Postfix: own configuration, queue and data directories, high ports on loopback, mail goes to discard:.

It borrows two accounts that every Debian has and a mail server hardly uses, so that no account is added to the
machine. Nothing of theirs is touched: all files lie in the directory of the run.
"""
import grp
import os
import pwd
import subprocess

import certs
import tree
from daemons import HAVE_IPV6, Logging, Trouble, listens, wait_for

MAIL_OWNER, SETGID_GROUP = "uucp", "news"
GROUP = grp.getgrgid(pwd.getpwnam(MAIL_OWNER).pw_gid).gr_name       # the one smtpd runs with: policyd's socket is its

MAIN = """\
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/spool
data_directory = {folder}/data
meta_directory = {folder}/etc
daemon_directory = {tree}/usr/lib/postfix/sbin
command_directory = {tree}/usr/sbin
shlib_directory = {tree}/usr/lib/postfix
import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH={libraries}
mail_owner = {owner}
setgid_group = {group}
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}

myhostname = {host}
inet_protocols = {protocols}
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128
relay_domains = example.com
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
default_transport = discard:
relay_transport = discard:
default_database_type = texthash
alias_maps =
smtpd_peername_lookup = no
smtpd_client_port_logging = yes

smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 1
smtpd_tls_protocols = >=TLSv1
smtpd_tls_mandatory_protocols = >=TLSv1
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
"""

SERVICES = """\
cleanup   unix       n - n -     0 cleanup
qmgr      unix       n - n 300   1 qmgr
tlsmgr    unix       - - n 1000? 1 tlsmgr
rewrite   unix       - - n -     - trivial-rewrite
bounce    unix       - - n -     0 bounce
defer     unix       - - n -     0 bounce
trace     unix       - - n -     0 bounce
verify    unix       - - n -     1 verify
flush     unix       n - n 1000? 0 flush
proxymap  unix       - - n -     - proxymap
error     unix       - - n -     - error
retry     unix       - - n -     - error
discard   unix       - - n -     - discard
anvil     unix       - - n -     1 anvil
postlog   unix-dgram n - n -     1 postlogd
"""

# directory in the queue: owner, group and mode, as postfix-install would make them
PRIVATE = (MAIL_OWNER, None, 0o700)
PUBLIC = (MAIL_OWNER, SETGID_GROUP, 0o710)
MAILDROP = (MAIL_OWNER, SETGID_GROUP, 0o730)
QUEUE = {
    **dict.fromkeys("active bounce corrupt defer deferred flush hold incoming private saved trace".split(), PRIVATE),
    "public": PUBLIC, "maildrop": MAILDROP, "pid": (None, None, 0o755),
}


def make_queue(folder):
    for name, (owner, group, mode) in QUEUE.items():
        made = folder / name
        made.mkdir()
        os.chown(made, pwd.getpwnam(owner).pw_uid if owner else 0, grp.getgrnam(group).gr_gid if group else 0)
        made.chmod(mode)


def master_cf(listeners, sockets):
    """One smtpd service per listener and address, its settings as -o options."""
    lines = []
    for listener in listeners:
        options = [f"  -o {{ {name} = {value} }}" for name, value in listener.settings(sockets).items()]
        for address in ["127.0.0.1"] + ["[::1]"] * HAVE_IPV6:
            lines += [f"{address}:{listener.port} inet n - n - - smtpd", *options]
    return "\n".join(lines)


class Postfix(Logging):
    """A Postfix of its own in a folder of the workshop: made by the constructor, run by start()."""

    def __init__(self, workshop, name="postfix"):
        self.workshop, self.folder = workshop, workshop.folder(name)
        self.spool, self.log = self.folder / "spool", self.folder / "maillog"
        for inside in ("etc", "spool", "data"):
            (self.folder / inside).mkdir()
        make_queue(self.spool)
        os.chown(self.folder / "data", pwd.getpwnam(MAIL_OWNER).pw_uid, -1)

    def start(self, ports, services, server, sasl="none", settings="", host=certs.HOST):
        """Start, and return when all ports accept connections.

        services: master.cf without what every Postfix needs; server: the certificate; sasl: Dovecot's auth socket;
        settings: more lines for main.cf."""
        etc = self.folder / "etc"
        (etc / "main.cf").write_text(MAIN.format(
            folder=self.folder, tree=tree.path("postfix").rstrip("/"), libraries=tree.library_path("postfix"),
            host=host, owner=MAIL_OWNER, group=SETGID_GROUP, protocols="all" if HAVE_IPV6 else "ipv4",
            certificate=server.file, key=server.key, sasl=sasl) + settings)
        (etc / "master.cf").write_text(services + "\n" + SERVICES)

        output = self.folder / "output"
        self.master = self.workshop.start([tree.path("postfix", "usr/lib/postfix/sbin/master"), "-c", etc, "-d"],
                                          output, self.environment)
        try:
            for port in ports:
                wait_for(f"Postfix on port {port}", lambda: listens(port))
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{output.read_text()}{self.logged()}") from None

    def stop(self):
        self.workshop.stop(self.master)

    @property
    def environment(self):
        return {"MAIL_CONFIG": str(self.folder / "etc"), "LD_LIBRARY_PATH": tree.library_path("postfix")}

    def command(self, program, *options):
        """Run one of Postfix's commands on this instance and return what it printed."""
        done = subprocess.run([tree.path("postfix", f"usr/sbin/{program}"), *options], text=True, timeout=20,
                              env={**os.environ, **self.environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Trouble(f"{program} ended with {done.returncode}: {done.stdout}")
        return done.stdout

    def settle(self):
        """Wait until smtpd has said its last about every session so far: that may be after the client has left."""
        wait_for("smtpd to end its sessions",
                 lambda: self.logged().count("]: connect from") == self.logged().count("]: disconnect from"))
