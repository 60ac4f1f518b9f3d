"""The book by keyboard alone, at 390 px: skip link, drawers, folds, focus always to be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page

from tests.site.browser import NARROW, Setting, look, spread
from tests.site.report import Row, problem
from tests.site.samples import samples
from tests.site.server import serve

SCRIPT = Path(__file__).with_suffix(".js")
SKIP, DRAWERS, FOLDS, WALK = "skip link", "drawers", "folds", "walk by Tab to the end"
INSIDE = "(element) => element.contains(document.activeElement)"
# In the content, or behind it where it holds nothing that takes the focus.
BEYOND = """(content) => content.compareDocumentPosition(document.activeElement)
  & Node.DOCUMENT_POSITION_FOLLOWING"""
FOCUSED = "(element) => element === document.activeElement"
SLIDE = 300  # milliseconds that a drawer may take to open or to close
Faults = Iterator[tuple[str, str]]


def skip_link(page: Page) -> Faults:
    """The first stop is a link to the content; Enter leads there."""
    page.keyboard.press("Tab")
    first = page.locator(":focus")
    target = first.get_attribute("href") or ""
    if not target.startswith("#"):
        yield SKIP, f"the first stop is no link to the content: {page.evaluate('keyboard.name()')}"
        return
    if not first.evaluate("keyboard.seen"):
        yield SKIP, "cannot be seen while it has the focus"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    if not page.locator(target).evaluate(BEYOND):
        yield SKIP, f"Tab goes on before {target}: {page.evaluate('keyboard.name()')}"


def drawer(page: Page, button: Locator, panel: Locator) -> Iterator[str]:
    """A drawer opens by Enter and closes by Escape; the focus goes in and comes back."""
    if panel.is_visible() or button.get_attribute("aria-expanded") != "false":
        yield "is not closed at first, or does not say so"
    panel.evaluate("(panel) => panel.querySelector('a, input, button')?.focus()")
    if panel.evaluate(INSIDE):
        yield "takes the focus while it is closed"
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(SLIDE)
    if not panel.is_visible() or button.get_attribute("aria-expanded") != "true":
        yield "Enter does not open it"
        return
    if not panel.evaluate(INSIDE):
        page.keyboard.press("Tab")
    if not panel.evaluate(INSIDE):
        yield f"the focus does not go in: {page.evaluate('keyboard.name()')}"
    elif not page.locator(":focus").evaluate("keyboard.seen"):
        yield f"what has the focus in it cannot be seen: {page.evaluate('keyboard.name()')}"
    page.keyboard.press("Escape")
    page.wait_for_timeout(SLIDE)
    if panel.is_visible() or button.get_attribute("aria-expanded") != "false":
        yield "Escape does not close it"
    if not button.evaluate(FOCUSED):
        yield f"the focus does not come back: {page.evaluate('keyboard.name()')}"


def drawers(page: Page) -> Faults:
    """Furo's two drawers have real buttons."""
    buttons = page.locator("button[aria-controls]:visible").all()
    panels = [page.locator(f"#{button.get_attribute('aria-controls')}") for button in buttons]
    found = [
        pair for pair in zip(buttons, panels, strict=True) if pair[1].locator("nav, a").count()
    ]
    if not found:
        yield DRAWERS, "no visible button[aria-controls] leads to one"
    for button, panel in found:
        name = button.get_attribute("aria-label") or button.inner_text()
        yield from ((DRAWERS, f"{name}: {fault}") for fault in drawer(page, button, panel))


def folds(page: Page) -> Faults:
    """A proof or a solution opens and closes by Enter and by Space."""
    for summary in page.locator("article details > summary:visible").all()[:5]:
        fold = summary.locator("..")
        for key in ("Enter", "Space"):
            before = fold.evaluate("(fold) => fold.open")
            summary.press(key)
            if fold.evaluate("(fold) => fold.open") == before:
                yield FOLDS, f"{key} does nothing to {summary.inner_text()[:60]!r}"


def walk(page: Page) -> Faults:
    """Tab reaches the end: it is never caught, and what it reaches shows it, inside the window."""
    for presses in count(1):
        page.keyboard.press("Tab")
        step = page.evaluate("keyboard.step()")
        yield from ((WALK, fault) for fault in step["faults"])
        if step["trapped"] or presses > 10_000:
            yield WALK, f"caught after {step['stops']} stops: {page.evaluate('keyboard.name()')}"
        if step["trapped"] or step["ended"] or presses > 10_000:
            return


def examine(browser: Browser, address: str) -> Counter[str]:
    """Do all of it on one page, each part from a fresh start; count the faults of each."""
    counts: Counter[str] = Counter()
    for part in (skip_link, drawers, folds, walk):
        with look(browser, Setting(NARROW, "light")) as context:
            page = context.new_page()
            page.goto(address)
            page.evaluate(SCRIPT.read_text(encoding="utf-8"))
            for name, message in part(page):
                counts[name] += 1
                problem("keyboard", address, f"{name}: {message}")
    return counts


def judge(book: Path, _pages: Sequence[Path]) -> list[Row]:
    """Try one page of each kind, and the search."""
    names = [*samples(book), "search.html"]
    with serve(book) as site:
        counts = sum(spread("keyboard", [site + n for n in names], examine), Counter[str]())
    return [
        Row("keyboard", f"{part}: faults on {len(names)} pages at {NARROW}", str(counts[part]), "0",
            ok=not counts[part])
        for part in (SKIP, DRAWERS, FOLDS, WALK)
    ]  # fmt: skip
