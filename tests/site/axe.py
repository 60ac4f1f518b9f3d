"""axe-core on every page, at two widths, light and dark: no rule may find a violation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.site.browser import SETTINGS, Setting, look, spread
from tests.site.report import Row, problem
from tests.site.server import serve

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
# What is folded is judged too, and what layout.js lays out once a page has come. The shadows that
# say that a box scrolls are gradients, through which axe cannot tell a contrast; without them it
# can, except for lone symbols, which it never judges.
LAID_OUT = '!document.querySelector("article section section:not([data-laid-out])")'
PREPARE = """() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, ::before, ::after { background-image: none !important }");
  document.adoptedStyleSheets = [sheet];
}"""
# In the second frame after a change of size, scripts have seen what scrolls now.
RUN = """async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const { violations } = await axe.run({ preload: false, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => (
    { rule: id, where: target.flat().join(" "), why: failureSummary })));
}"""


def examine(browser: Browser, address: str) -> Counter[Setting]:
    """Load a page once, then resize it and change its colors; count what is found."""
    counts: Counter[Setting] = Counter()
    with look(browser, SETTINGS[0]) as context:
        page = context.new_page()
        page.goto(address)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        page.wait_for_function(LAID_OUT)
        page.evaluate(PREPARE)
        for setting in SETTINGS:
            page.set_viewport_size({"width": setting.width, "height": 900})
            page.emulate_media(color_scheme=setting.scheme)
            for finding in page.evaluate(RUN):
                counts[setting] += 1
                message = f"{finding['rule']}: {finding['where']}: {finding['why']}"
                problem("axe", f"{address} at {setting}", message)
    return counts


def judge(book: Path, pages: Sequence[Path]) -> list[Row]:
    """Look at the pages."""
    with serve(book) as site:
        addresses = [site + page.relative_to(book).as_posix() for page in pages]
        counts = sum(spread("axe", addresses, examine), Counter[Setting]())
    return [
        Row("axe", f"violations on {len(pages)} pages at {setting}", str(counts[setting]), "0",
            ok=not counts[setting])
        for setting in SETTINGS
    ]  # fmt: skip
