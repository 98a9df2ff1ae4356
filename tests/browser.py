"""A real browser, driven over a pipe by the DevTools protocol: no package, no port, no network."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.needs import need_program

ANSWER_TIMEOUT_S = 30
# The browser expects its orders on descriptor 3 and answers on 4.
_LAUNCH = (
    "import fcntl, os, sys;"
    "ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]];"
    "[os.dup2(end, place) for end, place in zip(ends, (3, 4))];"
    "os.execv(sys.argv[3], sys.argv[3:])"
)
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Page:
    """One open page. `complaints` collects errors, broken policies and requests to any host."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders, self._answers = orders, answers
        self._buffer = b""
        self._count = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, width: int = 1280, height: int = 1400, dark: bool = False) -> None:
        """Shows a file; returns once its scripts have run."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for(f"document.readyState == 'complete' && location.href == '{path.as_uri()}'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Returns when a JavaScript condition holds; it is looked at once a painted frame."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not self.evaluate(
            f"new Promise(done => setTimeout(done, 16)).then(() => !!({condition}))"
        ):
            assert time.monotonic() < deadline, f"never became true: {condition}"

    def click(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Clicks into an element with the mouse, as a person would; scrolls to it first."""
        area = self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
            "const { left, top, width, height } = found.getBoundingClientRect();"
            "return [left, top, width, height]; })()"
        )
        x, y = area[0] + area[2] * across, area[1] + area[3] * down
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            button = {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def press(self, key: str) -> None:
        """Presses one key, which goes to what has the focus."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The browser's answer to one order of the protocol."""
        self._count += 1
        order = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._count:
                assert "error" not in said, f"{method}: {said['error']}"
                return dict(said["result"])
            self._note(said.get("method"), said.get("params", {}))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], ANSWER_TIMEOUT_S)
            assert ready, f"the browser said nothing for {ANSWER_TIMEOUT_S} s"
            part = os.read(self._answers, 1 << 16)
            assert part, "the browser is gone"
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(line))

    def _note(self, method: str | None, said: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = said["request"]["url"]
            if not url.startswith(("data:", "file:", "about:")):
                self.complaints.append(f"request to {url}")


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page in a browser of its own, ended with the block; `profile` is an empty folder."""
    program = need_program("chromium")
    orders_in, orders = os.pipe()
    answers, answers_out = os.pipe()
    ends = (orders_in, answers_out)
    command = [sys.executable, "-c", _LAUNCH, *map(str, ends), program, *_FLAGS]
    quiet = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    try:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            pass_fds=ends,
            env=_environment(profile),
            **quiet,
        )
        for end in ends:
            os.close(end)
        try:
            page = Page(orders, answers)
            yield page
            with suppress(AssertionError, OSError):
                page.call("Browser.close")
        finally:
            process.terminate()
            process.wait(timeout=ANSWER_TIMEOUT_S)
    finally:
        os.close(orders)
        os.close(answers)


def _environment(profile: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(profile), "XDG_RUNTIME_DIR": str(profile)}
