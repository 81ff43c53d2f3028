#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bash offers behind `mailreeve`. TAP."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev")

# what is typed, what must be offered, what must not
CASES = [
    (["mailreeve", ""], {"audit", "check", "explain", "status"}, {"usage", "prints"}),
    (["mailreeve", "st"], {"status"}, {"audit", "check"}),
    (["mailreeve", "audit", "--"], {"--json", "--follow", "--checkpoint", "--since"}, {"-c", "--strict", "status"}),
    (["mailreeve", "check", "-"], {"-c", "-h", "--print", "--strict"}, {"--json"}),
    (["mailreeve", "check", "--pr"], {"--print"}, {"--strict"}),
    (["mailreeve", "audit", "/etc/host"], set(), {"--json"}),        # files are bash's own business
    (["mailreeve", "nonsense", "-"], set(), {"--json"}),
    (["mailreeve", "$(touch made)", "-"], set(), set()),
]


def offered(words):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mailreeve mailreeve; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-euc", script, "bash", ROOT / "etc/completions/mailreeve", *words], text=True, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
                          env={**os.environ, "PATH": f"{BUILD}:/usr/bin:/bin"})
    return set(done.stdout.split()), done.stderr


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    for number, (words, there, absent) in enumerate(CASES, 1):
        got, said = offered(words)
        good = there <= got and not absent & got and not said and not pathlib.Path("/made").exists()
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {' '.join(words)}")
        if not good:
            print(f"# offered {sorted(got)}; {said}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
