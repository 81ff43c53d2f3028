#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mailreeve audit` as people use it: options, exit codes, what is said, following a log. TAP."""
import csv
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import tests_of

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = str((ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve").resolve())
AUDIT = [PROGRAM, "audit", "-c", "/dev/null"]
CLIENTS = HERE / "clients/postfix.log"
ENVIRONMENT = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}

tests = []


def test(function):
    tests.append(function)
    return function


def audit(*arguments, code=None, feed=None, command=None):
    done = subprocess.run([*(command or AUDIT), *map(str, arguments)], input=feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=ENVIRONMENT, check=False, timeout=60, stdin=None if feed is not None else subprocess.DEVNULL)
    if code is not None:
        assert done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr}{done.stdout[:500]}"
    return done


def lines(tag, pid, *texts, stamp="Nov 20 10:00:00"):
    return "".join(f"{stamp} mx {tag}[{pid}]: {text}\n" for text in texts)


def login(pid, tag="postfix/submission/smtpd", user="alice@example.com", client="a.example[192.0.2.7]", stamp="Nov 20 10:00:00", tls=True, starttls=True):
    up = [f"Anonymous TLS connection established from {client}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"] if tls else []
    return lines(tag, pid, f"connect from {client}", *up, f"4104E3D: client={client}, sasl_method=PLAIN, sasl_username={user}",
                 f"disconnect from {client} ehlo=1{' starttls=1' if tls and starttls else ''} auth=1 mail=1 rcpt=1 data=1 quit=1 commands=6", stamp=stamp)


# The log has TLS lines, and submission is not the name of 465 as well: then no TLS line is no TLS.
TLS_LOGGED = login(98, user="zoe@example.com", client="z.example[192.0.2.98]")
CLEAR = TLS_LOGGED + login(1, tls=False)


@test
def nothing_to_change(_):
    assert "no user would be refused" in audit("-", feed=login(1), code=0).stdout


@test
def a_customer_has_to_change_something(_):
    out = audit("-", feed=CLEAR, code=1).stdout
    assert re.search(r"alice@example\.com.*192\.0\.2\.7", out) and "tls-required, cleartext-auth" in out, out


@test
def a_name_that_one_listener_alone_has_is_not_guessed(_):
    told = json.loads(audit("--json", "-", feed=login(1, tag="postfix/smtpd"), code=0).stdout)
    assert "server_port" not in told["listeners"][0], told["listeners"]
    assert [d["doubt"] for d in told["doubts"]] == ["listener"], told["doubts"]


@test
def a_name_can_be_told(_):
    told = json.loads(audit("--json", "--listener", "postfix=25", "-", feed=login(1, tag="postfix/smtpd"), code=1).stdout)
    assert told["listeners"][0]["server_port"] == 25, told["listeners"]
    assert [f["finding"] for f in told["findings"]] == ["auth-on-smtp-port"], told["findings"]


@test
def two_kinds_of_sessions_under_one_name(_):
    feed = login(1) + login(2, starttls=False)
    told = json.loads(audit("--json", "-", feed=feed, code=0).stdout)
    assert told["listeners"][0]["shared"] is True, told["listeners"]


@test
def the_policy_of_a_file(work):
    (work / "m.yaml").write_text("listeners:\n  - {names: [submission], port: 587, role: submission}\n"
                                 "exceptions:\n  - {client: 192.0.2.7, allow: [tls-required, cleartext-auth], until: 2099-01-01, reason: x, owner: y}\n")
    audit("-", feed=CLEAR, code=0, command=[PROGRAM, "audit", "-c", str(work / "m.yaml")])


@test
def a_policy_that_is_wrong(work):
    (work / "m.yaml").write_text("listeners: 3\n")
    assert "m.yaml:1" in audit("-", feed="", code=78, command=[PROGRAM, "audit", "-c", str(work / "m.yaml")]).stderr


@test
def privacy_of_the_policy(work):
    (work / "m.yaml").write_text(f"privacy: {{user: hash, address: network}}\njournal: {{path: {work}}}\n")
    for form in ("--json", "--csv", "--html=-", "--all"):
        out = audit(form, "-", feed=CLEAR, code=1, command=[PROGRAM, "audit", "-c", str(work / "m.yaml")]).stdout
        assert "192.0.2.0/24" in out and "h:" in out, out
        assert not re.search(r"alice|192\.0\.2\.[1-9]|a\.example", out), out


