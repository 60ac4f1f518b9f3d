"""Judge a built book: ``python -m tests.site [judge ...] [--book FOLDER] [--pages GLOB ...]``.

Without names, all judges look at all pages of build/html/latest. Findings are printed as they come,
then one table of figures; the figures also go to build/site-checks.json. Exits with 1 if a figure
is red.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

from tests.site.report import Row, table, write

ROOT = Path(__file__).parents[2]
# From the quickest to the slowest.
JUDGES = ("links", "vnu", "keyboard", "csp", "weight", "lighthouse", "axe")


def main() -> int:
    """Run the judges that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.site", description=__doc__)
    parser.add_argument("judges", nargs="*", metavar="judge", help=", ".join(JUDGES))
    parser.add_argument("--book", type=Path, default=ROOT / "build" / "html" / "latest")
    parser.add_argument("--pages", nargs="+", default=["**/*.html"], metavar="GLOB")
    options = parser.parse_args()
    if unknown := set(options.judges) - set(JUDGES):
        parser.error(f"there is no judge {', '.join(sorted(unknown))}")
    book: Path = options.book.resolve()
    pages = sorted({page for pattern in options.pages for page in book.glob(pattern)})
    if not pages:
        parser.error(f"{book} has no such pages: build the book first, by nox -s docs")

    rows: list[Row] = []
    for name in options.judges or JUDGES:
        start = time.monotonic()
        try:
            found = importlib.import_module(f"tests.site.{name}").judge(book, pages)
        except Exception as error:
            traceback.print_exc()
            found = [Row(name, "the judge itself", type(error).__name__, "no error", ok=False)]
        rows += found
        write(rows, ROOT / "build" / "site-checks.json")
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(table(rows))
    return int(not all(row.ok for row in rows))


if __name__ == "__main__":
    sys.exit(main())
