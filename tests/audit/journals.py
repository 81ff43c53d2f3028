# SPDX-License-Identifier: Apache-2.0
"""A log of Postfix and the journals of Mailreeve's programs, written by hand, and what `mailreeve` says of them: for
test_join.py and test_join_told.py."""
import hashlib
import hmac
import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = str((ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "mailreeve").resolve())
ENVIRONMENT = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
BOB, PORT, KEY = "192.0.2.7", 40001, "00c0ffee12345678"


def run(*arguments, code=0, config="/dev/null", command="audit", work=None):
    done = subprocess.run([PROGRAM, command, "-c", str(config), *map(str, arguments)], capture_output=True, text=True, check=False,
                          env=ENVIRONMENT, timeout=60, stdin=subprocess.DEVNULL, cwd=work)
    assert done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr}{done.stdout[:800]}"
    return done.stdout if code in (0, 1) else done.stderr


# ---- what is given ------------------------------------------------------------------------

def smtpd(time, text, pid=100, name="postfix/submission"):
    return f"Nov 20 10:{time} mx {name}/smtpd[{pid}]: {text}\n"


def visit(begin, end, client, pid=100, name="postfix/submission", middle=(), counts="commands=0/0"):
    """A session of Postfix: connect, what is between, disconnect. client: with or without its port."""
    return "".join(smtpd(time, text, pid, name) for time, text in [
        (begin, f"connect from {client}"), *((end, each) for each in middle), (end, f"disconnect from {client} {counts}")])


def with_port(port=PORT):
    return f"bob.example.net[{BOB}]:{port}"


WITHOUT_PORT = f"bob.example.net[{BOB}]"


def knocked(begin, end, client=WITHOUT_PORT, **more):
    return visit(begin, end, client, middle=[f"lost connection after CONNECT from {client}"], **more)


class Journal:
    """Journals of several programs in one directory, as docs/journal.md has them."""

    def __init__(self, path):
        self.path, self.numbers = path, {}

    def add(self, program, event, time, key=KEY, **fields):
        number = self.numbers[program] = self.numbers.get(program, 0) + 1
        head = {"v": 1, "ts": f"2026-11-20T10:{time}Z", "mono": number, "host": "mx", "src": f"mailreeve-{program}", "boot": "b-1",
                "seq": number, "event": event, "key": key}
        folder = self.path / f"mailreeve-{program}"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "20261120T100000Z-1.jsonl", "a") as out:
            out.write(json.dumps({**head, **{n: v for n, v in fields.items() if v is not None}}) + "\n")
        return self

    def tap(self, time, *findings, ms=5000, port=PORT, **fields):
        both = {"listener": "submission", "role": "submission", "server_port": 587, "client_address": BOB, "client_port": port,
                "server_address": "192.0.2.1", "ended": "fin", "action": "pass", "would": "pass", "duration_ms": ms}
        return self.add("tap", "session", time, findings=list(findings) or None, **{**both, **fields})

    def hello(self, time, **fields):
        """TLS at once on 587, and it came to nothing."""
        return self.tap(time, "implicit-tls-on-starttls-port", **{"tls_mode": "implicit", "first_bytes": "tls", "handshake": "left",
                        "tls_offered_highest": "TLSv1.2", "ja4": "t12d1234_0123456789ab_0123456789ab", **fields})

    def decision(self, program, time, **fields):
        both = {"listener": "submission", "role": "submission", "server_port": 587, "client_address": BOB, "protocol_state": "RCPT",
                "server_address": "192.0.2.1", "client_port": PORT, "action": "pass", "would": "pass"}
        return self.add(program, "decision", time, **{**both, **fields})


def sessions(work, log, *more, config="/dev/null", options=()):
    """What --lines says of the sessions at the end."""
    (work / "mail.log").write_text(log)
    sources = ([work / "mail.log"] if log else []) + [work / "journal"] * (work / "journal").exists() + list(more)
    out = run("--lines", "--json", *options, *sources, config=config)
    return [each for each in map(json.loads, out.splitlines()) if "ended" in each]


def one(work, log, **more):
    found = sessions(work, log, **more)
    assert len(found) == 1, f"{len(found)} sessions: {found}"
    return found[0]


def expect(session, findings, sources, **more):
    assert session.get("findings", []) == findings, session
    assert session["sources"] == sources, session
    for name, value in more.items():
        assert session.get(name) == value, (name, session)


# ---- the gate's ---------------------------------------------------------------------------

def hashed(secret, user):
    """docs/journal.md, "Privacy"."""
    return "h:" + hmac.new(secret, b"user\0" + user.lower().encode(), hashlib.sha256).hexdigest()[:16]


def refusal(journal, user, pid=100):
    return journal.add("gate", "auth_refused", "00:02.000000", key=None, service="mailreeve-25", role="smtp", client_address=BOB,
                       server_address="192.0.2.1", sasl_method="PLAIN", sasl_username=user, tls=True, mta_pid=pid, action="reject",
                       finding="auth-tried-on-smtp-port", findings=["auth-tried-on-smtp-port"])


def on_25(pid=100):
    return visit("00:00", "00:05", WITHOUT_PORT, pid=pid, name="postfix/smtp", counts="ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5", middle=[
        f"Anonymous TLS connection established from {WITHOUT_PORT}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        f"warning: {WITHOUT_PORT}: SASL PLAIN authentication failed: AUTH is not accepted on port 25"])


LOGIN = visit("40:00", "40:05", "home.example.net[198.51.100.9]", pid=200, counts="ehlo=2 starttls=1 auth=1 mail=1 commands=5", middle=[
    "Anonymous TLS connection established from home.example.net[198.51.100.9]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    "4104E3D: client=home.example.net[198.51.100.9], sasl_method=PLAIN, sasl_username=Bob@example.com"])
