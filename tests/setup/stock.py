# SPDX-License-Identifier: Apache-2.0
"""A stock Debian mail server without installing one on the machine: Postfix and Dovecot are installed by dpkg into an
overlay of / that lives in memory, in a mount and a network namespace of their own, so that ports 25, 465 and 587 are free.

Installed once a run (Base); every Machine is a further overlay on top of that, thrown away with its case.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "mta")]

import network                                          # noqa: E402
import tree                                             # noqa: E402
from daemons import Trouble, wait_for                   # noqa: E402

BUILD = tree.REPOSITORY / os.environ.get("MAILREEVE_BUILD", "build/dev")
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000          # sched.h, sys/mount.h
PROGRAMS = {"sbin": ("mailreeve-policyd", "mailreeve-milter"), "bin": ("mailreeve",)}
USER, PASSWORD = "alice@example.com", "password"

ANSWERS = """\
postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string mail.example.com
"""

# Where a test's user is known
USERS = """\
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
"""

# Dovecot as one would add it for SASL: the stock configuration, a user, and the socket in Postfix's queue directory
DOVECOT = USERS + """\
disable_plaintext_auth = no
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
protocols =
ssl = no
log_path = /var/log/dovecot.log
"""


def enter():
    """Take this process into namespaces of its own, with nothing but `lo`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise Trouble(f"a mount namespace cannot be had: {os.strerror(ctypes.get_errno())}")
    # in a chroot "/" is no mount: then nothing of ours can reach the outside through a mount that is shared below it
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    network.enter()


