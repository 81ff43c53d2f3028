# SPDX-License-Identifier: Apache-2.0
"""A directory with main.cf, master.cf and mailreeve.yaml, the doctor's look at it, and following its advice."""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/mta"))

import certs                                                        # noqa: E402
import tree                                                         # noqa: E402

PROGRAM = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"
FILES = {"main": "main.cf", "master": "master.cf", "yaml": "mailreeve.yaml"}

# postconf is in it only for those who want it
WITHOUT = {**os.environ, "PATH": "/usr/bin:/bin"}
WITH = {**WITHOUT, "PATH": f"{tree.path('postfix', 'usr/sbin')}:/usr/bin:/bin", "LD_LIBRARY_PATH": tree.library_path("postfix")}


def make_certificates(folder):
    """server (for mail.example.com) and other, with their keys; both in one file; valid for 400 days."""
    made = certs.make(folder, "server", "-days", "400", "-addext", f"subjectAltName=DNS:{certs.HOST}")
    certs.make(folder, "other", "-days", "400", "-addext", "subjectAltName=DNS:other.example.com")
    (folder / "both.pem").write_text(made.key.read_text() + made.file.read_text())
    return folder


class Mail:
    def __init__(self, folder, certificates):
        self.folder = folder
        folder.mkdir()
        for f in certificates.iterdir():
            shutil.copy(f, folder)

    def write(self, texts):
        """texts: main, master and yaml; None: there is no such file. DIR is the folder."""
        self.texts = {name: text.replace("DIR", str(self.folder)) if text is not None else None for name, text in texts.items()}
        for name, text in self.texts.items():
            if text is not None:
                (self.folder / FILES[name]).write_text(text)
        self.cool()

    def cool(self):
        """Postfix reads a file that was changed in the last second again after a second."""
        for file in self.folder.iterdir():
            os.utime(file, (1, 1))

    def line(self, file, text, number=1):
        """"main.cf:12": the line that begins so, the number-th of them."""
        text = text.replace("DIR", str(self.folder))
        lines = [i for i, line in enumerate(self.texts[file].splitlines(), 1) if line.startswith(text)]
        assert len(lines) >= number, f"{file} has {len(lines)} lines that begin with {text!r}"
        return f"{FILES[file]}:{lines[number - 1]}"

    def doctor(self, *options, postconf=True, code=None, now=None):
        """What it finds, as JSON."""
        argv = [PROGRAM, "doctor", "--directory", self.folder, "--json", *options]
        if now is not None:
            argv += ["--now", int(time.time()) + now * 86400]
        done = subprocess.run([str(word) for word in argv], text=True, capture_output=True, timeout=60, env=WITH if postconf else WITHOUT)
        if done.returncode not in (0, 1) or done.stderr:
            raise RuntimeError(f"doctor ended with {done.returncode}: {done.stderr}")
        found = json.loads(done.stdout)
        serious = any(fault["severity"] != "note" for fault in found["faults"])
        assert done.returncode == serious, f"exit code {done.returncode}"
        return found

    def follow(self, found):
        """Runs what it says, as a person would in a shell; what is no command for postconf is left out."""
        for fault in found["faults"]:
            for fix in fault["fix"]:
                if fix.startswith("postconf "):
                    self.cool()
                    subprocess.run(shlex.split(fix), env=WITH, check=True, capture_output=True, timeout=20)
        self.cool()
        self.texts = {name: (self.folder / file).read_text() if (self.folder / file).exists() else None for name, file in FILES.items()}
