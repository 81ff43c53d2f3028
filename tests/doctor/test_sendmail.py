#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailreeve doctor sendmail: each fault, shown by a sendmail.mc that has it and gone when its advice is followed. TAP.

The files are made by m4 from Debian's sendmail.mc (build/mta/). What is expected was written by hand.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from sendmail_mc import (AUTH, CF, FILTERS, HOST, PROVIDER, SMTP, SUBMISSION, SUBMISSIONS, TLS, YAML, Mail, certs, follow)

GOOD = FILTERS + SMTP + SUBMISSION + SUBMISSIONS
AT_SMTP, AT_SUBMISSION, AT_SUBMISSIONS = "smtp, port 25", "submission, port 587", "submissions, port 465"
PLAIN_FILTERS = "".join(f"MAIL_FILTER(`{name}', `S=local:/run/{name}/sock')dnl\n" for name in ("opendkim", "clamav"))


def less(text, *words):
    for word in words:
        assert word in text, f"{word} is not in {text}"
        text = text.replace(word, "")
    return text


class Case:
    """lines, provider, end, access, yaml: what is in place of the good ones. found: [(id, where, severity), ...]."""

    def __init__(self, name, found, lines=GOOD, provider=PROVIDER, unknown=0, mends=True, **files):
        self.name, self.found, self.lines, self.provider = name, found, lines, provider
        self.unknown, self.mends, self.files = unknown, mends, {"yaml": YAML, **files}


E, W, N = "error", "warning", "note"
NO_MILTER = {"yaml": None}

