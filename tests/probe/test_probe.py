# SPDX-License-Identifier: Apache-2.0
"""`mailreeve probe` against a private Postfix and a private Sendmail, right and wrong in turn; against DNS. TAP on stdout.

    test_probe.py [WORD...]         only the tests with one of these words in their name

It is in a network of its own, so that it may use the ports that everybody looks for.
"""
import dataclasses
import re
import sys

sys.dont_write_bytecode = True

from probing import HOST, expect, probe      # noqa: E402  (it also says where the rigs are)
from pki import Pki                          # noqa: E402
from nameserver import A, AAAA, NXDOMAIN, REFUSED, SERVFAIL, SILENT, SRV, TRUNCATED, NameServer, srv, srv_loop  # noqa: E402

import dovecot                               # noqa: E402
import network                               # noqa: E402
import tap                                   # noqa: E402
from daemons import Workshop, free_ports     # noqa: E402
from postfix import Postfix                  # noqa: E402
from sendmail import Sendmail                # noqa: E402

SMTP, SUBMISSION, SUBMISSIONS = "smtp", "submission", "submissions"
TLS12 = {"smtpd_tls_protocols": ">=TLSv1.2", "smtpd_tls_mandatory_protocols": ">=TLSv1.2"}
STRICT = {**TLS12, "smtpd_tls_exclude_ciphers": "aNULL"}
LOGIN = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "yes",
         "smtpd_recipient_restrictions": "permit_sasl_authenticated,reject"}
OPEN = {"smtpd_recipient_restrictions": "permit_mynetworks,reject"}
BASE = {
    SMTP: {**STRICT, "smtpd_tls_security_level": "may"},
    SUBMISSION: {**STRICT, **LOGIN, "smtpd_tls_security_level": "encrypt"},
    SUBMISSIONS: {**STRICT, **LOGIN, "smtpd_tls_wrappermode": "yes"},
}


@dataclasses.dataclass
class Port:
    """A smtpd that has something wrong (or nothing): what is said of it, severity by id."""
    name: str
    role: str
    options: dict = dataclasses.field(default_factory=dict)
    faults: dict = dataclasses.field(default_factory=dict)
    unknown: bool = False           # is something said not to be known?
    certificate: str = "good"
    called: str = HOST              # what clients call it; the postmaster there is asked for
    port: int = 0


