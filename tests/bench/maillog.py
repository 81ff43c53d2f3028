#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a Postfix mail log of a busy provider: what `make bench` reads.

usage: maillog.py FILE LINES [--open N]

A hundred smtpd processes at once, each with one session after the other; their lines lie between each
other as in a real log. Four of five sessions are mail from other servers, the rest submissions of 5,000
users. One line in a hundred belongs to a session that fails: no shared cipher, no TLS version in
common, clear text on 465, TLS at once on 587, a wrong password on 25, AUTH before STARTTLS.
Always the same log for the same number of lines.

--open N: N sessions begin, each in a process of its own, before the first of them ends.
"""
import argparse
import heapq
import random
import time

BEGIN = 1793491200  # 2026-11-01T00:00:00Z
ERROR = "warning: TLS library problem: error:%s:"
TLS13 = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"
TLS12 = "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)"


def queue_id(r):
    return "%011X" % r.getrandbits(44)


def delivered(r, sender, recipient):
    """The lines of the other programs for one mail; they have processes of their own."""
    q = queue_id(r)
    host = "mx%d.example.net" % r.randrange(400)
    return q, [
        (None, "cleanup[%d]" % r.randrange(900, 960), "%s: message-id=<%x@%s>" % (q, r.getrandbits(60), host)),
        (None, "qmgr[812]", "%s: from=<%s>, size=%d, nrcpt=1 (queue active)" % (q, sender, r.randrange(800, 90000))),
        (None, "lmtp[%d]" % r.randrange(700, 760),
         "%s: to=<%s>, relay=mx1.example.com[private/dovecot-lmtp], delay=0.%02d, delays=0.02/0/0.01/0.02, dsn=2.0.0, "
         "status=sent (250 2.0.0 <%s> Saved)" % (q, recipient, r.randrange(5, 90), recipient)),
        (None, "qmgr[812]", "%s: removed" % q),
    ]


def inbound(r):
    client = "mail%d.example.org[198.51.%d.%d]" % (r.randrange(3000), r.randrange(256), r.randrange(1, 255))
    yield "smtpd", "connect from " + client
    yield "smtpd", "Anonymous TLS connection established from %s: %s" % (client, TLS13)
    q, more = delivered(r, "bounce-%d@example.org" % r.randrange(99999), "user%d@example.com" % r.randrange(5000))
    yield "smtpd", "%s: client=%s" % (q, client)
    yield from more
    yield "smtpd", "disconnect from %s ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7" % client


def submission(r):
    number = r.randrange(5000)
    client = "p%x.dip.example.net[203.0.%d.%d]" % (number * 7919, number % 250, number // 250 + 1)
    user = "user%d@example.com" % number
    implicit = number % 3 == 0
    program = "submissions/smtpd" if implicit else "submission/smtpd"
    yield program, "connect from " + client
    yield program, "Anonymous TLS connection established from %s: %s" % (client, TLS12 if number % 5 else TLS13)
    q, more = delivered(r, user, "friend%d@example.net" % r.randrange(9999))
    yield program, "%s: client=%s, sasl_method=PLAIN, sasl_username=%s" % (q, client, user)
    yield from more
    yield program, "disconnect from %s ehlo=%s auth=1 mail=1 rcpt=1 data=1 quit=1 commands=%s" % (
        (client, "1", "6") if implicit else (client, "2 starttls=1", "8"))


def handshake(program, stage, client, error, counters):
    yield program, "connect from " + client
    yield program, "SSL_accept error from %s: -1" % client
    yield program, ERROR % error
    yield program, "lost connection after %s from %s" % (stage, client)
    yield program, "disconnect from %s %s" % (client, counters)


def failure(r):
    client = "unknown[192.0.2.%d]" % r.randrange(1, 255)
    kind = r.randrange(6)
    if kind == 0:
        yield from handshake("smtpd", "STARTTLS", client, "0A0000C1:SSL routines::no shared cipher", "ehlo=1 starttls=0/1 commands=1/2")
    elif kind == 1:
        yield from handshake("submission/smtpd", "STARTTLS", client, "0A000102:SSL routines::unsupported protocol", "ehlo=1 starttls=0/1 commands=1/2")
    elif kind == 2:
        yield from handshake("submissions/smtpd", "CONNECT", client, "0A00010B:SSL routines::wrong version number", "commands=0/0")
    elif kind == 3:
        yield "submission/smtpd", "connect from " + client
        yield "submission/smtpd", "improper command pipelining after CONNECT from %s: \\026\\003\\001\\002\\000\\001\\000\\001\\374\\003\\003" % client
        yield "submission/smtpd", "lost connection after CONNECT from " + client
        yield "submission/smtpd", "disconnect from %s commands=0/0" % client
    elif kind == 4:
        yield "smtpd", "connect from " + client
        yield "smtpd", "warning: %s: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=admin%d" % (client, r.randrange(99))
        yield "smtpd", "lost connection after AUTH from " + client
        yield "smtpd", "disconnect from %s ehlo=1 auth=0/1 commands=1/2" % client
    else:
        yield "submission/smtpd", "connect from " + client
        yield "submission/smtpd", "disconnect from %s ehlo=1 auth=0/1 quit=1 commands=2/3" % client


def session(r):
    """Roughly one line in a hundred is of a failure: they have four lines, others eight."""
    dice = r.random()
    return failure(r) if dice < 0.02 else submission(r) if dice < 0.22 else inbound(r)


def write(out, lines, at_once):
    r = random.Random(20261121)
    running, now, written = [], float(BEGIN), 0
    for process in range(at_once):
        heapq.heappush(running, (now + process / at_once, process, 2000 + process, session(r)))
    minute, prefix = None, ""
    while written < lines:
        now, process, pid, what = heapq.heappop(running)
        step = next(what, None)
        if step is None:
            what = session(r)
            step = next(what)
            if r.random() < 0.01:
                pid += at_once  # Postfix ends a process after some sessions
        second = int(now)
        if second != minute:
            minute, prefix = second, time.strftime("%b %e %H:%M:%S mx postfix/", time.gmtime(second))
        tag = step[0] and "%s[%d]" % (step[0], pid) or step[1]
        out.write("%s%s: %s\n" % (prefix, tag, step[-1]))
        written += 1
        heapq.heappush(running, (now + r.expovariate(at_once / 100), process, pid, what))


def write_open(out, count):
    """`count` connects, and then their ends."""
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(BEGIN))
    for word in ("connect", "disconnect"):
        for n in range(count):
            out.write("%s mx postfix/submission/smtpd[%d]: %s from unknown[10.%d.%d.%d]%s\n" % (
                stamp, n + 1, word, n >> 16 & 255, n >> 8 & 255, n & 255,
                " ehlo=1 quit=1 commands=2" if word == "disconnect" else ""))


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("file")
    options.add_argument("lines", type=int)
    options.add_argument("--open", type=int)
    given = options.parse_args()
    with open(given.file, "w", encoding="ascii", buffering=1 << 20) as out:
        if given.open:
            write_open(out, given.open)
        else:
            write(out, given.lines, 100)


if __name__ == "__main__":
    main()