CASES = [
    Case("the good one", []),
    Case("the good one, with IPv6", [], FILTERS + SMTP + SUBMISSION + SUBMISSIONS + SMTP.replace("inet,", "inet6,").replace(
        "Name=smtp", "Name=smtp6, Addr=::")),
    Case("without Mailreeve", [], "".join(re.sub(", InputMailFilters=[^']*", "", line) for line in (SMTP, SUBMISSION, SUBMISSIONS)),
         **NO_MILTER),
    # ---- AUTH
    Case("AUTH on port 25", [("auth-on-25", AT_SMTP, E)], less(GOOD, "M=A, ")),
    Case("AUTH on port 25, switched off for one client only", [("auth-on-25", AT_SMTP, E)], less(GOOD, "M=A, "),
         access="Srv_Features:192.0.2.1\tA\n"),
    Case("AUTH on port 25, switched off by LOCAL_SRV_FEATURES", [], less(GOOD, "M=A, "),
         end="LOCAL_SRV_FEATURES\nR$*\t\t$: $&{daemon_name}\nRsmtp\t\t$# A\n"),
    Case("LOCAL_SRV_FEATURES for another daemon", [("auth-on-25", AT_SMTP, E)], less(GOOD, "M=A, "),
         end="LOCAL_SRV_FEATURES\nR$*\t\t$: $&{daemon_name}\nRsmtpd\t\t$# A\n"),
    Case("LOCAL_SRV_FEATURES of a kind that is not understood", [], less(GOOD, "M=A, "), unknown=1,
         end="LOCAL_SRV_FEATURES\nR$* . example.com\t\t$# A\n"),
    Case("passwords without TLS", [("auth-without-tls", AT_SUBMISSION, E)],
         provider=PROVIDER.replace("`A p'", "`A'")),
    Case("passwords under TLS only by srv_features", [], provider=PROVIDER.replace("`A p'", "`A'"),
         end="LOCAL_SRV_FEATURES\nR$*\t\t$: $&{daemon_name}\nRsubmission\t\t$# c\n"),
    Case("challenges without TLS", [("auth-without-tls", AT_SUBMISSION, W)],
         provider=PROVIDER.replace("PLAIN LOGIN", "PLAIN LOGIN CRAM-MD5")),
    Case("AUTH switched off on 587", [("submission-without-auth", AT_SUBMISSION, E)],
         GOOD.replace("M=Ea,", "M=EA,")),
    Case("no mechanisms", [("submission-without-auth", AT_SUBMISSION, E), ("submission-without-auth", AT_SUBMISSIONS, E)],
         provider=less(PROVIDER, "define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl\n"), mends=False,
         end="LOCAL_CONFIG\nO AuthMechanisms=\n"),
    Case("nothing is said of AUTH", [], GOOD, less(PROVIDER, AUTH), unknown=1),
    Case("587 is open", [("submission-open", AT_SUBMISSION, E), ("tls-not-required", AT_SUBMISSION, E)],
         GOOD.replace("M=Ea,", "M=E,"), yaml=YAML.replace("enforce", "audit")),
    Case("587 is open, without Mailreeve",
         [("submission-open", AT_SUBMISSION, E), ("tls-not-required", AT_SUBMISSION, E)],
         SMTP.replace(", InputMailFilters=mailreeve-smtp", "") + "DAEMON_OPTIONS(`Name=submission, Port=587')dnl\n" +
         SUBMISSIONS.replace(", InputMailFilters=mailreeve", ""), **NO_MILTER),
    Case("587 without a, and Mailreeve enforces", [], GOOD.replace("M=Ea,", "M=E,")),
    Case("587 without a, and srv_features demands AUTH", [], GOOD.replace("M=Ea,", "M=E,"),
         yaml=YAML.replace("enforce", "audit"), access="Srv_Features: l\n"),
    Case("465 is open", [("submission-open", AT_SUBMISSIONS, E)], GOOD.replace("M=Eas,", "M=Es,"),
         yaml=YAML.replace("enforce", "audit")),
    Case("passwords in the log", [("passwords-in-log", "sendmail.cf:", E)],
         provider=PROVIDER + "define(`confLOG_LEVEL', `14')dnl\n"),
    Case("log level 13", [], provider=PROVIDER + "define(`confLOG_LEVEL', `13')dnl\n"),
    # ---- TLS
    Case("465 in clear text", [("cleartext-on-submissions-port", AT_SUBMISSIONS, E)],
         GOOD.replace("M=Eas,", "M=Ea,")),
    Case("587 with TLS at once", [("tls-at-once-on-starttls-port", AT_SUBMISSION, E), ("listener-role", AT_SUBMISSION, E)],
         GOOD.replace("M=Ea,", "M=Eas,")),
    Case("no port 465", [("no-submissions-port", AT_SUBMISSION, W)], less(GOOD, SUBMISSIONS)),
    Case("no port 587", [("no-submission-port", AT_SUBMISSIONS, N)], less(GOOD, SUBMISSION)),
    Case("no TLS", [("submission-without-tls", AT_SUBMISSION, E), ("submission-without-tls", AT_SUBMISSIONS, E)],
         provider=less(PROVIDER, TLS), mends=False),
    Case("STARTTLS is hidden", [("submission-without-tls", AT_SUBMISSION, E)], GOOD.replace("M=Ea,", "M=EaS,")),
    Case("port 25 demands TLS", [("tls-required-on-25", "access:2", E)], access="# TLS\nTLS_Clt:\tENCR:112\n", mends=False),
    Case("TLS is demanded of one client", [], access="TLS_Clt:192.0.2.1\tENCR:112\n"),
    Case("old TLS versions", [("tls-old-versions", "sendmail.cf:", W)],
         provider=less(PROVIDER, "define(`confSERVER_SSL_OPTIONS', `+SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1')dnl\n") +
         "define(`confCIPHER_LIST', `ALL:@SECLEVEL=0')dnl\n"),
    Case("TLS 1.1 is not forbidden", [("tls-old-versions", "sendmail.cf:", W)],
         provider=PROVIDER.replace(" +SSL_OP_NO_TLSv1_1", "") + "define(`confCIPHER_LIST', `ALL:@SECLEVEL=0')dnl\n"),
    Case("nothing is said of TLS versions", [],
         provider=less(PROVIDER, "define(`confSERVER_SSL_OPTIONS', `+SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1')dnl\n"), unknown=1),
    Case("neither TLS 1.2 nor 1.3", [("tls-1.2-missing", "sendmail.cf:", E)], mends=False,
         provider=PROVIDER.replace("NO_TLSv1_1", "NO_TLSv1_1 +SSL_OP_NO_TLSv1_2 +SSL_OP_NO_TLSv1_3")),
    # ---- Mailreeve's filters
    Case("587 does not ask", [("milter-not-asked", AT_SUBMISSION, E)], GOOD.replace("587, M=Ea, InputMailFilters=mailreeve", "587, M=Ea")),
    Case("465 asks another", [("milter-not-asked", AT_SUBMISSIONS, E)],
         PLAIN_FILTERS + GOOD.replace("M=Eas, InputMailFilters=mailreeve", "M=Eas, InputMailFilters=opendkim;clamav")),
    Case("nobody asks", [("milter-not-asked", "sendmail.cf", E)],
         re.sub(", InputMailFilters=[^']*", "", SMTP + SUBMISSION + SUBMISSIONS), mends=False),
    Case("one filter for all, by INPUT_MAIL_FILTER", [("fails-closed", "sendmail.cf:", W)],
         "INPUT_MAIL_FILTER(`mailreeve', `S=local:SOCKET, F=T')dnl\n" +
         re.sub(", InputMailFilters=[^']*", "", SMTP + SUBMISSION + SUBMISSIONS)),
    Case("submission fails open", [("fails-open", "sendmail.cf:", W), ("fails-open", "sendmail.cf:", W)],
         GOOD.replace("=mailreeve'", "=mailreeve-smtp'")),
    Case("port 25 turns away", [("fails-closed", "sendmail.cf:", E)],
         GOOD.replace("MAIL_FILTER(`mailreeve-smtp', `S=local:SOCKET,", "MAIL_FILTER(`mailreeve-smtp', `S=local:SOCKET, F=R,")),
    Case("port 25 hangs up", [("fails-closed", "sendmail.cf:", W)],
         GOOD.replace("MAIL_FILTER(`mailreeve-smtp', `S=local:SOCKET,", "MAIL_FILTER(`mailreeve-smtp', `S=local:SOCKET, F=4,")),
    Case("filters are lost", [("filters-lost", AT_SMTP, W), ("filters-lost", AT_SUBMISSIONS, W)],
         PLAIN_FILTERS + "define(`confINPUT_MAIL_FILTERS', `opendkim, clamav')dnl\n" +
         GOOD.replace("InputMailFilters=mailreeve-smtp", "InputMailFilters=mailreeve-smtp;opendkim").replace(
             "587, M=Ea, InputMailFilters=mailreeve", "587, M=Ea, InputMailFilters=mailreeve;opendkim;clamav")),
    Case("a TCP socket", [("socket-slow", "sendmail.cf:", N)], GOOD.replace("local:SOCKET", "inet:10041@127.0.0.1"),
         yaml=YAML.replace("unix:SOCKET", "inet:127.0.0.1:10041"), mends=False),
    Case("a socket where everybody may write", [("socket-unsafe", "sendmail.cf:", E)],
         GOOD.replace("SOCKET", "/tmp/mailreeve.sock"), yaml=None, mends=False),
    Case("a filter of another name, by its socket", [],
         GOOD.replace("mailreeve-smtp", "ports25").replace("mailreeve", "ports").replace("SOCKET", "/run/x/y.sock"),
         yaml=YAML.replace("SOCKET", "/run/x/y.sock")),
    # ---- mailreeve.yaml
    Case("a port that mailreeve.yaml does not name", [("listener-unknown", "alternate, port 2525", W)],
         GOOD + SUBMISSION.replace("submission, Port=587", "alternate, Port=2525"), mends=False),
    Case("the port decides if the name is not there", [],
         GOOD.replace("Name=submission,", "Name=MSP-v4,").replace("Name=smtp,", "Name=MTA-v4,")),
    Case("another role, 587", [("listener-role", AT_SUBMISSION, E)], mends=False,
         yaml=YAML.replace("role: submission}", "role: smtp}")),
    Case("another role, 25", [("listener-role", AT_SMTP, E)],
         yaml=YAML.replace("role: smtp}", "role: submission}"), mends=False),
    Case("another role, 465", [("listener-role", AT_SUBMISSIONS, E)], mends=False,
         yaml=YAML.replace("role: submissions}", "role: submission}")),
]

