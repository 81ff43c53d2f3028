# SPDX-License-Identifier: Apache-2.0
"""Configurations that are broken, change under load, or are very large."""
import datetime
import os
import re

from daemon import (AUTHENTICATE, DUNNO, EX_CONFIG, NO_AUTH, NO_TLS, SLOW, STARTTLS, Daemon, expect, note, same, test,
                    wait_for)
from load import Load

BROKEN = "mode: enforce\nmood: bad\n"
MILLION = 1_000_000


def digest(d):
    return d.journal()[-1]["policy"]


@test
def broken_at_start():
    """a configuration that is broken or cannot be read, at the start: exit code 78, and file and line are named"""
    with Daemon(start=False) as d:
        for text, where in ((BROKEN, f"{d.config}:2:1"), ("mode: [\n", f"{d.config}:"), ("mode: \xff", d.config),
                            ("mode: enforce\nexceptions_file: none\n", f"{d.config}:2:")):
            with open(d.config, "w", encoding="latin-1") as f:
                f.write(text)
            d.start(wait=False)
            same(d.ended(), EX_CONFIG, f"the exit code for {text!r}")
            expect(where in d.logged() and "fatal" in d.logged(), f"{where} is not in: {d.logged()}")
        for spoil in (lambda: os.unlink(d.config), lambda: os.mkdir(d.config)):
            spoil()
            d.start(wait=False)
            same(d.ended(), EX_CONFIG, "the exit code")
            expect(d.config in d.logged(), d.logged())
        os.rmdir(d.config)


@test
def broken_at_reload():
    """the same at a reload: the old policy stays, and log, journal and status say so"""
    with Daemon() as d:
        same(d.ask(**NO_AUTH), AUTHENTICATE, "the answer before")
        d.settled()
        before = digest(d)
        for number, spoil in enumerate((lambda: d.write_config(BROKEN), lambda: os.chmod(d.config, 0),
                                        lambda: os.unlink(d.config)), 1):
            spoil()
            d.reload(ok=False)
            same(digest(d), before, "the policy's digest in the journal")
            why = d.reloads()[-1]["why"]
            expect(d.config in why, f"why: {why}")
            wait_for("the log", lambda: d.logged().count("REJECTED: policy " + before) == number)
            same(d.ask(**NO_AUTH), AUTHENTICATE, "the answer after it")
        wait_for("the status", lambda: d.status()["reloads"] == 3)
        same((d.status()["reload_ok"], d.status()["policy"]), (False, before), "the status")
        expect(f"{d.config}:2:1" in d.reloads()[0]["why"], "line and column")
        expect(re.search(r"error: .*:2:1.*mood", d.logged()), "the problem is not in the log")
        d.configure(mode="audit")
        d.reload()
        expect(digest(d) != before, "the digest is the old one")
        same(d.ask(**NO_AUTH), DUNNO, "the answer of the new policy")


@test
def restart_needed():
    """what a reload cannot change is said; the rest is in force"""
    with Daemon() as d:
        d.listen.append(f'"unix:{d.folder}/new.sock"')
        d.journal_path, old = d.journal_path + "2", d.journal_path
        d.configure(mode="audit")
        d.journal_path = old
        d.reload()
        for key in ("policyd", "journal.path"):
            expect(f'the change of "{key}" needs a restart' in d.logged(), d.logged())
        same(d.ask(**NO_AUTH), DUNNO, "the answer")
        expect(not os.path.exists(f"{d.folder}/new.sock"), "a socket was opened")


@test
def reload_under_load():
    """reloads of good, broken and other files under load: no request is lost, a transaction keeps its decision"""
    with Daemon() as d:
        changes = {**NO_AUTH, **NO_TLS}
        with Load(d, [STARTTLS, DUNNO], connections=4, **changes) as load:
            for turn in range(12):
                if turn % 3 == 1:
                    d.write_config(BROKEN)
                else:
                    d.configure(mode="audit" if turn % 3 == 0 else "enforce")
                d.reload(ok=turn % 3 != 1)
                asked = load.asked
                wait_for("the load to go on", lambda: load.asked > asked + 200)
        load.tell(0.25 * SLOW)
        note(f"transactions: {load.seen}")
        same(set(load.seen), {STARTTLS, DUNNO}, "the decisions that were met")
        d.stop()
        same(d.status()["counters"]["requests"], load.asked, "the requests counted")
        same(len(d.decisions()), sum(load.seen.values()), "transactions in the journal")


def write_exceptions(path):
    until = datetime.date.today() + datetime.timedelta(days=365)
    tail = f" | tls-required, auth-required | {until} | help desk | old copier\n"
    with open(path + ".new", "w") as f:
        f.writelines(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}{tail}" if i % 2 else f"user{i}@example.com{tail}"
                     for i in range(MILLION))
    os.rename(path + ".new", path)


def reading(d, path):
    """True while the daemon has that file open."""
    for fd in os.listdir(f"/proc/{d.pid}/fd"):
        try:
            if os.readlink(f"/proc/{d.pid}/fd/{fd}") == path:
                return True
        except FileNotFoundError:
            pass
    return False


@test
def million_exceptions():
    """a million exceptions loaded while requests are served; a second SIGHUP in the meantime is not lost"""
    with Daemon() as d:
        path = f"{d.folder}/exceptions"
        write_exceptions(path)
        excepted = {"client_address": "10.15.66.63", **NO_TLS, **NO_AUTH}       # the last line's
        same(d.ask(**excepted), STARTTLS, "the answer before")
        with Load(d, [DUNNO]) as load:
            wait_for("the load", lambda: load.asked > 200)
            begun = load.asked
            d.configure(more=f"exceptions_file: {path}\n")
            d.hang_up()
            wait_for("the file to be read", lambda: reading(d, path))
            d.configure(more=f"exceptions_file: {path}\nactions: {{auth-required: defer}}\n")
            d.hang_up()
            d.hang_up()
            expect(not d.reloads(), "the first reload was over too soon")
            wait_for("both reloads", lambda: len(d.reloads()) == 2, 60 * SLOW)
            # The old policy is freed meanwhile.
            asked = load.asked
            wait_for("the load to go on", lambda: load.asked > asked + 500)
        load.tell(0.25 * SLOW, since=begun)
        same([r["ok"] for r in d.reloads()], [True, True], "the reloads")
        note(f"{d.rss() >> 20} MiB of memory")
        same(d.ask(**excepted), DUNNO, "the answer to one with an exception")
        same(d.ask(sasl_username=f"user{MILLION - 2}@example.com", **NO_TLS, sasl_method="PLAIN"),
             "554 5.7.0 Your password was sent without TLS; use TLS, and change the password",
             "the answer to a user with an exception")
        same(d.ask(**{**excepted, "client_address": "10.16.0.1"}), STARTTLS, "the answer to one without")
        same(d.ask(**NO_AUTH), "451 4.7.0 Authentication required", "the answer of the second reload's policy")


@test
def stop_during_reload():
    """SIGTERM during a slow reload: a clean end"""
    with Daemon() as d:
        path = f"{d.folder}/exceptions"
        write_exceptions(path)
        d.configure(more=f"exceptions_file: {path}\n")
        d.hang_up()
        wait_for("the file to be read", lambda: reading(d, path))
        d.stop(limit=60 * SLOW)
        same(len(d.reloads()), 0, "the number of reloads")
        same(d.journal()[-1]["event"], "stop", "the journal's last line")
