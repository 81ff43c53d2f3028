# SPDX-License-Identifier: Apache-2.0
"""The programs with each of their places in a directory of its own, as on a real machine; and kernels that have less."""
import ctypes
import os
import pathlib
import pwd
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
for neighbour in ("policyd", "milter", "gate", "tap"):
    sys.path.insert(1, str(HERE.parent / neighbour))

from daemon import USER, Daemon     # noqa: E402
from gated import Gate              # noqa: E402
from milterd import Milter          # noqa: E402
from tapd import Tap                # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
CALLS = (444, 445, 446)             # Landlock's: make a ruleset, add a rule, restrict


def landlock():
    """The kernel's version; 0: it has none."""
    return max(0, libc.syscall(CALLS[0], None, 0, 1))


# ---- a kernel that has less -----------------------------------------------------------------------------------------

ALLOW, ERRNO, KILL_PROCESS = 0x7fff0000, 0x00050000, 0x80000000


def without_landlock(action):
    """For preexec_fn: a filter of system calls, as systemd's or a container's, that does this when Landlock is asked for."""
    def load():
        rules = [struct.pack("HBBI", 0x20, 0, 0, 0)]        # the number of the call
        for left, number in zip((3, 2, 1), CALLS):
            rules.append(struct.pack("HBBI", 0x15, left, 0, number))
        rules += [struct.pack("HBBI", 0x06, 0, 0, ALLOW), struct.pack("HBBI", 0x06, 0, 0, action)]
        code = ctypes.create_string_buffer(b"".join(rules))
        program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
            raise OSError(ctypes.get_errno(), "no filter of system calls")
    return load


# ---- programs ---------------------------------------------------------------------------------------------------------

def no_new_privileges(pid):
    """Of each thread."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as f:
            found[thread] = next(line.split()[1] for line in f if line.startswith("NoNewPrivs:"))
    return found


class Apart(Daemon):
    """A mailreeve-policyd whose configuration, exceptions, socket and journal have nothing above them in common but the folder."""

    def __init__(self, more="", limits="", start=True, **how):
        super().__init__(start=False)
        self.etc, self.lists, run, logs = (os.path.join(self.folder, name) for name in ("etc", "lists", "run", "logs"))
        for folder in (self.etc, self.lists, run, logs):
            os.mkdir(folder)
        user = pwd.getpwnam(USER)
        os.chown(run, user.pw_uid, user.pw_gid)
        self.path = os.path.join(run, "policyd.sock")
        self.listen = [f'"unix:{self.path}"']
        self.config = os.path.join(self.etc, "mailreeve.yaml")
        self.journal_path = os.path.join(logs, "journal")
        self.exceptions = os.path.join(self.lists, "exceptions")
        self.min_free += limits
        self.more = more or f"exceptions_file: {self.exceptions}\n"
        self.except_client("203.0.113.9")
        self.configure()
        if start:
            self.start(**how)

    def except_client(self, address, path=None):
        """The exceptions file, replaced as an editor does it."""
        path = path or self.exceptions
        with open(path + ".new", "w") as f:
            f.write(f"{address} | auth-required, tls-required | 2099-12-31 | it | for a test\n")
        os.rename(path + ".new", path)


__all__ = ["ALLOW", "Apart", "ERRNO", "Gate", "KILL_PROCESS", "Milter", "Tap", "landlock", "no_new_privileges", "without_landlock"]
