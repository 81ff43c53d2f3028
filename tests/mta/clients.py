# SPDX-License-Identifier: Apache-2.0
"""Real mail clients, and how each of them is told what port, TLS mode and login to use.

    clients.py --fetch      (by `make deps`) unpacks those that are not installed, because they would be an MTA, or
                            would bring a great many packages with them

A client is a function Order -> command line. What it needs on disk it writes into order.home, which is also its HOME.
"""
import dataclasses
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True

import tree

SENDER_DOMAIN, RECIPIENT = "example.com", "bob@example.com"
HELO = "client.example.com"
TEXT = "Hello.\n"

# Packages that are unpacked, and the file by which it is known that they are there
UNPACKED = {"nullmailer": "usr/lib/nullmailer/smtp",
            "node-nodemailer": "usr/share/nodejs/nodemailer/lib/nodemailer.js",
            "libphp-phpmailer": "usr/share/php/libphp-phpmailer/src/PHPMailer.php"}


@dataclasses.dataclass(frozen=True)
class Order:
    """What a client is to do."""
    port: int
    tls: str                    # "", starttls, implicit
    login: bool
    old: bool                   # TLS 1.1 and nothing newer
    user: str
    password: str
    believed: str               # a file with the certificate that the client trusts
    home: pathlib.Path
    patience: int               # after so many seconds it gives up, if it has a setting for that
    host: str = "localhost"

    @property
    def message(self):
        return f"From: {self.user}\nTo: {RECIPIENT}\nSubject: Mailreeve\n\n{TEXT}"

    def write(self, name, text):
        (self.home / name).write_text(text)
        return str(self.home / name)

    @property
    def variables(self):
        """The same for programs that are written here, in a language that reads the environment."""
        return {"PORT": str(self.port), "TLS": self.tls, "LOGIN": str(int(self.login)), "OLD": str(int(self.old)),
                "MAIL_USER": self.user, "PASSWORD": self.password, "CA": self.believed, "WAIT": str(self.patience)}


def scheme(o):
    return "smtps" if o.tls == "implicit" else "smtp"


def swaks(o):
    return ["swaks", "--server", o.host, "--port", o.port, "--from", o.user, "--to", RECIPIENT, "--helo", HELO,
            "--timeout", o.patience, "--tls-verify", "--tls-ca-path", o.believed,
            *{"starttls": ["--tls"], "implicit": ["--tls-on-connect"]}.get(o.tls, []),
            *["--tls-protocol", "tlsv1_1", "--tls-cipher", "DEFAULT:@SECLEVEL=0"] * o.old,
            *["--auth", "PLAIN", "--auth-user", o.user, "--auth-password", o.password] * o.login]


def msmtp(o):
    switch = {True: "on", False: "off"}
    return ["msmtp", "-C", "/dev/null", f"--host={o.host}", f"--port={o.port}", f"--timeout={o.patience}",
            f"--from={o.user}", f"--tls={switch[bool(o.tls)]}", f"--tls-starttls={switch[o.tls != 'implicit']}",
            *[f"--tls-trust-file={o.believed}"] * bool(o.tls),
            *["--tls-priorities=NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT"] * o.old,
            *["--auth=plain", f"--user={o.user}", f"--passwordeval=echo {o.password}"] * o.login, "--", RECIPIENT]


def curl(o):
    return ["curl", "--silent", "--max-time", o.patience, "--cacert", o.believed,
            "--mail-from", o.user, "--mail-rcpt", RECIPIENT, *["--ssl-reqd"] * (o.tls == "starttls"),
            *["--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0"] * o.old,
            *["--user", f"{o.user}:{o.password}"] * o.login, "--crlf", "--upload-file", "-",
            f"{scheme(o)}://{o.host}:{o.port}/{HELO}"]


def s_nail(o):
    login = f"{o.user.replace('@', '%40')}:{o.password}@" * o.login
    return ["s-nail", "-:/", "-Sv15-compat", f"-Sfrom={o.user}", f"-Shostname={HELO}", "-Snosave",
            f"-Stls-ca-file={o.believed}", "-Stls-verify=strict", f"-Ssmtp-auth={'plain' if o.login else 'none'}",
            *["-Ssmtp-use-starttls"] * (o.tls == "starttls"),
            *["-Stls-config-pairs=MinProtocol=TLSv1.1,MaxProtocol=TLSv1.1,CipherString=DEFAULT:@SECLEVEL=0"] * o.old,
            f"-Smta={scheme(o)}://{login}{o.host}:{o.port}", "-s", "Mailreeve", RECIPIENT]


