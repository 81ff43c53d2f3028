# SPDX-License-Identifier: Apache-2.0
"""The scripts of scripts/ with miltertest, an MTA's side that others wrote. A script's second line is its test's name."""
import subprocess

from daemon import PATIENCE, SLOW, Failure, test
from milterd import HERE, shared

SCRIPTS = HERE / "scripts"


def run(script):
    command = ["miltertest", "-D", f"SOCKET={shared().address}", "-D", f"SCRIPTS={SCRIPTS}", "-s", str(script)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE * SLOW, check=False)
    if done.returncode:
        raise Failure(f"{script.name}: exit code {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}")


def register(script):
    def one():
        run(script)
    one.__doc__ = "miltertest, " + script.read_text().splitlines()[1].removeprefix("-- ")
    one.__name__ = "miltertest_" + script.stem
    test(one)


for path in sorted(SCRIPTS.glob("*.lua")):
    if path.stem != "common":
        register(path)
