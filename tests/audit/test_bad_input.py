#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mailreeve audit` on logs that are broken, enormous, or no logs. TAP.

What counts: it ends, says what was wrong, counts what was whole, and its memory stays bounded.
"""
import gzip
import json
import lzma
import os
import pathlib
import re
import subprocess
import sys
import threading

sys.dont_write_bytecode = True

import tests_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
AUDIT = [str((ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve").resolve()), "audit", "-c", "/dev/null"]
SANITIZED = "asan" in os.environ.get("MAILREEVE_BUILD", "")
MB = 1 << 20

tests = []


def test(function):
    tests.append(function)
    return function


def session(pid=100, second=0, client="192.0.2.7", year="Nov 21"):
    """A submission that has nothing to change, in four lines."""
    head = f"{year} 10:00:{second % 60:02d} mx postfix/submission/smtpd[{pid}]: "
    return (f"{head}connect from c.example[{client}]\n"
            f"{head}Anonymous TLS connection established from c.example[{client}]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
            f"{head}4104E3D{pid}: client=c.example[{client}], sasl_method=PLAIN, sasl_username=alice@example.com\n"
            f"{head}disconnect from c.example[{client}] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8\n").encode()


GOOD = session()


class Audited:
    def __init__(self, done, rss_mb):
        self.code, self.rss_mb = done.returncode, rss_mb
        self.err = done.stderr.decode()
        self.out = json.loads(done.stdout) if done.stdout else None

    def sessions(self):
        return self.out["sessions"]["count"]


# Runs the command after "--" and writes its peak memory to the descriptor.
MEASURE = """import os,resource,sys
pid=os.posix_spawn(sys.argv[2],sys.argv[2:],os.environ)
_,status=os.waitpid(pid,0)
os.write(int(sys.argv[1]),str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss).encode())
sys.exit(os.waitstatus_to_exitcode(status))"""


def audit(*arguments, feed=None):
    """feed: bytes, or an iterable of blocks, for standard input."""
    reader, writer = os.pipe()
    command = [sys.executable, "-c", MEASURE, str(writer), *AUDIT, "--json", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE if feed is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, pass_fds=[writer], env={**os.environ, "TZ": "UTC"}) as process:
        os.close(writer)

        def pour():
            try:
                for block in [feed] if isinstance(feed, bytes) else feed or []:
                    process.stdin.write(block)
                process.stdin.close()
            except BrokenPipeError:
                pass
        thread = threading.Thread(target=pour)
        if feed is not None:
            thread.start()
        with process.stdout, process.stderr:
            out = process.stdout.read()
            err = process.stderr.read()
        process.wait(timeout=280)
        if feed is not None:
            thread.join()
    with os.fdopen(reader, "rb") as said:
        rss = int(said.read() or 0) / 1024
    return Audited(subprocess.CompletedProcess(command, process.returncode, out, err), rss)


def expect(result, code, sessions=None, err=""):
    assert result.code == code, f"exit code {result.code}, not {code}: {result.err}"
    assert re.search(err, result.err), f"{err!r} is not in {result.err!r}"
    if sessions is not None:
        assert result.sessions() == sessions, f"{result.sessions()} sessions, not {sessions}"
    return result


@test
def a_gigabyte_with_binary_garbage(work):
    garbage = bytes(range(256)) * 64
    block = (session(1) + b"\x16\x03\x01" + garbage + b"\n" + b"Nov 21 10:00:00 mx postfix/smtpd[9]: " + garbage[:300] + b"\n"
             + b"\0" * 3000 + b"\n") * 48
    times = (MB * 1024 if not SANITIZED else MB * 64) // len(block) + 1
    result = expect(audit("-", feed=(block for _ in range(times))), 0, 48 * times)
    assert SANITIZED or result.rss_mb < 100, f"{result.rss_mb:.0f} MB"


@test
def lines_of_a_megabyte(work):
    long = b"Nov 21 10:00:00 mx postfix/submission/smtpd[5]: warning: TLS library problem: " + b"x" * MB + b"\n"
    result = expect(audit("-", feed=GOOD + long * 30 + session(101)), 0, None, "30 lines are longer than 64 kB")
    assert result.rss_mb < (400 if SANITIZED else 60), f"{result.rss_mb:.0f} MB"
    assert result.out["input"]["lines"] == 38, result.out["input"]


@test
def one_line_without_an_end(work):
    expect(audit("-", feed=(b"y" * MB for _ in range(200))), 65)


@test
def a_million_open_sessions(work):
    count = 1000000 if not SANITIZED else 60000

    def lines():
        for word in (b"connect", b"disconnect"):
            for begin in range(0, count, 1000):
                yield b"".join(b"Nov 21 10:00:00 mx postfix/submission/smtpd[%d]: %s from unknown[10.%d.%d.%d]\n"
                               % (n + 1, word, n >> 16, n >> 8 & 255, n & 255) for n in range(begin, begin + 1000))
    result = audit("-", feed=lines())
    assert result.code in (0, 1), result.err
    assert SANITIZED or result.rss_mb < 400, f"{result.rss_mb:.0f} MB"
    assert result.sessions() >= count, result.sessions()


@test
def clocks_that_go_back(work):
    text = b""
    # Within a session, and between sessions: an hour back, a year ahead, before 1970.
    for pid, stamp in enumerate(["Nov 21 10:00:05", "Nov 21 09:00:05", "Nov  1 00:00:00", "Jan  1 00:00:00", "Dec 31 23:59:59"], 1):
        text += session(pid).replace(b"Nov 21 10:00:00", stamp.encode())
    lines = session(9).splitlines(keepends=True)
    text += lines[0] + lines[1].replace(b"10:00:00", b"09:59:58") + lines[2] + lines[3].replace(b"10:00:00", b"08:00:00")
    expect(audit("-", feed=text), 0, 6)


@test
def stamps_that_are_none(work):
    text = b""
    for pid, stamp in enumerate([b"Feb 30 10:00:00", b"Nov 21 25:61:61", b"2026-13-45T99:99:99Z", b"", b"\xce\x91\xcf\x80\xcf\x81 15 12:20:28"], 1):
        text += session(pid).replace(b"Nov 21 10:00:00", stamp).replace(b"\n mx", b"\nmx")
    result = audit("-", feed=text)
    assert result.code == 0 and result.sessions() >= 4, (result.code, result.sessions(), result.err)


@test
def nothing_of_an_mta(work):
    result = expect(audit("-", feed=b"Nov 21 10:00:00 mx kernel: hello\n" * 10), 65)
    assert result.out["input"]["lines"] == 10, result.out["input"]


@test
def an_empty_file(work):
    (work / "empty").write_bytes(b"")
    expect(audit(work / "empty"), 65)


@test
def a_file_that_is_not_there(work):
    expect(audit(work / "no.log"), 66, None, r"no\.log: .*No such file")


@test
def a_directory(work):
    expect(audit(work), 66, None, "irectory")


@test
def one_of_several_is_missing(work):
    (work / "mail.log").write_bytes(GOOD)
    result = expect(audit(work / "mail.log", work / "mail.log.1"), 66, 1, "mail.log.1")
    assert any("mail.log.1" in p for p in result.out["problems"]), result.out["input"]["problems"]


@test
def the_same_file_twice(work):
    (work / "mail.log").write_bytes(GOOD)
    expect(audit(work / "mail.log", work / "mail.log"), 0, 1, "given twice")


@test
def gzip_and_xz(work):
    (work / "a.gz").write_bytes(gzip.compress(session(1)) + gzip.compress(session(2)))
    (work / "b.xz").write_bytes(lzma.compress(session(3)) + lzma.compress(session(4)))
    (work / "c").write_bytes(gzip.compress(session(5)))  # named by nothing
    expect(audit(work / "a.gz", work / "b.xz", work / "c"), 0, 5)


@test
def compressed_files_that_end_early(work):
    data = b"".join(session(n) for n in range(1, 2000))
    for name, packed in (("a.gz", gzip.compress(data)), ("a.xz", lzma.compress(data))):
        (work / name).write_bytes(packed[:len(packed) // 2])
        result = expect(audit(work / name), 66, None, name)
        assert name.endswith("xz") or result.sessions() > 100, result.sessions()


@test
def compressed_files_with_wrong_bytes(work):
    data = b"".join(session(n) for n in range(1, 2000))
    for name, packed in (("a.gz", gzip.compress(data)), ("a.xz", lzma.compress(data))):
        (work / name).write_bytes(packed[:400] + bytes(64) + packed[464:])
        result = audit(work / name)
        assert result.code == 66 and name in result.err, (result.code, result.err)


@test
def rotated_logs_are_put_in_order(work):
    # A session that begins in one file and ends in the next; the shell gives the newest first.
    lines = session(7).splitlines(keepends=True)
    (work / "mail.log").write_bytes(b"".join(lines[2:]).replace(b"10:00:00", b"10:00:09"))
    (work / "mail.log.1").write_bytes(lines[0] + lines[1])
    (work / "mail.log.2.gz").write_bytes(gzip.compress(session(8).replace(b"Nov 21", b"Nov 20")))
    result = expect(audit(work / "mail.log", work / "mail.log.1", work / "mail.log.2.gz"), 0, 2)
    assert [pathlib.Path(s).name for s in result.out["input"]["sources"]] == ["mail.log.2.gz", "mail.log.1", "mail.log"], result.out["input"]


@test
def carriage_returns_and_no_newline_at_the_end(work):
    expect(audit("-", feed=GOOD.replace(b"\n", b"\r\n") + session(101)[:-1]), 0, 2)


@test
def a_reader_that_goes_away(work):
    """`mailreeve audit ... | head -1` ends without a word."""
    (work / "log").write_bytes(b"".join(session(n, client=f"192.0.2.{n % 250}") for n in range(1, 3000)))
    with subprocess.Popen([*AUDIT, "--lines", str(work / "log")], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.wait(timeout=60)
    assert b"anitizer" not in said, said


if __name__ == "__main__":
    sys.exit(tests_of.run(tests))
