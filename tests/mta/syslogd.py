# SPDX-License-Identifier: Apache-2.0
"""The smallest syslogd: what arrives at a datagram socket becomes a line of a file.

    syslogd.py SOCKET FILE
"""
import os
import re
import socket
import sys

LONGEST = 65536


def main(path, file):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening, open(file, "ab", buffering=0) as log:
        listening.bind(path)
        os.chmod(path, 0o666)
        while True:
            # the number in front says how important it is: nothing that the log of a run needs
            log.write(re.sub(rb"^<\d+>", b"", listening.recv(LONGEST)).rstrip(b"\0\n") + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
