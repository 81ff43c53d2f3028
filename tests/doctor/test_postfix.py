#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailreeve doctor postfix: every fault, shown by a small edit of a good configuration, with postconf and without it, and
gone when its advice has been followed; what people see; the exit codes. TAP."""
import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True

from postfix_cases import CASES, MAIN, MASTER, YAML
from postfix_mail import FILES, PROGRAM, ROOT, WITH, WITHOUT, Mail, make_certificates, tree

# What only postconf knows
ONLY_POSTCONF = {"postconf-warns", "tls-at-once-unseen"}


def edited(edits):
    texts = {"main": MAIN, "master": MASTER, "yaml": YAML}
    for file, old, new, *count in edits:
        if new is None:
            texts[file] = None
            continue
        if not old:
            texts[file] += new
            continue
        assert texts[file].count(old) == (count[0] if count else 1) or count, f"{old!r} is {texts[file].count(old)} times in {file}"
        texts[file] = texts[file].replace(old, new, count[0] if count else 1)
    return texts


def differences(mail, found, expected, unknown):
    """What was found and not expected, or expected and not found, or told otherwise."""
    wrong, left = [], list(found["faults"])
    for id, severity, file, line, evidence, *number in expected:
        for fault in left:
            where = "" if file is None or line is None else str(mail.folder / "mailreeve.yaml") if line == "" else mail.line(file, line, *number)
            if file == "yaml" and line:
                where = f"{mail.folder}/{where}"
            if (fault["id"], fault["severity"]) == (id, severity) and re.match(rf"{re.escape(where)}(?!\d)", fault["where"]) \
                    and evidence.replace("DIR", str(mail.folder)) in fault["evidence"]:
                left.remove(fault)
                break
        else:
            wrong.append(f"not found: {id} {severity} {file} {line!r} {evidence!r}")
    wrong += [f"not expected: {f['id']} {f['severity']} {f['where']}: {f['evidence']} | {f['detail']}" for f in left]
    if len(found["unknown"]) != unknown:
        wrong.append(f"{unknown} unknown expected, but: {found['unknown']}")
    return wrong


class Suite:
    def __init__(self, folder):
        self.folder = folder
        self.numbers = itertools.count(1)
        (folder / "certificates").mkdir()
        self.certificates = make_certificates(folder / "certificates")

    def mail(self):
        return Mail(self.folder / f"mail{next(self.numbers)}", self.certificates)

    def run_case(self, edits, expected, more):
        mail = self.mail()
        mail.write(edited(edits))
        if more.get("tap"):
            (mail.folder / "journal/mailreeve-tap").mkdir(parents=True)
        options = more.get("options", []) + (["--ca", mail.folder / "server.pem"] if more.get("ca", True) else [])
        unknown = more.get("unknown", 1)            # the sockets of Mailreeve: this is a copy
        look = {"now": more.get("days")}
        found = mail.doctor(*options, **look)
        wrong = differences(mail, found, expected, unknown)
        bare = mail.doctor(*options, postconf=False, **look)
        plain = [(i, s, f, l, e.replace(" of Postfix 3.7.11", ""), *n) for i, s, f, l, e, *n in expected if i not in ONLY_POSTCONF]
        wrong += [f"without postconf: {w}" for w in differences(mail, bare, plain, unknown)]
        if wrong or not expected or more.get("left", []) is None:
            return wrong
        mail.follow(found)
        after = sorted({f["id"] for f in mail.doctor(*options, **look)["faults"] if f["severity"] != "note"})
        left = more.get("left", [])
        return [] if after == sorted(left) else [f"after its advice was followed: {after}, expected {left}"]

    # ---- what people see

    def stock(self):
        """Debian's own files: nothing to say."""
        mail = self.mail()
        share = pathlib.Path(tree.path("postfix", "usr/share/postfix"))
        mail.write({"main": (share / "main.cf.debian").read_text(), "master": (share / "master.cf.dist").read_text(), "yaml": None})
        return differences(mail, mail.doctor(), [], 0) + differences(mail, mail.doctor(postconf=False), [], 0)

    def text(self):
        mail = self.mail()
        mail.write(edited([("main", "smtpd_sasl_auth_enable = no", "smtpd_sasl_auth_enable = yes"), ("master", "syslog_name=postfix/submissions", "syslog_name=postfix/submission")]))
        done = self.run("--directory", mail.folder, "--ca", mail.folder / "server.pem")
        patterns = [rf"^Postfix 3\.7\.11 \(.*\), {mail.folder}, with {mail.folder}/mailreeve\.yaml$",
                    r"^   25  smtp/inet +smtp +STARTTLS +yes|under TLS +nobody +enforce$",
                    r"^  587  submission/inet +submission +STARTTLS +under TLS +policyd +enforce$",
                    r"^  465  submissions/inet +submissions +at once +under TLS +policyd +enforce$",
                    r"^10025  127\.0\.0\.1:10025/inet +internal +STARTTLS +no +nobody", r"^error    auth-on-25  \(RFC 8314 4\)$",
                    rf"^     fix postconf -c {mail.folder} -P 'smtp/inet/smtpd_sasl_auth_enable=no'$",
                    r"^warning  shared-syslog-name  \(RFC 6409 5\.2\)$", r"^not looked at: the sockets",
                    r"^1 error, 1 warning, 1 not looked at$", r"^When it is mended: postfix reload$"]
        return self.shows(done, 1, patterns)

    def no_postconf_is_said(self):
        mail = self.mail()
        mail.write(edited([]))
        done = self.run("--directory", mail.folder, "--ca", mail.folder / "server.pem", env=WITHOUT)
        return self.shows(done, 0, [r"^Postfix \(there is no postconf here: defaults are taken to be those of 3\.7\), "])

    def quiet_when_nothing_is_wrong(self):
        mail = self.mail()
        mail.write(edited([("yaml", YAML, None)]) | {"master": "smtp inet n - y - - smtpd\n"})
        return self.shows(self.run("--directory", mail.folder, "--ca", mail.folder / "server.pem"), 0, [r"\n\nnothing found$"])

    def json_has_its_members(self):
        mail = self.mail()
        mail.write(edited([]))
        found = mail.doctor("--ca", mail.folder / "server.pem")
        head = {name: found[name] for name in ("v", "mta", "version", "directory", "configuration")}
        wanted = {"v": 1, "mta": "postfix", "version": "3.7.11", "directory": str(mail.folder), "configuration": f"{mail.folder}/mailreeve.yaml"}
        second = {"service": "submission/inet", "port": 587, "role": "submission", "tls": "STARTTLS", "auth": "under TLS", "asks": "policyd", "mode": "enforce"}
        return [] if (head, found["listeners"][1]) == (wanted, second) else [f"{head} {found['listeners']}"]

    # ---- options and exit codes

    def run(self, *argv, env=WITH):
        return subprocess.run([str(word) for word in (PROGRAM, "doctor", *argv)], text=True, errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, env=env)

    def shows(self, done, code, patterns):
        wrong = [] if done.returncode == code else [f"exit code {done.returncode}, expected {code}"]
        at = 0
        for pattern in patterns:
            found = re.compile(pattern, re.M).search(done.stdout, at)
            if not found:
                return wrong + [f"no {pattern!r} in {done.stdout[at:]!r}"]
            at = found.end()
        return wrong

    def exit_codes(self):
        empty = self.folder / "empty"
        empty.mkdir()
        wrong = []
        for argv, code, pattern in (
                (["--directory", empty], 66, "there is no main.cf and no sendmail.cf in it"),
                (["--directory", empty, "postfix"], 66, "main.cf: No such file or directory"),
                (["--directory", "/nonexistent", "postfix"], 66, "No such file or directory"),
                (["exim"], 64, "^usage: "), (["postfix", "sendmail"], 64, "^usage: "), (["--nonsense"], 64, "^usage: "),
                (["--now", "soon"], 64, "--now soon is no number of seconds"), (["-h"], 0, "^usage: mailreeve doctor")):
            wrong += [f"{argv}: {w}" for w in self.shows(self.run(*argv), code, [pattern])]
        return wrong

    def yaml_that_is_named(self):
        mail = self.mail()
        mail.write(edited([]))
        done = self.run("--directory", mail.folder, "-c", "/nonexistent.yaml")
        return self.shows(done, 1, [r"^error    configuration-wrong$", r"^ +/nonexistent\.yaml: .*No such file"])

    # ---- sockets, tried as smtpd would: user nobody, with and without a chroot

    def live(self, what, expected, endpoint="unix:mailreeve/policyd.sock", chroot=True, prepare=lambda socket: None, unknown=0, user=None):
        """A Postfix whose mail_owner is nobody asks policyd on an endpoint; prepare makes what is there."""
        mail = self.mail()
        queue = mail.folder / "queue"
        (queue / "mailreeve").mkdir(parents=True)
        (mail.folder / "journal").mkdir()
        texts = edited([("main", "unix:mailreeve/policyd.sock", endpoint, 3), ("main", "", f"mail_owner = nobody\nqueue_directory = {queue}\n")])
        if not chroot:
            texts["master"] = re.sub(r"^(\S+ +inet +n +- +)y", r"\1n", texts["master"], flags=re.M)
        mail.write(texts)
        made = prepare(mail.folder)
        argv = [PROGRAM, "doctor", "--directory", mail.folder, "--live", "--json", "--ca", mail.folder / "server.pem", "postfix"]
        try:
            done = subprocess.run([str(word) for word in argv], text=True, capture_output=True, timeout=60, env=WITH, user=user)
        finally:
            if made:
                made()
        if done.returncode not in (0, 1) or done.stderr:
            return [f"{what}: ended with {done.returncode}: {done.stderr}"]
        found = json.loads(done.stdout)
        told = [(fault["id"], fault["severity"], fault["where"].split(",")[0]) for fault in found["faults"]]
        wrong = [] if told == expected else [f"{what}: {found['faults']}, expected {expected}"]
        return wrong + ([] if len(found["unknown"]) == unknown else [f"{what}: unknown: {found['unknown']}"])

    def sockets(self):
        inside, outside = "queue/mailreeve/policyd.sock", "outside.sock"

        def listening(path, answers=True, mode=0o666):
            """Makes a socket on which somebody answers, or only listens; what is returned ends it."""
            def make(folder):
                server = socket.socket(socket.AF_UNIX)
                server.bind(str(folder / path))
                os.chmod(folder / path, mode)
                server.listen()
                thread = threading.Thread(target=serve, args=(server, answers))
                thread.start()

                def end():
                    server.shutdown(socket.SHUT_RDWR)
                    thread.join()
                    server.close()
                return end
            return make

        def serve(server, answers):
            kept = []
            while True:
                try:
                    peer = server.accept()[0]
                except OSError:
                    break
                kept.append(peer)
                if answers and peer.recv(4096):
                    peer.sendall(b"action=DUNNO\n\n")
            for peer in kept:
                peer.close()

        def bound(folder):
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(folder / inside))
                os.chmod(folder / inside, 0o666)

        def denied(folder):
            os.chmod(folder / "queue/mailreeve", 0o700)
            return listening(inside)(folder)

        def unsafe(folder):
            os.chmod(folder / "queue/mailreeve", 0o777)
            return listening(inside)(folder)
        line = self.mail()
        line.write(edited([]))
        at = line.line("master", "  -o smtpd_recipient_restrictions=$mailreeve_submission,")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))           # bound and not listening: nobody can be there
            port = unused.getsockname()[1]
            wrong = self.live("refused by TCP", [("socket-refused", "error", at)], endpoint=f"inet:127.0.0.1:{port}")
        wrong += self.live("absent", [("socket-absent", "error", at)])
        wrong += self.live("nobody listens", [("socket-refused", "error", at)], prepare=bound)
        wrong += self.live("denied by its directory", [("socket-denied", "error", at)], prepare=denied)
        wrong += self.live("denied by its mode", [("socket-denied", "error", at)], prepare=listening(inside, mode=0o600))
        wrong += self.live("nobody answers", [("socket-refused", "error", at)], prepare=listening(inside, answers=False))
        wrong += self.live("it answers", [], prepare=listening(inside))
        wrong += self.live("it answers, without a chroot", [], chroot=False, prepare=listening(inside))
        wrong += self.live("outside of the chroot", [("socket-outside-chroot", "error", at)], endpoint="unix:DIR/outside.sock", prepare=listening(outside))
        wrong += self.live("outside, and no chroot", [], endpoint="unix:DIR/outside.sock", chroot=False, prepare=listening(outside))
        wrong += self.live("a directory for everybody", [("socket-unsafe", "error", at)], prepare=unsafe)
        wrong += self.live("not root", [], prepare=listening(inside), unknown=2, user="nobody")
        return wrong

    def certificate_that_is_gone(self):
        mail = self.mail()
        mail.write(edited([("main", "DIR/server.key, DIR/server.pem", "DIR/server.key, DIR/gone.pem")]))
        found = mail.doctor("--live", "-c", mail.folder / "none")
        told = {fault["id"]: fault["where"] for fault in found["faults"]}
        return [] if told.get("certificate-unreadable") == mail.line("main", "smtpd_tls_chain_files") else [f"{found['faults']}"]

    # ---- rubbish

    def rubbish(self):
        """An error or an unknown, never a crash."""
        wrong = []
        good = edited([])
        binary = bytes(range(256)) * 400
        for name, main, master in (
                ("binary main.cf", binary, None), ("binary master.cf", None, binary), ("both empty", b"", b""),
                ("a line of 1 MB", b"smtpd_client_restrictions = " + b"reject " * 150000 + b"\n", None),
                ("a value that is itself", b"a = $b\nb = $a\nsmtpd_client_restrictions = $a\nsmtpd_tls_security_level = $a\nmynetworks = $b\n", None),
                ("many services", None, b"".join(b"127.0.0.1:%d inet n - n - - smtpd\n" % port for port in range(20000, 24000))),
                ("many options", None, b"smtp inet n - n - - smtpd\n" + b" -o smtpd_milters=inet:127.0.0.1:1\n" * 20000),
                ("lists without an end", b"smtpd_recipient_restrictions = " + b"{ " * 5000 + b"\nsmtpd_milters = {,,{ }\n", None),
                ("escape sequences", b"x\x1b[31m = \x1b[31m\n", None), ("larger than 4 MB", b"#" * 4200000, None)):
            mail = self.mail()
            mail.write(good)
            if main is not None:
                (mail.folder / "main.cf").write_bytes(main)
            if master is not None:
                (mail.folder / "master.cf").write_bytes(master)
            for env in (WITH, WITHOUT):
                done = self.run("--directory", mail.folder, env=env)
                if done.returncode not in (0, 1, 66) or "\x1b" in done.stdout or "Sanitizer" in done.stdout:
                    wrong.append(f"{name}: {done.returncode} {done.stdout[-800:]!r}")
        return wrong

    def no_files(self):
        wrong = []
        for name in ("main.cf", "master.cf"):
            mail = self.mail()
            mail.write(edited([]))
            (mail.folder / name).unlink()
            wrong += self.shows(self.run("--directory", mail.folder, "postfix"), 66, [rf"^mailreeve: .*{name}: No such file or directory$"])
            (mail.folder / name).mkdir()
            wrong += self.shows(self.run("--directory", mail.folder, "postfix"), 66, [rf"^mailreeve: .*{name}: Is a directory$"])
        mail = self.mail()
        mail.write(edited([("main", "DIR/server.key, DIR/server.pem", "DIR DIR")]))
        found = mail.doctor()
        return wrong + ([] if [f["id"] for f in found["faults"]] == ["certificate-unreadable"] else [f"{found['faults']}"])


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailreeve-doctor-"))
    folder.chmod(0o755)                             # nobody is to get in
    suite = Suite(folder)
    tests = [(name, lambda c=(edits, found, more): suite.run_case(*c)) for name, edits, found, more in CASES]
    tests += [(f.__name__.replace("_", " "), f) for f in (
        suite.stock, suite.text, suite.no_postconf_is_said, suite.quiet_when_nothing_is_wrong, suite.json_has_its_members,
        suite.sockets, suite.certificate_that_is_gone,
        suite.exit_codes, suite.yaml_that_is_named, suite.rubbish, suite.no_files)]
    def outcome(test):
        try:
            return test()
        except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as e:
            return [f"{type(e).__name__}: {e}"]
    failed = 0
    print(f"1..{len(tests)}")
    try:
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            for number, ((name, _), wrong) in enumerate(zip(tests, pool.map(outcome, (test for _, test in tests))), 1):
                failed += bool(wrong)
                print(f"{'not ok' if wrong else 'ok'} {number} - {name}", flush=True)
                for line in wrong:
                    print("# " + str(line).replace("\n", "\n# "))
    finally:
        shutil.rmtree(folder)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