FREEBSD = """\
define(`_CF_DIR_', `CF/')dnl
include(`CF/m4/cf.m4')dnl
VERSIONID(`$FreeBSD$')
OSTYPE(freebsd6)
DOMAIN(generic)
FEATURE(access_db, `hash -o -T<TMPF> /etc/mail/access')
FEATURE(blocklist_recipients)
FEATURE(mailertable, `hash -o /etc/mail/mailertable')
FEATURE(virtusertable, `hash -o /etc/mail/virtusertable')
define(`confCW_FILE', `-o /etc/mail/local-host-names')
DAEMON_OPTIONS(`Name=IPv4, Family=inet')
DAEMON_OPTIONS(`Name=IPv6, Family=inet6, Modifiers=O')
define(`confSERVER_CERT', `CERTIFICATE')dnl
define(`confSERVER_KEY', `KEY')dnl
define(`confBIND_OPTS', `WorkAroundBrokenAAAA')
define(`confNO_RCPT_ACTION', `add-to-undisclosed')
define(`confPRIVACY_FLAGS', `authwarnings,noexpn,novrfy')
MAILER(local)
MAILER(smtp)
"""
HOW_TO = """\
include(`CF/m4/cf.m4')dnl
VERSIONID(`SMTP AUTH and TLS in ten minutes')dnl
OSTYPE(`linux')dnl
define(`confDEF_USER_ID', ``8:12'')dnl
define(`confLOG_LEVEL', `15')dnl
define(`confAUTH_OPTIONS', `A')dnl
TRUST_AUTH_MECH(`EXTERNAL DIGEST-MD5 CRAM-MD5 LOGIN PLAIN')dnl
define(`confAUTH_MECHANISMS', `EXTERNAL GSSAPI DIGEST-MD5 CRAM-MD5 LOGIN PLAIN')dnl
define(`confCACERT', `CERTIFICATE')dnl
define(`confSERVER_CERT', `CERTIFICATE')dnl
define(`confSERVER_KEY', `KEY')dnl
define(`confCIPHER_LIST', `ALL:!ADH:@SECLEVEL=0')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`access_db')dnl
INPUT_MAIL_FILTER(`clamav', `S=local:/run/clamav/milter.sock, F=, T=S:4m;R:4m')dnl
DAEMON_OPTIONS(`Port=smtp, Name=MTA')dnl
dnl DAEMON_OPTIONS(`Port=smtp,Addr=127.0.0.1, Name=MTA')dnl
DAEMON_OPTIONS(`Port=submission, Name=MSA, M=E')dnl
DAEMON_OPTIONS(`Port=smtps, Name=TLSMTA')dnl
MAILER(smtp)dnl
MAILER(procmail)dnl
"""


