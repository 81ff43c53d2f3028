# SPDX-License-Identifier: Apache-2.0
"""The private trees: Postfix with Dovecot, and Sendmail with the tool that makes its SASL users, unpacked from their
packages and never installed.

Installing them would start services, claim ports and replace the MTA of the machine. `make deps` calls this file
as root; it downloads once into build/mta/ and does nothing as long as what it finds there is whole. The tests and
the demo only look.
"""
import os
import pathlib
import shutil
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TREES = REPOSITORY / "build" / "mta"
DEBS = REPOSITORY / "build" / "debs"        # of packages that tests/setup really installs, into an overlay
INSTALLED = {"": ("postfix", "dovecot-core", "ssl-cert"), "ansible": ("ansible-core",)}      # by folder

# package: where its libraries lie, then the programs that must be there and find all their libraries
PACKAGES = {
    "postfix": (
        ["usr/lib/postfix"],
        ["usr/lib/postfix/sbin/master", "usr/lib/postfix/sbin/smtpd", "usr/sbin/postconf"]),
    "dovecot-core": (
        ["usr/lib/dovecot", "usr/lib/dovecot/modules/old-stats"],
        ["usr/bin/doveconf", "usr/sbin/dovecot", "usr/lib/dovecot/auth"]),
    "sendmail-bin": ([], ["usr/libexec/sendmail/sendmail"]),
    "sendmail-cf": ([], []),
    "sasl2-bin": ([], ["usr/sbin/saslpasswd2"]),
}

# What an MTA is made of
NEEDED = {"postfix": ("postfix", "dovecot-core"), "sendmail": ("sendmail-bin", "sendmail-cf", "sasl2-bin")}


class TreeError(Exception):
    """A tree is absent, or a program in it cannot start. The text says what to do."""


def path(package, inside=""):
    """The absolute path of a file of a package."""
    return str(TREES / package / inside)


def library_path(package):
    """LD_LIBRARY_PATH for the programs of a package."""
    return ":".join(path(package, folder) for folder in PACKAGES[package][0])


def missing_libraries(package, program):
    """The shared libraries that a program asks for and the machine does not have."""
    listing = subprocess.run(["ldd", path(package, program)], text=True, capture_output=True,
                             env={**os.environ, "LD_LIBRARY_PATH": library_path(package)})
    return [line.split()[0] for line in listing.stdout.splitlines() if "not found" in line]


def is_whole(package):
    """Is the tree there, with the programs that we want?"""
    return os.path.isdir(path(package)) and all(os.access(path(package, program), os.X_OK)
                                                for program in PACKAGES[package][1])


def check(package):
    """Raise TreeError unless the programs of a package are there and can start."""
    if not is_whole(package):
        raise TreeError(f"{package} is not in {TREES}; run: make deps")
    for program in PACKAGES[package][1]:
        missing = missing_libraries(package, program)
        if missing:
            raise TreeError(f"{path(package, program)} lacks {', '.join(missing)}; run: make deps")


def command(package, *argv, **options):
    """Run a command; raise TreeError with the last thing that it said."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    if done.returncode:
        said = (done.stdout.strip().splitlines() or [f"exit code {done.returncode}"])[-1].removeprefix("E: ")
        raise TreeError(f"{package} could not be fetched, {argv[0]} says \"{said}\"; check the network and apt's proxy "
                        "and sources, then run again: make deps")


def fetch(package):
    """Download and unpack a package beside its place, then move it there in one step."""
    unpacking = TREES / f".{package}.{os.getpid()}"
    shutil.rmtree(unpacking, ignore_errors=True)
    unpacking.mkdir(parents=True)
    try:
        # apt's own unprivileged user may not enter the checkout; without this it warns and goes on as root anyway
        command(package, "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3",
                "-o", "Acquire::http::Timeout=30", "download", package, cwd=unpacking)
        archive = next(unpacking.glob("*.deb"))
        command(package, "dpkg-deb", "-x", archive.name, "tree", cwd=unpacking)
        # what is set-group-ID would run without LD_LIBRARY_PATH and what sanitizers need, and nobody is to gain a group
        command(package, "chmod", "-R", "a-s", "tree", cwd=unpacking)
        shutil.rmtree(TREES / package, ignore_errors=True)
        (unpacking / "tree").rename(TREES / package)
        return archive.name
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def debs_are_whole(folder):
    return all(list((DEBS / folder).glob(f"{package}_*.deb")) for package in INSTALLED[folder])


def fetch_debs(folder):
    """Download packages with all that they need and this machine does not have, as apt finds it."""
    (DEBS / folder / "partial").mkdir(parents=True, exist_ok=True)
    command(INSTALLED[folder][0], "apt-get", "-qq", "-y", "--no-install-recommends", "--download-only", "--reinstall",
            "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30",
            "-o", f"Dir::Cache::archives={DEBS / folder}/", "install", *INSTALLED[folder])


def main():
    for folder, packages in INSTALLED.items():
        if debs_are_whole(folder):
            print(f"{packages[0]}: to be installed into an overlay, already in {DEBS / folder}")
        else:
            fetch_debs(folder)
            print(f"{packages[0]}: to be installed into an overlay, downloaded into {DEBS / folder}")
    for package in PACKAGES:
        if is_whole(package):
            print(f"{package}: already in {TREES / package}")
        else:
            print(f"{package}: unpacked {fetch(package)} into {TREES / package}")
        check(package)


if __name__ == "__main__":
    try:
        main()
    except (TreeError, OSError) as problem:
        sys.exit(f"tree.py: {problem}")
