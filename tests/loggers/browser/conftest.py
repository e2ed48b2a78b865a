"""A real browser for pages that are meant to be looked at: headless Chromium over its own pipe."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "/usr/bin/chromium"
# As root there is no sandbox; the rest keeps the browser itself off the network.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"),
)
SECONDS = 30.0
KEYS = {"Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}  # the numbers that browsers know them by


class Browser:
    """Chromium, spoken to by its DevTools protocol: JSON that ends with a zero byte."""

    def __init__(self) -> None:
        self.profile = tempfile.mkdtemp()
        (read, self._out), (self._in, write) = os.pipe(), os.pipe()
        # Chromium reads its descriptor 3 and writes to 4.
        command = f'exec "$0" "$@" 3<&{read} 4>&{write}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, *FLAGS, f"--user-data-dir={self.profile}"],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self.events: list[dict[str, Any]] = []
        self._received, self._count = b"", 0

    def call(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Send a command and return its result; what happens meanwhile is kept in `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": given}
        message |= {"sessionId": session} if session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)
        raise TimeoutError(method)

    def close(self) -> None:
        """End the process and forget its profile."""
        self.process.terminate()
        self.process.wait(20)
        os.close(self._out)
        os.close(self._in)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            data = os.read(self._in, 1 << 20)
            assert data, "chromium ended"
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)


class Tab:
    """A page of a given width, with all it asked for and all it complained about."""

    def __init__(self, browser: Browser, path: Path, width: int, script: bool = True) -> None:
        self.browser, self.width = browser, width
        browser.events.clear()
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        mobile = width < 600
        size = {"width": width, "height": 844 if mobile else 800, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **size)
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command to the page."""
        return self.browser.call(method, self.session, **given)

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + SECONDS
        while not self.ask(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """Scroll to an element and press the mouse on its middle, as a person would."""
        place = self.ask(
            f"""(() => {{ const e = document.querySelector({json.dumps(selector)});
            e.scrollIntoView({{block: 'center', behavior: 'instant'}});
            const b = e.getBoundingClientRect();
            return [b.x + b.width / 2, b.y + b.height / 2]; }})()"""
        )
        at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    def press(self, key: str) -> None:
        """Press a key."""
        number = {"windowsVirtualKeyCode": KEYS[key]}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **number)

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Save what is seen, or the whole page, as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def of(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of all events of a kind that the page sent."""
        self.ask("1")
        mine = [e for e in self.browser.events if e.get("sessionId") == self.session]
        return [event["params"] for event in mine if event["method"] == method]

    @property
    def requests(self) -> list[str]:
        """What the page asked for that it does not hold itself."""
        urls = [sent["request"]["url"] for sent in self.of("Network.requestWillBeSent")]
        return [url for url in urls if not url.startswith("data:")]

    @property
    def complaints(self) -> list[Any]:
        """Errors and warnings of the console and exceptions of scripts."""
        said = [event["entry"] for event in self.of("Log.entryAdded")]
        called = self.of("Runtime.consoleAPICalled")
        return [*self.of("Runtime.exceptionThrown"), *said, *called]

    def close(self) -> None:
        """Close the page."""
        self.browser.call("Target.closeTarget", targetId=self.target)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium (Debian)")
    chromium = Browser()
    yield chromium
    chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Any]:
    """Return a function that opens a file at a width in pixels."""
    tabs: list[Tab] = []

    def show(path: Path, width: int, script: bool = True) -> Tab:
        tabs.append(Tab(browser, path, width, script))
        return tabs[-1]

    yield show
    for tab in tabs:
        tab.close()
