#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `mailreeve audit --json` and --csv write is what docs/audit.schema.json and docs/audit.md say. TAP.

The reports are those that tests/unit/test_report.c holds the program to, byte by byte.
"""
import csv
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REPORTS = ROOT / "tests/audit/report"
SCHEMA = json.loads((ROOT / "docs/audit.schema.json").read_text())
PAGE = (ROOT / "docs/audit.md").read_text()
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
KNOWN = {"$ref", "type", "const", "enum", "minimum", "maximum", "pattern", "items", "required", "properties",
         "$schema", "$defs", "title", "description"}


def faults(value, schema, where="$"):
    """As JSON Schema 2020-12 has it, as far as our schema uses it; stricter in one thing: a field that the schema
    does not name is a fault."""
    unknown = set(schema) - KNOWN
    if unknown:
        raise ValueError(f"the schema uses {unknown}, which this test does not know")
    if "$ref" in schema:
        yield from faults(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{where}: {value!r} is not of type {kind}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if value < schema["minimum"] if "minimum" in schema else False:
        yield f"{where}: {value} is below {schema['minimum']}"
    if value > schema["maximum"] if "maximum" in schema else False:
        yield f"{where}: {value} is above {schema['maximum']}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    for i, item in enumerate(value if "items" in schema else []):
        yield from faults(item, schema["items"], f"{where}[{i}]")
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where} lacks {name}"
    for name, member in value.items() if "properties" in schema else ():
        if name in schema["properties"]:
            yield from faults(member, schema["properties"][name], f"{where}.{name}")
        else:
            yield f"{where}.{name} is not in the schema"


def report(name):
    return json.loads((REPORTS / name).read_text().replace("@VERSION@", "0"))


def names(schema):
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from names(member)
    yield from names(schema["items"]) if "items" in schema else ()


def fields_used(value):
    for name, member in value.items() if isinstance(value, dict) else ():
        yield name
        yield from fields_used(member)
    for member in value if isinstance(value, list) else ():
        yield from fields_used(member)


def reports_fit_the_schema():
    for path in sorted(REPORTS.glob("*.json")):
        yield from (f"{path.name}: {f}" for f in faults(report(path.name), SCHEMA))


def the_schema_finds_faults():
    """A validator that accepts everything would accept the reports, too."""
    def spoiled(change):
        good = report("provider.json")
        change(good)
        return list(faults(good, SCHEMA))
    for what, change in {
            "a field is missing": lambda r: r["sessions"].pop("count"),
            "a number is a string": lambda r: r["input"].update(lines="1"),
            "a number is a boolean": lambda r: r["input"].update(lines=True),
            "a number is negative": lambda r: r["entries"][0].update(sessions=-1),
            "a word is not of the list": lambda r: r["entries"][0]["parts"][0].update(would="maybe"),
            "a time is no time": lambda r: r["entries"][0].update(last="yesterday"),
            "a port is too large": lambda r: r["listeners"][0].update(server_port=65536),
            "another version": lambda r: r.update(v=2),
            "a field is not named": lambda r: r["entries"][0].update(more=1)}.items():
        if len(spoiled(change)) != 1:
            yield f"{what}: {spoiled(change)}"


def every_field_is_in_a_report():
    used = {name for path in REPORTS.glob("*.json") for name in fields_used(report(path.name))}
    listed = set(names(SCHEMA)) | {n for d in SCHEMA["$defs"].values() for n in names(d)}
    for name in sorted(listed - used - {"finding"}):
        yield f"{name} is in no report of the tests"


def every_field_is_on_the_page():
    listed = set(names(SCHEMA)) | {n for d in SCHEMA["$defs"].values() for n in names(d)}
    for name in sorted(listed):
        if f"`{name}`" not in PAGE:
            yield f"docs/audit.md lacks `{name}`"


def the_example_fits_the_schema():
    example = re.search(r"```json\n(.*?)```", PAGE, re.S)
    if not example:
        yield "docs/audit.md has no example"
        return
    yield from faults(json.loads(example[1]), SCHEMA)


def the_report_on_the_page_is_one_of_the_program():
    real = set((REPORTS / "provider.txt").read_text().splitlines())
    shown = re.search(r"## The report\n.*?```\n(.*?)```", PAGE, re.S)[1].splitlines()
    for line in shown:
        if line not in real and line.strip() != "...":
            yield f"docs/audit.md: the program does not write {line!r}"


def every_doubt_is_on_the_page():
    for doubt in re.findall(r'^DOUBT\(\w+, "([a-z-]+)"', (ROOT / "audit/session/doubts.def").read_text(), re.M):
        if f"| `{doubt}` |" not in PAGE:
            yield f"docs/audit.md lacks the doubt `{doubt}`"


def csv_is_as_documented():
    with open(REPORTS / "provider.csv", newline="") as f:
        text = f.read()
        f.seek(0)
        rows = list(csv.reader(f, strict=True))
    if text.count("\r\n") != text.count("\n"):
        yield "a line of CSV ends without CR"
    for name in rows[0]:
        if f"`{name}`" not in PAGE:
            yield f"docs/audit.md lacks the column `{name}`"
    for row in rows:
        if len(row) != len(rows[0]):
            yield f"{len(row)} columns: {row}"
    # each finding of each part of the JSON is a line
    parts = [(f, p["sessions"]) for e in report("provider.json")["entries"] for p in e["parts"] for f in p["findings"]]
    finding, sessions = rows[0].index("finding"), rows[0].index("sessions")
    if parts != [(r[finding], int(r[sessions])) for r in rows[1:]]:
        yield "CSV and JSON differ"


tests = [reports_fit_the_schema, the_schema_finds_faults, every_field_is_in_a_report, every_field_is_on_the_page,
         the_example_fits_the_schema, the_report_on_the_page_is_one_of_the_program, every_doubt_is_on_the_page,
         csv_is_as_documented]
print(f"1..{len(tests)}")
failed = False
for number, test in enumerate(tests, 1):
    found = list(test())
    failed |= bool(found)
    for fault in found:
        print(f"# {fault}")
    print(f"{'not ok' if found else 'ok'} {number} - {test.__name__.replace('_', ' ')}")
sys.exit(failed)
