#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at a page of `mailreeve audit --html` in Chromium (apt-get install chromium).

usage: look.py PAGE.html [DIRECTORY]

Opens the page at the width of a desktop, a tablet and a phone, light and dark, and as it is printed;
writes a picture of each to DIRECTORY (default: beside the page) and says what went wrong: what
the console says, requests, what does not fit the width, text without contrast. Exit code 1 if anything did.

It speaks the DevTools protocol over a pipe, so it needs nothing but Python and Chromium.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SECONDS = 60
WIDTHS = {"desktop": 1280, "tablet": 820, "phone": 360}
SCHEMES = ["light", "dark"]
# What is wider than the page.
WIDER = """(() => { const room = document.documentElement.clientWidth;
  return [...document.querySelectorAll('body *')].filter(e => !e.closest('thead, .patterns'))
    .filter(e => e.getBoundingClientRect().right > room + 1)
    .map(e => 'wider than the page: ' + e.tagName + ' ' + e.textContent.slice(0, 40)).slice(0, 10) })()"""
# Text that reads badly on its ground: WCAG 2.1, 1.4.3. Grounds here are opaque or not there at all.
PALE = """(() => { const numbers = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = numbers(c).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (numbers(c)[3] !== 0) return c } return 'rgb(255, 255, 255)' };
  return [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => { const a = light(getComputedStyle(e).color), b = light(ground(e));
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e] })
    .filter(([ratio]) => ratio < 4.5)
    .map(([ratio, e]) => `contrast ${ratio.toFixed(2)}: ${e.tagName} ${e.textContent.slice(0, 40)}`).slice(0, 10) })()"""
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"


class Chromium:
    """A browser of our own, with one page."""

    def __init__(self, profile):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            sys.exit("look.py: there is no Chromium: apt-get install chromium")
        # It reads commands from descriptor 3 and answers on 4, each ended by a NUL.
        command_read, self.out = os.pipe()
        self.into, answer_write = os.pipe()
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{command_read} 4>&{answer_write}', "sh", program, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=[command_read, answer_write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(command_read)
        os.close(answer_write)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def message(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.into], [], [], left)[0]:
                raise TimeoutError("Chromium does not answer")
            got = os.read(self.into, 1 << 20)
            if not got:
                raise EOFError("Chromium has ended")
            self.buffer += got
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.out, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while True:
            m = self.message(until)
            if m.get("id") != self.number:
                self.events.append(m)
            elif "error" in m:
                raise RuntimeError(f"{method}: {m['error']['message']}")
            else:
                return m["result"]

    def wait_for(self, method):
        until = time.monotonic() + SECONDS
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.message(until))

    def evaluate(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.out)
        os.close(self.into)


def wrong_of(events, url):
    """What the browser had to say of the page, and what it asked the network for."""
    for e in events:
        p = e.get("params", {})
        if e["method"] == "Network.requestWillBeSent" and p["request"]["url"] != url:
            yield f"request: {p['request']['url']}"
        elif e["method"] == "Log.entryAdded":
            yield f"{p['entry']['level']}: {p['entry']['text']}"
        elif e["method"] == "Runtime.consoleAPICalled":
            yield f"console.{p['type']}: {p['args']}"
        elif e["method"] == "Runtime.exceptionThrown":
            yield f"exception: {p['exceptionDetails']['text']}"


def picture(browser, path):
    png = browser.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
    path.write_bytes(base64.b64decode(png))


def look(browser, page, directory):
    url = page.resolve().as_uri()
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.ask(f"{domain}.enable")
    for width_name, width in WIDTHS.items():
        for scheme in SCHEMES:
            name = f"{page.stem}-{width_name}-{scheme}"
            browser.events.clear()
            browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                        mobile=width < 600)
            browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.ask("Page.navigate", url=url)
            browser.wait_for("Page.loadEventFired")
            height = min(browser.evaluate("document.documentElement.scrollHeight"), 12000)
            browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                        mobile=width < 600)
            picture(browser, directory / f"{name}.png")
            browser.evaluate(OPEN_ALL)
            wrong = list(wrong_of(browser.events, url))
            wrong += browser.evaluate(WIDER) + browser.evaluate(PALE)
            yield name, wrong
    pdf = browser.ask("Page.printToPDF", printBackground=False)["data"]
    (directory / f"{page.stem}-print.pdf").write_bytes(base64.b64decode(pdf))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    page = pathlib.Path(sys.argv[1])
    if not page.is_file():
        sys.exit(f"look.py: there is no {page}")
    directory = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else page.parent
    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(profile)
        try:
            for name, wrong in look(browser, page, directory):
                failed |= bool(wrong)
                print(f"{'WRONG' if wrong else 'right'} {directory / name}.png")
                for line in wrong:
                    print(f"      {line[:200]}")
        finally:
            browser.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