def mount(*argv):
    done = subprocess.run(["mount", *map(str, argv)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Trouble(f"mount {' '.join(map(str, argv))}: {done.stdout.strip()}")


class Layer:
    """A writable view of what lies below it."""

    def __init__(self, memory, name, below):
        self.folder = memory / name
        self.root, self.upper = self.folder / "root", self.folder / "upper"
        for each in (self.root, self.upper, self.folder / "work"):
            each.mkdir(parents=True)
        lower = ":".join(map(str, below))
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={self.upper},workdir={self.folder / 'work'}",
              self.root)
        self.mounted = [self.root]
        for inside in ("proc", "dev", "sys"):
            mount("--rbind", f"/{inside}", self.root / inside)
        for inside in ("run", "tmp"):
            mount("-t", "tmpfs", "-o", "mode=1777" if inside == "tmp" else "mode=755", "tmpfs", self.root / inside)
        self.path("tmp/debs").mkdir()
        mount("--bind", tree.DEBS, self.path("tmp/debs"))

    def path(self, name):
        return self.root / str(name).lstrip("/")

    def read(self, name):
        return self.path(name).read_bytes()

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def enter(self, *argv):
        return [*self.way_in(), "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=", "DEBIAN_FRONTEND=noninteractive", *map(str, argv)]

    def way_in(self):
        return ["chroot", str(self.root)]

    def run(self, *argv, given="", check=True, timeout=600):
        """Run a command in it; (exit code, what it said)."""
        done = subprocess.run(self.enter(*argv), input=given, text=True, errors="replace", timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and done.returncode:
            raise Trouble(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}")
        return done.returncode, done.stdout

    def sh(self, script, check=True):
        return self.run("sh", "-c", script, check=check)[1]

    def close(self):
        subprocess.run(["umount", "-R", "-l", str(self.root)], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Stock:
    """The memory in which everything lives, and the base: a Debian with Postfix, Dovecot and Mailreeve installed."""

    def __enter__(self):
        self.memory = pathlib.Path(tempfile.mkdtemp(prefix="mailreeve-stock."))
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", self.memory)
        self.count = 0
        try:
            self.base = self.install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *problem):
        subprocess.run(["umount", "-R", "-l", str(self.memory)], stderr=subprocess.DEVNULL)
        with contextlib.suppress(OSError):
            self.memory.rmdir()

    def install(self):
        base = Layer(self.memory, "base", ["/"])
        base.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)      # nothing is started by its package
        base.run("debconf-set-selections", given=ANSWERS)
        base.sh("dpkg --force-unsafe-io --path-exclude='/usr/share/man/*' --path-exclude='/usr/share/doc/*' -i /tmp/debs/*.deb")
        base.sh("chown root:root /usr /var /var/spool /etc 2>/dev/null; true")
        for folder, names in PROGRAMS.items():
            for name in names:
                shutil.copy2(BUILD / name, base.path(f"usr/local/{folder}/{name}"))
        etc = tree.REPOSITORY / "etc"
        for name in ("sysusers.d/mailreeve.conf", "tmpfiles.d/mailreeve.conf", "tmpfiles.d/mailreeve-journal.conf"):
            base.path(f"usr/lib/{name}").write_bytes((etc / name).read_bytes())
        base.run("systemd-sysusers", "/usr/lib/sysusers.d/mailreeve.conf")
        base.run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/mailreeve.conf",
                 "/usr/lib/tmpfiles.d/mailreeve-journal.conf")
        base.write("etc/dovecot/local.conf", DOVECOT)
        base.write("etc/dovecot/users", f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
        return base

    def machine(self):
        self.count += 1
        return Machine(self, f"machine{self.count}")


class Machine(Layer):
    """A server of its own, on top of the base. As a context manager it ends what it has started."""

    def __init__(self, stock, name):
        super().__init__(stock.memory, name, [stock.base.upper, "/"])
        self.started = []
        self.control_group = None           # of an init of its own

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        for each in self.processes():           # they live in this root, so that they are ours
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        wait_for("all to end", lambda: not self.processes(), 60)
        if self.control_group:
            for each, _, _ in os.walk(self.control_group, topdown=False):
                wait_for(f"{each} to be empty", lambda: not self.removed(each))
        self.close()

    @staticmethod
    def removed(group):
        with contextlib.suppress(OSError):
            os.rmdir(group)
        return os.path.exists(group)

    def way_in(self):
        """Into the namespaces of its init, once it has one."""
        if not self.control_group:
            return super().way_in()
        children = pathlib.Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read_text().split()
        if not children:
            raise Trouble("its init is not there")
        return ["nsenter", "--target", children[0], "--mount", "--pid", "--cgroup", "--root", "--wd"]

    def processes(self):
        """Who lives in this root."""
        found = []
        for each in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(each / "root").startswith(str(self.root)):
                    found.append(int(each.name))
        return found

    def start(self, *argv):
        output = open(self.path("tmp") / f"{pathlib.Path(argv[0]).name}.log", "ab")
        process = subprocess.Popen(self.enter(*argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True)
        self.started.append(process)
        return process

    def stop(self, process):
        process.terminate()
        process.wait(20)
        self.started.remove(process)

    def boot(self):
        """Debian's own init, in a process namespace: systemctl does what it does on a real server."""
        hierarchy = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
        if not hierarchy:
            raise Trouble("there is no cgroup2, which systemd needs")
        self.control_group = pathlib.Path(hierarchy) / self.root.parent.parent.name
        self.control_group.mkdir()
        for inside in ("proc", "sys"):
            subprocess.run(["umount", "-R", "-l", self.path(inside)], check=True)
        script = f"""echo $$ >{self.control_group}/cgroup.procs
            exec unshare --cgroup --mount --pid --fork --kill-child=SIGKILL --propagation=private sh -c '
            mount -t proc proc {self.path("proc")} && mount -t sysfs sysfs {self.path("sys")} &&
            mount -t cgroup2 cgroup2 {self.path("sys/fs/cgroup")} &&
            exec chroot {self.root} env -i container=mailreeve PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
                /lib/systemd/systemd --system --unit=multi-user.target'"""
        output = open(self.folder / "console", "wb")
        self.init = subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                     start_new_session=True)
        self.started.append(self.init)
        socket = self.path("run/systemd/private")
        wait_for("systemd to begin", socket.is_socket, 60)
        wait_for("systemd", lambda: self.run("systemctl", "is-system-running", check=False)[1].strip() in
                 ("running", "degraded"), 120)

    def start_postfix(self, directory="/etc/postfix"):
        self.run("postfix", "-c", directory, "start")

    def start_dovecot(self):
        """Dovecot's auth server in the queue directory, and Postfix told of it: what an administrator has before."""
        self.run("cp", "/etc/dovecot/local.conf", "/etc/dovecot/dovecot.conf")
        self.start("dovecot", "-F")
        self.run("postconf", "-e", "smtpd_sasl_type=dovecot", "smtpd_sasl_path=private/auth")
        wait_for("Dovecot's socket", lambda: self.path("var/spool/postfix/private/auth").is_socket(), 60)

    def start_policyd(self):
        process = self.start("mailreeve-policyd", "-u", "mailreeve-policyd", "--stderr")
        wait_for("mailreeve-policyd", lambda: "ready" in self.logged("mailreeve-policyd") or process.poll() is not None, 60)
        return process

    def start_milter(self):
        process = self.start("mailreeve-milter", "-u", "mailreeve-milter", "--stderr")
        wait_for("mailreeve-milter", lambda: "ready" in self.logged("mailreeve-milter") or process.poll() is not None, 60)
        return process

    def logged(self, program):
        path = self.path("tmp") / f"{program}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def setup(self, *options, given=""):
        """`mailreeve setup postfix`: (exit code, what it said)."""
        return self.run("mailreeve", "setup", "postfix", *options, given=given, check=False)