@test
def since(_):
    feed = TLS_LOGGED + login(1, tls=False, stamp="2026-11-18T10:00:00Z") + login(2, user="bob@example.com", tls=False, stamp="2026-11-20T10:00:00Z")
    for given, users in (("2026-11-20", ["bob@example.com"]), ("2026-11-18T10:00:01Z", ["bob@example.com"]),
                         ("2026-11-18T10:00:00Z", ["alice@example.com", "bob@example.com"]), ("2026-11-18", ["alice@example.com", "bob@example.com"])):
        out = audit("--csv", "--since", given, "-", feed=feed, code=1).stdout
        assert sorted({row["sasl_username"] for row in csv.DictReader(io.StringIO(out))}) == users, (given, out)
    audit("--since", "soon", "-", feed=feed, code=64)


@test
def names_that_find_no_place_are_a_problem(_):
    told = json.loads(audit("--json", "-", feed=login(1, user="u" * 400), code=0).stdout)
    assert told["problems"] == ["names that found no place, and are shown as (more): 1"], told["problems"]


@test
def nothing_could_be_read(work):
    out = audit(work / "no.log", code=66).stdout
    assert "Nothing could be read: see the problems." in out and "no.log: cannot be opened" in out, out
    assert "There is nothing in it." in audit("-", feed="", code=65).stdout


@test
def grouped(_):
    for by in ("user", "client", "software", "listener", "finding"):
        told = json.loads(audit("--json", "--by", by, "-", feed=CLEAR, code=1).stdout)
        assert told["by"] == by and len(told["entries"]) == (2 if by == "finding" else 1), told["entries"]
    assert "expected user, client" in audit("--by", "port", "-", feed="", code=64).stderr


@test
def usage(_):
    for wrong in (["--listener", "postfix"], ["--listener", "postfix=0"], ["--listener", "=25"], ["--checkpoint", "x"], ["--follow", "a", "b"],
                  ["--follow", "--csv", "a"], ["--journal", "a"], ["--frobnicate"]):
        audit(*wrong, code=64)
    assert "usage: mailreeve audit" in audit("-h", code=0).stdout


@test
def a_page(work):
    audit("--html", work / "page.html", "-", feed=CLEAR, code=1)
    page = (work / "page.html").read_text()
    assert page.startswith("<!DOCTYPE html>") and "alice@example.com" in page and not (work / "page.html.new").exists()
    assert "cannot write" in audit("--html", work / "no/page.html", "-", feed=login(1), code=74).stderr


@test
def lines_tell_what_was_understood_and_nothing_more(_):
    feed = lines("postfix/smtps/smtpd", 7, "connect from b.example[192.0.2.9]", "SSL_accept error from b.example[192.0.2.9]: -1",
                 "warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:350:",
                 "lost connection after CONNECT from b.example[192.0.2.9]", "disconnect from b.example[192.0.2.9] commands=0/0",
                 "warning: b.example[192.0.2.9]: SASL LOGIN authentication failed: c2VjcmV0, sasl_username=hunter2",
                 "warning: SASL frobnication of hunter2 by 192.0.2.9 went wrong")
    out = audit("--lines", "-", feed=feed, code=0).stdout
    assert "hunter2" not in out and "c2VjcmV0" not in out, out
    words = [line.split() for line in out.splitlines()[1:]]
    assert [w[2] for w in words[:7]] == ["connect", "tls-failed", "tls-reason", "lost", "disconnect", "auth-failed", "unknown"], out
    assert "handshake=cleartext" in out and "findings=cleartext-on-implicit-port" in out, out
    told = [json.loads(line) for line in audit("--lines", "--json", "-", feed=feed, code=0).stdout.splitlines()]
    assert told[2]["handshake"] == "cleartext" and told[6]["shape"].startswith("warning: SASL"), told
    assert "wrong version number" in [t.get("reason") for t in told if "ended" in t], told
    assert {"cleartext-on-implicit-port"} <= {f for t in told for f in t.get("findings", [])}, told


