# SPDX-License-Identifier: Apache-2.0
"""The integration test: every case and every upset on a private Postfix that asks mailreeve-policyd. TAP on stdout.

    test_postfix.py [WORD...]       only what has one of these words in its name

MAILREEVE_BUILD=build/asan tests another build.
"""
import sys

sys.dont_write_bytecode = True

import suite
import tap
from ways import POSTFIX_POLICYD

if __name__ == "__main__":
    tap.run(suite.main, POSTFIX_POLICYD, sys.argv[1:])
