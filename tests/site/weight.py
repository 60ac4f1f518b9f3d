"""What every chapter weighs and how it comes, and what the longest would with MathJax.

A chapter is loaded from the top, scrolled to its end, and loaded at a place far down, with an empty
cache, on a computer a quarter as fast as this one; then both once more over a slow network.
The figures of all chapters go to build/weight.json.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Browser

from tests.site.browser import launch
from tests.site.loading import Load, from_link, from_top
from tests.site.report import Row, problem
from tests.site.server import serve

ROOT = Path(__file__).parents[2]
TRIES = 3  # for what a busy machine may have made slow
KB = 1000
QUICK = 6  # seconds until a page is laid out


@dataclass(frozen=True)
class Weight:
    """How a chapter comes: from the top and at a link, and both over a slow network."""

    name: str
    top: Load
    link: Load
    slow_top: Load
    slow_link: Load

    @property
    def total(self) -> int:
        """All that comes."""
        return sum(self.top.bytes.values())

    @property
    def scripts(self) -> int:
        """What scripts weigh beyond what each widget is allowed."""
        return max(0, self.top.bytes.get("script", 0) - 10 * KB * self.top.widgets)

    @property
    def shift(self) -> float:
        """The worst shift over a quick network."""
        return max(self.top.shift, self.link.shift)

    @property
    def slow_shift(self) -> float:
        """The worst shift over a slow network."""
        return max(self.slow_top.shift, self.slow_link.shift)


Measure = Callable[[Weight], float]
# What is measured, how it is written, its limit.
LIMITS: list[tuple[str, Measure, str, float]] = [
    ("everything, KB", lambda w: w.total / KB, ".0f", 350),
    ("HTML, KB", lambda w: w.top.bytes["document"] / KB, ".1f", 80),
    ("fonts, KB", lambda w: w.top.bytes.get("font", 0) / KB, ".0f", 200),
    ("scripts without 10 a widget, KB", lambda w: w.scripts / KB, ".1f", 15),
    ("requests", lambda w: w.top.requests, ".0f", 20),
    ("requests to other hosts", lambda w: len(w.top.foreign), ".0f", 0),
    ("elements", lambda w: w.top.elements, ".0f", 15_000),
    ("seconds until laid out", lambda w: w.top.seconds, ".1f", QUICK),
    ("shift, from the top and at a link", lambda w: w.shift, ".4f", 0.01),
    ("shift over a slow network", lambda w: w.slow_shift, ".4f", 0.01),
    ("targets out of view", lambda w: 2 - w.link.in_view - w.slow_link.in_view, ".0f", 0),
]


def quickest(load: Callable[[], Load], limit: float) -> Load:
    """Load until it was quick enough, a few times at most."""
    loads = [load()]
    while len(loads) < TRIES and loads[-1].seconds > limit:
        loads.append(load())
    return min(loads, key=lambda found: found.seconds)


def weigh(browser: Browser, address: str, name: str) -> Weight:
    """Load a chapter in all four ways."""
    top = quickest(lambda: from_top(browser, address), QUICK)
    return Weight(
        name,
        top,
        from_link(browser, address, top.deep),
        from_top(browser, address, slow=True),
        from_link(browser, address, top.deep, slow=True),
    )


def table(weights: Sequence[Weight]) -> str:
    """Write all figures, a chapter a line."""
    head = "  ".join(["chapter".ljust(18), *(what for what, *_ in LIMITS)])
    lines = [
        "  ".join([
            weight.name.ljust(18),
            *(f"{measure(weight):>{len(what)}{form}}" for what, measure, form, _ in LIMITS),
        ])
        for weight in weights
    ]  # fmt: skip
    return "\n".join([head, *lines])


def doctrees(book: Path) -> Path:
    """Find what the book was written from: where the build keeps it, or where Sphinx leaves it."""
    kept = book.parent.with_name(f"{book.parent.name}-cache") / book.name
    return kept if kept.exists() else book / ".doctrees"


def compare(browser: Browser, book: Path, ours: Weight) -> list[Row]:
    """Load the same chapter with MathJax."""
    with tempfile.TemporaryDirectory() as folder:
        copy, out = Path(folder, "doctrees"), Path(folder, "book")
        shutil.copytree(doctrees(book), copy)
        program = [sys.executable, "-m", "tests.site.mathjax_page"]
        arguments = [str(copy), str(out), f"chapters/{ours.name}.md"]
        subprocess.run([*program, *arguments], check=True, cwd=ROOT)
        with serve(out) as site:
            address = f"{site}chapters/{ours.name}.html"
            top = from_top(browser, address)
            link = from_link(browser, address, top.deep)

    def ratio(what: str, theirs: float, own: float, form: str) -> Row:
        figure = f"{theirs / own:.1f} times as much ({theirs:{form}} to {own:{form}})"
        return Row("weight", f"MathJax on {ours.name}: {what}", figure, "> 1 times", theirs > own)

    def shift(what: str, theirs: Load, own: Load) -> Row:
        figure = f"{theirs.shift:.3f} to {own.shift:.3f}"
        ok = theirs.shift >= own.shift
        return Row("weight", f"MathJax on {ours.name}: shift {what}", figure, ">= ours", ok)

    return [
        ratio("KB", sum(top.bytes.values()) / KB, ours.total / KB, ".0f"),
        ratio("requests", top.requests, ours.top.requests, ".0f"),
        ratio("seconds until laid out", top.seconds, ours.top.seconds, ".1f"),
        shift("from the top", top, ours.top),
        shift("at a link", link, ours.link),
    ]


def judge(book: Path, pages: Sequence[Path]) -> list[Row]:
    """Weigh the chapters among the pages, and compare the longest."""
    weights: list[Weight] = []
    with launch() as browser:
        with serve(book) as site:
            for page in pages:
                if page.parent == book / "chapters":
                    weights.append(weigh(browser, f"{site}chapters/{page.name}", page.stem))
                    print(f"weight: {page.stem}", file=sys.stderr, flush=True)
        print(table(weights), flush=True)
        stored = ROOT / "build" / "weight.json"
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(json.dumps([asdict(one) for one in weights], indent=1) + "\n", "utf-8")
        longest = max(weights, key=lambda weight: weight.top.bytes["document"])
        return [*limits(weights), *compare(browser, book, longest)]


def limits(weights: Sequence[Weight]) -> list[Row]:
    """Hold the worst chapter against each limit, and name all that break it."""
    rows = []
    for what, measure, form, limit in LIMITS:
        worst = max(weights, key=measure)
        figure = f"{measure(worst):{form}} ({worst.name})"
        rows.append(Row("weight", what, figure, f"<= {limit:g}", measure(worst) <= limit))
        for weight in weights:
            if measure(weight) > limit:
                problem("weight", weight.name, f"{what}: {measure(weight):{form}}, not {limit:g}")
    return rows
