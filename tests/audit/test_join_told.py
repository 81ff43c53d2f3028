#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is read of journals, and how it is told: the report, and `mailreeve explain --session`. TAP."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True

import tests_of
from journals import BOB, HERE, KEY, LOGIN, PORT, Journal, knocked, run, sessions, with_port

tests = []


def test(function):
    tests.append(function)
    return function


# ---- what is read ---------------------------------------------------------------------------

@test
def a_program_s_directory_and_a_file_will_do(work):
    Journal(work / "journal").hello("00:05.100000")
    folder = work / "journal" / "mailreeve-tap"
    for source in (work / "journal", folder, folder / "20261120T100000Z-1.jsonl"):
        assert '"sources":["tap"]' in run("--lines", "--json", source)


@test
def what_is_given_twice_is_read_once(work):
    Journal(work / "journal").hello("00:05.100000")
    folder = work / "journal" / "mailreeve-tap"
    file = folder / "20261120T100000Z-1.jsonl"
    once = json.loads(run("--json", work / "journal"))["input"]["journals"]
    for given in ((file, work / "journal"), (work / "journal", folder, file), (folder, f"{folder}/"), (file, file)):
        assert json.loads(run("--json", *given))["input"]["journals"] == once, given


@test
def what_is_no_journal_is_told(work):
    (work / "empty").mkdir()
    assert "is no journal" in run(work / "empty", code=66)
    assert "nothing.jsonl" in run("--json", work / "nothing.jsonl", code=66)
    (work / "bad.jsonl").write_text("this is no journal\n" * 3)
    assert "3 lines of the journals were not understood" in run("--json", work / "bad.jsonl", code=65)


@test
def bad_lines_are_counted_and_passed_over(work):
    Journal(work / "journal").hello("00:05.100000").add("tap", "a_new_event", "00:06.000000").hello("00:05.300000", client_port=70000, key=None)
    with open(work / "journal/mailreeve-tap/20261120T100000Z-1.jsonl", "ab") as out:
        out.write(b"\xff\xfe{]\n" + b'{"v":2}\n' + b'{"v":1,"ts":"2026-11-20T10:00:07.000000Z","mono":1,"host":"mx","src":"mailreeve-tap",'
                  b'"boot":"b-1","seq":9,"event":"session","key":"zzzz"}\n' + b'{"v":1,"half')
    told = json.loads(run("--json", work / "journal"))
    counts = told["input"]["journals"]
    assert counts["bad_lines"] == 2 and counts["missing_lines"] == 5 and counts["events"] == 3, counts
    assert any("2 lines of the journals" in each for each in told["problems"]), told["problems"]


@test
def since_is_for_events_too(work):
    Journal(work / "journal").hello("00:05.100000").hello("30:05.000000")
    found = sessions(work, "", options=["--since", "2026-11-20T10:20:00Z"])
    assert len(found) == 1, found


@test
def follow_is_without_journals(work):
    Journal(work / "journal").hello("00:05.100000")
    (work / "mail.log").write_text("")
    assert "--follow" in run("--follow", work / "mail.log", work / "journal", code=64)


@test
def the_report_names_the_client(work):
    Journal(work / "journal").hello("00:05.100000", client_address="198.51.100.9")
    (work / "mail.log").write_text(LOGIN)
    out = run(work / "mail.log", work / "journal", code=1)
    assert "offers up to TLSv1.2, JA4 t12d1234_0123456789ab_0123456789ab" in " ".join(out.split()), out
    told = json.loads(run("--json", work / "mail.log", work / "journal", code=1))
    part = told["entries"][0]["parts"][0]
    assert part["ja4"].startswith("t12d1234") and part["tls_offered_highest"] == "TLSv1.2" and part["server_port"] == 587, part
    assert told["entries"][0]["user_known_by"] == "address", told["entries"]


