# SPDX-License-Identifier: Apache-2.0
"""How the daemon comes to its sockets, to its user, and tells that it is ready."""
import grp
import os
import pwd
import signal
import socket
import stat
import sys

from daemon import (AUTHENTICATE, DUNNO, EX_UNAVAILABLE, LAUNCHER, NO_AUTH, NO_TLS, NOT_ON_25, PROGRAM, STARTTLS, USER, Daemon, expect,
                    free_port, same, test)

GROUP = "mail"


def not_started(d, code, *words, **how):
    """It must end by itself with this code, and say these words."""
    d.start(wait=False, **how)
    same(d.ended(), code, "the exit code")
    for word in words:
        expect(word in d.logged(), f"{word!r} is not in: {d.logged()}")


@test
def several_sockets():
    """several unix and TCP sockets at once, IPv6 too; one that is bound to a listener says which one it is"""
    ports = [free_port(), free_port()]
    d = Daemon(listen=["x"], start=False)
    d.listen = [f'"unix:{d.path}"', f'"inet:127.0.0.1:{ports[0]}"', f'"inet:[::1]:{ports[1]}"',
                f"{{path: {d.folder}/a.sock, listener: submission}}", f"{{path: {d.folder}/b.sock, listener: smtps}}",
                f"{{path: {d.folder}/c.sock, listener: smtp}}"]
    d.configure()
    d.start()
    with d:
        clients = [d.client(), d.client(("127.0.0.1", ports[0])), d.client(f"{d.folder}/a.sock"),
                   d.client(f"{d.folder}/b.sock"), d.client(f"{d.folder}/c.sock")]
        six = d.client()
        six.socket = socket.create_connection(("::1", ports[1]), 10)
        silent = ("server_port", "policy_context")
        answers = [(DUNNO, DUNNO), (DUNNO, DUNNO), (AUTHENTICATE, STARTTLS), (AUTHENTICATE, STARTTLS), (DUNNO, DUNNO),
                   (DUNNO, DUNNO)]
        for client, (no_auth, no_tls) in zip((*clients, six), answers):
            same(client.ask(silent, **NO_AUTH), no_auth, "the answer without AUTH")
            same(client.ask(silent, **NO_AUTH, **NO_TLS), no_tls, "the answer without TLS")
        same(clients[4].ask(silent), NOT_ON_25, "AUTH on the socket of smtp")
        same(six.ask(**NO_AUTH), AUTHENTICATE, "an answer over IPv6")
        # The socket comes before what the request says, and that they do not agree is a finding.
        same(clients[2].ask(server_port="25", instance="conflict"), DUNNO, "a conflict")
        (line,) = d.settled(instance="conflict")
        same((line["listener"], line.get("finding", "")), ("submission", "listener-mode-mismatch"), "the journal")
        for client in (*clients, six):
            client.no_more()


@test
def group_and_mode():
    """a unix socket has mode 0660 and the configured group, and the daemon is that user and not root"""
    d = Daemon(start=False)
    d.group = GROUP
    d.configure()
    d.start()
    with d:
        st = os.stat(d.path)
        same((stat.S_IMODE(st.st_mode), st.st_gid), (0o660, grp.getgrnam(GROUP).gr_gid), "mode and group")
        with open(f"/proc/{d.pid}/status") as f:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in f)
        who = pwd.getpwnam(USER)
        same(set(fields["Uid"].split()), {str(who.pw_uid)}, "its uids")
        same(set(fields["Gid"].split()), {str(who.pw_gid)}, "its gids")
        expect("0" not in fields["Groups"].split(), "it is still in root's group")
        same(int(fields["CapEff"], 16) | int(fields["CapPrm"], 16), 0, "its capabilities")


@test
def unknown_group():
    """an unknown group, an unknown user, a directory that is missing: said, and not started"""
    with Daemon(start=False) as d:
        d.group = "no-such-group"
        d.configure()
        not_started(d, EX_UNAVAILABLE, 'no group "no-such-group"')
        not_started(d, 67, 'no user "no-such-user"', user="no-such-user")
    with Daemon(listen=['"unix:/no/such/directory/policyd.sock"'], start=False) as d:
        not_started(d, EX_UNAVAILABLE, "the directory must exist")


@test
def stale_socket():
    """a socket file that a killed daemon left is replaced"""
    with Daemon() as d:
        os.kill(d.pid, signal.SIGKILL)
        d.ended()
        expect(stat.S_ISSOCK(os.stat(d.path).st_mode), "no socket was left")
        d.start()
        same(d.ask(), DUNNO, "the answer")


