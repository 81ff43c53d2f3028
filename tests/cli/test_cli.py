#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The `mailreeve` command as people use it: what is given, the exit code, what is said. TAP."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve"

POLICY = """\
mode: enforce
listeners:
  - {names: [smtp], port: 25, role: smtp}
  - {names: [submission], port: 587, role: submission}
  - {names: [alternate], port: 2525, role: submission, mode: audit,
     actions: {auth-required: defer}}
trusted: {networks: ["198.51.100.0/28"]}
exceptions:
  - {client: "203.0.113.7", allow: [tls-required], until: 2027-03-31, reason: copier, owner: help desk}
journal: {path: JOURNAL}
"""
CLEAR = "--port=587 --client=192.0.2.17 --tls=none --user=alice@example.com --mechanism=PLAIN"
REQUEST = "request=smtpd_access_policy\nprotocol_state=RCPT\nserver_port=%s\nencryption_protocol=\nsasl_username=\n"

# what, arguments, standard input, exit code, patterns that must be in the output (in this order)
CASES = [
    ("explain: refused, and which line says so", f"explain -c POLICY {CLEAR}", "", 0,
     [r"^listener   submission, port 587, role submission, mode enforce \(.*:4\)$", r"^TLS        no$",
      r"^tls-required +broken .*reject \(the default of role submission\)$", r"^auth-required +holds",
      r"^verdict    reject, because of tls-required$", r"^reply      530 5\.7\.0 Must issue a STARTTLS command first$",
      r"^to change  set the client's connection security to STARTTLS"]),
    ("explain: what is not given is not known", "explain -c POLICY --port=587", "", 0,
     [r"^tls-required +no data +not known: whether the session is under TLS$", r"^verdict    pass; nothing was found$"]),
    ("explain: audit holds back; the action's own line", "explain -c POLICY --listener=alternate --client=192.0.2.1 --tls=TLSv1.3 --user=none", "", 0,
     [r"^auth-required +broken .*defer \(.*:6\)$", r"^verdict    pass; would defer, because of auth-required$",
      r"^held back  the listener is in mode audit", r"^reply      451 4\.7\.0 Authentication required$"]),
    ("explain: an exception, and who wrote it", "explain -c POLICY --at=2027-03-31T23:59:59Z --port=587 --client=203.0.113.7 --tls=none --user=x", "", 0,
     [r"^tls-required +excepted +excepted until 2027-04-01T00:00:00Z, owner help desk, copier \(.*:9\)$"]),
    ("explain: an exception that has ended", "explain -c POLICY --at=2027-04-01T00:00:00Z --port=587 --client=203.0.113.7 --tls=none --user=x", "", 0,
     [r"^tls-required +broken .*an exception ended 2027-04-01T00:00:00Z, owner help desk"]),
    ("explain: a trusted client", "explain -c POLICY --port=587 --client=198.51.100.3 --tls=none --user=none", "", 0,
     [r"^client     198\.51\.100\.3, trusted$", r"^tls-required +trusted", r"^verdict    pass"]),
    ("explain: before MAIL", "explain -c POLICY --port=587 --client=192.0.2.1 --tls=TLSv1 --state=EHLO", "", 0,
     [r"^state      EHLO: before MAIL nothing is refused$", r"^verdict    pass; would reject, because of tls-version$"]),
    ("explain: a port that no listener names", "explain -c POLICY --port=26 --tls=none", "", 0,
     [r"^listener   none", r"^verdict    pass; no rule is asked without a listener$"]),
    ("explain: a cipher that OpenSSL does not know", "explain -c POLICY --port=587 --tls=TLSv1.2 --cipher=NEW --bits=256", "", 0,
     [r"a cipher that OpenSSL does not know", r"^tls-cipher +no data", r"^tls-cipher +holds +has the cipher at least 112 bits"]),
    ("explain: a recorded request", "explain -c POLICY --request -", REQUEST % 587, 0,
     [r"^tls-required +no data +not known: whether the client is in `trusted`$"]),
    ("explain: several recorded requests", "explain -c POLICY --request -", f"{REQUEST % 587}\n{REQUEST % 25}\n", 0,
     [r"^request 1$", r"role submission", r"^request 2$", r"role smtp"]),
    ("explain: nothing recorded", "explain -c POLICY --request -", "", 65, [r"there is no policy request in -"]),
    ("explain: something else recorded", "explain -c POLICY --request -", "EHLO x\n", 65, [r"request 1 is no policy request"]),
    ("explain: no such recording", "explain -c POLICY --request /nonexistent", "", 66, [r"/nonexistent: No such file"]),
    ("explain: no such time", f"explain -c POLICY --at=soon {CLEAR}", "", 64, [r"--at soon is not a time like"]),
    ("explain: nothing asked", "explain -c POLICY", "", 64, [r"^usage: mailreeve explain"]),
    ("explain: a wrong configuration", f"explain -c /nonexistent {CLEAR}", "", 78, [r"see mailreeve check -c /nonexistent"]),
    ("check: right", "check -c POLICY", "", 0,
     [r": no mistakes found$", r"^587 +submission +submission +enforce", r"rejects +tls-required", r"^exceptions +1"]),
    ("check: wrong", "check -c WRONG", "", 78, [r":1:1: error: unknown key \"mod\"", r"did you mean \"mode\"\?"]),
    ("status: nobody runs", "status -c POLICY", "", 69, [r"No daemon has written to"]),
    ("no command", "", "", 64, [r"^usage: mailreeve COMMAND"]),
    ("an unknown command", "explian", "", 64, [r"there is no command \"explian\""]),
    ("help", "--help", "", 0, [r"^  check ", r"^  explain ", r"^  status "]),
    ("version", "-V", "", 0, [rf"^mailreeve {re.escape((ROOT / 'VERSION').read_text().strip())}$"]),
]


def wrong_with(arguments, given, code, patterns):
    """What is not as expected; empty: all is."""
    done = subprocess.run([PROGRAM, *arguments], input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wrong = [] if done.returncode == code else [f"exit code {done.returncode}, expected {code}"]
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(done.stdout, at)
        if not found:
            return wrong + [f"not there, or not in order: {pattern}", *done.stdout.splitlines()]
        at = found.end()
    return wrong + (done.stdout.splitlines() if wrong else [])


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    with tempfile.TemporaryDirectory(prefix="mailreeve-cli-") as folder:
        os.mkdir(f"{folder}/journal")
        pathlib.Path(folder, "policy.yaml").write_text(POLICY.replace("JOURNAL", f"{folder}/journal"))
        pathlib.Path(folder, "wrong.yaml").write_text("mod: enforce\n")
        files = {"POLICY": f"{folder}/policy.yaml", "WRONG": f"{folder}/wrong.yaml"}
        for number, (what, arguments, given, code, patterns) in enumerate(CASES, 1):
            wrong = wrong_with([files.get(a, a) for a in arguments.split()], given, code, patterns)
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {what}")
            for line in wrong:
                print(f"# {line}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
