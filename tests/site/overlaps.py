"""Words over words: no line of a page lies over another, at the width of a desk and of a hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.site.browser import NARROW, WIDE, Setting, look, spread
from tests.site.report import Row, problem
from tests.site.server import serve

# A link to a place in a page lays all of it out.
SHOW_ALL = """() => {
  location.hash = document.querySelector("article [id]")?.id ?? "";
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  scrollTo({ top: 0, behavior: "instant" });
}"""
# The lines of all text that is seen, as far as boxes that scroll show them. The signs of a formula
# may touch each other, and a tall formula the line beside it by a little.
OVERLAPS = """() => {
  const clips = new Map();
  const clip = (element) => {
    if (element === document.body)
      return { top: -Infinity, bottom: Infinity, left: -Infinity, right: Infinity };
    if (!clips.has(element)) {
      const outer = clip(element.parentElement);
      const shown = getComputedStyle(element).overflow === "visible";
      clips.set(element, shown ? outer : cut(element.getBoundingClientRect(), outer));
    }
    return clips.get(element);
  };
  const cut = (a, b) => ({
    top: Math.max(a.top, b.top),
    bottom: Math.min(a.bottom, b.bottom),
    left: Math.max(a.left, b.left),
    right: Math.min(a.right, b.right),
  });

  const seen = { opacityProperty: true, visibilityProperty: true };
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility(seen)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const whole of range.getClientRects()) {
      const box = cut(whole, clip(element));
      if (box.right - box.left < 2 || box.bottom - box.top < 2) continue;
      const words = text.data.trim().slice(0, 40);
      lines.push({ box, words, of: element.closest("math") ?? text });
    }
  }

  lines.sort((a, b) => a.box.top - b.box.top);
  const found = [];
  let above = [];
  for (const line of lines) {
    above = above.filter((other) => other.box.bottom > line.box.top);
    for (const other of above) {
      if (other.of === line.of) continue;
      const both = cut(line.box, other.box);
      const height = Math.min(...[line, other].map(({ box }) => box.bottom - box.top));
      if (both.right - both.left > 3 && both.bottom - both.top > 0.45 * height)
        found.push(`"${other.words}" and "${line.words}" lie over each other`);
    }
    above.push(line);
  }
  return found;
}"""


def examine(browser: Browser, address: str) -> int:
    """Count the lines of a page that lie over others."""
    found = 0
    with look(browser, Setting(WIDE, "light")) as context:
        page = context.new_page()
        page.goto(address, wait_until="load")
        page.evaluate("document.fonts.ready")
        page.evaluate(SHOW_ALL)
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": 900})
            overlaps = page.evaluate(OVERLAPS)
            for message in overlaps[:5]:
                problem("overlaps", address, f"{width} px: {message}")
            found += len(overlaps)
    return found


def judge(book: Path, pages: Sequence[Path]) -> list[Row]:
    """Look at every page."""
    with serve(book) as site:
        addresses = [site + page.relative_to(book).as_posix() for page in pages]
        found = sum(spread("overlaps", addresses, examine))
    what = f"lines over others on {len(pages)} pages at two widths"
    return [Row("overlaps", what, str(found), "0", ok=not found)]
