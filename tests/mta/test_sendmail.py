# SPDX-License-Identifier: Apache-2.0
"""The integration test: every case and every upset on a private Sendmail that asks mailreeve-milter. TAP on stdout.

    test_sendmail.py [WORD...]       only what has one of these words in its name

MAILREEVE_BUILD=build/asan tests another build.
"""
import sys

sys.dont_write_bytecode = True

import suite
import tap
from ways import SENDMAIL_MILTER

if __name__ == "__main__":
    tap.run(suite.main, SENDMAIL_MILTER, sys.argv[1:])
