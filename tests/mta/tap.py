# SPDX-License-Identifier: Apache-2.0
"""How the test programs here report and end."""
import sys

import tree
from daemons import Trouble, end_on_signals


def result(number, name, wrong):
    """One test's line and what was wrong with it; True: it failed."""
    print(f"{'not ' * bool(wrong)}ok {number} - {name}")
    print("".join("# " + line.replace("\n", "\n# ") + "\n" for line in wrong), end="", flush=True)
    return bool(wrong)


def run(main, *arguments):
    """Runs the program and exits; trouble and an interruption are told in TAP's way."""
    end_on_signals()
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(main(*arguments))
    except (Trouble, tree.TreeError) as trouble:
        print("Bail out! " + str(trouble).replace("\n", "\n# "))
        sys.exit(1)
    except KeyboardInterrupt:
        print("Bail out! interrupted")
        sys.exit(130)
