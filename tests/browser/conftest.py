"""Chromium, driven over the protocol of its developer tools: real keys, real focus."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), "chromium")
OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]
# Name: (code, virtual key, text).
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    " ": ("Space", 32, " "),
}
SHIFT = 8


class Browser:
    """One page of a Chromium of its own."""

    def __init__(self, profile: Path) -> None:
        # The browser reads commands from its descriptor 3 and answers on 4.
        to_browser, answers = os.pipe(), os.pipe()
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_browser[0], answers[1])]
        self.process = subprocess.Popen(
            [PROGRAM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=lambda: [os.dup2(fd, 3 + n) for n, fd in enumerate(theirs)],  # noqa: PLW1509
            pass_fds=(3, 4),
            stderr=subprocess.DEVNULL,
        )
        for fd in (to_browser[0], answers[1], *theirs):
            os.close(fd)
        self.commands = os.fdopen(to_browser[1], "wb", buffering=0)
        self.answers = os.fdopen(answers[0], "rb")
        self.count = 0
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def receive(self) -> dict[str, Any]:
        """Wait for the next message."""
        raw = bytearray()
        while (byte := self.answers.read(1)) not in {b"\0", b""}:
            raw += byte
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.count:
            pass
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, address: str, *, width: int = 1280, scripts: bool = True) -> None:
        """Load a page and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        # Another fragment of the same page would load nothing.
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        loader = self.call("Page.navigate", url=address)["loaderId"]
        loaded = {"name": "load", "loaderId": loader}
        while not any(loaded.items() <= event["params"].items() for event in self.events):
            self.receive()

    def see(self, expression: str) -> Any:
        """Evaluate an expression; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + 10
        while not self.see(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def find(self, selector: str) -> int:
        """Return the number of a node, or 0, without a script."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=document, selector=selector)
        return int(found["nodeId"])

    def center(self, selector: str) -> tuple[float, float]:
        """Wait until an element is laid out and return its middle, without a script."""
        end = time.monotonic() + 10
        while True:
            try:
                box = self.call("DOM.getBoxModel", nodeId=self.find(selector))
            except AssertionError:
                assert time.monotonic() < end, f"never laid out: {selector}"
                time.sleep(0.02)
            else:
                quad = box["model"]["content"]
                return (quad[0] + quad[4]) / 2, (quad[1] + quad[5]) / 2

    def wait_without(self, selector: str) -> None:
        """Wait until nothing matches a selector, without a script."""
        end = time.monotonic() + 10
        while self.find(selector):
            assert time.monotonic() < end, f"still there: {selector}"
            time.sleep(0.02)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        code, number, text = KEYS[key]
        common = {
            "key": key, "code": code, "windowsVirtualKeyCode": number,
            "modifiers": SHIFT if shift else 0,
        }  # fmt: skip
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def problems(self) -> list[str]:
        """Return what the console reported since the page was opened: violations, errors."""
        entries = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        thrown = [
            e["params"]["exceptionDetails"]["text"]
            for e in self.events
            if e["method"] == "Runtime.exceptionThrown"
        ]
        return [f"{e['text']} {e.get('url', '')}" for e in entries] + thrown

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """End the browser."""
        self.commands.close()
        self.process.wait(timeout=20)
        self.answers.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser for the tests of a module."""
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