def mutt_like(program, old):
    def argv(o):
        settings = {
            "smtp_url": f"{scheme(o)}://{(o.user + '@') * o.login}{o.host}:{o.port}/",
            "smtp_pass": o.password, "smtp_authenticators": "plain", "from": o.user, "hostname": HELO,
            "ssl_starttls": "yes" if o.tls == "starttls" else "no", "ssl_force_tls": "yes" if o.tls else "no",
            "certificate_file": o.believed, "record": "", "crypt_use_gpgme": "no",
            **(old if o.old else {})}
        rc = o.write("rc", "".join(f'set {name}="{value}"\n' for name, value in settings.items()))
        return [program, "-n", "-F", rc, "-s", "Mailreeve", RECIPIENT]
    return argv


SMTPLIB = """
import os, smtplib, ssl
e = os.environ
context = ssl.create_default_context(cafile=e["CA"])
if e["OLD"] == "1":
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
options = dict(host="localhost", port=int(e["PORT"]), timeout=int(e["WAIT"]))
with smtplib.SMTP_SSL(context=context, **options) if e["TLS"] == "implicit" else smtplib.SMTP(**options) as client:
    if e["TLS"] == "starttls":
        client.starttls(context=context)
    if e["LOGIN"] == "1":
        client.login(e["MAIL_USER"], e["PASSWORD"])
    client.sendmail(e["MAIL_USER"], "%(to)s", "Subject: Mailreeve\\r\\n\\r\\nHello.\\r\\n")
"""

NODEMAILER = """
const e = process.env, nodemailer = require("%(tree)s/usr/share/nodejs/nodemailer");
const wait = 1000 * e.WAIT;
nodemailer.createTransport({
    host: "localhost", port: e.PORT,
    secure: e.TLS == "implicit", requireTLS: e.TLS == "starttls", ignoreTLS: e.TLS == "",
    auth: e.LOGIN == "1" ? {user: e.MAIL_USER, pass: e.PASSWORD} : undefined,
    connectionTimeout: wait, greetingTimeout: wait, socketTimeout: wait,
    tls: e.OLD == "1" ? {maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "DEFAULT:@SECLEVEL=0"} : {},
}).sendMail({from: e.MAIL_USER, to: "%(to)s", subject: "Mailreeve", text: "Hello."},
    problem => { if (problem) { console.error(problem.message); process.exit(1); } });
"""

NET_SMTP = """
use Net::SMTP;
my %%tls = (SSL_ca_file => $ENV{CA}, SSL_verifycn_name => "localhost",
           $ENV{OLD} ? (SSL_version => "TLSv1_1", SSL_cipher_list => "DEFAULT:\\@SECLEVEL=0") : ());
my $client = Net::SMTP->new("localhost", Port => $ENV{PORT}, Timeout => $ENV{WAIT}, Hello => "%(helo)s",
                            $ENV{TLS} eq "implicit" ? (SSL => 1, %%tls) : ()) or die "no greeting: $@";
$client->starttls(%%tls) or die "STARTTLS: $@" if $ENV{TLS} eq "starttls";
$client->auth($ENV{MAIL_USER}, $ENV{PASSWORD}) or die "AUTH: " . $client->message if $ENV{LOGIN};
$client->mail($ENV{MAIL_USER}) && $client->to('%(to)s') && $client->data("Subject: Mailreeve\\n\\nHello.\\n")
    or die $client->message;
$client->quit;
"""

PHPMAILER = """
foreach (["Exception", "SMTP", "PHPMailer"] as $part)
    require "%(tree)s/usr/share/php/libphp-phpmailer/src/$part.php";
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isSMTP();
$mail->Host = "localhost";
$mail->Port = getenv("PORT");
$mail->Timeout = $mail->getSMTPInstance()->Timelimit = getenv("WAIT");
$mail->SMTPSecure = ["starttls" => "tls", "implicit" => "ssl", "" => ""][getenv("TLS")];
$mail->SMTPAutoTLS = false;
$mail->SMTPAuth = getenv("LOGIN") == "1";
$mail->Username = getenv("MAIL_USER");
$mail->Password = getenv("PASSWORD");
$mail->SMTPOptions = ["ssl" => ["cafile" => getenv("CA")] + (getenv("OLD") == "1" ?
    ["max_proto_version" => STREAM_CRYPTO_PROTO_TLSv1_1, "ciphers" => "DEFAULT:@SECLEVEL=0"] : [])];
$mail->setFrom(getenv("MAIL_USER"));
$mail->addAddress("%(to)s");
$mail->Subject = "Mailreeve";
$mail->Body = "Hello.";
$mail->send();
"""


def program(*argv, text, package=None):
    words = {"to": RECIPIENT, "helo": HELO, "tree": tree.path(package) if package else ""}
    return lambda o: [*argv, text % words]


