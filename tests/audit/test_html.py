#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of `mailreeve audit --html`, as a browser takes it: well formed, nothing of it runs,
nothing of it asks the network, its colours have contrast. TAP.

usage: test_html.py [PAGE.html...]

Without a page: those that the unit test of the page writes.
"""
import base64
import hashlib
import html.parser
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / os.environ.get("MAILREEVE_BUILD", "build/dev") / "tests/test_report_html"
CSP = ("default-src 'none'; style-src 'sha256-%s'; img-src 'none'; font-src 'none'; base-uri 'none'; "
       "form-action 'none'")
VOID = {"meta", "br"}
# All that the page is made of, and all that an element may carry.
ELEMENTS = set("""html head meta title style body header nav main section footer h1 h2 p ul li dl dt dd a code strong
    span br time details summary table caption thead tbody tr th td svg defs pattern rect desc""".split()) | VOID
ATTRIBUTES = set("""lang charset http-equiv content name id class href scope role aria-label aria-hidden datetime data-label
    width height x y patternunits patterntransform""".split())
TEXT, CHART = 4.5, 3.0  # WCAG 2.1, 1.4.3 and 1.4.11
COLOURS = {"ink": TEXT, "soft": TEXT, "link": TEXT, "bad-text": TEXT,
           "good": CHART, "other": CHART, "bad": CHART, "none": CHART}
GROUNDS = ["page", "card"]


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.wrong, self.stack = [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is never closed" for tag in self.stack]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.stack)))
        if len(dict(attrs)) < len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice, line {self.getpos()[0]}")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.stack.pop()
        if "svg" not in self.stack:
            self.wrong.append(f"<{tag}/> outside of SVG, line {self.getpos()[0]}")

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(f"</{tag}> is not what is open, line {self.getpos()[0]}")

    def handle_comment(self, data):
        self.wrong.append(f"a comment: {data[:40]}")

    def all(self, tag):
        return [(attrs, within) for name, attrs, within in self.elements if name == tag]


def well_formed(page, text):
    yield from page.wrong
    if not text.startswith("<!DOCTYPE html>\n<html lang=\"en\">"):
        yield "it does not begin with its type and language"
    for tag in ("html", "head", "title", "style", "body", "main", "h1"):
        found = [attrs for attrs, within in page.all(tag) if "svg" not in within]
        if len(found) != 1:
            yield f"<{tag}> is there {len(found)} times"
    for c in sorted(set(re.findall(r"[^\n\x20-\x7e\xa0-\U0010ffff]", text))):
        yield f"the character {c!a} is in it"


def only_what_it_is_made_of(page, text):
    for tag, attrs, _ in page.elements:
        if tag not in ELEMENTS:
            yield f"<{tag}>"
        yield from (f"<{tag} {name}>" for name in attrs if name not in ATTRIBUTES)


def policy_forbids_all_but_its_style(page, text):
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    want = CSP % base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    metas = [(i, a) for i, (tag, a, _) in enumerate(page.elements) if tag == "meta" and a.get("http-equiv")]
    if [a for _, a in metas] != [{"http-equiv": "Content-Security-Policy", "content": want}]:
        yield f"the policy is not {want}"
    # It counts only for what comes after it.
    elif any(tag not in ("html", "head", "meta") for tag, _, _ in page.elements[:metas[0][0]]):
        yield "something stands before the policy"
    if re.search(r"@import|url\((?!#p-[a-z]+\))|expression|javascript:", style, re.I):
        yield "the style sheet asks for something"


def links_stay_in_the_page(page, text):
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        yield f"the id {twice} is there twice"
    used = [attrs.get("href", "") for attrs, _ in page.all("a")]
    used += re.findall(r"url\((.*?)\)", text[:text.index("</style>")])
    for target in sorted(set(used)):
        if not target.startswith("#") or target[1:] not in ids:
            yield f"a link leads to {target!r}"


def tables_and_charts_can_be_read_out(page, text):
    tables, rows = page.all("table"), page.all("tr")
    if len(page.all("caption")) != len(tables) or len(page.all("thead")) != len(tables):
        yield "a table has no caption or no heading"
    if any(attrs.get("scope") not in ("row", "col") for attrs, _ in page.all("th")):
        yield "a <th> has no scope"
    for row in re.findall(r"<tbody>\n(.*?)</tbody>", text, re.S):
        cells = {len(re.findall(r"<t[hd][ >]", line)) for line in row.splitlines()}
        if len(cells) > 1:
            yield f"a table has rows of {sorted(cells)} cells"
    if len(re.findall(r'<tr><th scope="(?:row|col)"', text)) != len(rows):
        yield "a row does not begin with its heading"
    for attrs, _ in page.all("svg"):
        if attrs.get("aria-hidden") != "true" and attrs.get("role") != "img":
            yield f"a chart has no role: {attrs}"
    charts = text.count('role="img"')
    if charts != len(re.findall(r'role="img"[^>]*><title>.*?</title><desc>[^<]+</desc>', text)):
        yield "a chart has no title or no description"
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    if levels != [1] + [2] * (len(levels) - 1):
        yield f"headings are of levels {levels}"


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    a, b = sorted((luminance(a), luminance(b)))
    return (b + 0.05) / (a + 0.05)


def schemes(text):
    """The colours by name: light, then dark."""
    sheets = re.findall(r":root\{(.*?)\}", text[:text.index("</style>")], re.S)
    return [dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", sheet)) for sheet in sheets]


def colours_have_contrast(page, text):
    found = schemes(text)
    if len(found) != 2:
        yield f"{len(found)} colour schemes"
    for scheme, colours in zip(("light", "dark"), found):
        for name, least in COLOURS.items():
            for ground in GROUNDS:
                ratio = contrast(colours[name], colours[ground])
                if ratio < least:
                    yield f"{scheme}: {name} on {ground} is {ratio:.2f}, must be {least}"


CHECKS = [well_formed, only_what_it_is_made_of, policy_forbids_all_but_its_style, links_stay_in_the_page,
          tables_and_charts_can_be_read_out, colours_have_contrast]


def pages_of_the_unit_test():
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([PAGES], env={**os.environ, "MAILREEVE_PAGES": directory}, stdout=subprocess.DEVNULL, timeout=120, check=True)
        return {p.stem: p.read_bytes() for p in sorted(pathlib.Path(directory).glob("*.html"))}


def main():
    given = {p: pathlib.Path(p).read_bytes() for p in sys.argv[1:]}
    pages = given or pages_of_the_unit_test()
    failed = number = 0
    print(f"1..{len(pages) * len(CHECKS)}")
    for name, octets in pages.items():
        text = octets.decode()  # strictly UTF-8
        page = Page(text)
        for check in CHECKS:
            number += 1
            wrong = list(check(page, text))
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {name}: {check.__name__}")
            for line in wrong[:20]:
                print(f"# {line}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
