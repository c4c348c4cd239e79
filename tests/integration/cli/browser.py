"""A real headless Chromium, spoken to over the DevTools protocol: what a page asks for, says, measures and looks like."""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager

from websockets.sync.client import connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_DEADLINE = 120
#: Chromium's own wishes for the network are no page's.
_QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
_ANNOUNCED = re.compile(r"DevTools listening on (ws://127\.0\.0\.1:\d+/\S+)")


class Browser:
    """One tab of a running browser."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session = None
        self.events = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Network", "Runtime", "Log", "Security"):
            self.ask(f"{part}.enable")

    def ask(self, method, **parameters):
        """Send one command, and wait for its answer; what happens meanwhile is kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while (answer := json.loads(self._socket.recv(timeout=_DEADLINE))).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url, width, height, **media):
        """Show a page on a screen of some size; what was noted of earlier pages is forgotten."""
        mobile = width < 500
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items() if name != "medium"]
        self.ask("Emulation.setEmulatedMedia", media=media.get("medium", "screen"), features=features)
        self.events.clear()
        self.ask("Page.navigate", url=url)
        until = time.monotonic() + _DEADLINE
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            assert time.monotonic() < until, "the page never came to its end"
            self.events.append(json.loads(self._socket.recv(timeout=_DEADLINE)))

    def find(self, expression):
        """Return what an expression is on the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def await_(self, expression, seconds=_DEADLINE):
        """Return what an expression is on the page, as soon as it is something."""
        until = time.monotonic() + seconds
        while not (found := self.find(expression)):
            assert time.monotonic() < until, f"in vain: {expression}; the page says {self.find('document.body.innerText')}"
            time.sleep(0.05)
        return found

    def click(self, element):
        """Click where an element is, as soon as it is there and can be."""
        place = (
            f"(it => it && !it.disabled && (it.scrollIntoView({{block: 'center', behavior: 'instant'}}), "
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])(it.getBoundingClientRect())))({element})"
        )
        x, y = self.await_(place)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type_into(self, element, text):
        """Click into a field, and type."""
        self.click(element)
        self.ask("Input.insertText", text=text)

    def settle(self, milliseconds):
        """Let the page live for a while by its own clock, however slow the machine is, and until it has nothing to do."""
        expression = f"new Promise(done => setTimeout(() => requestIdleCallback(done), {milliseconds}))"
        self.ask("Runtime.evaluate", expression=expression, awaitPromise=True)

    def requested(self):
        """Return what the page asked for."""
        asked = [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if url != "data:,"]

    def complaints(self):
        """Return what stands in the console."""
        told = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [event["params"] for event in self.events if event.get("method") in told]

    def picture(self, *, whole=False):
        """Return the screen, or the whole page, as PNG."""
        return base64.b64decode(
            self.ask("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole=whole))["data"]
        )

    def _clip(self, *, whole):
        if not whole:
            return {}
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def close(self):
        """Ask the whole browser to end: whoever only ends its first process leaves others that go on writing."""
        self._session = None
        self.ask("Browser.close")

    def printed(self):
        """Return the page as PDF, as it would be printed."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])


@contextmanager
def browsing(home):
    """Run a browser whose traces are all in one directory, and end it and its children afterwards."""
    arguments = [CHROMIUM, *_QUIET, f"--user-data-dir={home}", "--remote-debugging-port=0", "about:blank"]
    surroundings = os.environ | {"HOME": str(home)}
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=surroundings, text=True)
    try:
        found = next(filter(None, map(_ANNOUNCED.search, process.stderr)), None)
        assert found, "the browser did not start"
        with connect(found[1], max_size=None, open_timeout=_DEADLINE, proxy=None) as socket:
            browser = Browser(socket)
            yield browser
            browser.close()
    finally:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()
