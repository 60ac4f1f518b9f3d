"""The strict Content-Security-Policy: no page breaks it, neither when loaded nor when used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.site.browser import SETTINGS, look, spread
from tests.site.headers import POLICY, shipped
from tests.site.report import Row, problem
from tests.site.server import serve

HEADER = "Content-Security-Policy"
LISTEN = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => window.violations.push(
    `${event.effectiveDirective} blocks ${event.blockedURI}, line ${event.lineNumber}`));
"""
# What a reader sets in motion on a page: folds, figures' controls, buttons (copy, theme, drawers).
USE = """async () => {
  for (const summary of document.querySelectorAll("summary")) summary.click();
  for (const input of document.querySelectorAll("article :is(input, select)")) {
    if (input.type === "range") input.stepUp();
    for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
  }
  const groups = Object.groupBy(document.querySelectorAll("button"), (button) => button.className);
  for (const [button] of Object.values(groups)) button.click();
  await new Promise((resolve) => setTimeout(resolve, 100));
}"""


def text(message: ConsoleMessage) -> str:
    """What an error says, and where; nothing for a violation, which is heard of as an event."""
    if message.type != "error" or "Content Security Policy" in message.text:
        return ""
    return f"{message.text} ({message.location['url']})"


def use(page: Page) -> None:
    """Use a page as a reader does."""
    if "search.html" in page.url:
        page.locator("#search-results li a").first.wait_for()
    page.evaluate(USE)


def examine(browser: Browser, address: str) -> int:
    """Load and use a page; count the violations and the other errors."""
    with look(browser, SETTINGS[0]) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(text(message)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(LISTEN)
        page.goto(address, wait_until="load")
        use(page)
        found = page.evaluate("violations") + [error for error in errors if error]
    for message, times in Counter(found).items():
        problem("csp", address, f"{message}, {times} times")
    return len(found)


def judge(book: Path, pages: Sequence[Path]) -> list[Row]:
    """Serve the book with the policy, load every page and use it."""
    headers = shipped(book)
    policy = headers.get(HEADER, "none")
    queries = {"search.html": "?q=softmax"}
    with serve(book, {**headers, HEADER: POLICY}) as site:
        names = [page.relative_to(book).as_posix() for page in pages]
        addresses = [site + name + queries.get(name, "") for name in names]
        found = sum(spread("csp", addresses, examine))
    return [
        Row("csp", "policy in _headers", policy, POLICY, ok=policy == POLICY),
        Row("csp", f"violations and errors on {len(pages)} pages", str(found), "0", ok=not found),
    ]
