#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks each rule in every way it can be broken and sees that its cases notice.

A mutant is one rule's source with one thing changed, linked into tests/unit/test_rules.c
in place of the real one. A mutant that passes all cases means a case is missing.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev")
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-DMAILREEVE_VERSION=\"x\"", "-Icommon", "-I.", "-O0", "-w"]
LIBS = ["-lcmocka", "-lssl", "-lcrypto", "-pthread"]


def flip_answer(text):
    text = text.replace("static bool check(", "static bool original(")
    wrapper = ("static bool check(const struct session *s, const struct listener *l)\n"
               "{\n    return !original(s, l);\n}\n\nconst struct rule rule_")
    return text.replace("const struct rule rule_", wrapper, 1)


def need_nothing(text):
    return re.sub(r"\.needs = .*,", ".needs = 0,", text)


def other_roles(text):
    return re.sub(r"\.roles = (.*),", r".roles = ROLES_ALL & ~(\1),", text)


def flip_trust(text):
    if ".trusted_excused = true," in text:
        return text.replace(".trusted_excused = true,", "")
    return text.replace(".check = check,", ".trusted_excused = true,\n    .check = check,")


MUTATIONS = [flip_answer, need_nothing, other_roles, flip_trust]


def passes(source, where):
    """True if the cases pass with this rule in place of the real one."""
    mutant = where / "mutant.c"
    mutant.write_text(source)
    program = where / "test_rules"
    subprocess.run(["gcc", *FLAGS, str(mutant), str(BUILD / "tests/unit/test_rules.o"),
                    str(BUILD / "libedge.a"), str(BUILD / "libcore.a"), *LIBS, "-o", str(program)],
                   cwd=ROOT, check=True)
    return subprocess.run([str(program)], cwd=ROOT, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def main():
    rules = [r for r in sorted((ROOT / "common/core/rules").glob("*.c")) if r.name != "rules.c"]
    failed, number = 0, 0
    print(f"1..{len(rules) * (len(MUTATIONS) + 1)}")
    with tempfile.TemporaryDirectory() as tmp:
        for rule in rules:
            text = rule.read_text()
            # the unchanged rule must pass, or a red suite would prove nothing
            for mutate in [lambda t: t, *MUTATIONS]:
                mutant = mutate(text)
                real = mutate.__name__ == "<lambda>"
                number += 1
                good = passes(mutant, pathlib.Path(tmp)) == real and (real or mutant != text)
                failed += not good
                what = "unchanged passes" if real else f"{mutate.__name__} is noticed"
                print(f"{'ok' if good else 'not ok'} {number} - {rule.stem}: {what}", flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
