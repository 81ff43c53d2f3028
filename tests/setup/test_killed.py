#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mailreeve setup postfix`, killed at every place where it changes something. TAP; test_setup.py does every fourth."""
import test_setup
import tap                                              # (tests/mta)

if __name__ == "__main__":
    tap.run(test_setup.main, [], [test_setup.killed_everywhere])