ERROR, WARNING, NOTE = "error", "warning", "note"
POSTFIX = [
    Port("25, right", SMTP),
    Port("25, no TLS at all", SMTP, {"smtpd_tls_security_level": "none"}),
    Port("25, AUTH in clear", SMTP, {"smtpd_sasl_auth_enable": "yes"}, {"auth-on-25": ERROR}),
    Port("25, AUTH under TLS", SMTP, {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "yes"}, {"auth-on-25": ERROR}),
    Port("25, TLS demanded", SMTP, {"smtpd_tls_security_level": "encrypt"}, {"tls-required-on-25": ERROR}),
    Port("25, TLS at once", SMTP, {"smtpd_tls_wrappermode": "yes"}, {"tls-at-once-on-starttls-port": ERROR}),
    Port("25, old TLS", SMTP, {"smtpd_tls_protocols": ">=TLSv1"}, {"tls-old-versions": NOTE}),
    Port("25, self-signed", SMTP, certificate="self", faults={"certificate-self-signed": NOTE}),
    Port("587, right", SUBMISSION),
    Port("587, TLS demanded by AUTH", SUBMISSION, {"smtpd_tls_security_level": "may"}),
    Port("587, AUTH in clear", SUBMISSION, {"smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "no"},
         {"auth-without-tls": ERROR}),
    Port("587, only CRAM-MD5 in clear", SUBMISSION,
         {"smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "no", "smtpd_sasl_security_options": "noanonymous,noplaintext",
          "smtpd_sasl_tls_security_options": "noanonymous"}, {"auth-without-tls": WARNING}),
    Port("587, open in clear", SUBMISSION, {"smtpd_tls_security_level": "may", **OPEN},
         {"tls-not-required": ERROR, "submission-open": ERROR}),
    Port("587, open under TLS", SUBMISSION, OPEN, {"submission-open": ERROR}),
    Port("587, no TLS", SUBMISSION, {"smtpd_tls_security_level": "none", "smtpd_tls_auth_only": "no"},
         {"submission-without-tls": ERROR, "auth-without-tls": ERROR}),
    Port("587, no AUTH", SUBMISSION, {"smtpd_sasl_auth_enable": "no"}, {"submission-without-auth": ERROR}),
    Port("587, no PLAIN", SUBMISSION, {"smtpd_sasl_mechanism_filter": "login"}, {"auth-without-plain": NOTE}),
    Port("587, TLS at once", SUBMISSION, {"smtpd_tls_wrappermode": "yes"}, {"tls-at-once-on-starttls-port": ERROR}),
    Port("587, old TLS", SUBMISSION, {"smtpd_tls_mandatory_protocols": ">=TLSv1"}, {"tls-old-versions": WARNING}),
    Port("587, TLS 1.1 only", SUBMISSION, {"smtpd_tls_mandatory_protocols": "TLSv1.1"},
         {"tls-old-versions": WARNING, "tls-1.2-missing": ERROR}),
    Port("587, TLS 1.3 only", SUBMISSION, {"smtpd_tls_mandatory_protocols": ">=TLSv1.3"}),
    Port("587, anonymous ciphers", SUBMISSION, {"smtpd_tls_exclude_ciphers": ""}, {"tls-weak-ciphers": NOTE}),
    Port("587, NULL ciphers", SUBMISSION, {"tls_medium_cipherlist": "ALL:eNULL:@SECLEVEL=0"}, {"tls-weak-ciphers": WARNING}),
    Port("587, no certificate", SUBMISSION, {"smtpd_tls_cert_file": "/nonexistent"}, {"starttls-fails": ERROR}, unknown=True),
    Port("587, no such user", SUBMISSION, {"smtpd_recipient_restrictions": "check_recipient_access inline:{postmaster@=550_no},reject"},
         unknown=True),
    Port("587, expired", SUBMISSION, certificate="expired", faults={"certificate-expired": ERROR}),
    Port("587, expires soon", SUBMISSION, certificate="soon", faults={"certificate-expires-soon": WARNING}),
    Port("587, self-signed", SUBMISSION, certificate="self", faults={"certificate-self-signed": ERROR}),
    Port("587, chain incomplete", SUBMISSION, certificate="short", faults={"certificate-chain": ERROR}),
    Port("587, another name", SUBMISSION, certificate="other", faults={"certificate-name": ERROR}),
    Port("587, a wildcard", SUBMISSION, certificate="wildcard"),
    Port("465, right", SUBMISSIONS),
    Port("465, clear text", SUBMISSIONS, {"smtpd_tls_wrappermode": "no", "smtpd_tls_security_level": "encrypt"},
         {"cleartext-on-submissions-port": ERROR}),
    Port("465, no AUTH", SUBMISSIONS, {"smtpd_sasl_auth_enable": "no"}, {"submission-without-auth": ERROR}),
    Port("465, open", SUBMISSIONS, OPEN, {"submission-open": ERROR}),
    Port("465, old TLS", SUBMISSIONS, {"smtpd_tls_mandatory_protocols": ">=TLSv1"}, {"tls-old-versions": WARNING}),
    Port("465, expired", SUBMISSIONS, certificate="expired", faults={"certificate-expired": ERROR}),
    Port("465, no certificate", SUBMISSIONS, {"smtpd_tls_cert_file": "/nonexistent"}, {"no-greeting": ERROR}),
]

# Sendmail: M= of DAEMON_OPTIONS. A: no AUTH; a: AUTH demanded; s: TLS at once; E: no ETRN.
STRICT_SENDMAIL = "O CipherList=HIGH:!aNULL:!eNULL\nO ServerSSLOptions=+SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1"
RELAYED = "away.example.com"        # it has no postmaster of its own, but relays for the loopback
SENDMAIL = [
    Port("25, M=A", SMTP, "A"),
    Port("25, no M=A", SMTP, "", {"auth-on-25": ERROR}),
    Port("587, M=Ea, p", SUBMISSION, "Ea"),
    Port("587, M=E, p", SUBMISSION, "E", {"submission-open": ERROR, "tls-not-required": ERROR}, called=RELAYED),
    Port("587, M=E, p, no such user", SUBMISSION, "E", unknown=True),
    Port("587, M=A", SUBMISSION, "A", {"submission-open": ERROR, "tls-not-required": ERROR, "submission-without-auth": ERROR},
         called=RELAYED),
    Port("587, M=sa", SUBMISSION, "sa", {"tls-at-once-on-starttls-port": ERROR}),
    Port("465, M=sa", SUBMISSIONS, "sa"),
    Port("465, M=s", SUBMISSIONS, "s", {"submission-open": ERROR}, called=RELAYED),
    Port("465, M=Ea", SUBMISSIONS, "Ea", {"cleartext-on-submissions-port": ERROR}),
]
LAX_SENDMAIL = [            # no p, CRAM-MD5, and whatever a client offers
    Port("587, M=Ea", SUBMISSION, "Ea", {"auth-without-tls": ERROR, "tls-old-versions": WARNING, "tls-weak-ciphers": WARNING}),
    Port("465, M=sa, all ciphers", SUBMISSIONS, "sa", {"tls-old-versions": WARNING, "tls-weak-ciphers": WARNING}),
]


class SendmailPort:
    """What the rig of Sendmail wants to know of a listener."""

    def __init__(self, port):
        self.port, self.flags = port.port, port.options

    def sendmail_options(self):
        return f"Name=P{self.port}" + (f", M={self.flags}" if self.flags else "")

    def sendmail_filter(self):
        return "unused", ""


class Strict(Sendmail):
    """With `p` in AuthOptions, and no mechanism that is offered in clear text all the same."""

    def configure(self, *arguments):
        super().configure(*arguments)
        file = self.folder / "sendmail.cf"
        text = re.sub(r"^O AuthOptions=.*$", "O AuthOptions=A p", file.read_text(), flags=re.M)
        file.write_text(re.sub(r"^O AuthMechanisms=.*$", "O AuthMechanisms=PLAIN LOGIN", text, flags=re.M))


class Rig:
    def __init__(self, workshop):
        self.workshop = workshop
        self.pki = pki = Pki(workshop.folder("pki"))
        self.certificates = {
            "good": pki.server("good"), "other": pki.server("other", ["www.example.com"]), "soon": pki.server("soon", days=5),
            "expired": pki.server("expired", days=-3), "short": pki.server("short", chain=False), "self": pki.self_signed("self"),
            "wildcard": pki.server("wildcard", ["*.example.com"]),
        }
        self.sasl = dovecot.start(workshop)
        self.postfix = Postfix(workshop)
        for each, port in zip(POSTFIX + SENDMAIL + LAX_SENDMAIL, free_ports(len(POSTFIX + SENDMAIL + LAX_SENDMAIL))):
            each.port = port
        self.screened, self.half, self.differing = free_ports(3)
        self.start_postfix()
        self.start_sendmail(Strict, "strict", SENDMAIL, STRICT_SENDMAIL)
        self.start_sendmail(Sendmail, "lax", LAX_SENDMAIL, Sendmail.tls)

    def service(self, where, options, certificate="good"):
        made = self.certificates[certificate]
        options = {"smtpd_tls_cert_file": made.file, "smtpd_tls_key_file": made.key, **options}
        return "\n".join([f"{where} inet n - n - - smtpd", *(f"  -o {{ {name} = {value} }}" for name, value in options.items())])

    def start_postfix(self):
        services = [self.service(f"127.0.0.1:{each.port}", {**BASE[each.role], **each.options}, each.certificate)
                    for each in POSTFIX]
        # the ports that everybody looks for, and a host whose two addresses are not alike
        usual = {25: SMTP, 587: SUBMISSION, 465: SUBMISSIONS}
        services += [self.service(f"127.0.0.1:{port}", BASE[role]) for port, role in usual.items()]
        services += [self.service(f"127.0.0.1:{self.half}", BASE[SUBMISSION]),
                     self.service(f"127.0.0.1:{self.differing}", BASE[SUBMISSION]),
                     self.service(f"127.0.0.2:{self.differing}", {**BASE[SUBMISSION], "smtpd_sasl_auth_enable": "no"})]
        screen = f"127.0.0.1:{self.screened} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n" \
                 "dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy"
        # an access list without the loopback: postscreen then tries everybody
        settings = "".join(f"{name} = {value}\n" for name, value in {
            "postscreen_access_list": "", "postscreen_greet_wait": "6s", "postscreen_greet_action": "enforce",
            "smtpd_tls_security_level": "may", "smtpd_tls_exclude_ciphers": "aNULL"}.items()) + "smtpd_tls_protocols = >=TLSv1.2\n"
        ports = [each.port for each in POSTFIX] + list(usual) + [self.screened, self.half, self.differing]
        self.postfix.start(ports, "\n".join(services) + "\n" + screen, self.certificates["good"], self.sasl, settings, HOST)

    def start_sendmail(self, kind, name, ports, tls):
        mta = kind(self.workshop, f"sendmail-{name}")
        mta.tls = tls
        # it sends the leaf of ServerCertFile, and the issuers that it finds in CACertFile
        mta.start([SendmailPort(each) for each in ports],
                  {"server": self.certificates["wildcard"], "relay": self.pki.middle}, self.workshop.path / "nobody")

    def probe(self, *options, **more):
        return probe("--ca", self.pki.ca.file, *options, **more)


def told_of(rig, each):
    """One port: exactly these faults, and the exit code."""
    run = rig.probe("--port", f"{each.port}={each.role}", "--timeout", "4", name=each.called)
    expect("faults", {fault["id"]: fault["severity"] for fault in run.told["faults"]}, each.faults)
    expect("fault with nothing to do", [fault["id"] for fault in run.told["faults"] if not fault["fix"]], [])
    expect("places", {fault["where"] for fault in run.told["faults"]}, {f"127.0.0.1 port {each.port}"} if each.faults else set())
    about_port = [text for text in run.told["unknown"] if str(each.port) in text]
    expect("anything unknown about the port", bool(about_port), each.unknown)
    expect("exit code", run.code, int(any(severity != NOTE for severity in each.faults.values())))
    return run


TESTS = []


def test(function):
    TESTS.append((function.__doc__, function))
    return function


@test
def seen(rig):
    """what was seen of a port, member by member"""
    port = next(each for each in POSTFIX if each.name == "587, right").port
    seen = rig.probe("--port", f"{port}=submission").port(port)
    certificate = seen.pop("certificate")
    expect("port", seen, {
        "address": "127.0.0.1", "port": port, "role": "submission", "begins": "cleartext", "why": None,
        "greeting": f"220 {HOST} ESMTP Postfix", "software": "Postfix", "starttls": True, "tls_works": True,
        "tls": {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True}, "null_cipher": False,
        "anonymous_cipher": False, "auth_cleartext": [], "auth_tls": ["PLAIN", "LOGIN", "CRAM-MD5"], "demands_tls": True,
        "demands_auth": True, "injection": False})
    expect("certificate", (certificate["chain"], certificate["subject"], certificate["issuer"], certificate["names"]),
           ("trusted", "CN=good", "CN=middle", [HOST]))


@test
def no_mail(rig):
    """--no-mail: neither MAIL nor RCPT is sent, and what it would have told is not known"""
    port = next(each for each in POSTFIX if each.name == "587, open in clear").port
    mark = rig.postfix.mark()
    run = rig.probe("--port", f"{port}=submission", "--no-mail")
    expect("faults", run.faults(), set())
    expect("demands", (run.port(port)["demands_tls"], run.port(port)["demands_auth"]), (None, None))
    expect("unknown", any("--no-mail" in text for text in run.told["unknown"]), True)
    rig.postfix.settle()
    expect("mail", re.findall(r" (?:mail|rcpt)=", rig.postfix.logged(mark)), [])


@test
def what_is_sent(rig):
    """Postfix's count of commands: at most one MAIL and RCPT a session, never AUTH, never DATA"""
    port = next(each for each in POSTFIX if each.name == "587, open in clear").port
    mark = rig.postfix.mark()
    rig.probe("--port", f"{port}=submission")
    rig.postfix.settle()
    ends = re.findall(r"disconnect from \S+ (.*)", rig.postfix.logged(mark))
    expect("sessions", len(ends), 8)
    words = {word.split("=")[0] for end in ends for word in end.split()}
    expect("commands", words, {"ehlo", "starttls", "mail", "rcpt", "rset", "quit", "commands"})
    expect("mail", sum("mail=1 rcpt=1 rset=1" in end for end in ends), 2)


@test
def screened(rig):
    """postscreen: its greeting is waited for, and nothing is said before it"""
    mark = rig.postfix.mark()
    run = rig.probe("--port", f"{rig.screened}=smtp")
    expect("faults", run.faults(), set())
    expect("begins", run.port(rig.screened)["begins"], "cleartext")
    log = rig.postfix.logged(mark)
    expect("postscreen", ("PREGREET" in log, "COMMAND PIPELINING" in log, "PASS NEW" in log), (False, False, True))


ADDRESS = bytes([127, 0, 0, 1])
SERVICES = {"submissions": "_submissions._tcp.example.com", "submission": "_submission._tcp.example.com"}


def zone(submissions, submission, **more):
    """mail.example.com is here; the SRV records of example.com."""
    return {("example.com", A): [], (HOST, A): [ADDRESS], ("elsewhere.example.com", A): [bytes([192, 0, 2, 99])],
            (SERVICES["submissions"], SRV): submissions, (SERVICES["submission"], SRV): submission, **more}


GOOD_ZONE = zone([srv(0, 1, 465, HOST)], [srv(10, 1, 587, HOST)])


@test
def usual_ports(rig):
    """a host that is right, by its name, on the ports that everybody looks for: nothing found"""
    with NameServer(GOOD_ZONE) as dns:
        run = rig.probe("--nameserver", dns.where, host=HOST, name=None)
        text = rig.probe("--nameserver", dns.where, host=HOST + ".", name=None, json=False)
    expect("faults", (run.told["faults"], run.told["unknown"], run.code), ([], [], 0))
    expect("ports", [(each["port"], each["role"], each["begins"]) for each in run.told["ports"]],
           [(25, "smtp", "cleartext"), (587, "submission", "cleartext"), (465, "submissions", "tls"), (2525, "submission", "closed")])
    expect("srv", (run.told["domain"], [(each["service"], each["leads"]) for each in run.told["srv"]]),
           ("example.com", [("_submissions._tcp", "here"), ("_submission._tcp", "here")]))
    expect("text", re.sub(r"\d+ days", "N days", text.out), f"""\
{HOST} at 127.0.0.1
port  role         begins with  software  STARTTLS  TLS      AUTH in clear  AUTH under TLS        needs TLS  needs AUTH  certificate
25    smtp         clear text   Postfix   yes       1.2 1.3  no             no                    no         -           good, N days left
587   submission   clear text   Postfix   yes       1.2 1.3  no             PLAIN LOGIN CRAM-MD5  yes        yes         good, N days left
465   submissions  TLS          Postfix   -         1.2 1.3  -              PLAIN LOGIN CRAM-MD5  yes        yes         good, N days left

SRV records of example.com
_submissions._tcp  priority 0, weight 1: {HOST} port 465 (here)
_submission._tcp   priority 10, weight 1: {HOST} port 587 (here)

nothing found
""")
    expect("stderr", text.err, "")


@test
def policy(rig):
    """-c: a port that the file names and that is closed; a role and a floor that are others"""
    file = rig.workshop.path / "mailreeve.yaml"
    file.write_text("listeners:\n  - {names: [submission], port: 587, role: submission, min_tls: TLSv1.3}\n"
                    "  - {names: [alternate], port: 2525, role: submission}\n  - {names: [odd], port: 465, role: smtp}\n")
    run = rig.probe("-c", file)
    expect("faults", {(each["id"], each["severity"], each["where"]) for each in run.told["faults"]},
           {("port-closed", WARNING, "127.0.0.1 port 2525"), ("tls-at-once-on-starttls-port", ERROR, "127.0.0.1 port 465"),
            ("auth-on-25", ERROR, "127.0.0.1 port 465"), ("tls-old-versions", NOTE, "127.0.0.1 port 587")})
    file.write_text("listeners:\n  - {names: [x], port: x}\n")
    run = rig.probe("-c", file)
    expect("bad file", (run.code, run.out, "mailreeve.yaml:2" in run.err), (78, "", True))
    expect("no file", rig.probe("-c", file.with_suffix(".absent")).code, 78)


@test
def addresses(rig):
    """two addresses that do not answer alike: closed at one, another configuration"""
    with NameServer({(HOST, A): [ADDRESS, bytes([127, 0, 0, 2])]}) as dns:
        run = rig.probe("--nameserver", dns.where, "--port", f"{rig.half}=submission", "--port", f"{rig.differing}=submission",
                        host=HOST, name=None)
    differ = {each["where"]: each["evidence"] for each in run.told["faults"] if each["id"] == "addresses-differ"}
    expect("differ", differ, {
        f"port {rig.half}": 'begins with: "clear text" at 127.0.0.1, "closed" at 127.0.0.2',
        f"port {rig.differing}": 'AUTH under TLS: "PLAIN LOGIN CRAM-MD5" at 127.0.0.1, "no" at 127.0.0.2'})
    expect("others", run.faults() - {"addresses-differ"}, {"submission-without-auth", "srv-missing"})


@test
def unreachable(rig):
    """an address that there is no way to is not closed: it is unknown"""
    with NameServer({(HOST, A): [ADDRESS], (HOST, AAAA): [bytes.fromhex("20010db8000000000000000000000001")]}) as dns:
        run = rig.probe("--nameserver", dns.where, "--port", "587", host=HOST, name=None)
    expect("faults", run.faults(), {"srv-missing"})
    expect("unknown", [text for text in run.told["unknown"] if text.startswith("2001:db8::1 cannot be reached from here")] != [], True)


SRV_CASES = {
    "none": (zone([], []), {"srv-missing": NOTE}, False),
    "no such name": (zone(NXDOMAIN, NXDOMAIN), {"srv-missing": NOTE}, False),
    "in the wrong order": (zone([srv(10, 1, 465, HOST)], [srv(0, 1, 587, HOST)]), {"srv-order": WARNING}, False),
    "to a port that is closed": (zone([srv(0, 1, 4465, HOST)], [srv(10, 1, 587, HOST)]),
                                 {"srv-wrong": ERROR, "port-closed": WARNING}, False),
    "to a port of the other kind": (zone([srv(0, 1, 587, HOST)], [srv(10, 1, 587, HOST)]), {"srv-wrong": ERROR}, False),
    "to a name without an address": (zone([srv(0, 1, 465, "nowhere.example.com")], [srv(10, 1, 587, HOST)]), {"srv-wrong": ERROR}, False),
    "elsewhere": (zone([srv(0, 1, 465, "elsewhere.example.com")], [srv(10, 1, 587, HOST)]), {}, True),
    "not offered": (zone([srv(0, 1, 465, HOST)], [srv(0, 0, 0, ".")]), {"srv-missing": NOTE}, False),
    "by another name of the host": (zone([srv(0, 1, 465, "smtp.example.com")], [srv(10, 1, 587, HOST)],
                                         **{}) | {("smtp.example.com", A): [ADDRESS]}, {"certificate-name": ERROR}, False),
    "cut, and whole over TCP": (zone((TRUNCATED, [srv(0, 1, 465, HOST)]), [srv(10, 1, 587, HOST)]), {}, False),
    "SERVFAIL": (zone(SERVFAIL, SERVFAIL), {}, True),
    "REFUSED": (zone(REFUSED, REFUSED), {}, True),
    "silence": (zone(SILENT, SILENT), {}, True),
    "a name that points to itself": (zone([srv_loop(12 + len(SERVICES["submissions"]) + 2 + 4 + 12 + 6)], [srv(10, 1, 587, HOST)]), {}, True),
    "a record that is cut": (zone([b"\0\0\0\0\1"], [srv(10, 1, 587, HOST)]), {}, True),
    "a name with control characters": (zone([srv(0, 1, 465, "a\x1b[2Jb")], [srv(10, 1, 587, HOST)]), {"srv-wrong": ERROR}, False),
}


def srv_case(case):
    def run(rig):
        records, faults, unknown = case
        with NameServer(records) as dns:
            done = rig.probe("--nameserver", dns.where, "--domain", "example.com", "--timeout", "3", host=HOST, name=None)
        expect("faults", {each["id"]: each["severity"] for each in done.told["faults"]}, faults)
        expect("unknown", done.told["unknown"] != [], unknown)
        expect("controls", re.findall(r"[^\x20-\x7e\n]", done.out), [])
    return run


TESTS += [(f"SRV: {name}", srv_case(case)) for name, case in SRV_CASES.items()]


@test
def domains(rig):
    """the domain is the one that is given, the host itself, or what is behind its first dot"""
    own = {(f"_submissions._tcp.{HOST}", SRV): [srv(0, 1, 465, HOST)], (f"_submission._tcp.{HOST}", SRV): [srv(10, 1, 587, HOST)]}
    for records, options, domain in ((GOOD_ZONE | own, [], HOST), (GOOD_ZONE, [], "example.com"),
                                     (GOOD_ZONE | own, ["--domain", "example.com"], "example.com")):
        with NameServer(records) as dns:
            run = rig.probe("--nameserver", dns.where, "--port", "465", "--port", "587", *options, host=HOST, name=None)
        expect("domain", (run.told["domain"], len(run.told["srv"])), (domain, 2))


@test
def nameserver_ipv6(rig):
    """a name server that has an IPv6 address"""
    import socket
    with NameServer(GOOD_ZONE, socket.AF_INET6) as dns:
        run = rig.probe("--nameserver", dns.where, "--port", "465", host=HOST, name=None)
        expect("asked", bool(dns.asked), True)
    expect("code", (run.code, run.err), (0, ""))


@test
def exit_codes(rig):
    """exit codes: usage, no such host, no port that answers"""
    with NameServer({(HOST, A): [ADDRESS], ("broken.example.com", A): SERVFAIL, ("broken.example.com", AAAA): SERVFAIL}) as dns:
        asks = ["--nameserver", dns.where]
        for options, host, code, says in (
                ([], "absent.example.com", 68, '"absent.example.com" has no address'),
                ([], "broken.example.com", 68, '"broken.example.com" could not be looked up'),
                (["--port", "4465"], HOST, 69, "no port of mail.example.com answers"),
                (["--port", "0"], HOST, 64, '"0": not a port'), (["--port", "587=mx"], HOST, 64, '"587=mx": not a role'),
                (["--timeout", "0"], HOST, 64, '"0": not a timeout'), (["--nameserver", "ns"], HOST, 64, '"ns": not a DNS server'),
                (["--helo", "a\r\nMAIL"], HOST, 64, "not a host name"), ([], "a b", 64, '"a b": not a host name'),
                ([HOST], HOST, 64, "one host at a time"), (["--ca", "/nonexistent"], HOST, 66, "/nonexistent: No such file"),
                (["--nonsense"], HOST, 64, "usage:")):
            run = probe(*asks, *options, host=host, name=None)
            expect(f"{options} {host}", (run.code, says in run.err), (code, True))
            expect("controls", re.findall(r"[^\x20-\x7e\n]", run.err), [])
    for written in ("[::1]", "::1"):
        expect(written, (probe("--port", "587", host=written, name=None).code), 69)
    run = probe(host="-h")
    expect("-h", (run.code, run.out.startswith("usage: mailreeve probe")), (0, True))


def main(words):
    network.enter()
    with Workshop() as workshop:
        rig = Rig(workshop)
        tests = [(f"{mta}, {each.name}", lambda rig, each=each: told_of(rig, each))
                 for mta, ports in (("Postfix", POSTFIX), ("Sendmail", SENDMAIL), ("Sendmail", LAX_SENDMAIL)) for each in ports]
        tests = [(name, run) for name, run in tests + TESTS if not words or any(word in name for word in words)]
        print(f"1..{len(tests)}")
        failed = 0
        for number, (name, run) in enumerate(tests, 1):
            wrong = []
            try:
                run(rig)
            except (AssertionError, ValueError, KeyError, StopIteration) as e:
                wrong = [repr(e) if not isinstance(e, AssertionError) else str(e)]
            failed += tap.result(number, name, wrong)
        return int(failed != 0)


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
