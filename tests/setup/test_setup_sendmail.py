#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailreeve setup sendmail: what it prints for a sendmail.mc and the sendmail.cf that m4 makes of it. TAP.

That the lines work is tests/mta/test_paste_milter.py's to see; here is which lines.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/doctor"))

from sendmail_mc import CF, PROGRAM, m4  # noqa: E402

FILTERS = """\
MAIL_FILTER(`mailreeve', `S=local:/run/mailreeve-milter/milter.sock, F=T, T=C:10s;S:10s;R:10s;E:1m')dnl
MAIL_FILTER(`mailreeve-smtp', `S=local:/run/mailreeve-milter/milter.sock, T=C:10s;S:10s;R:10s;E:1m')dnl
"""
HEAD = f"""\
define(`_CF_DIR_', `{CF}/')dnl
include(`{CF}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
"""
TAIL = "MAILER(`local')dnl\nMAILER(`smtp')dnl\n"
TLS = "define(`confSERVER_CERT', `/etc/mail/tls/cert.pem')dnl\ndefine(`confSERVER_KEY', `/etc/mail/tls/key.pem')dnl\n"
NO_MSA = "FEATURE(`no_default_msa')dnl\n"
STRICT_AUTH = "define(`confAUTH_OPTIONS', `A p')dnl\ndefine(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl\n"
THREE = (NO_MSA + "DAEMON_OPTIONS(`Family=inet, Name=smtp, Port=25, M=A')dnl\n"
         "DAEMON_OPTIONS(`Family=inet, Name=submission, Port=587, M=Ea')dnl\n"
         "DAEMON_OPTIONS(`Family=inet, Name=submissions, Port=465, M=Eas')dnl\n")
ASKING = THREE.replace("M=A'", "M=A, InputMailFilters=mailreeve-smtp'").replace("Ea'", "Ea, InputMailFilters=mailreeve'").replace(
    "Eas'", "Eas, InputMailFilters=mailreeve'")


def without_comments(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("dnl #"))


