# SPDX-License-Identifier: Apache-2.0
"""How the gate comes to its socket and its user, and how it begins and ends."""
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys

from gated import NAME, PROGRAM, Gate, auth, fail
from daemon import EX_UNAVAILABLE, LAUNCHER, USER, expect, same, test

EX_USAGE, EX_NOUSER = 64, 67


def not_started(g, code, *words, **how):
    """It must end by itself with this code, and say these words."""
    g.start(wait=False, **how)
    same(g.ended(), code, "the exit code")
    for word in words:
        expect(word in g.logged(), f"{word!r} is not in: {g.logged()}")


@test
def options():
    """-V and -h answer and exit with 0; a wrong option, text or address with 64"""
    for arguments, code, word in ((["-V"], 0, NAME), (["-h"], 0, "usage:"), (["-x"], EX_USAGE, "usage:"), (["junk"], EX_USAGE, "junk"),
                                  (["--socket", "/x", "--text", ""], EX_USAGE, "--text"),
                                  (["--text", "two\nlines"], EX_USAGE, "--text"), (["--text", "tab\there"], EX_USAGE, "--text"),
                                  (["--text", "f\u00fcr"], EX_USAGE, "--text"), (["--text", "x" * 385], EX_USAGE, "--text"),
                                  (["--address", "domain"], EX_USAGE, "--address"), (["--journal", "/" + "x" * 300], EX_USAGE, "--journal")):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30)
        same(done.returncode, code, f"the exit code of {arguments}")
        expect(word in done.stdout + done.stderr, f"{arguments} said {done.stdout + done.stderr!r}")


@test
def no_socket():
    """no socket, one without a place, one with a relative or a long path: said, and not started"""
    with Gate(start=False) as g:
        not_started(g, EX_UNAVAILABLE, "--socket is missing", listen=False)
        g.options = ("--socket", "gate.sock")
        not_started(g, EX_UNAVAILABLE, "begins with /", listen=False)
        g.options = ("--socket", "/" + "x" * 110)
        not_started(g, EX_UNAVAILABLE, "at most 107 bytes", listen=False)
        g.options = ("--socket", "/no/such/directory/gate.sock")
        not_started(g, EX_UNAVAILABLE, "the directory must exist", listen=False)


@test
def root():
    """as root without -u, with -u root, with a user who is not there: not started"""
    with Gate(start=False) as g:
        not_started(g, EX_UNAVAILABLE, "must not run as root", user=None)
        not_started(g, EX_UNAVAILABLE, "must not run as root", user="root")
        not_started(g, EX_NOUSER, 'no user "no-such-user"', user="no-such-user")


@test
def user_and_mode():
    """the socket has mode 0660, and in a directory of Postfix's group that group; the process has no right left"""
    with Gate(start=False) as g:
        os.chown(g.folder, pwd.getpwnam(USER).pw_uid, pwd.getpwnam("uucp").pw_gid)
        os.chmod(g.folder, 0o2755)
        g.start()
        st = os.stat(g.path)
        same((stat.S_IMODE(st.st_mode), st.st_gid), (0o660, pwd.getpwnam("uucp").pw_gid), "mode and group")
        with open(f"/proc/{g.pid}/status") as f:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in f)
        same(set(fields["Uid"].split()), {str(pwd.getpwnam(USER).pw_uid)}, "its uids")
        expect("0" not in fields["Groups"].split(), "it is still in root's group")
        same(int(fields["CapEff"], 16) | int(fields["CapPrm"], 16), 0, "its capabilities")
        g.refuse()


@test
def nobody_may_look():
    """started as its user, as systemd does: its memory is nobody's to read but root's, and it can gain nothing"""
    with Gate(journal=False, start=False) as g:
        os.chmod(g.folder, 0o777)
        g.start(prefix=["setpriv", f"--reuid={USER}", "--regid=nogroup", "--clear-groups"], user=None)
        same(os.stat(f"/proc/{g.pid}/mem").st_uid, 0, "whose its memory is")
        with open(f"/proc/{g.pid}/status") as f:
            expect("NoNewPrivs:\t1\n" in f.read(), "it may gain privileges")
        g.refuse()


@test
def stale_and_live_sockets():
    """a stale socket is replaced; one that somebody serves, and a file that is no socket, are errors"""
    with Gate(start=False) as g, Gate(start=False) as second:
        os.chmod(g.folder, 0o777)           # it must be able to remove its socket
        g.start()
        second.path = g.path
        not_started(second, EX_UNAVAILABLE, "another process listens there")
        g.refuse()
        os.kill(g.pid, signal.SIGKILL)
        g.ended()
        g.start()
        g.refuse()
        g.stop()
        expect(not os.path.exists(g.path), "the socket is still there after SIGTERM")
        with open(g.path, "w") as f:
            f.write("precious")
        not_started(g, EX_UNAVAILABLE, "which is no socket")


@test
def systemd():
    """a socket from systemd is used, --socket is not needed, and it is not removed at the end; two are an error"""
    with Gate(start=False) as g:
        g.start(prefix=[sys.executable, "-c", LAUNCHER, g.path, "", "--"], listen=False)
        g.refuse()
        g.stop()
        expect(os.path.exists(g.path), "systemd's socket was removed")
        not_started(g, EX_UNAVAILABLE, "systemd passed 2 sockets", prefix=[sys.executable, "-c", LAUNCHER, g.path + "a", g.path + "b", "", "--"])
        os.unlink(g.path)
        g.start(env={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
        g.refuse()


@test
def notify():
    """NOTIFY_SOCKET is told READY=1 when it answers, and STOPPING=1"""
    with Gate(start=False) as g, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(f"{g.folder}/notify")
        os.chmod(f"{g.folder}/notify", 0o666)
        s.settimeout(30)
        g.start(env={"NOTIFY_SOCKET": f"{g.folder}/notify"})
        same(s.recv(999), b"READY=1", "the first message")
        g.refuse()
        g.stop()
        said = []
        while b"STOPPING=1" not in said:
            said.append(s.recv(999))
        same({text.split(b"=")[0] for text in said[:-1]} - {b"STATUS"}, set(), "what else it said")


@test
def stopped():
    """SIGSTOP: what was asked waits, and is answered after SIGCONT; SIGHUP changes nothing"""
    with Gate() as g, g.peer() as peer, g.peer(greet=False) as new:
        peer.refused(1)
        os.kill(g.pid, signal.SIGSTOP)
        peer.send(auth(2))
        with g.peer(greet=False) as third:
            third.send("VERSION\t1\t0", "CPID\t3", auth(3))
            os.kill(g.pid, signal.SIGCONT)
            same(peer.line(), fail(2), "the answer")
            third.greet()
            same(third.line(), fail(3), "the answer of who came meanwhile")
        new.greet()
        os.kill(g.pid, signal.SIGHUP)
        new.refused(4)


@test
def end():
    """SIGTERM: everything that was answered is in the journal, connections are closed, and a second one is taken well"""
    with Gate() as g, g.peer() as peer:
        for number in range(500):
            peer.refused(number)
        os.kill(g.pid, signal.SIGTERM)
        os.kill(g.pid, signal.SIGINT)
        same(g.ended(), 0, "the exit code")
        peer.closed()
        g.refusals(500)
        same(g.journal()[-1]["event"], "stop", "the last line")
        expect(g.logged().endswith("info: stopped\n"), g.logged())
