"""The system's Chromium, driven by Playwright, and the four settings to look at pages in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from playwright.sync_api import Browser, BrowserContext, Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True, slots=True)
class Setting:
    """A width and a color scheme."""

    width: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.width} {self.scheme}"


T = TypeVar("T")

WIDE, NARROW = 1280, 390
SETTINGS = tuple(Setting(w, s) for w in (WIDE, NARROW) for s in ("light", "dark"))


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
    context = browser.new_context(
        viewport={"width": setting.width, "height": 900},
        color_scheme=setting.scheme,
        reduced_motion="reduce",
        has_touch=setting.width == NARROW,
    )
    context.set_default_timeout(120_000)  # milliseconds; the machine may be busy
    return context


def spread(name: str, addresses: Sequence[str], work: Callable[[Browser, str], T]) -> list[T]:
    """Do the same with many pages, a few to a browser, as many browsers at a time as cores.

    Where a browser fails, its few pages are tried once more in a new one.
    """
    workers = os.cpu_count() or 1
    size = min(8, -(-len(addresses) // workers))
    shares = [addresses[i : i + size] for i in range(0, len(addresses), size)]

    def run(share: Sequence[str]) -> list[T]:
        with launch() as browser:
            return [work(browser, address) for address in share]

    def attempt(share: Sequence[str]) -> list[T]:
        try:
            return run(share)
        except Error as error:
            print(f"{name}: once more from {share[0]} on, after: {error}", file=sys.stderr)
            return run(share)

    results: list[T] = []
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(attempt, shares):
            results += result
            print(f"{name}: {len(results)} of {len(addresses)} pages", file=sys.stderr, flush=True)
    return results
