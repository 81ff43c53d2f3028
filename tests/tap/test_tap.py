#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailreeve-tap: captures written by hand with --read, and the daemon on the loopback (as root). TAP.

usage: test_tap.py [NAME...]"""
import tapd  # noqa: F401 (finds the others)
from daemon import main

import reading  # noqa: F401
import live  # noqa: F401

if __name__ == "__main__":
    main()
