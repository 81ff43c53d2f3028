# SPDX-License-Identifier: Apache-2.0
"""A directory like /etc/mail, made by m4 from Debian's own sendmail.mc and what a provider puts into it; and the same
after the doctor's advice has been followed."""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/mta"))

import certs    # noqa: E402
import tree     # noqa: E402

PROGRAM = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"
CF = pathlib.Path(tree.path("sendmail-cf", "usr/share/sendmail/cf"))
MAKEMAP = tree.path("sendmail-bin", "usr/libexec/sendmail/makemap")
HOST = certs.HOST

FILTERS = """\
MAIL_FILTER(`mailreeve', `S=local:SOCKET, F=T, T=C:10s;S:10s;R:10s;E:1m')dnl
MAIL_FILTER(`mailreeve-smtp', `S=local:SOCKET, T=C:10s;S:10s;R:10s;E:1m')dnl
"""
SMTP = "DAEMON_OPTIONS(`Family=inet, Name=smtp, Port=25, M=A, InputMailFilters=mailreeve-smtp')dnl\n"
SUBMISSION = "DAEMON_OPTIONS(`Family=inet, Name=submission, Port=587, M=Ea, InputMailFilters=mailreeve')dnl\n"
SUBMISSIONS = "DAEMON_OPTIONS(`Family=inet, Name=submissions, Port=465, M=Eas, InputMailFilters=mailreeve')dnl\n"
AUTH = """\
define(`confAUTH_OPTIONS', `A p')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
TRUST_AUTH_MECH(`PLAIN LOGIN')dnl
"""
TLS = """\
define(`confSERVER_CERT', `CERTIFICATE')dnl
define(`confSERVER_KEY', `KEY')dnl
define(`confSERVER_SSL_OPTIONS', `+SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1')dnl
"""
PROVIDER = f"define(`confDOMAIN_NAME', `{HOST}')dnl\n" + TLS + AUTH
YAML = """\
mode: enforce
listeners:
  - {names: [smtp], port: 25, role: smtp}
  - {names: [submission], port: 587, role: submission}
  - {names: [submissions], port: 465, role: submissions}
milter: {listen: ["unix:SOCKET"]}
"""
DEBIANS = re.compile(r"^DAEMON_OPTIONS\(`Family=inet,  Name=M(?:TA|SP)-v4, .*\n", re.M)


def m4(path):
    done = subprocess.run(["m4", path], text=True, capture_output=True, timeout=60)
    if done.returncode or done.stderr:
        raise RuntimeError(f"m4: {done.stderr}")
    return done.stdout


class Mail:
    """/etc/mail in a folder of its own."""

    def __init__(self, folder, certificate):
        self.folder, self.certificate = folder, certificate
        (folder / "m4").mkdir()
        for empty in ("local-host-names", "m4/dialup.m4", "m4/provider.m4"):
            (folder / empty).touch()
        self.socket = folder / "run" / "milter.sock"
        self.socket.parent.mkdir(mode=0o755)
        self.words = {"SOCKET": str(self.socket), "CERTIFICATE": str(certificate.file), "KEY": str(certificate.key),
                      "FOLDER": str(folder)}

    def put(self, text):
        return re.sub(r"\b(?:" + "|".join(self.words) + r")\b", lambda word: self.words[word[0]], text)

    def write(self, mc, provider="", end="", access=None, yaml=None):
        """sendmail.mc (with what goes behind MAILER at its end), sendmail.cf, access, mailreeve.yaml."""
        (self.folder / "m4/provider.m4").write_text(self.put(provider))
        (self.folder / "sendmail.mc").write_text(self.put(mc + end))
        os.utime(self.folder / "sendmail.mc", (1, 1))
        (self.folder / "sendmail.cf").write_text(m4(self.folder / "sendmail.mc"))
        for name, text in (("access", access), ("mailreeve.yaml", yaml)):
            (self.folder / name).unlink(missing_ok=True)
            if text is not None:
                (self.folder / name).write_text(self.put(text))

    def debian(self, lines=None):
        """Debian's sendmail.mc; with lines in place of its DAEMON_OPTIONS."""
        with open(CF / "debian/sendmail.mc") as stock:
            text = stock.read()
        assert len(DEBIANS.findall(text)) == 2
        if lines is not None:
            text = DEBIANS.sub("", DEBIANS.sub(lambda _: lines, text, count=1))
        text = text.replace("/etc/mail/", f"{self.folder}/").replace("/usr/share/sendmail/cf/", f"{CF}/")
        return (f"define(`_CF_DIR_', `{CF}/')define(`MAIL_SETTINGS_DIR', `{self.folder}/')dnl\n"
                + text.replace("OSTYPE(`debian')", f"include(`{CF}/debian/autoconf.m4')dnl\nOSTYPE(`debian')"))

    def doctor(self, *options, offline=True):
        """What the doctor finds, as JSON."""
        yaml = self.folder / "mailreeve.yaml"
        argv = [PROGRAM, "doctor", "--directory", self.folder, "--ca", self.certificate.file, "--json",
                *["-c", yaml] * yaml.exists(), *["--live"] * (not offline), *options, "sendmail"]
        done = subprocess.run([str(word) for word in argv], text=True, capture_output=True, timeout=60)
        if done.returncode not in (0, 1) or done.stderr:
            raise RuntimeError(f"doctor ended with {done.returncode}: {done.stderr}")
        found = json.loads(done.stdout)
        serious = any(fault["severity"] != "note" for fault in found["faults"])
        assert done.returncode == serious, f"exit code {done.returncode}"
        return found


# ---- following the advice ------------------------------------------------------------------------------------------

CALL = re.compile(r"(DAEMON_OPTIONS\(`.*?'\)|MAIL_FILTER\(`.*?', `.*?'\)|define\(`conf\w+', `.*?'\))dnl")


def subject(call):
    """What a call is about: the same subject takes the place of the other."""
    name = re.search(r"Name=([^,']*)", call)
    if call.startswith("DAEMON_OPTIONS"):
        return "daemon", name[1] if name else "MTA"
    return call.partition("(")[0], re.search(r"\(`(.*?)'", call)[1]


def follow(faults, lines, provider):
    """The lines and provider.m4 with the advice of these faults in place."""
    for fault in faults:
        for fix in fault["fix"]:
            for call in CALL.findall(fix):
                if call.startswith("define"):
                    provider += call + "dnl\n"
                    continue
                kept = [line for line in lines.splitlines() if not (found := CALL.search(line)) or
                        subject(found[1]) != subject(call)]
                lines = "\n".join([*kept, call + "dnl"]) + "\n"
    return lines, provider