@test
def a_password_typed_as_a_name_is_nowhere(_):
    feed = (login(1) + lines("postfix/submission/smtpd", 2, "connect from c.example[192.0.2.8]",
                             "warning: c.example[192.0.2.8]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=hunter2!",
                             "warning: non-SMTP command from c.example[192.0.2.8]: aHVudGVyMiE=",
                             "warning: TLS something new with hunter2!", "disconnect from c.example[192.0.2.8] ehlo=1 auth=0/1 commands=1/2"))
    for form in (["--all"], ["--json"], ["--csv"], ["--html", "-"], ["--lines"], ["--lines", "--json"]):
        out = audit(*form, "-", feed=feed)
        assert "hunter2" not in out.stdout + out.stderr and "aHVudGVyMiE" not in out.stdout, form


# ---- following ---------------------------------------------------------------------------


class Following:
    """`mailreeve audit --follow --json`, and the findings that it has told."""

    def __init__(self, log, checkpoint=None):
        command = [*AUDIT, "--follow", "--json", *(["--checkpoint", str(checkpoint)] if checkpoint else []), str(log)]
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        while checkpoint and not checkpoint.exists():  # then it has begun
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.02)

    def told(self):
        self.output.seek(0)
        return [json.loads(line) for line in self.output.read().splitlines(keepends=True) if line.endswith("\n")]

    def wait(self, count, seconds=30):
        end = time.monotonic() + seconds
        while len(self.told()) < count:
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < end, f"{len(self.told())} findings, not {count}"
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        said = self.process.stderr.read()
        self.process.stderr.close()
        assert how == signal.SIGKILL or code == 0, (code, said)
        return said


def facts(told):
    return sorted((t["finding"], t["client_address"], t.get("sasl_username", ""), t["mode"]) for t in told)


def whole(text):
    """What the same lines come to when they are read at once."""
    ended = [json.loads(line) for line in audit("--lines", "--json", "-", feed=text).stdout.splitlines()]
    return sum(len(t.get("findings", [])) for t in ended if "ended" in t)


@test
def follow_over_rotation_and_restart(work):
    """Each finding once: over a rename, a restart with sessions open, a truncation."""
    log, checkpoint = work / "mail.log", work / "checkpoint"
    rows = [line for line in CLIENTS.read_text().splitlines(keepends=True) if not line.startswith("#")]
    due = whole("".join(rows))
    log.touch()
    parts = [rows[i * len(rows) // 4:(i + 1) * len(rows) // 4] for i in range(4)]
    one = Following(log, checkpoint)
    with log.open("a") as out:
        out.writelines(parts[0])
    one.wait(whole("".join(parts[0])) // 2)
    log.rename(work / "mail.log.1")
    log.write_text("".join(parts[1]))
    one.wait(whole("".join(parts[0] + parts[1])) // 2)
    one.stop()
    with log.open("a") as out:
        out.writelines(parts[2])
    log.rename(work / "mail.log.1")
    log.write_text("".join(parts[3][:-50]))
    two = Following(log, checkpoint)
    two.wait(1)
    with log.open("a") as out:
        out.writelines(parts[3][-50:])
    two.wait(due - len(one.told()))
    two.stop()
    both = one.told() + two.told()
    assert len(both) == due, f"{len(both)} findings, not {due}"
    assert len(set(map(json.dumps, both))) == due, "something was told twice"


@test
def follow_tells_nothing_of_a_password(work):
    log = work / "mail.log"
    log.touch()
    one = Following(log, work / "checkpoint")
    with log.open("a") as out:
        out.write(lines("postfix/submission/smtpd", 2, "connect from c.example[192.0.2.8]",
                        "warning: c.example[192.0.2.8]: SASL PLAIN authentication failed: x, sasl_username=hunter2!",
                        "disconnect from c.example[192.0.2.8] ehlo=1 auth=0/1 commands=1/2"))
        out.write(CLEAR)
    one.wait(3)
    said = one.stop()
    assert "hunter2" not in json.dumps(one.told()) + said + (work / "checkpoint").read_text()
    assert ("tls-required", "192.0.2.7", "alice@example.com", "cleartext") in facts(one.told()), one.told()


@test
def follow_a_log_that_is_not_there(work):
    assert "no/mail.log" in audit("--follow", work / "no/mail.log", code=66).stderr


@test
def a_checkpoint_that_is_none(work):
    (work / "mail.log").touch()
    (work / "checkpoint").write_text("hello\n")
    said = audit("--follow", "--checkpoint", work / "checkpoint", work / "mail.log", code=66).stderr
    assert "checkpoint" in said, said


if __name__ == "__main__":
    sys.exit(tests_of.run(tests))
