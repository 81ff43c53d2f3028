# SPDX-License-Identifier: Apache-2.0
"""compile_commands.json from what `make -nB VERBOSE=1` would run (standard input)."""
import json
import os
import shlex
import sys

commands = []
for line in sys.stdin:
    words = shlex.split(line) if " -c " in line else []
    if "-c" in words:
        commands.append({"directory": os.getcwd(), "file": words[words.index("-c") + 1], "arguments": words})
json.dump(commands, sys.stdout, indent=1)
