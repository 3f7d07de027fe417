"""A headless browser for tests: Chromium spoken to through its DevTools protocol, over a pipe.

The protocol is JSON documents that end with a zero byte (`--remote-debugging-pipe`), so nothing but Python's own
library is needed, no port is opened, and whatever Chromium the machine has will do.
"""

import base64
import fcntl
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import needs

PATIENCE = 60.0  # seconds

_LAUNCHER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Page:
    """One tab, with everything it asked the network for and complained about."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._browser, self._session = browser, session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, a promise's outcome awaited."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Return the value of an expression as soon as it is true."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}; {self.complaints}"
            time.sleep(0.05)
        return value

    def open(self, url: str) -> None:
        """Go to an address and wait until its document is there."""
        self.call("Page.navigate", url=url)
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")

    def look(self, *, width: int, height: int, dark: bool = False) -> None:
        """Show the page at a size of CSS pixels, in dark or light."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def drop(self, *files: Path) -> None:
        """Drop files on the middle of the page's stage, as the hand does."""
        x, y = self.evaluate(
            "(() => { const box = document.getElementById('stage').getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def screenshot(self, path: Path) -> None:
        """Write what the page shows, all of it, as a PNG file."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def take(self, event: dict[str, Any]) -> None:
        """Note what the browser says about this page."""
        method, parameters = event["method"], event["params"]
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


class Browser:
    """A running Chromium."""

    def __init__(self, process: "subprocess.Popen[bytes]", read: int, write: int) -> None:
        self._process, self._write = process, write
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._number = 0
        self._reader = threading.Thread(target=self._listen, args=(read,), daemon=True)
        self._reader.start()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        own = self._answers[self._number] = queue.Queue()
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        answer = own.get(timeout=PATIENCE)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def new_page(self) -> Page:
        """Open an empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        return page

    def _listen(self, read: int) -> None:
        with os.fdopen(read, "rb") as pipe:
            rest = b""
            while more := pipe.read1(65536):
                *documents, rest = (rest + more).split(b"\0")
                for document in map(json.loads, documents):
                    if "id" in document:
                        self._answers[document["id"]].put(document)
                    elif document.get("sessionId") in self._pages:
                        self._pages[document["sessionId"]].take(document)


@contextmanager
def running_browser(profile: Path) -> Iterator[Browser]:
    """Start Chromium with an empty profile and a camera that shows a test picture; skip where there is none."""
    program = needs.program("chromium", "chromium-browser", "google-chrome")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
    ]
    ends = [*os.pipe(), *os.pipe()]
    # Above 9, so that they can be put to 3 and 4, where Chromium looks for them.
    theirs_in, ours_out, ours_in, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(theirs_in), str(theirs_out), program, *flags],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    browser = Browser(process, ours_in, ours_out)
    try:
        yield browser
    finally:
        with suppress(OSError, AssertionError, queue.Empty):
            browser.call("Browser.close")
        os.close(ours_out)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
