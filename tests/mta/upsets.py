# SPDX-License-Identifier: Apache-2.0
"""What a row of a table cannot say: policies that change, policyd that dies, files that are broken.

Each is a function of the rig that returns faults in words, none when all is well. Its docstring is its name.
UPSETS lists them in the order of running; each leaves the rig as it found it, but for the last.
"""
import contextlib
import dataclasses
import datetime
import re
import smtplib
import threading
import time

import cases
from cases import LOGIN, NEEDS_TLS, SENT, STARTTLS, Case
from daemons import free_ports, wait_for
from policyd import EXPIRED, TRUSTED
from postfix import Postfix
from rig import own_words, verdict
from smtp import HELO, MESSAGE, Talk, Wire

AWAY = "451 4.3.5"                  # what Postfix answers on submission ports while policyd is away
PROPER = Case("submission", "smtplib", "STARTTLS, AUTH", SENT, "pass", **STARTTLS, **LOGIN)
IN_CLEAR = Case("submission", "smtplib", "no TLS, no AUTH", NEEDS_TLS, "reject", "tls-required")
INBOUND = Case("smtp", "smtplib", "inbound mail", SENT, "not asked")
AUTH_ON_25 = Case("smtp-auth", "smtplib", "AUTH on 25", cases.NO_AUTH_HERE, "reject", "auth-on-smtp-port", **LOGIN)


# A Postfix that does what a mail program with an outbox does: it gives its mail to the listener `deferring`, in clear,
# and has an address for which there may be an exception.
QUEUEING = """
transport_maps = inline:{{ example.com=smtp:[127.0.0.1]:{port} }}
smtp_bind_address = {source}
smtp_tls_security_level = none
smtp_host_lookup = native
"""
QUEUEING_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
smtp   unix - - n - - smtp
pickup unix n - n - 1 pickup
showq  unix n - n - - showq"""


def queue(postfix):
    """What mailq would say, the explanation of a mail's state on one line."""
    return re.sub(r"\n +(?=[^ ].*\))", " ", postfix.command("postqueue", "-p"))


def reload(rig):
    """SIGHUP, and the journal's word on how it went: the reload event."""
    rig.policyd.decisions()         # read up to here
    rig.policyd.hang_up()
    return wait_for("the reload event", lambda: next(
        (line for line in rig.policyd.new_lines() if line["event"] == "reload"), None))


def faults_of(rig, *played):
    """Play cases and collect what was wrong, with the case in front."""
    return [f"{case.does}: {fault}" for case in played for fault in rig.play(case).faults]


@contextlib.contextmanager
def session(rig, listener):
    """A session by hand on a listener; gives a function that says a line and returns the whole reply."""
    case = dataclasses.replace(PROPER, listener=listener)
    with contextlib.closing(Wire(rig.target(listener), case)) as wire:
        talk = Talk(wire)

        def say(line):
            answer = talk.say(line)
            return f"{answer.code} {answer.text}"
        yield say


def sign_on(say):
    for line in (f"EHLO {HELO}", "STARTTLS", f"EHLO {HELO}", "AUTH PLAIN"):
        say(line)


def dialogue(say, *lines):
    """Say lines of the form `LINE => REPLY` and return the differences."""
    found = []
    for line in lines:
        line, wanted = line.split(" => ")
        if not (got := say(line)).startswith(wanted) and wanted not in got:
            found.append(f"{line}: expected {wanted!r}, got {got!r}")
    return found


# ---- the list ----------------------------------------------------------------------------------------------------

