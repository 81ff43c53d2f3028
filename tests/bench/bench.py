#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measure mailreeve-policyd against the least that a policy server can do.

How is in benchlib.py; docs/performance.md says what the rows mean. Exit code: 0 measured (whether
or not a goal was met), 1 a reply was wrong or a server failed.
"""

import socket
import sys
import time

import benchlib
from benchlib import MemoryRow, Scenario
from servers import Failure, Kind

IDLE = 10000


# A request that passes on port 25.
def one_request(number):
    return ("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
            "client_address=10.100.100.%d\nclient_name=unknown\nclient_port=%d\n"
            "server_address=192.0.2.25\nserver_port=25\nhelo_name=mail.example.net\n"
            "sender=a@example.net\nrecipient=b@example.com\nrecipient_count=0\n"
            "instance=1a2b.6b00ea63.%05x.0\nsize=0\nsasl_method=\nsasl_username=\n"
            "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\n"
            "policy_context=smtp\n\n" % (number % 250, 10000 + number % 50000, number)).encode()


class Policyd(benchlib.Bench):
    name = "bench.py"
    generator = "polload"
    units = journaled = "requests"
    journal_rate = 300e6

    servers = {
        "limit": Kind("pollimit", []),
        "tail": Kind("pollimit", ["-t"]),
        "plain": Kind("mailreeve-policyd", [], 1000),
        "million": Kind("mailreeve-policyd", [], 1000000),
        "journal": Kind("mailreeve-policyd", [], 1000, True),
    }

    scenarios = [
        Scenario("all ten kinds, no journal", "plain", "limit",
                 ["-m", "all", "-o", "200"], cpu_goal=1.15, p99_goal=1.25),
        Scenario("port 25 passes, journal on", "journal", "limit",
                 ["-m", "smtp"], cpu_goal=1.15, p99_goal=1.25),
        Scenario("every request journaled", "journal", "limit",
                 ["-m", "submission", "-o", "200"], cpu_goal=1.3),
        Scenario("1,000,000 exceptions : 1,000", "million", "plain",
                 ["-m", "all", "-o", "3000"], cpu_goal=1.1),
        Scenario("the same, every client another", "million", "plain", ["-m", "all"], quick=False),
        Scenario("10,000 connections, 9,900 idle", "plain", "limit",
                 ["-m", "all", "-o", "200", "-i", "9900"], quick=False),
        Scenario("paced, 5,000 requests/s", "plain", "limit",
                 ["-m", "all", "-o", "200", "-r", "5000"], quick=False),
        Scenario("1 connection, one CPU", "plain", "limit",
                 ["-m", "all", "-o", "200", "-c", "1"], one_cpu=True, quick=False),
        Scenario("a connection per request, 8 at once", "plain", "limit",
                 ["-m", "all", "-o", "200", "-c", "8", "-n"], quick=False),
        Scenario("all ten kinds : limit that does not search", "plain", "tail",
                 ["-m", "all", "-o", "200"], quick=False),
    ]

    def lines_due(self, server, scenario):
        return server.total["total_requests"] if "submission" in scenario.load else None

    def idle_memory(self, name, work, asked):
        """Bytes of anonymous memory per connection that stays open; asked: each has had one request
        answered before."""
        server = self.start(name, work)
        path = server.address[len("unix:"):]
        held = []

        def ask(sock, number):
            sock.sendall(one_request(number))
            if sock.recv(600) != b"action=DUNNO\n\n":
                raise Failure("%s: wrong reply while opening idle connections" % name)

        def connect():
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            return sock

        for number in range(100):  # what the first requests allocate is not the connections'
            with connect() as sock:
                ask(sock, number)
        time.sleep(0.3)
        before = server.memory()["Anonymous"]
        held = [connect() for _ in range(IDLE)]
        if asked:
            for number, sock in enumerate(held):
                ask(sock, number)
        else:
            ask(held[-1], 0)  # the last is answered, so all before it were accepted
        time.sleep(0.3)
        growth = server.memory()["Anonymous"] - before
        for sock in held:
            sock.close()
        server.stop()
        return growth / IDLE

    def measure_memory(self, work):
        if not benchlib.raise_files(IDLE + 500):
            return
        for asked, what in ((False, "accepted"), (True, "has asked once")):
            yield MemoryRow("10,000 idle connections", "bytes each, " + what,
                            self.idle_memory("plain", work, asked),
                            self.idle_memory("limit", work, asked), 320)


if __name__ == "__main__":
    sys.exit(benchlib.main(Policyd(), __doc__.split("\n")[0]))