def git_send_email(o):
    patch = o.write("0001-mailreeve.patch", f"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
                    f"From: {o.user}\nDate: Sat, 21 Nov 2026 08:00:00 +0000\nSubject: [PATCH] Mailreeve\n\n{TEXT}")
    settings = {"user.name": "Alice", "user.email": o.user,
                "sendemail.smtpServer": o.host, "sendemail.smtpServerPort": o.port,
                "sendemail.smtpEncryption": {"starttls": "tls", "implicit": "ssl"}.get(o.tls, ""),
                "sendemail.smtpSSLCertPath": o.believed, "sendemail.smtpDomain": HELO, "sendemail.confirm": "never",
                **({"sendemail.smtpUser": o.user, "sendemail.smtpPass": o.password} if o.login else {})}
    return ["git", *[word for name, value in settings.items() for word in ("-c", f"{name}={value}")],
            "send-email", "--quiet", "--suppress-cc=all", "--no-format-patch",
            f"--from={o.user}", f"--to={RECIPIENT}", patch]


def sendemail(o):
    return ["sendemail", "-f", o.user, "-t", RECIPIENT, "-s", f"{o.host}:{o.port}", "-u", "Mailreeve", "-m", "Hello.",
            "-o", f"tls={'yes' if o.tls else 'no'}", "-o", f"timeout={o.patience}", "-o", f"fqdn={HELO}",
            *["-xu", o.user, "-xp", o.password] * o.login]


def mailutils(o):
    o.write(".mailutils", f'tls {{ ssl-ca-file "{o.believed}"; }}\n')
    url = f"{scheme(o)}://"
    url += f"{o.user.replace('@', '%40')}:{o.password}@" * o.login + f"{o.host}:{o.port}"
    url += ";auth=plain" * o.login + ";notls" * (not o.tls)
    return ["mail.mailutils", "-E", f'set sendmail="{url}"', "-r", o.user, "-s", "Mailreeve", RECIPIENT]


def nullmailer(o):
    """Its options come on standard input, its mail on descriptor 3."""
    mail = o.write("mail", f"{o.user}\n{RECIPIENT}\n\n{o.message}")
    options = o.write("options", "\n".join([f"host={o.host}", f"port={o.port}", f"x509cafile={o.believed}",
                                            *[f"user={o.user}", f"pass={o.password}"] * o.login,
                                            *{"starttls": ["starttls"], "implicit": ["ssl"]}.get(o.tls, []), "", ""]))
    return ["sh", "-c", 'exec "$0" <"$1" 3<"$2"', tree.path("nullmailer", UNPACKED["nullmailer"]), options, mail]


S_CLIENT = """
import base64, os, subprocess, sys
e = os.environ
login = base64.b64encode("\\0".join(["", e["MAIL_USER"], e["PASSWORD"]]).encode()).decode()
client = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for line in ["EHLO %(helo)s", *[f"AUTH PLAIN {login}"] * (e["LOGIN"] == "1"), f"MAIL FROM:<{e['MAIL_USER']}>",
             "RCPT TO:<%(to)s>", "DATA", "Subject: Mailreeve\\n\\nHello.\\n.", "QUIT"]:
    if line[0] != "E" or e["TLS"] != "starttls":        # s_client itself has heard the greeting then
        while (reply := client.stdout.readline()) and reply[3:4] != " ":
            pass
        if not reply or reply[0] > "3":
            sys.exit(reply or "the connection ended")
    client.stdin.write(line + "\\n")
    client.stdin.flush()
sys.exit(client.wait())
"""


def s_client(o):
    """openssl s_client, somebody types the rest; it verifies only if told to."""
    return [sys.executable, "-c", S_CLIENT % {"helo": HELO, "to": RECIPIENT},
            "openssl", "s_client", "-connect", f"{o.host}:{o.port}", "-quiet", "-crlf", "-CAfile", o.believed,
            "-verify_return_error", *["-starttls", "smtp"] * (o.tls == "starttls"),
            *["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"] * o.old]


def http(o):
    """No mail client, but what finds every port."""
    return ["curl", "--silent", "--http0.9", "--max-time", o.patience, f"http://{o.host}:{o.port}/"]


def typed(_order):
    """Somebody who types at once, without waiting for a greeting."""
    return [sys.executable, "-c", """
import os, socket
with socket.create_connection(("localhost", int(os.environ["PORT"])), int(os.environ["WAIT"])) as s:
    s.sendall(b"EHLO client.example.com\\r\\n")
    while s.recv(4096):
        pass
"""]