def exception_ends(rig):
    """an exception holds until the second it ends, without a reload"""
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=3)
    rig.policyd.configure(until=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    found = [] if reload(rig)["ok"] else ["the configuration was refused"]
    before = dataclasses.replace(IN_CLEAR, does="before", told=SENT, verdict="pass", finding="", source=EXPIRED)
    found += faults_of(rig, before)
    if time.time() >= end.timestamp():
        found.append("the machine was too slow to try it before the end")
    wait_for("the exception to end", lambda: time.time() > end.timestamp())
    found += faults_of(rig, dataclasses.replace(IN_CLEAR, does="after", source=EXPIRED))
    rig.policyd.configure()
    reload(rig)
    return found


def deferred_mail_stays_in_the_queue(rig):
    """action defer: a client that queues (smtp(8)) keeps the mail; with an exception, a flush delivers it"""
    port, = free_ports(1)
    queueing = Postfix(rig.workshop, "queueing")
    queueing.start([port], QUEUEING_SERVICES.format(port=port), rig.certificates["server"], host="copier.example.com",
                   settings=QUEUEING.format(port=rig.listeners["deferring"].port, source=EXPIRED))
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.sendmail(IN_CLEAR.sender, IN_CLEAR.to, MESSAGE)

    listing = wait_for("the mail to be deferred", lambda: re.search(r"^\(.*said: (.*)", queue(queueing), re.M))[1]
    found = [] if cases.DEFERRED_TLS in own_words(listing) else [f"postqueue does not show our reply: {listing}"]
    found += [f"verdict: {verdict(line)}, {line['finding']}" for line in rig.policyd.decisions()
              if (verdict(line), line.get("finding", "")) != ("defer", "tls-required")]
    rig.policyd.configure(until="2999-12-31")
    reload(rig)
    queueing.command("postqueue", "-f")
    wait_for("the mail to leave the queue", lambda: "Mail queue is empty" in queue(queueing))
    wait_for("the delivery in the log", lambda: "removed" in queueing.logged())
    states = re.findall(r"status=(\w+)", queueing.logged())
    found += [] if states == ["deferred", "sent"] else [f"expected status=deferred, then sent: {states}"]
    found += [f"verdict after the exception: {verdict(line)}" for line in rig.policyd.decisions()[-1:]
              if verdict(line) != "pass"]
    rig.policyd.configure()
    reload(rig)
    queueing.stop()
    return found


def transaction_keeps_its_policy(rig):
    """a transaction keeps the policy it began with across a reload"""
    listener = rig.listeners["submission"]
    with session(rig, "submission") as say:
        found = dialogue(say, f"EHLO {HELO} => 250", "MAIL FROM:<alice@example.com> => 250",
                         "RCPT TO:<b1@example.com> => 530 5.7.0")
        listener.mailreeve = "mode: audit"
        rig.policyd.configure()
        reload(rig)
        found += dialogue(say, "RCPT TO:<b2@example.com> => 530 5.7.0", "RSET => 250",
                          "MAIL FROM:<alice@example.com> => 250", "RCPT TO:<b1@example.com> => 250")
    listener.mailreeve = ""
    rig.policyd.configure()
    reload(rig)
    return found + faults_of(rig, IN_CLEAR)


def mapped_address(rig):
    """an IPv4-mapped client address is the IPv4 address (Postfix sends one with inet_protocols=ipv6)"""
    clear = {"encryption_protocol": "", "encryption_cipher": "", "encryption_keysize": "0", "sasl_method": "",
             "sasl_username": "", "policy_context": "submission", "server_port": rig.listeners["submission"].port}
    answers = {f"::ffff:{TRUSTED}": b"action=DUNNO\n\n", "::ffff:192.0.2.9": f"action={NEEDS_TLS}\n\n".encode()}
    found = []
    with rig.policyd.connect() as client:
        for address, wanted in answers.items():
            got = rig.policyd.ask(client, client_address=address, instance=f"mapped.{address}", **clear)
            if got != wanted:
                found.append(f"{address}: expected {wanted}, got {got}")
    rig.policyd.decisions()
    return found


def broken_reload(rig):
    """a broken file at reload under load: the old policy stays, it is said loudly, no request is lost"""
    stop, replies, wrong = threading.Event(), [], []

    def load(number):
        try:
            with rig.policyd.connect() as client:
                count = 0
                while not stop.is_set():
                    reply = rig.policyd.ask(client, instance=f"load.{number}.{count}", policy_context="submission",
                                            server_port=rig.listeners["submission"].port)
                    (replies if reply == b"action=DUNNO\n\n" else wrong).append(reply)
                    count += 1
        except OSError as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for("the load to begin", lambda: len(replies) > 100 or wrong)
        mark = rig.policyd.mark()
        rig.policyd.configure(extra="listeners: [\n")
        event = reload(rig)
        during = len(replies)
        wait_for("the load to go on", lambda: len(replies) > during + 100 or wrong)
        found = faults_of(rig, IN_CLEAR, PROPER)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if event["ok"]:
        found.append("the broken file was accepted")
    if not re.search(r"stays in force", rig.policyd.logged(mark)):
        found.append(f"not said that the old policy stays: {rig.policyd.logged(mark)}")
    found += [f"{len(wrong)} of {len(wrong) + len(replies)} requests went wrong, first: {wrong[0]!r}"] if wrong else []
    rig.policyd.configure()
    return found + ([] if reload(rig)["ok"] else ["the repaired file was refused"])


def nothing_unexpected_in_the_mail_log(rig):
    """Postfix has had nothing to complain about so far"""
    expected = (
        "`check_sasl_access' ignored: no SASL support",         # port 25 without AUTH: nobody to ask about
        "haproxy read: EOF",                                    # our own look whether the port is open
        "SSL_accept error", "lost connection",                  # the same on 465
    )
    return [line for line in rig.postfix.logged().splitlines()
            if re.search(r"\b(warning|error|fatal|panic):", line) and not any(words in line for words in expected)]


def sudden_death(rig):
    """policyd is SIGKILLed in mid-session: 25 goes on, 587 defers; restarted, 587 works again"""
    with session(rig, "submission") as say:
        sign_on(say)
        found = dialogue(say, "MAIL FROM:<alice@example.com> => 250", "RCPT TO:<b1@example.com> => 250")
        rig.policyd.kill()
        found += dialogue(say, f"RCPT TO:<b2@example.com> => {AWAY}")
        for case, told in ((INBOUND, SENT), (AUTH_ON_25, SENT), (PROPER, AWAY), (IN_CLEAR, AWAY)):
            got = rig.converse(case).told
            if not got.startswith(told):
                found.append(f"while away, {case.does}: expected {told!r}, got {got!r}")
        rig.policyd.start()
        found += dialogue(say, "RCPT TO:<b3@example.com> => 250", "DATA => 250")
    rig.policyd.decisions()
    return found + faults_of(rig, INBOUND, AUTH_ON_25, PROPER, IN_CLEAR)


def clean_end(rig):
    """SIGTERM ends policyd with status 0 and nothing from a sanitizer"""
    status = rig.policyd.stop()
    found = [f"exit status {status}"] if status else []
    return found + re.findall(r".*(?:Sanitizer|runtime error).*", rig.policyd.logged())


UPSETS = [mapped_address, exception_ends, deferred_mail_stays_in_the_queue, transaction_keeps_its_policy, broken_reload,
          nothing_unexpected_in_the_mail_log, sudden_death, clean_end]