def shown(found):
    return [f"{f['id']} {f['severity']} at {f['where']}" for f in found["faults"]] + [f"unknown: {u}" for u in found["unknown"]]


def compare(found, expected, unknown):
    """The faults in any order, each once."""
    left = list(found["faults"])
    for id, where, severity in expected:
        same = next((f for f in left if f["id"] == id and where in f["where"] and f["severity"] == severity), None)
        if not same:
            return [f"expected {id}, {severity}, at {where}; found:"] + shown(found)
        left.remove(same)
    if left or len(found["unknown"]) != unknown:
        return [f"expected {len(expected)} and {unknown} unknown; found:"] + shown(found)
    return []


class Tests:
    def __init__(self, folder):
        self.folder = folder
        self.certificate = certs.make(folder, "server", "-days", "400", "-addext", f"subjectAltName=DNS:{HOST}")
        self.count = 0

    def mail(self, certificate=None):
        self.count += 1
        made = self.folder / f"mail{self.count}"
        made.mkdir()
        return Mail(made, certificate or self.certificate)

    def run_case(self, case):
        mail = self.mail()
        mail.write(mail.debian(case.lines), case.provider, **case.files)
        found = mail.doctor()
        wrong = compare(found, case.found, case.unknown)
        if wrong or not case.found or not case.mends:
            return wrong
        lines, provider = follow(found["faults"], case.lines, case.provider)
        mail.write(mail.debian(lines), provider, **case.files)
        return [f"after its advice was followed: {line}" for line in compare(mail.doctor(), [], case.unknown)]

    # ---- whole configurations

    def stock(self):
        mail = self.mail()
        mail.write(mail.debian())
        return compare(mail.doctor(), [], 0) + compare(mail.doctor(offline=False), [], 0)

    def stock_for_all(self):
        """Without Addr=127.0.0.1, as its comment says."""
        mail = self.mail()
        mail.write(mail.debian().replace(", Addr=127.0.0.1')", "')"))
        return compare(mail.doctor(), [("submission-without-tls", "MSP-v4, port 587", E)], 1)

    def freebsd(self):
        mail = self.mail()
        mail.words["CF"] = str(CF)
        mail.write(FREEBSD)
        return compare(mail.doctor(), [("submission-open", "MSA, port 587", E), ("tls-not-required", "MSA, port 587", E)], 2)

    def how_to(self):
        mail = self.mail()
        mail.words["CF"] = str(CF)
        mail.write(HOW_TO, access="TLS_Clt: VERIFY:112\n")
        return compare(mail.doctor("--name", "smtp.example.com"), [
            ("auth-on-25", "MTA, port 25", E), ("auth-without-tls", "MTA, port 25", E),
            ("auth-without-tls", "MSA, port 587", E), ("submission-open", "MSA, port 587", E),
            ("auth-without-tls", "TLSMTA, port 465", E), ("submission-open", "TLSMTA, port 465", E),
            ("cleartext-on-submissions-port", "TLSMTA, port 465", E), ("passwords-in-log", "sendmail.cf:", E),
            ("tls-old-versions", "sendmail.cf:", W), ("tls-required-on-25", "access:1", E),
            ("certificate-name", "sendmail.cf:", E)], 0)

    # ---- certificates

    def certificates(self):
        wrong = []
        old = certs.make(self.folder, "old", "-days", "400", "-addext", f"subjectAltName=DNS:{HOST}")
        for name, certificate, options, expected in (
                ("expired", self.certificate, ["--now", str(int(time.time()) + 401 * 86400)], ("certificate-expired", E)),
                ("soon", self.certificate, ["--now", str(int(time.time()) + 390 * 86400)], ("certificate-expires-soon", W)),
                ("name", self.certificate, ["--name", "imap.example.com"], ("certificate-name", E)),
                ("self-signed", old, ["--ca", str(self.certificate.file)], ("certificate-self-signed", E)),
                ("key", certs.Certificate(self.certificate.file, old.key), [], ("certificate-key", E)),
                ("absent", certs.Certificate(self.folder / "none.pem", old.key), ["--ca", str(old.file)], ("certificate-missing", E)),
                ("unreadable", certs.Certificate(old.key, old.key), ["--ca", str(old.file)], ("certificate-unreadable", E))):
            mail = self.mail(certificate)
            mail.write(mail.debian(re.sub(", InputMailFilters=[^']*", "", SMTP + SUBMISSION + SUBMISSIONS)), PROVIDER)
            found = mail.doctor(*options, offline=name not in ("absent", "unreadable"))
            wrong += [f"{name}: {line}" for line in compare(found, [(expected[0], "sendmail.cf:", expected[1])], 0)]
        return wrong

    def certificate_elsewhere(self):
        """A copy of a directory: what is not here is unknown, not absent."""
        mail = self.mail(certs.Certificate(self.folder / "none.pem", self.certificate.key))
        mail.certificate = self.certificate
        mail.write(mail.debian(GOOD), PROVIDER, yaml=YAML)
        return compare(mail.doctor(), [], 1)

    # ---- sockets, tried

    def sockets(self):
        wrong = []
        mail = self.mail()

        def look(what, expected, provider=PROVIDER, yaml=YAML):
            mail.write(mail.debian(GOOD), provider, yaml=yaml)
            wrong.extend(f"{what}: {line}" for line in compare(mail.doctor(offline=False), expected, 0))
        look("absent", [("socket-absent", "sendmail.cf:", E)])
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(mail.socket))
            look("nobody listens", [("socket-refused", "sendmail.cf:", E)])
            listening.listen()
            look("answers", [])
            mail.socket.parent.chmod(0o700)
            look("closed to the user", [("socket-denied", "sendmail.cf:", E)],
                 PROVIDER + "define(`confRUN_AS_USER', `nobody:nogroup')dnl\n")
            mail.socket.parent.chmod(0o777)
            look("open to everybody", [("socket-unsafe", "sendmail.cf:", E)], yaml=None)
        return wrong

    # ---- the files themselves

    def stale(self):
        wrong = []
        mail = self.mail()
        for source, made in (("sendmail.mc", "sendmail.cf"), ("access", "access.db")):
            mail.write(mail.debian(GOOD), PROVIDER, yaml=YAML, access="")
            (mail.folder / "access.db").touch()
            now = time.time()
            os.utime(mail.folder / made, (now - 100, now - 100))
            os.utime(mail.folder / source, (now - 50, now - 50))
            wrong += compare(mail.doctor(), [("sendmail-cf-stale", made, W)], 0)
            os.utime(mail.folder / made, (now, now))
            wrong += compare(mail.doctor(), [], 0)
        return wrong

    def nothing_there(self):
        mail = self.mail()
        try:
            return [f"no sendmail.cf, and it says {mail.doctor()}"]
        except RuntimeError as e:
            return [] if "sendmail.cf: No such file" in str(e) else [str(e)]

    def no_daemon_options(self):
        """An old file: Sendmail listens on port 25, and says nothing of it."""
        mail = self.mail()
        mail.write(mail.debian(GOOD), PROVIDER)
        cf = mail.folder / "sendmail.cf"
        cf.write_text(re.sub("^O DaemonPortOptions.*\n", "", cf.read_text(), flags=re.M))
        return compare(mail.doctor(), [("auth-on-25", "sendmail.cf, port 25", E), ("no-submissions-port", "port 25", W), ("no-submission-port", "port 25", N)], 0)

    def where(self):
        """The line of `where` is the one that it is about."""
        mail = self.mail()
        mail.write(mail.debian(less(GOOD, "M=A, ")), PROVIDER + "define(`confLOG_LEVEL', `20')dnl\n", yaml=YAML)
        lines, wrong = (mail.folder / "sendmail.cf").read_text().splitlines(), []
        for fault in mail.doctor()["faults"]:
            line = lines[int(re.search(r"sendmail\.cf:(\d+)", fault["where"])[1]) - 1]
            wrong += [f"{fault['where']} is {line!r}, evidence {fault['evidence']!r}"] * (line != fault["evidence"])
        return wrong

    def all(self):
        yield "Debian's own sendmail.mc, as it is", self.stock
        yield "Debian's own sendmail.mc, open to others", self.stock_for_all
        yield "FreeBSD's own", self.freebsd
        yield "in the manner of an old how-to", self.how_to
        for case in CASES:
            yield case.name, lambda case=case: self.run_case(case)
        yield "certificates", self.certificates
        yield "a certificate that is on another machine", self.certificate_elsewhere
        yield "sockets, tried", self.sockets
        yield "files that are older than what they are made from", self.stale
        yield "no sendmail.cf", self.nothing_there
        yield "no DaemonPortOptions", self.no_daemon_options
        yield "where it stands", self.where


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailreeve-doctor-"))
    folder.chmod(0o755)
    failed = 0
    try:
        tests = list(Tests(folder).all())
        print(f"1..{len(tests)}", flush=True)
        for number, (name, test) in enumerate(tests, 1):
            try:
                wrong = test()
            except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as e:
                wrong = [f"{type(e).__name__}: {e}"]
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {name}", flush=True)
            print("".join(f"# {line}\n" for text in wrong for line in text.splitlines()), end="", flush=True)
    finally:
        shutil.rmtree(folder)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
