# SPDX-License-Identifier: Apache-2.0
"""A disk that a test can fill and freeze, for what a daemon does when its journal's is full or does not answer."""
import fcntl
import os
import subprocess
import tempfile

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
# At its end a sanitizer would wait for a thread that waits for the disk.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "detect_leaks=0"}


class SmallDisk:
    """A small file system in a mount namespace of its own, which a process holds."""

    def __init__(self, mount, prepare="true"):
        """mount: the shell's command, with $1 for the mount point; prepare: what comes before it."""
        self.folder = tempfile.mkdtemp(prefix="mailreeve-test-")
        os.chmod(self.folder, 0o755)
        self.point = os.path.join(self.folder, "disk")
        os.mkdir(self.point)
        script = (f"mount --make-rprivate / 2>/dev/null; {prepare} && {mount} && chmod 755 \"$1\" && echo mounted && "
                  "read ended; umount \"$1\"")
        self.holder = subprocess.Popen(["unshare", "-m", "--propagation", "unchanged", "sh", "-c", script, "sh", self.point],
                                       cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
        self.works = self.holder.stdout.readline() == "mounted\n"
        self.view = f"/proc/{self.holder.pid}/root"
        # with its root, too: we may be in a chroot, which the namespace alone knows nothing of
        self.enter = ["nsenter", f"--target={self.holder.pid}", "--mount", "--root", "--"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
        subprocess.run(["rm", "-rf", "--one-file-system", self.folder], check=True)

    def ioctl(self, number):
        fd = os.open(self.view + self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, number, 0)
        finally:
            os.close(fd)

    def fill(self):
        with open(f"{self.view}{self.point}/filler", "wb", buffering=0) as f:
            try:
                while f.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(f"{self.view}{self.point}/filler")


SHIM = r"""
/* write() and fsync() on the journal do not come back as long as the file $FROZEN is there. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void wait_for_disk(int fd)
{
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof path);
    if (n > 6 && memcmp(path + n - 6, ".jsonl", 6) == 0)
        while (access(getenv("FROZEN"), F_OK) == 0)
            usleep(10000);
}
ssize_t write(int fd, const void *p, size_t n)
{
    wait_for_disk(fd);
    return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, p, n);
}
int fsync(int fd)
{
    wait_for_disk(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
"""
