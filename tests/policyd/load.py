# SPDX-License-Identifier: Apache-2.0
"""Clients that ask all the time while something else happens."""
import threading
import time

from daemon import Failure, expect, note, request


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


class Load:
    """Connections, each of which asks transaction after transaction, `recipients` requests each, one at a time.
    Every transaction must get one decision, out of `allowed`."""

    def __init__(self, daemon, allowed, connections=2, recipients=6, **changes):
        self.daemon, self.allowed, self.recipients, self.changes = daemon, set(allowed), recipients, changes
        self.times = []             # seconds for each reply
        self.seen = {}              # decision: transactions
        self.asked = 0
        self.trouble = None
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if kind is None and self.trouble:
            raise Failure(f"under load: {self.trouble}")

    def run(self, number):
        try:
            with self.daemon.client() as client:
                transaction = 0
                while not self.stopping.is_set():
                    transaction += 1
                    self.one(client, f"load.{id(self)}.{number}.{transaction}")
                client.no_more()
        except Exception as e:
            self.trouble = e

    def one(self, client, instance):
        first = None
        for _ in range(self.recipients):
            text = request(instance=instance, **self.changes)
            begun = time.monotonic()
            client.send(text)
            answer = client.reply()
            self.times.append(time.monotonic() - begun)
            self.asked += 1
            expect(answer in self.allowed, f"the answer {answer!r}")
            expect(first in (None, answer), f"one transaction was answered {first!r} and {answer!r}")
            first = answer
        self.seen[first] = self.seen.get(first, 0) + 1

    def tell(self, limit, since=0):
        """Notes the times of the answers from the since-th on; 99 % of them must be below the limit (seconds)."""
        times = self.times[since:]
        expect(times, "nothing was asked")
        note(f"{len(times)} answers, p50 {percentile(times, .5) * 1000:.2f} ms, p99 {percentile(times, .99) * 1000:.1f} ms, "
             f"max {max(times) * 1000:.0f} ms")
        expect(percentile(times, .99) < limit, f"p99 is not below {limit} s")


def ask_many(client, first, count, at_once=200, spread=1, **changes):
    """So many decisions, of the instances `many.<number>`, each of a client of its own, whose addresses are `spread` apart;
    the answers."""
    head, tail = request(instance="@", client_address="@", **changes).decode().split("client_address=@\n")
    middle, tail = tail.split("instance=@\n")
    answers = []
    for begin in range(first, first + count, at_once):
        numbers = range(begin, min(begin + at_once, first + count))
        client.send("".join([f"{head}client_address=10.{i * spread >> 16 & 255}.{i * spread >> 8 & 255}.{i * spread & 255}\n"
                             f"{middle}instance=many.{i}\n{tail}" for i in numbers]).encode())
        answers += client.replies(len(numbers))
    return answers
