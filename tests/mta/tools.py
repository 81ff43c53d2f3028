# SPDX-License-Identifier: Apache-2.0
"""swaks and curl: programs that hold a whole session by themselves and print what they said and heard."""
import re
import subprocess

from dovecot import PASSWORD, USER
from smtp import CLIENTS, HELO, MESSAGE, SECONDS, VERSIONS, Transcript, cipher_list

# what stands before a line that the client said, and before one that it heard
SWAKS = (re.compile(r"^ [-~]> (.*)"), re.compile(r"^<(?: |[-~*])[-~* ] ?(\d{3})(.)(.*)"))
CURL = (re.compile(r"^> (.*)"), re.compile(r"^< (\d{3})(.)(.*)"))


def read(output, marks):
    """The transcript in a program's output. Of a reply with several lines the first and the last are kept."""
    transcript, said, lines = Transcript(), "(greeting)", []
    for line in output.splitlines():
        if spoken := marks[0].match(line):
            said = spoken[1].strip()
        elif heard := marks[1].match(line):
            lines.append(heard[3].strip())
            if heard[2] != "-":
                transcript.add(said, heard[1], " / ".join(lines[:1] + lines[1:][-1:]))
                lines = []
    return transcript


def run(argv, marks):
    try:
        done = subprocess.run(argv, input=MESSAGE, text=True, errors="replace", timeout=SECONDS + 10,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        transcript = Transcript()
        transcript.ended = f"({argv[0]} did not end)"
        return transcript
    transcript = read(done.stdout, marks)
    if not transcript.exchanges:
        transcript.ended = f"({argv[0]}: {done.stdout.strip()[-200:]})"
    return transcript


def swaks(target, case):
    argv = ["swaks", "--server", case.host, "--port", str(target.port), "--local-interface", case.source,
            "--helo", HELO, "--from", case.sender or "<>", "--to", ",".join(case.to), "--timeout", str(SECONDS)]
    argv += {"starttls": ["--tls"], "implicit": ["--tls-on-connect"]}.get(case.tls, [])
    argv += ["--tls-protocol", VERSIONS[case.version][3]] if case.version else []
    argv += ["--tls-cipher", cipher_list(case)] if cipher_list(case) else []
    argv += ["--quit-after", case.leaves] if case.leaves else []
    argv += ["--auth", case.auth, "--auth-user", USER, "--auth-password", PASSWORD] if case.auth else []
    return run(argv, SWAKS)


def curl(target, case):
    host = f"[{case.host}]" if ":" in case.host else case.host
    argv = ["curl", "--silent", "--verbose", "--max-time", str(SECONDS), "--interface", case.source,
            "--cacert", target.believed, "--mail-from", case.sender]
    for recipient in case.to:
        argv += ["--mail-rcpt", recipient]
    argv += ["--ssl-reqd"] if case.tls == "starttls" else []
    argv += [f"--tlsv{VERSIONS[case.version][2]}", "--tls-max", VERSIONS[case.version][2]] if case.version else []
    argv += ["--ciphers", cipher_list(case)] if cipher_list(case) else []
    argv += ["--user", f"{USER}:{PASSWORD}", "--login-options", f"AUTH={case.auth}"] if case.auth else []
    scheme = "smtps" if case.tls == "implicit" else "smtp"
    return run([*argv, "--upload-file", "-", f"{scheme}://{host}:{target.port}/{HELO}"], CURL)


CLIENTS.update(swaks=swaks, curl=curl)