@test
def the_report_is_as_it_was_read_by_hand(work):
    """report/joined.json; tests/audit/test_report_schema.py has it, too."""
    journal = Journal(work / "journal").hello("00:05.100000", client_address="198.51.100.9").hello("30:05.100000", client_address=BOB)
    journal.hello("50:05.100000", client_address="203.0.113.7", port=PORT + 2, key="00c0ffee1234567a")
    (work / "mail.log").write_text(LOGIN + knocked("30:00", "30:05") + knocked("30:01", "30:04", pid=101))
    told = run("--json", "mail.log", "journal", code=1, work=work)
    told = re.sub(r'"seconds":[0-9.]+', '"seconds":0.001', told)
    kept = HERE / "report/joined.json"
    if os.environ.get("MAILREEVE_KEEP"):                # then read it
        kept.write_text(told)
    assert told == kept.read_text(), told


@test
def privacy_holds_here_too(work):
    (work / "private.yaml").write_text(f'privacy: {{address: network, user: domain}}\njournal: {{path: "{work / "journal"}"}}\n')
    (work / "private.yaml").chmod(0o644)
    Journal(work / "journal").decision("policyd", "00:03.000000", tls=False, auth=True, sasl_username="bob@example.com")
    out = run("--session", KEY, work / "journal", command="explain", config=work / "private.yaml")
    assert BOB not in out and "192.0.2.0/24" in out, out


# ---- explain --session ------------------------------------------------------------------------

TOLD = """\
client    192.0.2.7:40001
time      2026-11-20 10:00:00 UTC, 5.2 s
port      587 (submission), role submission
TLS mode  cleartext
seen by   log, milter, tap

FACT                         VALUE                               SEEN BY
server port                  587                                 log, milter, tap
listener                     submission                          milter, tap
first bytes                  tls                                 tap
client spoke                 implicit                            tap
highest TLS version offered  TLSv1.2                             tap
JA4                          t12d1234_0123456789ab_0123456789ab  tap
ClientHello was              left                                tap
name in the log              postfix/submission                  log

FOUND
implicit-tls-on-starttls-port: the client spoke TLS at once on a port that begins in clear text
    seen by: tap
    to change: set the client's connection security to STARTTLS on this port, or its port to 465
(no-tls-seen, by milter: what the others saw explains it)

IN ORDER
2026-11-20 10:00:00         log      connect listener=postfix/submission client=192.0.2.7 name=bob.example.net
2026-11-20 10:00:05         log      lost listener=postfix/submission client=192.0.2.7 name=bob.example.net after=CONNECT
2026-11-20 10:00:05         log      disconnect listener=postfix/submission client=192.0.2.7 name=bob.example.net
2026-11-20 10:00:05.100000  tap      session: pass implicit-tls-on-starttls-port
2026-11-20 10:00:05.200000  milter   finding: pass no-tls-seen
"""


@test
def one_session_is_told_by_any_of_its_names(work):
    journal = Journal(work / "journal").hello("00:05.100000")
    journal.add("milter", "finding", "00:05.200000", listener="submission", server_port=587, client_address=BOB, client_port=PORT,
                action="pass", findings=["no-tls-seen"])
    (work / "mail.log").write_text(knocked("00:00", "00:05", with_port()))
    for name in (KEY, f"{BOB}:{PORT}", BOB):
        out = run("--session", name, work / "mail.log", work / "journal", command="explain")
        assert out == TOLD, out


@test
def a_session_by_its_queue_id(work):
    Journal(work / "journal").decision("milter", "00:02.000000", queue_id="6AKA002a000001", protocol_state="MAIL", tls=False, auth=False)
    out = run("--session", "6AKA002a000001", work / "journal", command="explain")
    assert "tls-required" in out and "mode: enforce would reject it" in out, out


@test
def several_sessions_are_listed(work):
    Journal(work / "journal").hello("00:05.100000").hello("30:05.000000", port=PORT + 1, key="00c0ffee12345679")
    out = run("--session", BOB, work / "journal", command="explain")
    assert out.startswith("2 sessions have that name") and f"{BOB}:{PORT + 1}  tap  cleartext implicit-tls-on-starttls-port" in out, out


@test
def no_such_session(work):
    Journal(work / "journal").hello("00:05.100000")
    assert 'no session "192.0.2.99"' in run("--session", "192.0.2.99", work / "journal", command="explain", code=65)
    assert "name the logs" in run("--session", "192.0.2.99", command="explain", code=64)


if __name__ == "__main__":
    sys.exit(tests_of.run(tests))
