# SPDX-License-Identifier: Apache-2.0
"""Starting, waiting for and ending what a run needs: a directory, ports, processes.

Nothing here sleeps for a fixed time: wait_for() polls a condition and fails loudly. Every daemon leads a process
group of its own, so that ending one ends its children and nobody else's. Should the run itself be killed, a guard
(this file as a program) ends what it has started.
"""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Trouble(Exception):
    """The rig itself failed: not a wrong answer, but no answer could be had."""


def wait_for(what, condition, seconds=20.0):
    """Poll condition() until it is true and return its value; raise Trouble naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Trouble(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.01)
    return value


def binds(family, address, port):
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((address, port))
        except OSError:
            return False
        return True


HAVE_IPV6 = socket.has_ipv6 and binds(socket.AF_INET6, "::1", 0)


PORTS = random.sample(range(12000, 32000), 20000)       # not yet given away: two rigs may start at the same time


def free_ports(count):
    """Ports free on 127.0.0.1 and ::1, below the range from which the kernel gives ports to outgoing connections."""
    found = []
    while PORTS and len(found) < count:
        port = PORTS.pop()
        if binds(socket.AF_INET, "127.0.0.1", port) and (not HAVE_IPV6 or binds(socket.AF_INET6, "::1", port)):
            found.append(port)
    if len(found) < count:
        raise Trouble(f"no {count} free ports between 12000 and 32000")
    return found


def listens(port):
    """Does somebody listen on that port of 127.0.0.1? A connection, to find out, would be a session for all who look on."""
    wanted = [f"0100007F:{port:04X}", "0A"]                     # local address, state
    return any(line.split()[1:4:2] == wanted for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])


class Logging:
    """Something with a log: the file `log`, which may not be there yet."""

    def mark(self):
        """Where the log ends now, for logged()."""
        return self.log.stat().st_size if self.log.exists() else 0

    def logged(self, mark=0):
        """What the log has had to say since a mark."""
        if not self.log.exists():
            return ""
        with self.log.open(errors="replace") as log:
            log.seek(mark)
            return log.read()


class Workshop:
    """A fresh directory and the daemons that live in it. As a context manager it ends and removes them all."""

    def __init__(self, keep=False):
        self.keep = keep
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="mailreeve-mta."))
        self.path.chmod(0o755)      # the daemons give up root and must still find their files
        self.running = []
        self.guard = subprocess.Popen([sys.executable, __file__, self.path], stdin=subprocess.PIPE, text=True,
                                      stdout=subprocess.DEVNULL, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        if not self.keep or problem[0] is not None:
            for daemon in reversed(self.running[:]):
                self.stop(daemon)
            shutil.rmtree(self.path, ignore_errors=True)
        self.tell_guard("done")
        self.guard.stdin.close()
        self.guard.wait()

    def tell_guard(self, line):
        print(line, file=self.guard.stdin, flush=True)

    def folder(self, name, mode=0o755):
        made = self.path / name
        made.mkdir(mode=mode)
        made.chmod(mode)
        return made

    def start(self, argv, output, environment=None, pass_fds=()):
        """Start a daemon with its own process group; stdout and stderr are appended to the file `output`."""
        with open(output, "ab") as sink:
            daemon = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                                      start_new_session=True, env={**os.environ, **(environment or {})}, cwd=self.path,
                                      pass_fds=pass_fds)
        self.running.append(daemon)
        self.tell_guard(daemon.pid)
        return daemon

    def stop(self, daemon, patience=10):
        """SIGTERM and wait; whoever of its group is left after that gets SIGKILL. Returns the exit status."""
        if daemon in self.running:
            self.running.remove(daemon)
        if daemon.poll() is None:
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(daemon.pid, signal.SIGKILL)
        self.tell_guard(-daemon.pid)
        return daemon.wait()


def end_on_signals():
    """Let signals end a run through the context managers, so that nothing is left behind. Only the first one counts:
    a second Ctrl-C must not interrupt the tidying up."""
    def leave(number, _frame):
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
    for each in ENDING:
        signal.signal(each, leave)


def guard(folder, lines):
    """Read process groups as they begin (N) and end (-N). If the lines stop without "done", end what is left."""
    left = set()
    for line in lines:
        if line == "done\n":
            return
        (left.discard if line.startswith("-") else left.add)(abs(int(line)))
    for group in left:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(sys.argv[1], sys.stdin)