@dataclasses.dataclass(frozen=True, eq=False)
class Client:
    name: str
    argv: object                    # function Order -> command line
    cannot: dict = dataclasses.field(default_factory=dict)      # mode: why it is not played
    believes_by: str = ""           # the variable that names the file with the certificate, if no option does

    def run(self, order, address, preload):
        """Let the client do it; what it printed, for who wants to look."""
        argv = [str(word) for word in self.argv(order)]
        environment = {**os.environ, "HOME": str(order.home), "HELOHOST": HELO, "LC_ALL": "C", **order.variables,
                       "LD_PRELOAD": preload, "FROM_ADDRESS": address,
                       **({self.believes_by: order.believed} if self.believes_by else {})}
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", env=environment, cwd=order.home, start_new_session=True) as process:
            try:
                said, _ = process.communicate(order.message, timeout=order.patience + 3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                said, _ = process.communicate()
                said += "\n(was ended)"
        return f"{said.strip()}\n(exit code {process.returncode})"


def never(why, *modes):
    return dict.fromkeys(modes, why)


NO_OLD = never("no setting makes it use an old version of TLS", "H", "H-refused")
NO_IMPLICIT = never("it has no implicit TLS", "D", "E", "E-default", "I-465")
NO_CLEARTEXT = never("it cannot do without TLS", "A", "A-not-offered", "C", "C-refused", "G")

MUTT_OLD = {"ssl_use_tlsv1_1": "yes", "ssl_use_tlsv1_2": "no", "ssl_use_tlsv1_3": "no"}

CLIENTS = [
    Client("swaks", swaks),
    Client("msmtp", msmtp),
    Client("curl", curl),
    Client("s-nail", s_nail),
    Client("mutt", mutt_like("mutt", MUTT_OLD)),
    Client("neomutt", mutt_like("neomutt", MUTT_OLD)),
    Client("smtplib", program(sys.executable, "-c", text=SMTPLIB)),
    Client("nodemailer", program("node", "-e", text=NODEMAILER, package="node-nodemailer"),
           believes_by="NODE_EXTRA_CA_CERTS"),
    Client("git", git_send_email, NO_OLD),
    Client("net-smtp", program("perl", "-e", text=NET_SMTP)),
    Client("sendemail", sendemail, {**NO_OLD, **NO_IMPLICIT}, believes_by="SSL_CERT_FILE"),
    Client("mailutils", mailutils, NO_OLD),
    Client("nullmailer", nullmailer, NO_OLD),
    Client("phpmailer", program("php", "-r", text=PHPMAILER, package="libphp-phpmailer")),
    Client("s_client", s_client, NO_CLEARTEXT),
]


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    listener: str               # a name of LISTENERS in stand.py
    means: str
    tls: str = ""
    login: bool = True
    old: bool = False
    believes: str = "server"    # whose certificate the client trusts
    patience: int = 30          # seconds
    by: tuple = ()              # the clients that play it, if not those of CLIENTS


TYPED, HTTP = (Client("typed", typed),), (Client("http", http),)

MODES = [       # F is the first because it lasts longest
    Mode("F", "submissions", "STARTTLS on 465: waits for a greeting in vain", "starttls", patience=7),
    Mode("A", "smtp", "AUTH in clear text on 25"),
    Mode("A-not-offered", "smtp-quiet", "AUTH in clear text on 25, where it is not offered"),
    Mode("A-starttls", "smtp", "STARTTLS, then AUTH on 25", "starttls"),
    Mode("B", "submission", "STARTTLS, then AUTH on 587", "starttls"),
    Mode("C", "submission", "AUTH in clear text on 587, where that is possible"),
    Mode("C-refused", "submission-encrypt", "AUTH in clear text on 587, where TLS comes first"),
    Mode("D", "submissions", "implicit TLS, then AUTH on 465", "implicit"),
    Mode("E", "submission", "implicit TLS on 587, where the log has the first bytes", "implicit"),
    Mode("E-default", "submission-utf8", "implicit TLS on 587, as Debian's Postfix is set", "implicit"),
    Mode("G", "submission", "mail without TLS or AUTH on 587", login=False),
    Mode("H", "submission", "STARTTLS with TLS 1.1 on 587", "starttls", old=True),
    Mode("H-refused", "submission-modern", "STARTTLS with TLS 1.1 on 587, where it is too old", "starttls", old=True),
    Mode("I", "submission", "STARTTLS on 587, but the client does not trust the certificate", "starttls",
         believes="stranger"),
    Mode("I-465", "submissions", "implicit TLS on 465, but the client does not trust the certificate", "implicit",
         believes="stranger"),
    Mode("J", "submissions", "clear text typed at once on 465", by=TYPED),
    Mode("K-587", "submission", "HTTP on 587", by=HTTP),
    Mode("K-465", "submissions", "HTTP on 465", by=HTTP),
]


def fetch():
    for package, file in UNPACKED.items():
        there = os.path.exists(tree.path(package, file))
        done = "already in" if there else f"unpacked {tree.fetch(package)} into"
        print(f"{package}: {done} {tree.TREES / package}")


if __name__ == "__main__":
    try:
        fetch()
    except (tree.TreeError, OSError) as problem:
        sys.exit(f"clients.py: {problem}")
