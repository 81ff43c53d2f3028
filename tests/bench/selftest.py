#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does polload notice what a policy server can do wrong? And does pollimit frame requests right?

Each bad server here does one wrong thing; polload must count it, under the right name, and exit 1.
milload and millimit are tried in selftest_milter.py. Prints TAP.
Usage: selftest.py [DIRECTORY WITH polload, pollimit, milload AND millimit]
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

import selftest_milter

BUILD = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAILREEVE_BUILD", "build/rel")
GOOD = b"action=DUNNO\n\n"

# What the server answers (None: nothing; "close": ends the connection) and what polload must say.
BEHAVIOURS = [
    ("constant answer", GOOD, None),
    ("a refusal", b"action=530 5.7.0 Authentication required\n\n", None),
    ("a byte too many", GOOD + b"\n", "extra_bytes"),
    ("two replies", GOOD + GOOD, "extra_bytes"),
    ("empty action", b"action=\n\n", "malformed"),
    ("blank action", b"action= \n\n", "malformed"),
    ("all digits", b"action=12345\n\n", "malformed"),
    ("permission", b"action=OK\n\n", "malformed"),
    ("upper case name", b"ACTION=DUNNO\n\n", "malformed"),
    ("two attributes", b"action=DUNNO\naction=REJECT\n\n", "malformed"),
    ("CR LF", b"action=DUNNO\r\n\n", "malformed"),
    ("not ASCII", b"action=REJECT \xc3\xa4\n\n", "malformed"),
    ("NUL", b"action=DUNNO\0\n\n", "malformed"),
    ("endless line", b"action=REJECT " + b"x" * 1000, "malformed"),
    ("no empty line", b"action=DUNNO\n", "missing"),
    ("silence", None, "missing"),
    ("end instead of an answer", "close", "closed"),
]


def serve(listener, answer):
    """Answers 20 requests of each connection rightly, then as told."""
    def talk(sock):
        asked = 0
        pending = b""
        while data := sock.recv(4096):
            pending += data
            while b"\n\n" in pending:
                pending = pending.split(b"\n\n", 1)[1]
                asked += 1
                if asked <= 20:
                    sock.sendall(GOOD)
                elif answer == "close":
                    sock.close()
                    return
                elif answer is not None:
                    sock.sendall(answer)

    def guarded(sock):
        try:
            talk(sock)
        except OSError:
            pass

    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=guarded, args=(sock,), daemon=True).start()


def polload(address, *options):
    run = subprocess.run([os.path.join(BUILD, "polload"), "-c", "2", "-s", "0.3", "-w", "0.05",
                          "-t", "0.3", *options, address], stdout=subprocess.PIPE, check=False)
    return run.returncode, json.loads(run.stdout)


def try_behaviour(folder, answer, expected):
    path = os.path.join(folder, "s%d" % time.monotonic_ns())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
        code, result = polload("unix:" + path)
        listener.shutdown(socket.SHUT_RDWR)
    if expected is None:
        return code == 0 and result["failed"] == 0 and result["requests"] > 0
    return code == 1 and result["faults"][expected] == result["failed"] > 0


def ask(path, *pieces):
    """How many answers come to these pieces."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.02)
        sock.shutdown(socket.SHUT_WR)
        answers = b""
        while data := sock.recv(4096):
            answers += data
        return answers.count(GOOD)


FRAMES = [
    ("whole", 1, [b"a=b\n\n"]),
    ("blank line in two pieces", 1, [b"a=b\n", b"\n"]),
    ("two at once", 2, [b"a=b\n\nc=d\n\n"]),
    ("byte by byte", 2, [bytes([c]) for c in b"a=b\n\nc=d\n\n"]),
    ("one and a half", 2, [b"a=b\n\nc=", b"d\n\n"]),
    ("unfinished", 0, [b"a=b\n"]),
]


def try_frames(path):
    for title, expected, pieces in FRAMES:
        yield "pollimit: " + title, ask(path, *pieces) == expected
    yield "polload: wrong verdict", polload("unix:" + path, "-v")[1]["faults"]["wrong_verdict"] > 0
    yield "polload: idle connections", polload("unix:" + path, "-i", "200")[0] == 0
    yield "polload: paced", abs(polload("unix:" + path, "-r", "1000")[1]["rate"] - 1000) < 50
    yield "polload: reconnect", polload("unix:" + path, "-n")[0] == 0
    for mix in ("all", "pass", "smtp", "submission"):
        yield "polload: mix " + mix, polload("unix:" + path, "-m", mix)[0] == 0


def tests(folder):
    for title, answer, expected in BEHAVIOURS:
        yield "polload: " + title, try_behaviour(folder, answer, expected)
    path = os.path.join(folder, "limit")
    with subprocess.Popen([os.path.join(BUILD, "pollimit"), "unix:" + path],
                          stderr=subprocess.PIPE) as limit:
        limit.stderr.readline()
        yield from try_frames(path)
        limit.terminate()
    if os.path.exists(os.path.join(BUILD, "milload")):  # run.py misses these tests if it is not
        yield from selftest_milter.tests(folder, BUILD)


def main():
    failed = number = 0
    with tempfile.TemporaryDirectory(prefix="mailreeve-load-") as folder:
        for number, (title, passed) in enumerate(tests(folder), 1):
            print("%sok %d - %s" % ("" if passed else "not ", number, title), flush=True)
            failed += not passed
    print("1..%d" % number)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
