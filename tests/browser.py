"""Headless Chromium, driven through its pipe: no port, no driver, no further package.

The DevTools protocol goes over file descriptors 3 (to the browser) and 4 (from it), a
JSON object and a zero byte each way.
"""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]
"""Of every test that takes the fixture `page`."""

_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

# The boxes in CSS pixels of what is drawn in each picture; an image's own size.
DRAWN = """
[...document.querySelectorAll("figure svg, figure img")].map(picture => {
  const box = picture.getBoundingClientRect();
  if (picture.tagName === "IMG")
    return [picture.alt, box.width, box.height, picture.naturalWidth];
  const parts = [...picture.querySelectorAll("path, line, rect, text")];
  const sizes = parts.map(part => part.getBoundingClientRect());
  const label = picture.getAttribute("aria-label") || "legend";
  return [label, box.width, box.height, Math.max(...sizes.map(size => size.width))];
})
"""

# The least contrast of a text to what is behind it, as the WCAG compute it.
CONTRAST = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) =>
    [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
  const behind = part => {
    const below = part.parentElement ? behind(part.parentElement) : [255, 255, 255];
    return over(numbers(getComputedStyle(part).backgroundColor), below);
  };
  const luminance = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let least = [21, ""];
  for (const part of document.body.querySelectorAll("*")) {
    const text = [...part.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!text || part.matches(".none")) continue;
    const style = getComputedStyle(part);
    const ink = part.tagName === "text" ? style.fill : style.color;
    const below = behind(part);
    const pair = [luminance(over(numbers(ink), below)), luminance(below)].sort();
    const found = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (found < least[0]) least = [found, part.outerHTML.slice(0, 200)];
  }
  return least;
})()
"""

# Puts the pipes where the browser looks for them, and becomes the browser.
_LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """A page of a browser of its own.

    Attributes:
        events: What the browser reported since the page was opened, as the protocol
            has it: `{"method": ..., "params": ...}`.
    """

    def __init__(self, to_browser, from_browser):
        self.events = []
        self._to, self._from, self._received = to_browser, from_browser, b""
        self._count, self._session = 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Calls the browser; returns its answer."""
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, path):
        """Opens a file and waits until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self._next()

    def run(self, script):
        """The value of a JavaScript expression, a promise's when it is kept."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{found['exceptionDetails']}")
        return found["result"].get("value")

    def resize(self, width, height=900):
        """Makes the window so many CSS pixels wide, as a phone's where it is narrow."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def prefer(self, scheme, media="screen"):
        """Asks for a light or dark page, on a screen or for print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self, path, whole=True):
        """Writes a PNG of the window, or of the whole page."""
        found = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole
        )
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def complaints(self):
        """What the console, the log and uncaught exceptions said since `open`."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [
            event
            for event in self.events
            if event["method"] in (*kinds, "Log.entryAdded")
        ]

    def requests(self):
        """The addresses that the page asked for, but for those that are their data."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["request"]["url"].startswith("data:")
        ]

    def _next(self):
        while b"\0" not in self._received:
            chunk = os.read(self._from, 1 << 20)
            if not chunk:
                raise RuntimeError("The browser has ended, or took too long")
            self._received += chunk
        text, _, self._received = self._received.partition(b"\0")
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


@contextlib.contextmanager
def open_page(seconds=120):
    """Starts a browser and yields its page; ends it afterwards, or after `seconds`."""
    theirs_in, mine_out = _pipe()
    mine_in, theirs_out = _pipe()
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *_FLAGS, *sandbox, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(theirs_in), str(theirs_out), *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        watchdog = threading.Timer(seconds, process.kill)
        watchdog.start()
        try:
            yield Page(mine_out, mine_in)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            os.close(mine_out)
            os.close(mine_in)


def _pipe():
    """A pipe's ends to read and to write, their numbers out of the way of 3 and 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved
