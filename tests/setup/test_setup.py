#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mailreeve setup postfix` on a stock Debian Postfix: there, verified by real clients, and back byte for byte. TAP.

usage: test_setup.py [WORD...]      only the tests with one of these words in their name
"""
import difflib
import json
import os
import re
import subprocess
import sys
import time

import stock
from stock import BUILD, HERE, Machine, Stock, Trouble, tree, wait_for

import cases                                            # noqa: E402 (tests/mta)
import certs                                            # noqa: E402
import tap                                              # noqa: E402
import tools                                            # noqa: E402,F401 (adds swaks and curl to CLIENTS)
from outcome import own_words                           # noqa: E402
from smtp import CLIENTS, Target                        # noqa: E402

MAIN, MASTER, YAML = "/etc/postfix/main.cf", "/etc/postfix/master.cf", "/etc/mailreeve/mailreeve.yaml"
FILES = (MAIN, MASTER, YAML)
DONE, NOT_DONE, WRONG_DATA, UNAVAILABLE, START_IT, NOT_ROOT, WRONG_CONFIG = 0, 1, 65, 69, 75, 77, 78

# What an administrator has: a name, a certificate, mail that goes nowhere; TLS as old as the demo's clients
SITE = {
    "myhostname": "mail.example.com", "relay_domains": "example.com", "relay_transport": "discard:",
    "default_transport": "discard:", "smtpd_tls_cert_file": "/etc/ssl/server.pem",
    "smtpd_tls_key_file": "/etc/ssl/server.key", "smtpd_tls_protocols": ">=TLSv1", "smtpd_peername_lookup": "no",
    "maillog_file": "/var/log/mail.log",
}
# The lines for submission that Debian's master.cf has in comments, with their options
DEBIAN = """\
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=may
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_client_restrictions=$mua_client_restrictions
  -o smtpd_helo_restrictions=$mua_helo_restrictions
  -o smtpd_sender_restrictions=$mua_sender_restrictions
  -o smtpd_recipient_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
"""
# As it was before there were relay restrictions
OLD_DEBIAN = """\
submission inet n       -       -       -       -       smtpd
  -o smtpd_tls_security_level=may
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
"""


class Wrong(AssertionError):
    pass


def must(good, *told):
    if not good:
        raise Wrong("\n".join(str(each) for each in told))


def state(machine, files=FILES):
    """What undo has to bring back: bytes, mode, owner of each file; None: not there."""
    found = {}
    for name in files:
        path = machine.path(name)
        found[name] = (path.read_bytes(), *[getattr(path.stat(), each) for each in ("st_mode", "st_uid", "st_gid")]) \
            if path.exists() else None
    return found


def compare(before, after):
    for name, was in before.items():
        now = after[name]
        if was != now:
            texts = [(each[0].decode(errors="replace").splitlines() if each else []) for each in (was, now)]
            raise Wrong(f"{name} is not as it was: {was and was[1:]} {now and now[1:]}",
                        *difflib.unified_diff(*texts, lineterm=""))


def site(machine, main=None, master="", dovecot=True):
    """The machine as its administrator has it, running."""
    for name, path in (("server.pem", certificates()["server"].file), ("server.key", certificates()["server"].key)):
        machine.write(f"/etc/ssl/{name}", path.read_text(), 0o600)
    settings = {**SITE, **(main or {})}
    machine.run("postconf", "-e", *(f"{name}={value}" for name, value in settings.items()))
    if master:
        machine.path(MASTER).write_text(machine.read(MASTER).decode() + master)
    machine.start_postfix()
    if dovecot:
        machine.start_dovecot()


_certificates = {}


def certificates():
    if not _certificates:
        folder = stock_now.memory / "certificates"
        folder.mkdir()
        _certificates.update(certs.make_all(folder))
    return _certificates


def expect(code, outcome, *words):
    """The exit code and words of what a setup said; returns the text."""
    must(outcome[0] == code, f"exit code {outcome[0]}, not {code}:", outcome[1])
    for word in words:
        must(re.sub(r"\s+", " ", word) in re.sub(r"\s+", " ", outcome[1]), f"it does not say {word!r}:", outcome[1])
    return outcome[1]


def bring_up(machine, *options):
    """The way of somebody without systemd: told to start the daemon, he does, and runs it again."""
    expect(START_IT, machine.setup("--yes", *options), "has to be started first", "run the same command again")
    machine.start_policyd()
    if "both" in options or "milter" in options:
        expect(START_IT, machine.setup("--yes", *options), "mailreeve-milter -u mailreeve-milter")
        machine.start_milter()
    return expect(DONE, machine.setup("--yes", *options), "Done.")


def undo(machine, before):
    expect(DONE, machine.setup("--undo"), "Undone")
    compare(before, state(machine, before))
    expect(DONE, machine.setup("--undo"), "Nothing to undo")


PORTS = {"smtp": 25, "smtp-auth": 25, "submission": 587, "submissions": 465, "alternate": 2525}


def told(machine, case, port=None):
    port = port or PORTS[case.listener]
    target = Target(port, certificates(), PORTS)
    transcript = CLIENTS[case.client](target, case)
    reply = own_words(transcript.told)
    must(case.told in reply, f"port {port}, {case.client}, {case.does}: {case.told!r} was expected", transcript)


def play(machine, *listeners):
    """The demo's cases on these listeners; how many. Not those that need a configuration of their own, or AUTH in clear on
    a submission port, which Postfix here does not take (smtpd_tls_auth_only)."""
    played = [case for case in cases.DEMO if case.listener in listeners and case.source == "127.0.0.1"
              and (case.tls or not case.auth or case.listener == "smtp-auth")]
    for case in played:
        told(machine, case)
    return len(played)


def client(**fields):
    return cases.Case(**{"listener": "submission", "client": "raw", "does": "a client", "told": "250", "verdict": "",
                         **fields})


def journal(machine, program="mailreeve-policyd"):
    lines = []
    for path in sorted(machine.path(f"/var/lib/mailreeve/journal/{program}").glob("*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["event"] == "decision"]


def postconf(machine, *words):
    return machine.run("postconf", *words)[1].strip()


# ---- the way there and back ------------------------------------------------------------------------------------------

def stock_enforced(machine):
    """a stock Debian: two ports opened, enforced, the demo's clients, undone"""
    site(machine)
    before = state(machine)
    text = bring_up(machine, "--enforce", "--open", "587", "--open", "465")
    must("AUTH" in text and "Nobody is refused yet" not in text, text)
    must(play(machine, "smtp", "submission", "submissions") > 12)
    expect(DONE, machine.run("mailreeve", "doctor", "--ca", "/etc/ssl/server.pem", "postfix", check=False))
    after = state(machine)
    expect(DONE, machine.setup("--yes", "--enforce", "--open", "587", "--open", "465"), "Nothing to change")
    compare(after, state(machine))
    expect(DONE, machine.setup("--undo", "--dry-run"), "-submission inet")
    compare(after, state(machine))
    undo(machine, before)
    must(not machine.path("/etc/mailreeve").exists(), "/etc/mailreeve is left behind")


def audit_then_enforce(machine):
    """Debian's submission, AUTH on 25: audit, then enforce; one undo goes back to before both"""
    site(machine, {"smtpd_sasl_auth_enable": "yes"}, DEBIAN)
    before = state(machine)
    text = bring_up(machine)
    must("Nobody is refused yet" in text and "--enforce will switch AUTH off here" in text, text)
    must("smtpd_relay_restrictions = $mailreeve_submission,permit_sasl_authenticated,reject"
         in postconf(machine, "-P", "submission/inet"), postconf(machine, "-P", "submission/inet"))
    told(machine, client(told="250 2.0.0", tls="starttls", auth="PLAIN"))
    told(machine, client(listener="smtp", told="250 2.0.0", tls="starttls", auth="PLAIN"))
    told(machine, client(listener="smtp", told="250 2.0.0"))
    lines = wait_for("two lines in the journal", lambda: len(found := journal(machine)) >= 2 and found)
    must([(each["server_port"], each["would"]) for each in lines] == [(587, "pass"), (25, "reject")], lines)
    text = expect(DONE, machine.setup("--yes", "--enforce"), "AUTH is switched off here", "Done.")
    for gone in ("check_sasl_access", "mailreeve_smtp", "smtpd_restriction_classes"):
        must(gone not in machine.read(MAIN).decode() + machine.read(MASTER).decode(), f"{gone} is still there")
    told(machine, client(listener="smtp", client="raw", told="503 5.5.1", script="EHLO x\nSTARTTLS\nEHLO x\nAUTH PLAIN"))
    told(machine, client(listener="smtp", told="250 2.0.0"))
    play(machine, "submission")
    expect(DONE, machine.setup("--yes", "--enforce"), "Nothing to change")
    undo(machine, before)


def auth_kept_on_25(machine):
    """--enforce --keep-auth-on-25: who logs in there is refused by name, mail of others is not asked about"""
    site(machine, {"smtpd_sasl_auth_enable": "yes"}, DEBIAN)
    before = state(machine)
    bring_up(machine, "--enforce", "--keep-auth-on-25")
    must(play(machine, "smtp", "smtp-auth", "submission") > 12)
    must(not [line for line in journal(machine) if line["server_port"] == 25 and not line.get("sasl_username")])
    undo(machine, before)


def not_chrooted(machine):
    """smtpd outside the chroot, main.cf of mode 0640 with another group, and odd spacing"""
    odd = DEBIAN.replace("submission inet n       -       y", "submission   inet\tn - n").replace("  -o", "\t-o", 3)
    site(machine, {}, "# ours\n" + odd + "# behind\n")
    text = machine.read(MAIN).decode().replace("biff = no", "biff   =\tno\n  # a comment inside\n\nx_own = a\n   b,\n#c\n\td")
    machine.path(MAIN).write_text(text + "\n\n# no newline at the end\nx_last=1")
    expect(WRONG_DATA, machine.setup("--yes"), "does not end with a newline", "echo >>/etc/postfix/main.cf")
    machine.sh("echo >>/etc/postfix/main.cf")
    os.chmod(machine.path(MAIN), 0o640)
    os.chown(machine.path(MAIN), 0, 4)
    before = state(machine)
    bring_up(machine, "--enforce")
    now = state(machine)
    must(now[MAIN][1:] == before[MAIN][1:], f"main.cf has another mode or owner: {before[MAIN][1:]} {now[MAIN][1:]}")
    play(machine, "submission")
    undo(machine, before)


def old_debian(machine):
    """client restrictions of old: Mailreeve hears of those whom they refuse, and the same clients get through"""
    site(machine, {"smtpd_sasl_auth_enable": "no"}, OLD_DEBIAN)
    before = state(machine)
    text = bring_up(machine)
    must("refused behind Mailreeve" in text and "syslog_name" in text and "trusted" not in text, text)
    told(machine, client(told="554 5.7.1", tls="starttls"))                     # Postfix's own, as before
    told(machine, client(told="250 2.0.0", tls="starttls", auth="PLAIN"))
    told(machine, client(told="554 5.7.1", script="EHLO x\nETRN example.com"))
    lines = wait_for("the refused client in the journal", lambda: len(found := journal(machine)) >= 2 and found)
    must(lines[0]["would"] == "reject" and lines[0]["finding"] == "auth-required", lines)
    expect(DONE, machine.setup("--yes", "--enforce"))
    play(machine, "submission")
    undo(machine, before)


