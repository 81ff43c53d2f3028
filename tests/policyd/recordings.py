# SPDX-License-Identifier: Apache-2.0
"""Real policy requests, replayed: each has an answer written by hand in recordings/expected.txt."""
import os

from daemon import Client, Daemon, same, test

RECORDINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recordings")
RECORDED = """\
listeners:
  - {names: [smtp], port: 12025, role: smtp}
  - {names: [submission], port: 12587, role: submission}
  - {names: [submissions, smtps], port: 12465, role: submissions}
  - {names: [alternate], port: 12525, role: submission}
  - {names: [six], port: 12687, role: submission}
  - {names: [fence], port: 587, role: submission}
trusted:
  networks: [192.0.2.99/32]
  client_certificates:
    - "C0:55:06:A4:2B:02:BA:65:1E:3F:34:A7:14:A8:19:0A:8D:A9:1D:82:34:BE:39:82:7C:F4:2C:63:F9:BE:0F:55"
"""


def expectations():
    """(name, number of requests, journal lines, socket, {request: action}) for each row of the table."""
    rows = []
    with open(os.path.join(RECORDINGS, "expected.txt")) as table:
        for line in table:
            if line.startswith("    "):
                span, action = line.strip().split(": ", 1)
                first, last = span.split("-")
                rows[-1][4].update(dict.fromkeys(range(int(first), int(last) + 1), action))
            elif line.strip() and not line.startswith("#"):
                name, count, lines, bound = line.split()
                rows.append((name, int(count), int(lines), bound, {}))
    return rows


def replay(name, count, lines, bound, actions):
    with open(os.path.join(RECORDINGS, name + ".txt"), "rb") as f:
        requests = [text + b"\n\n" for text in f.read().rstrip(b"\n").split(b"\n\n")]
    same((len(requests), sorted(actions)), (count, list(range(1, count + 1))), "requests and rows of the table")
    with Client(os.path.join(recorded.folder, "bound.sock") if bound != "any" else recorded.path) as client:
        before = len(recorded.settled())
        for i, text in enumerate(requests, 1):
            client.send(text)
            same(client.reply(), actions[i], f"the answer to request {i}")
        client.no_more()
    same(len(recorded.settled()) - before - 1, lines, "the number of journal lines")


recorded = Daemon(listeners=RECORDED, start=False)
recorded.listen.append(f"{{path: {recorded.folder}/bound.sock, listener: submission}}")
recorded.configure()
recorded.start()


def register_recordings():
    table = expectations()

    @test
    def table_complete():
        """every recording has its row, and every row its recording"""
        files = {name[:-4] for name in os.listdir(RECORDINGS)} - {"expected"}
        same(files, {row[0] for row in table}, "the recordings")

    for row in table:
        def run(row=row):
            replay(*row)
        run.__doc__ = f"recording {row[0]}" + ("" if row[3] == "any" else f" on a socket bound to {row[3]}")
        run.__name__ = f"recording_{row[0]}_{row[3]}"
        test(run)


register_recordings()


@test
def end_of_recordings():
    """the daemon that answered the recordings ends cleanly"""
    recorded.end()
