# SPDX-License-Identifier: Apache-2.0
"""A private Postfix and a private Sendmail that do not know of Mailreeve, with mailreeve-tap looking on, for real clients;
and their logs by client and mode.

A client has a source address of its own in every mode (from_address.c), and a user of its own, so that its lines are
found again. Which they are is worked out here once more, by hand: the audit's own join is what is tested.
"""
import concurrent.futures
import dataclasses
import ipaddress
import os
import pathlib
import re
import socket
import subprocess

import certs
import dovecot
import tree
from clients import CLIENTS, MODES, SENDER_DOMAIN, UNPACKED, Order
from daemons import Trouble, Workshop, free_ports, wait_for
from listeners import ASK_FIRST, ASK_IF_AUTHENTICATED, AUTH, SMTP, SUBMISSION, SUBMISSIONS, Listener
from postfix import Postfix, master_cf
from sendmail import SASLPASSWD, Sendmail
from wiretap import Policy, Wiretap

PASSWORD = "Wh1te-elephant"         # is to be in no log
AT_A_TIME = 16                      # most of them wait
NOBODY = "192.0.2.255/32"


class Alone(Listener):
    """A listener of an MTA that nobody has told of Mailreeve, and that logs no client's port, as it is by default."""

    def settings(self, sockets):
        told = {*ASK_FIRST, *ASK_IF_AUTHENTICATED}
        return {"smtpd_client_port_logging": "no",
                **{name: value for name, value in super().settings(sockets).items() if name not in told}}

    def sendmail_options(self):
        return super().sendmail_options().partition(", InputMailFilters=")[0]


# Several stand for one port, of servers that are set up differently: see as_one_port().
LISTENERS = {
    "postfix": [
        Alone("smtp", 25, SMTP, AUTH),
        Alone("smtp-quiet", 25, SMTP),
        Alone("submission", 587, SUBMISSION, {"smtputf8_enable": "no"}),
        Alone("submission-utf8", 587, SUBMISSION),
        Alone("submission-encrypt", 587, SUBMISSION,
              {"smtpd_tls_security_level": "encrypt", "smtpd_tls_auth_only": "yes"}),
        Alone("submission-modern", 587, SUBMISSION,
              {"smtpd_tls_protocols": ">=TLSv1.2", "smtpd_tls_mandatory_protocols": ">=TLSv1.2"}),
        Alone("submissions", 465, SUBMISSIONS),
    ],
    "sendmail": [
        Alone("smtp", 25, SMTP, context="MTA", sendmail=""),
        Alone("smtp-quiet", 25, SMTP, context="MTA-quiet", sendmail="A"),
        Alone("submission", 587, SUBMISSION, context="MSA"),
        Alone("submissions", 465, SUBMISSIONS, context="TLSMSA"),
    ],
}


def as_one_port(log):
    """The log as it would be if the listeners that stand for one port had its usual name."""
    return re.sub(r"\b(postfix/smtp|postfix/submission|MTA)-\w+\b", r"\1", log)


def user(client):
    return f"{client.name}@{SENDER_DOMAIN}"


def cases(mta):
    """(client, mode) of all that is played on an MTA."""
    there = {listener.name for listener in LISTENERS[mta]}
    return [(client, mode) for mode in MODES if mode.listener in there for client in mode.by or CLIENTS
            if mode.name not in client.cannot]


@dataclasses.dataclass
class Played:
    mta: str
    client: str
    mode: str
    address: str
    lines: list             # of the log
    said: str               # by the client