def other_ports(machine):
    """submission on 1587, TLS at once on 1465"""
    site(machine, {}, DEBIAN.replace("submission inet", "1587 inet") + re.sub(
        "smtpd_tls_security_level=may", "smtpd_tls_wrappermode=yes",
        DEBIAN.replace("submission inet", "1465 inet").replace("postfix/submission", "postfix/1465")))
    before = state(machine)
    bring_up(machine, "--enforce")
    must("{names: [submission1587], port: 1587, role: submission}" in machine.read(YAML).decode(), machine.read(YAML))
    must("port: 1465, role: submissions}" in machine.read(YAML).decode(), machine.read(YAML))
    told(machine, client(told="530 5.7.0 Must issue"), 1587)
    told(machine, client(told="530 5.7.0 Authentication", tls="implicit"), 1465)
    told(machine, client(told="250 2.0.0", tls="implicit", auth="PLAIN"), 1465)
    undo(machine, before)


def postscreen(machine):
    """postscreen on 25 with AUTH behind it: the options go to smtpd/pass"""
    site(machine, {"smtpd_sasl_auth_enable": "yes", "postscreen_greet_wait": "1s"})
    text = machine.read(MASTER).decode()
    text = text.replace("smtp      inet  n       -       y       -       -       smtpd",
                        "smtp      inet  n       -       y       -       1       postscreen\n"
                        "smtpd     pass  -       -       y       -       -       smtpd\n"
                        "dnsblog   unix  -       -       y       -       0       dnsblog\n"
                        "tlsproxy  unix  -       -       y       -       0       tlsproxy")
    machine.path(MASTER).write_text(text + DEBIAN)
    machine.run("postfix", "reload")
    before = state(machine)
    text = bring_up(machine)
    must("port 25, smtpd/pass behind postscreen" in text, text)
    must("check_sasl_access,static:mailreeve_smtp" in postconf(machine, "-P", "smtpd/pass"), postconf(machine, "-P"))
    told(machine, client(listener="smtp", told="250 2.0.0", tls="starttls", auth="PLAIN"))
    expect(DONE, machine.setup("--yes", "--enforce"))
    options = [line for line in postconf(machine, "-P").splitlines() if line.startswith("smtpd/pass")]
    must(options == ["smtpd/pass/smtpd_sasl_auth_enable = no"], *options)
    undo(machine, before)


# ---- others that are there ----------------------------------------------------------------------------------------------

def others_stay(machine):
    """an existing milter and an existing policy service are still asked, with both of Mailreeve's in front"""
    site(machine, {"smtpd_milters": "{ inet:127.0.0.1:8891, default_action=tempfail }",
                   "smtpd_recipient_restrictions": "check_policy_service inet:127.0.0.1:8892, permit_mynetworks"}, DEBIAN.replace(
                       "  -o smtpd_recipient_restrictions=\n", ""))
    for name in ("policy", "milter"):
        machine.write(f"/opt/{name}.py", (HERE / f"other_{name}.py").read_text())
        machine.start("python3", f"/opt/{name}.py")
    for port in (8891, 8892):
        wait_for("the others", lambda: stock_listens(port))
    before = state(machine)
    text = bring_up(machine, "--with", "both", "--enforce")
    must('milter_macro_daemon_name stays "ORIGINATING"' in text, text)
    must("{ inet:127.0.0.1:8891" in postconf(machine, "-x", "-P", "submission/inet/smtpd_milters"), postconf(machine, "-P"))
    play(machine, "submission")
    for name in ("policy", "milter"):
        asked = machine.path(f"/tmp/{name}.asked")
        must(asked.exists() and asked.read_text().count("\n") >= 2, f"the other {name} is not asked any more")
    must(journal(machine) and journal(machine, "mailreeve-milter"))
    expect(DONE, machine.setup("--yes", "--with", "both", "--enforce"), "Nothing to change")
    undo(machine, before)


def stock_listens(port):
    from daemons import listens
    return listens(port)


OWN_YAML = """\
# Ours, with care.
mode: audit   # for now

exceptions:
  # the copier
  - client: ["192.0.2.17"]
    allow: [tls-required]
    until: 2999-03-31
    reason: "copier on floor 3"
    owner: "help desk"
# who listens where
listeners:
  - {names: [mx], port: 25, role: smtp}       # others

  - names: [submission, msa]
    port: 587
    role: submission
    actions: {auth-mechanism: ignore}
# the end
privacy: {user: hash}
"""


