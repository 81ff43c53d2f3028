# SPDX-License-Identifier: Apache-2.0
"""Running `mailreeve probe`, and reading what it says."""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "tests/mta"))

from pki import HOST  # noqa: E402

BUILD = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev")
PROGRAM = BUILD / "mailreeve"
PATIENCE = 120


@dataclasses.dataclass
class Run:
    code: int
    out: str
    err: str

    @property
    def told(self):
        return json.loads(self.out)

    def faults(self, port=None):
        """The ids, as a set; port: only those at that port."""
        return {each["id"] for each in self.told["faults"] if port is None or f"port {port}" in each["where"].split(", ")[0]
                or any(place.endswith(f"port {port}") for place in each["where"].split(", "))}

    def fault(self, id):
        return next(each for each in self.told["faults"] if each["id"] == id)

    def port(self, port, address="127.0.0.1"):
        return next(each for each in self.told["ports"] if (each["address"], each["port"]) == (address, port))


def probe(*options, host="127.0.0.1", name=HOST, json=True, **environment):
    argv = [PROGRAM, "probe", *(["--json"] if json else []), *(["--name", name] if name else []), *options, host]
    done = subprocess.run([str(word) for word in argv], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")
