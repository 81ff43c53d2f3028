# SPDX-License-Identifier: Apache-2.0
"""Somebody else's milter: lets everything pass and notes each MAIL that it is shown."""
import socketserver
import struct


class Milter(socketserver.StreamRequestHandler):
    def answer(self, code, data=b""):
        self.wfile.write(struct.pack("!I", len(data) + 1) + code + data)

    def handle(self):
        while len(head := self.rfile.read(4)) == 4:
            packet = self.rfile.read(struct.unpack("!I", head)[0])
            code = packet[:1]
            if code == b"O":                        # versions and what is wanted: all of it
                self.answer(b"O", struct.pack("!III", 6, 0, 0))
            elif code == b"Q":
                return
            elif code not in b"DAK":                # macros and aborts get no answer
                if code == b"M":
                    with open("/tmp/milter.asked", "a") as asked:
                        print("asked", file=asked)
                self.answer(b"c")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", 8891), Milter).serve_forever()