def own_yaml(machine):
    """mailreeve.yaml with comments, exceptions and names of its own: changed where it must be, and put back"""
    site(machine, {"smtpd_sasl_auth_enable": "yes"}, DEBIAN.replace("  -o smtpd_relay_restrictions=permit_sasl",
                                                                   "  -o smtpd_relay_restrictions=permit_mynetworks,permit_sasl"))
    machine.write(YAML, OWN_YAML, 0o640)
    os.chown(machine.path(YAML), 0, machine.path("/var/lib/mailreeve/journal").stat().st_gid)
    machine.sh("chgrp mailreeve /etc/mailreeve/mailreeve.yaml")
    before = state(machine)
    bring_up(machine, "--enforce", "--keep-auth-on-25")
    now = machine.read(YAML).decode()
    lines = [line for line in difflib.ndiff(OWN_YAML.splitlines(), now.splitlines()) if line[0] in "+-"]
    must(lines == ["- mode: audit   # for now", "+ mode: enforce   # for now", "+ policyd:",
                   '+   listen: ["unix:/var/spool/postfix/mailreeve/policyd.sock"]', "+   group: postfix",
                   "+ trusted:", '+   networks: ["127.0.0.0/8", "::1"]', "+   client_certificates: []"], *lines)
    must("mailreeve_mx" in machine.read(MAIN).decode(), machine.read(MAIN))
    told(machine, client(told="250 2.0.0"))                                 # trusted: it is in mynetworks
    told(machine, client(listener="smtp", told="554 5.7.1 AUTH is not", tls="starttls", auth="PLAIN"))
    undo(machine, before)


def two_instances(machine):
    """a second instance with its own queue directory: a socket there, and each is undone by itself"""
    site(machine, {}, DEBIAN)
    machine.sh("""postmulti -e init && postmulti -I postfix-out -e create
        postconf -c /etc/postfix-out -e myhostname=mail.example.com inet_interfaces=all smtpd_tls_cert_file=/etc/ssl/server.pem \\
            smtpd_tls_key_file=/etc/ssl/server.key smtpd_tls_security_level=may default_transport=discard: \\
            relay_domains=example.com relay_transport=discard: smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth \\
            master_service_disable= authorized_submit_users= compatibility_level=3.6
        postmulti -i postfix-out -e enable""")
    master = machine.read("/etc/postfix-out/master.cf").decode()
    master = master.replace("smtp      inet", "1025      inet", 1).replace("smtp    inet", "1025    inet", 1)
    machine.path("/etc/postfix-out/master.cf").write_text(master + DEBIAN.replace("submission inet", "1587 inet"))
    files = (*FILES, "/etc/postfix-out/main.cf", "/etc/postfix-out/master.cf")
    machine.run("postfix", "stop", check=False)
    machine.run("postmulti", "-p", "start")
    before = state(machine, files)
    bring_up(machine)
    first = state(machine, files)
    outcome = machine.setup("-c", "/etc/postfix-out", "--yes")
    expect(START_IT, outcome, "has to be started anew")
    machine.stop(machine.started[-1])
    machine.start_policyd()
    expect(DONE, machine.setup("-c", "/etc/postfix-out", "--yes", "--enforce"), "Done.")
    must(machine.path("/var/spool/postfix-out/mailreeve/policyd.sock").is_socket())
    must("/var/spool/postfix/mailreeve/policyd.sock" in machine.read(YAML).decode(), machine.read(YAML))
    told(machine, client(told="530 5.7.0 Must issue"), 1587)
    told(machine, client(told="530 5.7.0 Must issue"), 587)
    expect(NOT_DONE, machine.setup("--undo"), "mailreeve.yaml was changed since")
    expect(DONE, machine.setup("-c", "/etc/postfix-out", "--undo"), "Undone")
    compare(first, state(machine, files))
    expect(DONE, machine.setup("--undo"), "Undone")
    compare(before, state(machine, files))


