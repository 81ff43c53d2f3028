# SPDX-License-Identifier: Apache-2.0
"""Upsets that need Postfix and its policy service; see upsets.py."""
import re
import smtplib

import cases
from daemons import free_ports, wait_for
from outcome import own_words, verdict
from plugin import EXPIRED, TRUSTED
from postfix import Postfix
from smtp import HELO, MESSAGE
from upsets import AWAY, IN_CLEAR, configured, dialogue, faults_of, listener_says, session, sign_on

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
    with configured(rig, until="2999-12-31"):
        queueing.command("postqueue", "-f")
        wait_for("the mail to leave the queue", lambda: "Mail queue is empty" in queue(queueing))
        wait_for("the delivery in the log", lambda: "removed" in queueing.logged())
        states = re.findall(r"status=(\w+)", queueing.logged())
        found += [] if states == ["deferred", "sent"] else [f"expected status=deferred, then sent: {states}"]
        found += [f"verdict after the exception: {verdict(line)}" for line in rig.policyd.decisions()[-1:]
                  if verdict(line) != "pass"]
    queueing.stop()
    return found


def transaction_keeps_its_policy(rig):
    """a transaction keeps the policy it began with across a reload"""
    with session(rig, "submission") as say:
        found = dialogue(say, f"EHLO {HELO} => 250", "MAIL FROM:<alice@example.com> => 250",
                         "RCPT TO:<b1@example.com> => 530 5.7.0")
        with listener_says(rig, "submission", "mode: audit"):
            found += dialogue(say, "RCPT TO:<b2@example.com> => 530 5.7.0", "RSET => 250",
                              "MAIL FROM:<alice@example.com> => 250", "RCPT TO:<b1@example.com> => 250")
    rig.lines()
    return found + faults_of(rig, IN_CLEAR)


def mapped_address(rig):
    """an IPv4-mapped client address is the IPv4 address (Postfix sends one with inet_protocols=ipv6)"""
    clear = {"encryption_protocol": "", "encryption_cipher": "", "encryption_keysize": "0", "sasl_method": "",
             "sasl_username": "", "policy_context": "submission", "server_port": rig.listeners["submission"].port}
    answers = {f"::ffff:{TRUSTED}": b"action=DUNNO\n\n", "::ffff:192.0.2.9": f"action={cases.NEEDS_TLS}\n\n".encode()}
    found = []
    with rig.policyd.connect() as client:
        for address, wanted in answers.items():
            got = rig.policyd.ask(client, client_address=address, instance=f"mapped.{address}", **clear)
            if got != wanted:
                found.append(f"{address}: expected {wanted}, got {got}")
    rig.policyd.decisions()
    return found


def death_in_mid_session(rig):
    """policyd is SIGKILLed in mid-session: the next recipient is deferred; restarted, the session goes on"""
    with session(rig, "submission") as say:
        sign_on(say)
        found = dialogue(say, "MAIL FROM:<alice@example.com> => 250", "RCPT TO:<b1@example.com> => 250")
        rig.policyd.kill()
        found += dialogue(say, f"RCPT TO:<b2@example.com> => {AWAY[rig.way][2]}")
        rig.policyd.start()
        found += dialogue(say, "RCPT TO:<b3@example.com> => 250", "DATA => 250")
    rig.lines()
    return found
