#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be checked without running the programs: the house's rules, and that the
documents say what the code says. TAP."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev")
os.chdir(ROOT)

# Who may include whom: nothing points up or sideways.
LAYERS = {
    "common/core": {"core"},
    "common/config": {"core", "config"},
    "common/journal": {"core", "config", "journal"},
    "common/edge": {"core", "config", "journal", "edge"},
    "policyd": {"core", "config", "journal", "edge", "policyd"},
    "milter": {"core", "config", "journal", "edge", "milter"},
    "tap": {"core", "config", "journal", "edge", "tap"},
    "gate": {"core", "config", "journal", "edge", "gate"},
    "audit": {"core", "config", "journal", "edge", "audit"},
    "mta": {"core", "config", "journal", "edge", "mta"},
    "doctor": {"core", "config", "journal", "edge", "mta", "doctor"},
    "setup": {"core", "config", "journal", "edge", "mta", "setup"},
    "probe": {"core", "config", "journal", "edge", "mta", "probe"},
    "cli": {"core", "config", "journal", "edge", "audit", "mta", "doctor", "setup", "probe", "cli"},
}
# Which libraries a program may need, so that a plugin never grows a database.
LIBRARIES = {
    "mailreeve-policyd": {"libc", "libyaml-0", "libssl", "libcrypto", "libevent_core-2.1"},
    "mailreeve-milter": {"libc", "libyaml-0", "libssl", "libcrypto", "libevent_core-2.1", "libmilter"},
    "mailreeve-tap": {"libc", "libyaml-0", "libssl", "libcrypto", "libevent_core-2.1", "libpcap", "libcap"},
    "mailreeve-gate": {"libc", "libcrypto"},
    "mailreeve": {"libc", "libresolv", "libyaml-0", "libssl", "libcrypto", "libz", "liblzma"},
}
# All that the core may ask of the C library: no files, no clock, no log.
CORE_MAY_CALL = set("""malloc calloc free memcpy memcmp memset memchr memmove strlen strchr strstr explicit_bzero
    strcmp snprintf vsnprintf inet_pton inet_ntop __stack_chk_fail __memcpy_chk __memset_chk __explicit_bzero_chk
    __snprintf_chk __vsnprintf_chk _GLOBAL_OFFSET_TABLE_ exit""".split())
BANNED = set("gets strcpy strcat sprintf vsprintf strtok system popen tmpnam mktemp alloca".split())

checks = []


def check(function):
    checks.append(function)
    return function


