# SPDX-License-Identifier: Apache-2.0
"""Somebody else's policy service: answers DUNNO and notes that it was asked."""
import socketserver


class Policy(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line == b"\n":
                with open("/tmp/policy.asked", "a") as asked:
                    print("asked", file=asked)
                self.wfile.write(b"action=DUNNO\n\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", 8892), Policy).serve_forever()
