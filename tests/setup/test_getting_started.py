#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/getting-started.md, from the first to the last, on a stock Debian with a systemd of its own. TAP."""
import re
import sys
import time

import stock
from stock import Stock, Trouble, tree, wait_for

import tap                                              # noqa: E402 (tests/mta)
import test_setup as setup                              # noqa: E402

PAGE = tree.REPOSITORY / "docs/getting-started.md"


def blocks():
    return re.findall(r"^```\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


def prepared(machine):
    """The machine of somebody who has Debian, Postfix and Dovecot, and no Mailreeve."""
    machine.sh("""rm -f /usr/local/sbin/mailreeve-* /usr/local/bin/mailreeve /usr/lib/sysusers.d/mailreeve.conf /usr/lib/tmpfiles.d/mailreeve*
        rm -rf /var/lib/mailreeve /var/spool/postfix/mailreeve*
        for u in policyd milter gate tap; do deluser -q mailreeve-$u; done; delgroup -q mailreeve; delgroup -q mailreeve-journal; true""")
    machine.write("/etc/dovecot/conf.d/98-test.conf", stock.USERS)
    for name in ("server.pem", "server.key"):
        machine.write(f"/etc/ssl/{name}", getattr(setup.certificates()["server"], {"server.pem": "file", "server.key": "key"}[name]).read_text(), 0o600)
    machine.run("postconf", "-e", *(f"{name}={value}" for name, value in setup.SITE.items()))
    machine.boot()
    machine.sh("systemctl start postfix dovecot")


# What the doctor finds at the end: the certificate is Debian's own
LEFT = {"certificate-self-signed"}


def main():
    wanted = ["install", "passwords", "look", "plug in", "enforce", "doctor", "undo"]
    print(f"1..{len(wanted) + 2}", flush=True)
    failed, number = 0, 0

    def result(name, wrong):
        nonlocal failed, number
        number += 1
        failed += tap.result(number, name, wrong)

    stock.enter()
    with Stock() as setup.stock_now, setup.stock_now.machine() as machine:
        prepared(machine)
        pieces, said, seconds = blocks(), {}, {}
        files = (setup.MAIN, setup.MASTER)
        result("the page has a block for each step", [] if len(pieces) == len(wanted) else [f"{len(pieces)} blocks"])
        for name, piece in zip(wanted, pieces):
            if name == "look":
                before = setup.state(machine, files)
            wrong, began = [], time.monotonic()
            code, said[name] = machine.run("sh", "-e", given=f"cd {tree.REPOSITORY}\n{piece}", check=False, timeout=900)
            seconds[name] = time.monotonic() - began
            if code:
                wrong = [f"exit code {code}", *said[name].splitlines()[-40:]]
            try:
                check(machine, name, said[name], files, before if name == "undo" else None)
            except (AssertionError, Trouble) as problem:
                wrong += str(problem).splitlines()
            result(f"{name}: the commands do what the page says", wrong)
        slow = {name: f"{each:.0f} s" for name, each in seconds.items() if name != "install"}
        print(f"#| {slow}")
        result("there in ten minutes, back in one (without the time to compile)",
               [] if sum(seconds[each] for each in wanted[1:-1]) < 600 and seconds["undo"] < 60 else [str(seconds)])
    return 1 if failed else 0


def check(machine, name, said, files, before):
    active = machine.run("systemctl", "is-active", "mailreeve-policyd", check=False)[1].strip()
    if name == "look":
        setup.must("+submission inet" in said and "+policyd:" in said, said)
    elif name == "plug in":
        setup.must("Nobody is refused yet" in said and active == "active" and "no mistakes found" in said, active, said)
        setup.told(machine, setup.client(told="250 2.0.0", tls="starttls", auth="PLAIN"))
        setup.must(machine.run("systemctl", "is-enabled", "mailreeve-policyd")[1].strip() == "enabled")
    elif name == "enforce":
        setup.must(setup.play(machine, "smtp", "submission", "submissions") > 12)
    elif name == "doctor":
        print("".join(f"# {line}\n" for line in said.splitlines()), end="", flush=True)
        setup.must(set(re.findall(r"^(?:error|warning) +(\S+)", said, re.M)) == LEFT and "enforce" in said, said)
    elif name == "undo":
        setup.compare(before, setup.state(machine, files))
        setup.must(active == "inactive", f"mailreeve-policyd is {active}")
        setup.told(machine, setup.client(listener="smtp", told="250 2.0.0"))


if __name__ == "__main__":
    tap.run(main)