# ---- what goes wrong ------------------------------------------------------------------------------------------------------

def changed_since(machine):
    """something else was changed since: undo shows what would be lost, changes nothing, and says how to go on"""
    site(machine, {}, DEBIAN)
    bring_up(machine)
    machine.run("postconf", "-e", "message_size_limit=1000000")
    between = state(machine)
    text = expect(NOT_DONE, machine.setup("--undo"), "main.cf was changed since", "-message_size_limit = 1000000",
                  "Nothing was undone")
    compare(between, state(machine))
    commands = [line.strip() for line in text.splitlines() if line.startswith("    postconf -c ")]
    must(len(commands) >= 2, text)
    for each in commands:
        machine.sh(each)
    now = machine.read(MAIN).decode() + machine.read(MASTER).decode()
    must("mailreeve" not in now and "message_size_limit = 1000000" in now, now)
    must("smtpd_relay_restrictions=permit_sasl_authenticated,reject" in now, now)


def unreachable(machine):
    """a socket that Postfix's user cannot reach: everything is put back"""
    site(machine, {}, DEBIAN)
    before = state(machine)
    expect(START_IT, machine.setup("--yes"))
    machine.start_policyd()
    machine.sh("chmod 700 /var/spool/postfix/mailreeve")
    expect(UNAVAILABLE, machine.setup("--yes"), "does not let postfix in", "Everything was put back")
    compare(before, state(machine))
    told(machine, client(told="250 2.0.0", tls="starttls", auth="PLAIN"))


def check_fails(machine):
    """`postfix check` fails: everything is put back, and Postfix runs as before"""
    site(machine, {}, DEBIAN)
    machine.sh("""mv /usr/sbin/postfix /usr/sbin/postfix.real
        printf '#!/bin/sh\\ncase "$*" in *check) echo "fatal: not today" >&2; exit 1;; esac\\nexec postfix.real "$@"\\n' >/usr/sbin/postfix
        chmod 755 /usr/sbin/postfix""")
    before = state(machine)
    expect(START_IT, machine.setup("--yes"))
    machine.start_policyd()
    expect(UNAVAILABLE, machine.setup("--yes"), "postfix check: fatal: not today", "Everything was put back")
    compare(before, state(machine))
    told(machine, client(told="250 2.0.0", tls="starttls", auth="PLAIN"))


def killed_everywhere(machine):
    """killed before each change to the disk and each child: undo puts everything back, and a second setup ends well"""
    killed(machine, 1)


def killed(machine, every=4):
    """killed before every fourth change to the disk or child: undo puts everything back, and a second setup ends well"""
    site(machine, {"smtpd_sasl_auth_enable": "yes"}, DEBIAN, dovecot=False)
    machine.run("postfix", "stop")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", machine.path("/opt/kill_at.so"), HERE / "kill_at.c", "-ldl"], check=True)
    expect(START_IT, machine.setup("--yes"))
    machine.start_policyd()
    expect(DONE, machine.setup("--undo"))
    before = state(machine)
    kills = 0
    for number in range(1, 400, every):
        code, text = machine.run("env", "LD_PRELOAD=/opt/kill_at.so", f"KILL_AT={number}", "mailreeve", "setup", "postfix",
                                 "--yes", check=False)
        if code == DONE:
            break
        kills += 1
        must(code in (137, -9), f"kill {number}: exit code {code}", text)
        if kills % 2:
            expect(DONE, machine.setup("--yes"))
        expect(DONE, machine.setup("--undo"))
        compare(before, state(machine))
    must(kills > 60 // every, f"only {kills} places to be killed at")
    print(f"#| killed at {kills} places", flush=True)


def not_root(machine):
    """not root, and a directory that cannot be written to: a clear error, nothing changed"""
    site(machine, {}, DEBIAN, dovecot=False)
    before = state(machine)
    expect(NOT_ROOT, machine.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "mailreeve", "setup", "postfix", "--yes", check=False), "only root may change")
    stock.mount("--bind", machine.path("/etc/postfix"), machine.path("/etc/postfix"))
    stock.mount("-o", "remount,bind,ro", machine.path("/etc/postfix"))
    text = expect(73, machine.setup("--yes"), "cannot be written to: Read-only file system", "nothing was changed")
    compare(before, state(machine))
    must("+policyd:" in text, text)
    subprocess.run(["umount", machine.path("/etc/postfix")], check=True)
    text = expect(NOT_DONE, machine.setup(), "there is no terminal to ask on; --yes does it")
    expect(DONE, machine.setup("--dry-run"), "+mailreeve_submission")
    compare(before, state(machine))


