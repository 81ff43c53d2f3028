# SPDX-License-Identifier: Apache-2.0
"""Many peers at once, peers that stop in the middle, slow ones, and packets with random damage: whoever behaves gets the
answer that he would get alone."""
import random
import struct

import wire
from daemon import AUTHENTICATE, NOT_ON_25, STARTTLS, expect, note, same, test, wait_for
from disorder import PACKETS, replies, still_right, stream
from milterd import shared
from sessions import Postfix, Sendmail, play
from verdicts import ENCRYPTED, PASS

# Four sessions that are answered in four ways.
TURNS = [(587, False, "ehlo mail", STARTTLS), (587, False, f"{ENCRYPTED} mail", AUTHENTICATE),
         (587, False, f"{ENCRYPTED} auth mail", PASS), (25, False, "ehlo auth mail", NOT_ON_25),
         (465, True, "ehlo auth mail", PASS), (25, False, "ehlo mail", "accept")]


@test
def interleaved():
    """200 sessions at once, a step of each in turns, in a random order: each has its own answers"""
    chance = random.Random(4)
    running = []
    for number in range(200):
        port, implicit, steps, reply = TURNS[number % len(TURNS)]
        session = (Postfix, Sendmail)[number // 2 % 2](shared().address, port, implicit, client=f"192.0.2.{number + 1}")
        running.append((session, steps.split(), reply))
    ended = []
    while running:
        session, steps, reply = running[at := chance.randrange(len(running))]
        got = play(session, steps.pop(0))
        if not steps:
            same(got, reply, f"the reply on port {session.port}")
            ended.append(running.pop(at)[0])
    for session in ended:
        session.quit()
        expect(session.ended(), "something came after QUIT")
        session.close()


@test
def byte_by_byte():
    """whole sessions byte by byte, each read before the next is sent: the same answers"""
    for persona in (Postfix, Sendmail):
        for port, implicit, steps, reply in TURNS:
            with persona(shared().address, port, implicit, trickle=True) as session:
                same(play(session, steps), reply, f"{persona.__name__} {port}: {steps}")
                if reply == PASS:
                    same(play(session, "eoh"), "accept", "the end of the headers")
                session.quit()
    for letters in ("CHM", "CHPLNM", "CHUPLLN"):
        same(replies(stream(letters), trickle=True), replies(stream(letters)), f"the replies to {letters}, trickled")


@test
def two_pieces():
    """a session's stream in two pieces, cut at every byte: the same replies"""
    whole = stream("CHMPLN")
    expected = replies(whole)
    same(expected, ["c", "530", "c", "a"], "the replies to the whole")
    for cut in range(1, len(whole)):
        with wire.MTA(shared().address, 60) as mta:
            mta.negotiate()
            mta.send_raw(whole[:cut])
            mta.taken()
            mta.send_raw(whole[cut:])
            same([reply.text[:3] or reply.code for reply in (mta.reply() for _ in expected)], expected,
                 f"the replies when cut at {cut}")


@test
def silent_peers():
    """300 peers that say nothing, or stop behind the negotiation, behind HELO, or behind a refusal: others are served at once"""
    peers = []
    for number in range(300):
        mta = wire.MTA(shared().address, 60)
        if number % 4:
            mta.negotiate()
            mta.send_raw(stream(("", "", "CH", "CHM")[number % 4]))
        peers.append(mta)
    still_right()
    for number in range(40):
        still_right()
    for mta in peers:
        mta.close()
    still_right()


@test
def stopped_in_mid_packet():
    """40 peers that stop in the middle of a packet: others are served, and the peers too when they go on

    Each of them holds one of libmilter's threads. That it has taken it is waited for: libmilter may lose a wake-up
    when one comes on the heels of another, and with every thread held nobody makes up for it."""
    peers = []
    for number in range(40):
        mta = wire.MTA(shared().address, 60)
        mta.negotiate()
        text = stream("CHM")
        cut = len(text) - 1 - number
        mta.send_raw(text[:cut])
        mta.taken()
        peers.append((mta, text[cut:]))
    for _ in range(10):
        still_right()
    for mta, rest in peers[::2]:
        mta.send_raw(rest)
        same([mta.reply().code, mta.reply().text], ["c", STARTTLS], "the reply to one that goes on")
    for mta, _ in peers:
        mta.close()
    still_right()


@test
def gone_before_the_answer():
    """peers that close before they read: no harm, and nothing is kept open"""
    before = shared().descriptors()
    for number in range(200):
        with wire.MTA(shared().address) as mta:
            mta.negotiate()
            mta.send_raw(stream(("CHM", "CHPLN", "CH", "CHUUU")[number % 4]))
    still_right()
    wait_for("the connections to be closed", lambda: shared().descriptors() <= before + 2)
    wait_for("the counter of open connections to be right",
             lambda: still_right() or shared().status()["counters"]["connections-open"] <= 2, 20)


# ---- random damage ----

SEEDS = ["CHM", "CHPLN", "CHPLLLN", "CHMM", "CHUM", "CAHM", "CHPLNPLN", "CHMUPLN", "CHPRTLNBE", "OCHM", "CHPAMQ"]


def odd(data):
    """Is there a macro packet in the stream that libmilter itself cannot stand (see disorder.py)? At whatever place: where
    a packet begins depends on the damage before it."""
    at = 0
    while at + 4 < len(data):
        length = struct.unpack(">I", data[at:at + 4])[0]
        if data[at + 4:at + 5] == b"D" and wire.odd_macros(data[at + 5:at + 4 + length]):
            return True
        at += 4 + length
    return False


def damaged(chance, data):
    """The stream with one to four pieces of damage."""
    text = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(7)
        if kind == 0:
            text[at:at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del text[at:at + chance.randrange(1, 40)]
        elif kind == 2:
            text[at:at] = text[chance.randrange(len(text) + 1):][:40]
        elif kind == 3:
            text[at:at] = chance.choice([b"\0", b"\xff", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\0\0\0\5D"])
        elif kind == 4:
            text[at:at] = PACKETS[chance.choice("CHMPRTLNBEAUKO")]
        elif kind == 5:
            packet_at = chance.choice([n for n in range(len(text) - 3) if text[n:n + 3] == b"\0\0\0"] or [0])
            text[packet_at + 3:packet_at + 4] = bytes([chance.randrange(256)])
        else:
            text += bytes(chance.randrange(256) for _ in range(chance.randrange(1, 50)))
    return bytes(text)


@test
def mutated():
    """3,000 streams with random damage: replies that are replies, or the end; the milter lives and answers others"""
    chance = random.Random(5)
    count = left_out = answers = 0
    while count < 3000:
        data = damaged(chance, stream(chance.choice(SEEDS)))
        if odd(data):
            left_out += 1
            continue
        count += 1
        got = replies(data, negotiate=chance.randrange(8) > 0)
        expect(set(got) <= {"c", "a", "530", "451", "554", "O"}, f"replies {got} to {data.hex()}")
        answers += len(got)
        if count % 500 == 0:
            still_right()
    note(f"{answers} replies; {left_out} streams left out")
    expect(answers > 2000, f"only {answers} replies: the streams are no streams any more")


@test
def random_bytes():
    """500 connections of random bytes, with and without negotiation: closed, and no harm"""
    chance = random.Random(6)
    for number in range(500):
        data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 300)))
        replies((b"\0\0\0" if number % 3 else b"") + data, negotiate=number % 2 == 0)
    still_right()
