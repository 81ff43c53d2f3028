# SPDX-License-Identifier: Apache-2.0
"""A private Postfix: own configuration, queue and data directories, high ports on loopback, mail goes to discard:.

It borrows two accounts that every Debian has and a mail server hardly uses, so that no account is added to the
machine. Nothing of theirs is touched: all files lie in the directory of the run.
"""
import grp
import os
import pwd

import certs
import tree
from daemons import HAVE_IPV6, Trouble, answers, wait_for

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
    return "\n".join(lines) + "\n" + SERVICES


class Postfix:
    def __init__(self, workshop, listeners, sockets, sasl, server):
        """Start Postfix with these listeners (their ports are set) and return when all of them accept connections.

        sockets: what a listener's `asks` means as the address of a policy service; sasl: Dovecot's auth socket;
        server: the certificate."""
        folder = workshop.folder("postfix")
        self.log = folder / "maillog"
        for name in ("etc", "spool", "data"):
            (folder / name).mkdir()
        make_queue(folder / "spool")
        os.chown(folder / "data", pwd.getpwnam(MAIL_OWNER).pw_uid, -1)

        (folder / "etc" / "main.cf").write_text(MAIN.format(
            folder=folder, tree=tree.path("postfix").rstrip("/"), libraries=tree.library_path("postfix"),
            host=certs.HOST, owner=MAIL_OWNER, group=SETGID_GROUP, protocols="all" if HAVE_IPV6 else "ipv4",
            certificate=server.file, key=server.key, sasl=sasl))
        (folder / "etc" / "master.cf").write_text(master_cf(listeners, sockets))

        workshop.start([tree.path("postfix", "usr/lib/postfix/sbin/master"), "-c", folder / "etc", "-d"],
                       folder / "output",
                       {"MAIL_CONFIG": str(folder / "etc"), "LD_LIBRARY_PATH": tree.library_path("postfix")})
        try:
            for listener in listeners:
                wait_for(f"Postfix on port {listener.port}", lambda: answers(listener.port))
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{(folder / 'output').read_text()}{self.logged()}") from None

    def mark(self):
        """Where the mail log ends now, for logged()."""
        return self.log.stat().st_size if self.log.exists() else 0

    def logged(self, mark=0):
        """What the mail log has had to say since a mark."""
        if not self.log.exists():
            return ""
        with self.log.open(errors="replace") as log:
            log.seek(mark)
            return log.read()
