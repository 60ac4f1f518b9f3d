"""The system's Chromium, driven by Playwright, and the four settings to look at pages in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True, slots=True)
class Setting:
    """A width and a color scheme."""

    width: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.width} {self.scheme}"


WIDE, NARROW = 1280, 390
SETTINGS = tuple(Setting(w, s) for w in (WIDE, NARROW) for s in ("light", "dark"))  # type: ignore[arg-type]


def program() -> str:
    """Find Chromium."""
    if path := next(filter(None, map(shutil.which, NAMES)), None):
        return path
    raise SystemExit("no Chromium is installed: apt-get install chromium")


@contextmanager
def launch(arguments: Sequence[str] = ()) -> Iterator[Browser]:
    """Start Chromium; nothing is downloaded, and nothing is asked of other hosts.

    A Playwright belongs to the thread that made it: each thread launches its own.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program(),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", *arguments],
        )
        try:
            yield browser
        finally:
            browser.close()


def look(browser: Browser, setting: Setting) -> BrowserContext:
    """Open a fresh profile with the setting's window and colors."""
    return browser.new_context(
        viewport={"width": setting.width, "height": 900},
        color_scheme=setting.scheme,
        reduced_motion="reduce",
        has_touch=setting.width == NARROW,
    )