class MTAs:
    """Private MTAs of which nobody has told Mailreeve; a context manager."""

    def __init__(self, listeners, sendmail, users=()):
        """listeners: a list for each MTA; sendmail: its class; users: who can log in, besides dovecot.USER."""
        if os.geteuid() != 0:
            raise Trouble("this starts a private Postfix and Sendmail, which have to begin as root; run it as root")
        for package in (package for mta in listeners for package in tree.NEEDED[mta]):
            tree.check(package)
        self.workshop, self.users, self.mta = Workshop(), users, {}
        self.listeners = {mta: [dataclasses.replace(each) for each in rows] for mta, rows in listeners.items()}
        try:
            self.certificates = certs.make_all(self.workshop.folder("certificates"))
            for mta, rows in self.listeners.items():
                for listener, port in zip(rows, free_ports(len(rows))):
                    listener.port = port
                self.mta[mta] = {"postfix": Postfix, "sendmail": sendmail}[mta](self.workshop)
                {"postfix": self.start_postfix, "sendmail": self.start_sendmail}[mta](self.mta[mta], rows)
            self.prepare()
        except BaseException:
            self.workshop.__exit__(None, None, None)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.workshop.__exit__(*problem)

    def prepare(self):
        """What else is needed once the MTAs run."""

    def start_postfix(self, postfix, listeners):
        sasl = dovecot.start(self.workshop)
        with open(self.workshop.path / "dovecot" / "users", "a") as users:
            users.writelines(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in self.users)
        checks = postfix.folder / "header_checks"           # the program's name goes into the log (docs/audit.md)
        checks.write_text("/^(User-Agent|X-Mailer):/ INFO\n")
        postfix.start([each.port for each in listeners], master_cf(listeners, {}), self.certificates["server"], sasl,
                      f"header_checks = regexp:{checks}\n")

    def start_sendmail(self, sendmail, listeners):
        sendmail.start(listeners, self.certificates, None)
        for user in self.users:
            name, _, realm = user.partition("@")
            sendmail.command(SASLPASSWD, "-p", "-c", "-f", sendmail.folder / "users", "-u", realm, name, input=PASSWORD)

    def look_on(self, monitors=NOBODY, proxied=()):
        """Start a mailreeve-tap for each of the MTAs, as if it had the machine to itself; `policy` is what it is told."""
        self.policy = {mta: Policy(self.workshop, f"mailreeve-{mta}", listeners, monitors, proxied)
                       for mta, listeners in self.listeners.items()}
        self.tap = {mta: Wiretap(self.workshop, policy) for mta, policy in self.policy.items()}
        for wiretap in self.tap.values():
            wiretap.start()

    def port(self, mta, name):
        return next(each.port for each in self.listeners[mta] if each.name == name)

    def settle(self):
        """Wait until the MTAs have logged all that they have to say of the sessions so far."""
        for mta in self.mta.values():
            mta.settle()


class Stand(MTAs):
    """The MTAs for real clients."""

    def __init__(self, mtas=("postfix", "sendmail")):
        for package, file in UNPACKED.items():
            if not os.path.exists(tree.path(package, file)):
                raise Trouble(f"{package} is not in {tree.TREES}; run: make deps")
        super().__init__({mta: LISTENERS[mta] for mta in mtas}, Unplugged, [user(client) for client in CLIENTS])

    def prepare(self):
        self.preload = str(self.workshop.path / "from_address.so")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", self.preload,
                        pathlib.Path(__file__).with_name("from_address.c")], check=True)
        self.look_on()

    def play(self, mta, client, mode, address):
        """Let one client do one thing; what it printed."""
        home = self.workshop.folder(f"home-{mta}-{client.name}-{mode.name}")
        return client.run(Order(self.port(mta, mode.listener), mode.tls, mode.login, mode.old, user(client), PASSWORD,
                                str(self.certificates[mode.believes].file), home, mode.patience), address, self.preload)

    def play_all(self, chosen):
        """Let clients do what they do, many at a time. chosen: (mta, client, mode). Returns a list of Played."""
        addresses = [f"127.1.{number // 250 + 1}.{number % 250 + 1}" for number in range(len(chosen))]
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            said = list(pool.map(self.play, *zip(*chosen), addresses))
        self.settle()
        lines = {name: by_address(name, as_one_port(mta.logged())) for name, mta in self.mta.items()}
        return [Played(mta, client.name, mode.name, address, lines[mta].get(address, []), words)
                for (mta, client, mode), address, words in zip(chosen, addresses, said)]


class Unplugged(Sendmail):
    """A Sendmail without a filter: one is defined, as the rig's are, but no daemon has it."""

    def settle(self):
        """Wait until no session's process is left, and until its last words have gone through the log."""
        wait_for("Sendmail's sessions to end", lambda: not children(self.daemon.pid), 30)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.sendto(b"<22>settled", str(self.folder / "dev" / "log"))
        wait_for("the log to be written", lambda: self.logged().endswith("settled\n"))


def children(parent):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            found += [stat] if int(stat.read_text().rpartition(")")[2].split()[1]) == parent else []
        except OSError:
            pass                        # it has just ended
    return found


LINE = re.compile(r"[^\[]+\[(\d+)\]: (.*)")
ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9a-fA-F]+[.:][0-9a-fA-F.:]+)\]")


def by_address(mta, log):
    """{client's address: its lines}. Postfix: a process is a session from "connect" to "disconnect"; Sendmail: a process
    is a session."""
    found, of_process = {}, {}
    for line in log.splitlines():
        if not (parts := LINE.match(line)):
            continue
        process, text = parts.groups()
        if (named := ADDRESS.search(line)) and (mta == "sendmail" or text.startswith("connect from ")):
            of_process[process] = found.setdefault(str(ipaddress.ip_address(named[1])), [])
        if process in of_process:
            of_process[process].append(line)
        if mta == "postfix" and text.startswith("disconnect from "):
            of_process.pop(process, None)
    return found
