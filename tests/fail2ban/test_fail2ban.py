#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No line that we write, and no reply of ours in a line of the MTA, may get a client banned by fail2ban's stock
filters: our clients are customers with a wrong setting. lines.txt has the lines and says what is known to match.

usage: test_fail2ban.py [--fetch]

fail2ban is not installed (that would start it); `--fetch`, called by `make deps`, unpacks Debian's package into
build/fail2ban/. Speaks TAP.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TREE = ROOT / "build/fail2ban"
STAMP = "Nov 21 03:15:00 mx "

POSTFIX_MODES = "more auth normal rbl ddos extra aggressive errors".split()
FILTERS = [f"postfix[mode={m}]" for m in POSTFIX_MODES] + [
    "sendmail-reject[mode=normal]", "sendmail-reject[mode=extra]", "sendmail-reject[mode=aggressive]", "sendmail-auth",
    "dovecot[mode=normal]", "dovecot[mode=aggressive]", "courier-smtp", "courier-auth", "sieve"]


def fetch():
    if (TREE / "usr/bin/fail2ban-regex").exists():
        print(f"fail2ban: already in {TREE}")
        return
    TREE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TREE.parent) as folder:
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "fail2ban"], cwd=folder,
                       check=True, stdout=sys.stderr)
        archive, = pathlib.Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, f"{folder}/tree"], check=True)
        shutil.rmtree(TREE, ignore_errors=True)
        pathlib.Path(folder, "tree").rename(TREE)
    print(f"fail2ban: {archive.name} in {TREE}")


def read_lines():
    """(kind, filters, line) of each line of lines.txt."""
    for number, text in enumerate((HERE / "lines.txt").read_text().splitlines(), 1):
        if not text or text.startswith("#"):
            continue
        kind, rest = text.split(" ", 1)
        filters = []
        if kind in ("known", "excused", "control"):
            names, rest = rest.split(" : ", 1)
            filters = names.split()
        if kind not in ("ours", "reply", "known", "excused", "control") or not set(filters) <= set(FILTERS):
            sys.exit(f"lines.txt:{number}: not understood")
        yield kind, filters, rest


def matched(name, log, config=TREE / "etc/fail2ban"):
    """The lines of a file that a filter matches."""
    done = subprocess.run(
        [sys.executable, str(TREE / "usr/bin/fail2ban-regex"), "-c", str(config), "--usedns=no", "--encoding=utf-8",
         "--print-all-matched", "--print-no-missed", "--print-no-ignored", log, name],
        env={**os.environ, "PYTHONPATH": str(TREE / "usr/lib/python3/dist-packages"), "COLUMNS": "200", "TZ": "UTC"},
        text=True, capture_output=True, timeout=120)
    total = re.search(r"^Lines: (\d+) lines, (\d+) ignored, (\d+) matched, (\d+) missed", done.stdout, re.M)
    lines = re.findall(r"^\|  (" + re.escape(STAMP) + ".*)$", done.stdout, re.M)
    if done.returncode not in (0, 1) or not total or int(total[3]) != len(lines):
        raise RuntimeError(f"fail2ban-regex {name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return {line[len(STAMP):] for line in lines}, int(total[1])


def main():
    if sys.argv[1:] == ["--fetch"]:
        fetch()
        return 0
    if not (TREE / "usr/bin/fail2ban-regex").exists():
        print("1..0 # SKIP fail2ban is not in build/; run: make deps")
        return 0

    rows = list(read_lines())
    lines = list(dict.fromkeys(line for _, _, line in rows))
    results = []  # (ok, name, why)
    excused = {line for kind, _, line in rows if kind == "excused"}
    found = {}
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        log.writelines(STAMP + line + "\n" for line in lines)
        log.flush()
        for name in FILTERS:
            found[name], read = matched(name, log.name)
            results.append((read == len(lines), f"{name} reads all lines", f"{read} of {len(lines)}"))
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "fail2ban")
            shutil.copytree(TREE / "etc/fail2ban", config)
            shutil.copy(ROOT / "etc/fail2ban/postfix.local", config / "filter.d")
            for name in FILTERS[:len(POSTFIX_MODES)]:
                wrong = matched(name, log.name, config)[0] ^ (found[name] - excused)
                results.append((not wrong, f"{name} with postfix.local: what the gate refused is excused, nothing else", "\n".join(wrong)))
    filter_text = (ROOT / "etc/fail2ban/postfix.local").read_text()
    results.append((filter_text[filter_text.index("[Definition]"):] in (ROOT / "docs/gate.md").read_text(), "docs/gate.md shows postfix.local", ""))

    for kind in ("ours", "reply", "known", "excused"):
        for name in FILTERS:
            wrong = []
            for k, filters, line in rows:
                if k == kind and (line in found[name]) != (name in filters):
                    wrong.append(("matches: " if line in found[name] else "does not match: ") + line)
            results.append((not wrong, f"{name}, {kind}", "\n".join(wrong)))
    controlled = set()
    for kind, filters, line in rows:
        if kind == "control":
            controlled.update(filters)
            missed = [name for name in filters if line not in found[name]]
            results.append((not missed, f"{' '.join(filters)} matches its control", line))
    results.append((controlled == set(FILTERS), "each filter has a control", str(set(FILTERS) - controlled)))

    # A new finding or reply needs its line here.
    ours = "\n".join(line for kind, _, line in rows if kind == "ours")
    replies = "\n".join(line for kind, _, line in rows if kind != "ours")
    for path, pattern, samples in (
            ("common/core/findings.def", r'FINDING\(\w+, "([a-z-]+)"', ours),
            ("common/core/findings.def", r'^ +"((?:[^"\\]|\\.)+)"[,)]', ours),
            ("common/core/reply.c", r'^ +"((?:[^"\\]|\\.)+)"\},', replies)):
        wanted = [m.replace('\\"', '"') for m in re.findall(pattern, (ROOT / path).read_text(), re.M)]
        absent = [text for text in wanted if text not in samples]
        results.append((len(wanted) > 5 and not absent, f"lines.txt has all texts of {path}", "\n".join(absent)))

    print(f"1..{len(results)}")
    for number, (ok, name, why) in enumerate(results, 1):
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
        if not ok:
            print("".join(f"# {line}\n" for line in why.splitlines()), end="")
    return 0 if all(ok for ok, _, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