@test
def live_socket():
    """a socket that another process answers on is refused with exit code 69, and that one goes on"""
    port = free_port()
    with Daemon(listen=["x"], start=False) as d, Daemon(start=False) as second:
        d.listen = [f'"unix:{d.path}"', f'"inet:127.0.0.1:{port}"']
        d.configure()
        d.start()
        second.listen = [f'"unix:{d.path}"']
        second.configure()
        not_started(second, EX_UNAVAILABLE, "another process listens there")
        second.listen = [f'"inet:127.0.0.1:{port}"']
        second.configure()
        not_started(second, EX_UNAVAILABLE, "another process listens there")
        same(d.ask(), DUNNO, "the answer of the first")


@test
def file_in_the_way():
    """a file that is no socket stays, and the daemon does not start"""
    with Daemon(start=False) as d:
        with open(d.path, "w") as f:
            f.write("precious")
        not_started(d, EX_UNAVAILABLE, "which is no socket")
        with open(d.path) as f:
            same(f.read(), "precious", "the file")


@test
def root():
    """as root without -u, or as root with -u root, it does not start"""
    with Daemon(start=False) as d:
        not_started(d, EX_UNAVAILABLE, "must not run as root", user=None)
        not_started(d, EX_UNAVAILABLE, "must not run as root", user="root")


@test
def systemd():
    """sockets from systemd, named after listeners; those of the configuration are not opened"""
    with Daemon(start=False) as d:
        paths = [f"{d.folder}/{name}.sock" for name in "abc"]
        d.start(prefix=[sys.executable, "-c", LAUNCHER, *paths, "submission:mailreeve.socket:smtp", "--"])
        answers = [(AUTHENTICATE, DUNNO), (DUNNO, DUNNO), (DUNNO, NOT_ON_25)]
        for path, (no_auth, auth) in zip(paths, answers):
            with d.client(path) as client:
                same(client.ask(("server_port",), **NO_AUTH), no_auth, "the answer without AUTH")
                same(client.ask(("server_port",)), auth, "the answer with AUTH")
                client.no_more()
        expect(not os.path.exists(d.path), "the socket of the configuration was made too")
        with open(f"/proc/{d.pid}/fdinfo/3") as f:
            flags = int(f.read().split("flags:")[1].split()[0], 8)
        expect(flags & os.O_CLOEXEC, "the socket would be inherited")
        d.stop()
        expect(all(map(os.path.exists, paths)), "sockets that are systemd's were removed")


@test
def systemd_for_others():
    """LISTEN_FDS that is meant for another process is left alone"""
    with Daemon(start=False) as d:
        d.start(env={"LISTEN_PID": "1", "LISTEN_FDS": "3"})
        same(d.ask(), DUNNO, "the answer")


@test
def notify():
    """NOTIFY_SOCKET is told READY=1, RELOADING=1 and STOPPING=1, also in the abstract namespace"""
    for abstract in (False, True):
        with Daemon(start=False) as d, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            path = f"{d.folder}/notify"
            s.bind("\0" + path if abstract else path)
            if not abstract:
                os.chmod(path, 0o666)
            s.settimeout(10)

            def heard():
                """The next message that is no sentence for people (tests/sandbox has those)."""
                while (text := s.recv(999)).startswith(b"STATUS="):
                    pass
                return text.split(b"\n")[0]

            d.start(env={"NOTIFY_SOCKET": ("@" if abstract else "") + path})
            same(heard(), b"READY=1", "the first message")
            same(d.ask(), DUNNO, "the answer, once ready")
            d.reload()
            same(heard(), b"RELOADING=1", "the message at SIGHUP")
            same(heard(), b"READY=1", "the message after it")
            d.stop()
            same(heard(), b"STOPPING=1", "the last message")


@test
def options():
    """-V, -h and -n answer and exit with 0; a wrong option with 64"""
    from subprocess import run
    with Daemon(start=False) as d:
        for arguments, code, word in ((["-V"], 0, "mailreeve-policyd "), (["-h"], 0, "usage:"),
                                      (["-n", "-c", d.config], 0, "submission"), (["-x"], 64, "usage:"),
                                      (["junk"], 64, "junk")):
            done = run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30)
            same(done.returncode, code, f"the exit code of {arguments}")
            expect(word in done.stdout + done.stderr, f"{arguments} said {done.stdout + done.stderr!r}")
