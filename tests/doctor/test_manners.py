#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailreeve doctor postfix on configurations in the manner of others (manners/*, written for this test): every known
fault is found, and nothing else. With postconf and without it. TAP."""
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from postfix_mail import Mail, ROOT

MANNERS = ROOT / "tests/doctor/manners"

# (id, severity, where, what must be in evidence or detail), by hand; then how many things are not looked at
EXPECTED = {
    # 465 and 587 share a name; neither refuses who has not logged in. The certificate is not here.
    "mail-in-a-box": ([("submission-open", "warning", "main.cf:21", "smtps/inet and submission/inet"),
                       ("shared-syslog-name", "warning", "master.cf:10, submission/inet", "postfix/submission")], 1),
    # 588 takes passwords in clear text and old TLS; four ports share the default name; the gateway of Docker is
    # in mynetworks. 589 is a watchdog, 10026 a filter's way back. The certificate, and what SNI chooses, are not here.
    "mailcow": ([("auth-without-tls", "error", "master.cf:14, 588/inet", "smtpd_tls_auth_only=no"),
                 ("tls-old-versions", "warning", "main.cf:12", "588/inet"),
                 ("shared-syslog-name", "warning", "master.cf:4, smtps/inet", "smtpd/pass, smtps/inet, submission/inet and 588/inet"),
                 ("trusted-proxy", "warning", "main.cf:5", "172.16.0.0/12")], 2),
    # nothing: closed for who has not logged in, names of their own, TLS 1.2. Two files of the certificate are not here.
    "docker-mailserver": ([], 2),
    "iredmail": ([], 1),
    # smtpd_ for smtp_, twice
    "relay": ([("tls-at-once-on-starttls-port", "error", "main.cf:7", "smtp_tls_wrappermode"),
               ("client-option-on-server", "error", "master.cf:5, smtp/unix", "its own is smtp_tls_security_level")], 0),
    # nothing: two addresses on one port, a list in a variable, 587 for this machine only. Not looked at: a table of
    # networks, the certificate, another instance.
    "proxied": ([], 3),
}


def wrong_with(mail, postconf, expected, unknown):
    found = mail.doctor(postconf=postconf)
    left, wrong = list(found["faults"]), []
    for id, severity, where, text in expected:
        for fault in left:
            if (fault["id"], fault["severity"], fault["where"]) == (id, severity, where) and text in fault["evidence"] + fault["detail"]:
                left.remove(fault)
                break
        else:
            wrong.append(f"not found: {id} {severity} {where} {text}")
    wrong += [f"not expected: {fault}" for fault in left]
    return wrong + ([] if len(found["unknown"]) == unknown else [f"{unknown} unknown expected: {found['unknown']}"])


def main():
    failed = 0
    tests = [(name, postconf) for name in sorted(EXPECTED) for postconf in (True, False)]
    assert sorted(EXPECTED) == sorted(p.name for p in MANNERS.iterdir())
    print(f"1..{len(tests)}")
    with tempfile.TemporaryDirectory(prefix="mailreeve-manners-") as folder:
        none = pathlib.Path(folder) / "none"
        none.mkdir()
        for number, (name, postconf) in enumerate(tests, 1):
            try:
                mail = Mail(pathlib.Path(folder) / str(number), none)
                mail.write({file: (MANNERS / name / f"{file}.cf").read_text() for file in ("main", "master")} | {"yaml": None})
                wrong = wrong_with(mail, postconf, *EXPECTED[name])
            except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as e:
                wrong = [f"{type(e).__name__}: {e}"]
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {name}{'' if postconf else ', without postconf'}", flush=True)
            for line in wrong:
                print("# " + str(line).replace("\n", "\n# "))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