# name, the middle of sendmail.mc, options, the lines that are printed (comments left out)
CASES = [
    ("three daemons", TLS + STRICT_AUTH + THREE, [], FILTERS + "".join(ASKING.splitlines(keepends=True)[1:])),
    ("two daemons: 465 is added, like 587", TLS + STRICT_AUTH + NO_MSA +
     "DAEMON_OPTIONS(`Name=MTA, Port=smtp, M=A')dnl\nDAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea, Addr=192.0.2.1')dnl\n", [], FILTERS +
     "DAEMON_OPTIONS(`Name=MTA, Port=smtp, M=A, InputMailFilters=mailreeve-smtp')dnl\n"
     "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea, Addr=192.0.2.1, InputMailFilters=mailreeve')dnl\n"
     "DAEMON_OPTIONS(`Family=inet, Name=submissions, Port=465, Addr=192.0.2.1, M=Eas, InputMailFilters=mailreeve')dnl\n"),
    ("IPv6 as well", TLS + STRICT_AUTH + NO_MSA + "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea')dnl\n"
     "DAEMON_OPTIONS(`Name=MSA6, Family=inet6, Port=587, M=Ea')dnl\n", [], FILTERS +
     "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea, InputMailFilters=mailreeve')dnl\n"
     "DAEMON_OPTIONS(`Name=MSA6, Family=inet6, Port=587, M=Ea, InputMailFilters=mailreeve')dnl\n"
     "DAEMON_OPTIONS(`Family=inet, Name=submissions, Port=465, M=Eas, InputMailFilters=mailreeve')dnl\n"
     "DAEMON_OPTIONS(`Family=inet6, Name=submissions6, Port=465, M=Eas, InputMailFilters=mailreeve')dnl\n"),
    ("without a certificate", STRICT_AUTH + NO_MSA + "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea')dnl\n", [], FILTERS +
     "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea, InputMailFilters=mailreeve')dnl\n"
     "dnl DAEMON_OPTIONS(`Family=inet, Name=submissions, Port=465, M=Eas, InputMailFilters=mailreeve')dnl\n"),
    ("filters for all are kept, behind ours", TLS + STRICT_AUTH + THREE + "INPUT_MAIL_FILTER(`opendkim', `S=local:/run/opendkim/sock')dnl\n"
     "INPUT_MAIL_FILTER(`clamav', `S=local:/run/clamav/sock, F=T')dnl\n", [], FILTERS +
     "".join(ASKING.replace("mailreeve-smtp'", "mailreeve-smtp;opendkim;clamav'").replace(
         "mailreeve'", "mailreeve;opendkim;clamav'").splitlines(keepends=True)[1:])),
    ("filters of a daemon are kept", TLS + STRICT_AUTH + "MAIL_FILTER(`opendkim', `S=local:/run/opendkim/sock')dnl\n" +
     THREE.replace("M=A'", "M=A, InputMailFilters=opendkim'"), [], FILTERS +
     "".join(ASKING.replace("mailreeve-smtp'", "mailreeve-smtp;opendkim'").splitlines(keepends=True)[1:])),
    ("in already", TLS + STRICT_AUTH + FILTERS + ASKING, [], ""),
    ("one port does not ask", TLS + STRICT_AUTH + FILTERS + ASKING.replace("Eas, InputMailFilters=mailreeve'", "Eas'"), [],
     ASKING.splitlines(keepends=True)[3]),
    ("Sendmail's defaults", TLS + STRICT_AUTH, [], FILTERS + NO_MSA +
     "DAEMON_OPTIONS(`Name=MTA, InputMailFilters=mailreeve-smtp')dnl\n"
     "DAEMON_OPTIONS(`Port=587, Name=MSA, M=E, InputMailFilters=mailreeve')dnl\n"
     "DAEMON_OPTIONS(`Family=inet, Name=submissions, Port=465, M=Eas, InputMailFilters=mailreeve')dnl\n"),
    ("AUTH in clear text, audit", TLS + "define(`confAUTH_OPTIONS', `A')dnl\ndefine(`confAUTH_MECHANISMS', `EXTERNAL DIGEST-MD5 PLAIN')dnl\n" +
     THREE.replace(", M=A", ""), [], FILTERS + "".join(ASKING.replace(", M=A,", ",").splitlines(keepends=True)[1:]) +
     "dnl define(`confAUTH_OPTIONS', `A p')dnl\ndnl define(`confAUTH_MECHANISMS', `EXTERNAL PLAIN')dnl\n"),
    ("AUTH in clear text, enforce", TLS + "define(`confAUTH_OPTIONS', `A')dnl\ndefine(`confAUTH_MECHANISMS', `EXTERNAL DIGEST-MD5 PLAIN')dnl\n" +
     THREE.replace(", M=A", ""), ["--enforce"], FILTERS + "".join(ASKING.splitlines(
         keepends=True)[1:]) + "define(`confAUTH_OPTIONS', `A p')dnl\ndefine(`confAUTH_MECHANISMS', `EXTERNAL PLAIN')dnl\n"),
    ("challenges only: nobody is shut out", TLS + "define(`confAUTH_OPTIONS', `A p')dnl\ndefine(`confAUTH_MECHANISMS', `CRAM-MD5')dnl\n" +
     THREE, ["--enforce"], FILTERS + "".join(ASKING.splitlines(keepends=True)[1:])),
]


