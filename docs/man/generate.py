#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of the manual pages that say what a table says: written from the table, so that they cannot differ.

    generate.py           writes them
    generate.py --check   says which are not as they would be written; exit code 1

A page has such a part between .\\" BEGIN name and .\\" END name. The tables are the programs' own (*.def, read by the C
preprocessor), and for the journal's fields those of docs/journal.md.
"""
import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


# ---- tables ---------------------------------------------------------------------------------

def rows(table, *macros):
    """Each row of a .def as a list of its cells: strings as they are, words as they are written."""
    source = "".join(f"#define {macro}(...) @@{macro} __VA_ARGS__ @@\n" for macro in macros)
    source += f'#include "{ROOT / table}"\n'
    text = subprocess.run(["cpp", "-P", "-I", str(ROOT / "common"), "-"], input=source, stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    for macro, inside in re.findall(r"@@(\w+) (.*?) @@", text, re.S):
        yield [macro, *cells(inside)]


def cells(inside):
    """Splits at the commas that stand outside of strings and brackets."""
    parts, depth, part = [], 0, ""
    for token in re.findall(r'"(?:\\.|[^"\\])*"|[^"]', inside):
        depth += (token in "([{") - (token in ")]}") if len(token) == 1 else 0
        if token == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += token
    return [plain(each.strip()) for each in [*parts, part]]


def plain(cell):
    """Strings that stand behind each other are one, as in C."""
    return "".join(ast.literal_eval(s) for s in re.findall(r'"(?:\\.|[^"\\])*"', cell)) if cell.startswith('"') else cell


# ---- mdoc -----------------------------------------------------------------------------------

def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def prose(text):
    """A sentence with `code`, **weight** and [links](...), in lines that begin at a sentence or are short."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    parts = re.split(r"(`[^`]*`|\*\*.*?\*\*)", text)
    line = "".join(f"\\fB{escape(p.strip('`*'))}\\fR" if p[:1] in "`*" and len(p) > 1 else escape(p) for p in parts)
    words, lines = line.split(" "), [""]
    for word in words:
        if lines[-1] and (len(lines[-1]) + 1 + len(word) > 84 or re.search(r"[a-z0-9)R][.?]$", lines[-1])):
            lines.append(word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join("\\&" + each if each[:1] in ".'" else each for each in lines)


def tagged(items, width="Ds"):
    """[(tag, text)]"""
    return "\n".join([f".Bl -tag -width {width}", *(f".It {tag}\n{text}" for tag, text in items), ".El"])


# ---- the parts ------------------------------------------------------------------------------

# What the keys of config_options.def belong to, by section.
SECTIONS = {
    "IN_ROOT": "the file", "IN_LISTENER": "an item of listeners", "IN_TRUSTED": "trusted", "IN_EXCEPTION": "an item of exceptions",
    "IN_PROGRAM": "policyd and milter", "IN_SOCKET": "an item of listen", "IN_TAP": "tap", "IN_JOURNAL": "journal",
    "IN_PRIVACY": "privacy",
}
LONGEST_DEFAULT = 60


def options():
    by_section = {}
    for _, _, section, key, _, fallback, text, *more in rows("common/config/config_options.def", "ROW"):
        by_section.setdefault(section, []).append((key, fallback, text, more))
    for section, listed in by_section.items():
        yield f".Ss Keys of {SECTIONS[section]}"
        items = []
        for key, fallback, text, more in listed:
            said = prose(text + "." + " It must be there." * (".required = true" in more))
            if fallback not in ("NULL", "", "{}") and len(fallback) < LONGEST_DEFAULT:
                said += f"\n.br\nDefault: \\fB{escape(fallback)}\\fR"
            items.append((f"Cm {key}", said))
        yield tagged(items)


def findings():
    items = []
    for _, _, name, smtp, submission, submissions, _, what, fix in rows("common/core/findings.def", "FINDING"):
        actions = ", ".join(f"{role} {action.lower()}" for role, action in
                            (("smtp", smtp), ("submission", submission), ("submissions", submissions)) if action != "NONE")
        items.append((f"Sy {escape(name)}", prose(f"{what[0].upper()}{what[1:]}.") + "\n.br\n" + prose(f"Default: {actions}.")
                      + "\n.br\n" + prose(f"To change: {fix}.")))
    yield tagged(items)


def commands():
    text = (ROOT / "cli/main.c").read_text()
    items = [(f"Cm {name}", prose(help + "." * (not help.endswith("?"))))
             for name, help in re.findall(r'^    \{"(\w+)", cmd_\w+, "([^"]*)"\},$', text, re.M)]
    yield tagged(items, "explain")


def journal():
    """Of docs/journal.md: each table of fields, and the paragraph in front of it."""
    page = (ROOT / "docs/journal.md").read_text()
    part = page[page.index("## A line"):page.index("### One session, several lines")]
    table = []
    for block in re.split(r"\n\n+", part.strip()):
        if block.startswith("## "):
            yield ".Ss A line"
        elif block.startswith("### "):
            yield ".Ss Events"
        elif block.startswith("|"):
            table = [line.strip("| ").split(" | ", 1) for line in block.split("\n")[2:]]
            items = [("Va " + " , ".join(escape(w.strip("`")) for w in names.split(" ")), prose(text)) for names, text in table]
            yield tagged(items, "Ds")
        else:
            yield ".Pp\n" + prose(block.replace("\n", " "))


PARTS = {"options": options, "findings": findings, "commands": commands, "journal": journal}


def generated(page):
    def part(found):
        made = "\n".join(PARTS[found[1]]())
        made = re.sub(r"(\.Ss .*)\n\.Pp\n", r"\1\n", made)
        return f'.\\" BEGIN {found[1]}\n{made}\n.\\" END {found[1]}\n'
    return re.sub(r'^\.\\" BEGIN (\w+)\n.*?^\.\\" END \1\n', part, page, flags=re.M | re.S)


def main(argv):
    stale = []
    for page in sorted((ROOT / "docs/man").glob("*.[1-8]")):
        text = page.read_text()
        made = generated(text)
        if made != text:
            stale.append(page.name)
            if argv != ["--check"]:
                page.write_text(made)
    if argv == ["--check"]:
        for name in stale:
            print(f"docs/man/{name} is not as its tables say; run: make manual")
    return 1 if stale and argv == ["--check"] else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