def nothing_to_log_in_with(machine):
    """--open without SASL, without a certificate, on a port that is something else; no submission port at all"""
    site(machine, {}, "", dovecot=False)
    before = state(machine)
    expect(UNAVAILABLE, machine.setup("--yes", "--open", "587"), "nobody could log in there", "smtpd_sasl_type=dovecot")
    machine.start_dovecot()
    machine.run("postconf", "-e", "smtpd_tls_cert_file=")
    expect(UNAVAILABLE, machine.setup("--yes", "--open", "587"), "there is no certificate")
    expect(WRONG_DATA, machine.setup("--yes", "--open", "25=submission"), "as something else")
    expect(DONE, machine.setup("--yes"), "--open 465 --open 587", "Nothing to change")
    must(state(machine)[MASTER] == before[MASTER] and state(machine)[YAML] is None)


def ansible(machine):
    """--print: Ansible, run, leads to the same bytes, and a second run changes nothing"""
    machine.sh("dpkg --force-unsafe-io -i /tmp/debs/ansible/*.deb")
    site(machine, {"smtpd_sasl_auth_enable": "yes"}, DEBIAN)
    before = state(machine)
    options = ("--enforce", "--keep-auth-on-25", "--open", "465")
    tasks = expect(DONE, machine.setup("--print", *options), "ansible.builtin.command")
    compare(before, state(machine))
    bring_up(machine, *options)
    wanted = state(machine)
    undo(machine, before)
    play_book = "- hosts: localhost\n  connection: local\n  tasks:\n" + "".join(f"    {line}\n" for line in tasks.splitlines())
    machine.write("/opt/play.yml", play_book)
    first = machine.run("ansible-playbook", "-i", "localhost,", "/opt/play.yml", timeout=300)[1]
    compare(wanted, state(machine))
    second = machine.run("ansible-playbook", "-i", "localhost,", "/opt/play.yml", timeout=300)[1]
    must(re.search(r"changed=0 .*failed=0", second), first, second)
    compare(wanted, state(machine))


TESTS = [stock_enforced, audit_then_enforce, auth_kept_on_25, not_chrooted, old_debian, other_ports, postscreen, others_stay,
         own_yaml, two_instances, changed_since, unreachable, check_fails, killed, not_root, nothing_to_log_in_with, ansible]


def run(test):
    began = time.monotonic()
    try:
        with stock_now.machine() as machine:
            test(machine)
        print(f"# {time.monotonic() - began:.1f} s", flush=True)
        return []
    except (Trouble, OSError, AssertionError, subprocess.SubprocessError) as problem:
        return [f"{type(problem).__name__}: " + "\n".join(map(str, problem.args))]


def main(words, tests=TESTS):
    global stock_now
    chosen = [each for each in tests if not words or any(word in each.__name__ for word in words)]
    print(f"1..{len(chosen)}", flush=True)
    stock.enter()
    failed = 0
    with Stock() as stock_now:
        for number, test in enumerate(chosen, 1):
            failed += tap.result(number, test.__doc__, [line for wrong in run(test) for line in wrong.splitlines()])
    return 1 if failed else 0


if __name__ == "__main__":
    tap.run(main, sys.argv[1:])