def files(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    return [pathlib.Path(f) for f in listed if f and pathlib.Path(f).is_file()]


def run(*argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


@check
def includes_point_down():
    for folder, allowed in LAYERS.items():
        for f in files(f"{folder}/*.c", f"{folder}/*.h"):
            for layer in re.findall(r'#include "([a-z]+)/', f.read_text()):
                if layer not in allowed:
                    yield f"{f} includes {layer}/"


@check
def headers_compile_alone():
    for f in files("common/*.h", "policyd/*.h", "milter/*.h", "tap/*.h", "gate/*.h", "audit/*.h", "mta/*.h", "doctor/*.h",
                   "setup/*.h", "probe/*.h", "cli/*.h"):
        done = run("gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Icommon", "-I.",
                   "-fsyntax-only", "-x", "c", str(f))
        if done.returncode:
            yield f"{f}: {done.stdout}"


@check
def programs_need_only_their_libraries():
    for program, allowed in LIBRARIES.items():
        for line in run("readelf", "-d", str(BUILD / program)).stdout.splitlines():
            needed = re.search(r"NEEDED.*\[(.*?)\.so", line)
            if needed and needed[1] not in allowed:
                yield f"{program} needs {needed[1]}"


@check
def core_does_no_io():
    defined, wanted = set(), set()
    for line in run("nm", str(BUILD / "libcore.a")).stdout.splitlines():
        word = line.split()
        if len(word) >= 2 and word[-2] == "U":
            wanted.add(word[-1])
        elif len(word) == 3:
            defined.add(word[-1])
    if not defined:
        yield "libcore.a has no symbols"
    for symbol in sorted(wanted - defined - CORE_MAY_CALL):
        yield f"libcore.a calls {symbol}"


@check
def no_two_functions_have_one_name():
    """The linker takes the first archive's and says nothing."""
    at = {}
    for archive in ("core", "edge", "audit", "server"):
        for line in run("nm", "-g", "--defined-only", str(BUILD / f"lib{archive}.a")).stdout.splitlines():
            if len(word := line.split()) == 3:
                at.setdefault(word[2], []).append(archive)
    for name, archives in sorted(at.items()):
        if len(archives) > 1:
            yield f"{name} is in {' and '.join(archives)}"
    if not at:
        yield "the archives have no symbols"


@check
def no_banned_calls():
    for program in LIBRARIES:
        for line in run("nm", "-D", "-u", str(BUILD / program)).stdout.splitlines():
            name = line.split()[-1].split("@")[0]
            if name in BANNED:
                yield f"{program} calls {name}"


@check
def sources_name_their_licence():
    for f in files("*.c", "*.h", "*.def", "*.py", "*.sh", "Makefile"):
        if "SPDX-License-Identifier: Apache-2.0" not in f.read_text()[:200]:
            yield f"{f} has no SPDX line"


@check
def sources_are_formatted():
    done = run("clang-format", "--dry-run", *map(str, files("*.c", "*.h")))
    for f in sorted(set(re.findall(r"^(\S+?):\d+:", done.stdout, re.M))):
        yield f"{f}: run clang-format -i"


@check
def no_traces_of_a_machine():
    pattern = re.compile("/wo" + "rk/|deb\\.deb" + "ian\\.org|registry\\.np" + "mjs|/root" + "/")
    for f in files():
        if "corpus" in f.parts:
            continue
        found = pattern.search(f.read_bytes().decode("utf-8", "replace"))
        if found:
            yield f"{f} has {found[0]}"


def findings():
    """id -> default action by role, from the one table."""
    text = pathlib.Path("common/core/findings.def").read_text()
    rows = re.findall(r'FINDING\(\w+, "([a-z-]+)", (\w+), (\w+), (\w+), \w+,', text)
    return {row[0]: dict(zip(("smtp", "submission", "submissions"), row[1:])) for row in rows}


def rule_findings():
    names = re.findall(r'FINDING\((\w+), "([a-z-]+)"', pathlib.Path("common/core/findings.def").read_text())
    ids = dict(names)
    return {ids[name] for f in files("common/core/rules/*.c")
            for name in re.findall(r"\.finding = FINDING_(\w+)", f.read_text())}


def strictest():
    text = pathlib.Path("common/core/findings.def").read_text()
    return dict(re.findall(r'FINDING\(\w+, "([a-z-]+)", \w+, \w+, \w+, (\w+),', text))


def shown(action):
    return "-" if action == "NONE" else action.lower()


@check
def every_finding_has_a_page_that_agrees():
    for finding, actions in findings().items():
        page = pathlib.Path(f"docs/findings/{finding}.md")
        if not page.exists():
            yield f"{page} is missing"
            continue
        text = page.read_text()
        for role, action in actions.items():
            said = re.search(rf"^\| `?{role}`? \| `?([a-z-]+)`? \|", text, re.M)
            if not said or said[1] != shown(action):
                yield f"{page}: {role} is {shown(action)}, the page says {said[1] if said else 'nothing'}"
        if strictest()[finding] == "LOG" and not re.search(r"`ignore`\s+or\s+`log`", text):
            yield f"{page} does not say that it can only be `ignore` or `log`"
        parts = [f"# {finding}\n", r"\*\*Who can see it", r"\*\*How to fix it", "Sources:"]
        if finding != "listener-mode-mismatch":  # not the client's doing: nobody is excused
            parts += [r"\*\*Trusted", rf"allow: \[?{finding}\b"]
        for part in parts:
            if not re.search(part, text):
                yield f"{page} lacks {part!r}"
        for row in re.findall(rf"FINDING_{finding.upper().replace('-', '_')}, EDGE_\w+, (\d+), \"([\d.]+)\",\s+\"(.*?)\"",
                              pathlib.Path("common/core/reply.c").read_text(), re.S):
            for word in row:
                if word not in text:
                    yield f"{page} does not have {word!r}"


@check
def every_finding_is_listed():
    index = pathlib.Path("docs/findings/README.md").read_text()
    for finding, actions in findings().items():
        said = re.search(rf"^\| \[{finding}\]\({finding}\.md\) \| (\S+) \| (\S+) \| (\S+) \|", index, re.M)
        if not said or list(said.groups()) != [shown(a) for a in actions.values()]:
            yield f"docs/findings/README.md: {finding} should be {[shown(a) for a in actions.values()]}"


@check
def every_rule_has_cases():
    for finding in sorted(rule_findings()):
        if not pathlib.Path(f"tests/rules/{finding}.cases").exists():
            yield f"tests/rules/{finding}.cases is missing"


def catalogue():
    """id -> (name, kind, where it shows, what it begins with, 465, 587, note, evidence), from the one table."""
    text = pathlib.Path("common/core/catalogue.def").read_text()
    string = r'("[^"]*"|NULL)'
    software = re.findall(rf"^SOFTWARE\((\w+), {string}, (\w+), {string}, (\w+),\s+{string},\s+{string}, (\w+),\s+{string}\)$",
                          text, re.M)
    patterns = re.findall(r'^PATTERN\(\w+, "([^"]*)", (\w+), (\w+), \w+\)$', text, re.M)
    if len(software) + len(patterns) != len(re.findall(r"^(?:SOFTWARE|PATTERN)\(", text, re.M)):
        raise ValueError("common/core/catalogue.def has rows that are not understood")
    shown = {"USER_AGENT": "User-Agent", "X_MAILER": "X-Mailer", "EITHER": "User-Agent, X-Mailer", "EHLO": "EHLO"}
    plain = {"NULL": ""}
    rows = {}
    for name, *row in software:
        id, kind, people, shows, implicit, starttls, evidence, note = (plain.get(c, c.strip('"')) for c in row)
        begins = ", ".join(p + ("VERSION" if follows == "VERSION" else "") for p, follows, of in patterns if of == name)
        rows[id] = (people, kind, shown.get(shows, ""), begins, implicit, starttls, note, evidence.lower().replace("_", " "))
    return rows


def page_table(page, heading):
    """The rows of the table under a heading, without the marks for code and bold."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", page, re.M | re.S)
    lines = re.findall(r"^\| (.*) \|$", section[1], re.M) if section else []
    return [tuple(re.sub(r"`|\*\*", "", cell).strip() for cell in line.split("|")) for line in lines[1:]]


def compare(where, said, wanted):
    for row in sorted(set(wanted) - set(said)):
        yield f"{where} lacks: {' | '.join(row)}"
    for row in sorted(set(said) - set(wanted)):
        yield f"{where} has, and common/core/catalogue.def has not: {' | '.join(row)}"
    if len(said) != len(set(said)):
        yield f"{where} has a row twice"


@check
def clients_page_has_the_settings_of_the_catalogue():
    page = pathlib.Path("docs/clients.md").read_text()
    for heading, kinds in {"Mail programs and devices": {"PROGRAM", "DEVICE"},
                           "Libraries, webmail, and programs that send mail": {"LIBRARY", "SERVER"}}.items():
        wanted = [(name, id, implicit, starttls, note, evidence)
                  for id, (name, kind, _, _, implicit, starttls, note, evidence) in catalogue().items()
                  if kind in kinds and evidence != "none"]
        yield from compare(f'docs/clients.md, "{heading}",', page_table(page, heading), wanted)


@check
def clients_page_has_what_the_catalogue_recognises():
    page = pathlib.Path("docs/clients.md").read_text()
    heading = "What is recognised"
    wanted = [(name, id, shows, begins) for id, (name, _, shows, begins, *_) in catalogue().items() if shows]
    yield from compare(f'docs/clients.md, "{heading}",', page_table(page, heading), wanted)


@check
def journal_fields_are_documented():
    contract = pathlib.Path("docs/journal.md").read_text()
    for f in files("common/edge/*.c", "common/journal/*.c", "policyd/*.c", "milter/*.c",
                   "tap/*.c", "gate/*.c"):
        for name in re.findall(r'(?:jline_\w+|put_\w+)\((?:r, )?&?l, "(\w+)"', f.read_text()):
            if f"`{name}`" not in contract:
                yield f"docs/journal.md lacks `{name}` of {f}"


@check
def options_are_documented():
    manual = pathlib.Path("docs/configuration.md").read_text()
    for name in re.findall(r'"([a-z_]+)"', pathlib.Path("common/config/config_options.def").read_text()):
        if not re.search(rf"\b{name}\b", manual):
            yield f"docs/configuration.md lacks {name}"


@check
def man_pages_have_the_options_of_the_binary():
    for program, page in {"mailreeve-policyd": "docs/man/mailreeve-policyd.8", "mailreeve-milter": "docs/man/mailreeve-milter.8",
                          "mailreeve-gate": "docs/man/mailreeve-gate.8", "mailreeve-tap": "docs/man/mailreeve-tap.8",
                          "mailreeve": "docs/man/mailreeve.1"}.items():
        text = pathlib.Path(page).read_text().replace("\\-", "-")
        helps = {page: [run(str(BUILD / program), "-h").stdout]}
        if program == "mailreeve":
            commands = re.findall(r"^  ([a-z]+) ", helps[page][0], re.M)
            for c in commands:
                own = next(map(str, pathlib.Path("docs/man").glob(f"mailreeve-{c}.[18]")), page)     # a command may have its own
                helps.setdefault(own, []).append(run(str(BUILD / program), c, "-h").stdout)
                if c not in text:
                    yield f"{page} lacks {c}"
        for where, texts in helps.items():
            manual = pathlib.Path(where).read_text().replace("\\-", "-")
            for option in set(re.findall(r"(?<![\w-])--?([A-Za-z][a-z-]*)\b", "\n".join(texts))):
                if not re.search(rf"Fl -?{option}\b", manual):
                    yield f"{where} lacks -{option}"


@check
def man_pages_have_the_tables_of_the_programs():
    yield from run("python3", "docs/man/generate.py", "--check").stdout.splitlines()


@check
def man_pages_are_clean():
    for f in files("docs/man/*.[1-8]"):
        done = run("mandoc", "-Tlint", "-W", "warning", str(f))
        if done.returncode:
            yield done.stdout


def anchors(page):
    """The names that headings have on a page, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@check
def links_lead_somewhere():
    for f in files("*.md"):
        for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", f.read_text()):
            page = f.parent / target if target else f
            if "://" in target:
                continue
            if not page.exists():
                yield f"{f} points to {target}"
            elif anchor and page.suffix == ".md" and anchor not in anchors(page):
                yield f"{f} points to {target}#{anchor}"


@check
def nothing_is_left_to_fill_in():
    for f in files("*.md"):
        if "OUTPUT-" + "HERE" in f.read_text():
            yield f"{f} has a place to fill in"


def main():
    failed = 0
    print(f"1..{len(checks)}")
    for number, function in enumerate(checks, 1):
        try:
            wrong = list(function())
        except (OSError, ValueError) as e:
            wrong = [str(e)]
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {function.__name__}", flush=True)
        for line in wrong:
            print("# " + line.strip().replace("\n", "\n# "))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