class Place:
    """A directory like /etc/mail."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailreeve-setup-"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def write(self, middle, cf=True):
        mc = self.folder / "sendmail.mc"
        mc.write_text(HEAD + middle + TAIL)
        os.utime(mc, (1, 1))
        if cf:
            (self.folder / "sendmail.cf").write_text(m4(mc))

    def bytes(self):
        return {f.name: f.read_bytes() for f in self.folder.iterdir() if f.is_file()}

    def setup(self, *options, code=0):
        before = self.bytes()
        argv = [PROGRAM, "setup", "sendmail", "-c", self.folder, "--config", self.folder / "mailreeve.yaml", *options]
        done = subprocess.run([str(word) for word in argv], text=True, capture_output=True, timeout=60)
        if done.returncode != code or bool(done.stderr) != bool(code):
            raise RuntimeError(f"ended with {done.returncode}: {done.stderr}")
        if before != self.bytes():
            raise RuntimeError("a file was changed")
        return done.stderr if code else done.stdout


def differences(told, expected):
    return [] if told == expected else ["expected:", *expected.splitlines(), "told:", *told.splitlines()]


def lines(middle, options, expected):
    with Place() as place:
        place.write(middle)
        told = place.setup("--print", *options)
        wrong = differences(without_comments(told), expected)
        place.write(middle)             # and what is printed is m4
        mc = place.folder / "sendmail.mc"
        mc.write_text(HEAD + "divert(-1)\n" + told + "divert(0)dnl\n" + TAIL)
        m4(mc)
        return wrong


def numbers():
    """The numbers are those of the lines, also if one has several."""
    with Place() as place:
        place.write(NO_MSA + "DAEMON_OPTIONS(`Name=MTA, Port=25')dnl\ndnl DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea')dnl\n"
                    "DAEMON_OPTIONS(`Name=MSA,\n  Port=587, M=Ea')dnl\n")
        told = re.findall(r"in place of (lines? .*):", place.setup("--print"))
        return differences(str(told), str(["line 5", "lines 7 to 8"]))


def without_cf():
    with Place() as place:
        place.write(THREE + TLS, cf=False)
        return differences("".join(re.findall("^DAEMON.*\n", place.setup("--print"), re.M)), "".join(ASKING.splitlines(keepends=True)[1:]))


def without_mc():
    with Place() as place:
        place.write(STRICT_AUTH + THREE + TLS)
        (place.folder / "sendmail.mc").unlink()
        whole = place.setup()
        wrong = [] if "it is not there" in whole else [whole]
        return wrong + differences("".join(re.findall("^DAEMON.*\n", place.setup("--print"), re.M)),
                                   "".join(ASKING.splitlines(keepends=True)[1:]))


def whole():
    with Place() as place:
        place.write(TLS + NO_MSA + "DAEMON_OPTIONS(`Name=MTA, Port=25, Addr=127.0.0.1')dnl\nDAEMON_OPTIONS(`Name=MTA6, Family=inet6, Port=25')dnl\n"
                    "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea')dnl\nDAEMON_OPTIONS(`Port=2525, M=Ea')dnl\n")
        now = time.time() + 60
        os.utime(place.folder / "sendmail.mc", (now, now))
        told = place.setup()
        folder = place.folder
        yaml = ("mode: audit\nlisteners:\n  - {names: [MTA, MTA6], port: 25, role: smtp}\n  - {names: [MSA], port: 587, role: submission}\n"
                "  - {names: [Daemon3], port: 2525, role: submission}\n  - {names: [submissions], port: 465, role: submissions}\n"
                'milter:\n  listen: ["unix:/run/mailreeve-milter/milter.sock"]\n')
        (folder / "mailreeve.yaml").write_text(yaml)
        checked = subprocess.run([PROGRAM, "check", "--strict", "-c", folder / "mailreeve.yaml"], text=True, capture_output=True)
        wanted = [yaml, f"is newer than sendmail.cf", "MTA listens on this machine only (127.0.0.1)",
                  f"\nmailreeve check\nsystemctl enable --now mailreeve-milter\nmake -C {folder}\nsystemctl restart sendmail\nmailreeve doctor sendmail\n",
                  f"cp -p {folder}/sendmail.mc.before-mailreeve {folder}/sendmail.mc\n", f"{folder}/sendmail.mc:7\n", "there is one: these lines belong into it"]
        told_again = place.setup()
        place.setup("--enforce")
        return [f"lacks {text!r}" for text in wanted[:-1] if text not in told] + ["does not see mailreeve.yaml"] * (wanted[-1] not in told_again) \
            + ([f"mailreeve check: {checked.stdout}{checked.stderr}"] if checked.returncode else []) \
            + ["not mode: enforce"] * ("mode: enforce\n" not in place.setup("--enforce"))


def mistakes():
    with Place() as place:
        wrong = []
        for options, code, text in (([], 66, "has neither sendmail.cf nor sendmail.mc"), (["--mc", "/nonexistent.mc"], 66, "No such file"),
                                    (["--nonsense"], 64, "usage:"), (["more"], 64, "no arguments are expected")):
            told = place.setup(*options, code=code)
            wrong += [f"{options}: {told}"] * (text not in told)
        (place.folder / "sendmail.mc").mkdir()
        told = place.setup(code=66)
        return wrong + [told] * ("sendmail.mc" not in told)


def tests():
    for name, middle, options, expected in CASES:
        yield name, lambda middle=middle, options=options, expected=expected: lines(middle, options, expected)
    yield "the numbers of lines", numbers
    yield "without a sendmail.cf", without_cf
    yield "without a sendmail.mc", without_mc
    yield "all that is printed", whole
    yield "mistakes", mistakes


def main():
    listed, failed = list(tests()), 0
    print(f"1..{len(listed)}", flush=True)
    for number, (name, test) in enumerate(listed, 1):
        try:
            wrong = test()
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            wrong = [f"{type(e).__name__}: {e}"]
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}", flush=True)
        print("".join(f"# {line}\n" for text in wrong for line in text.splitlines()), end="", flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
