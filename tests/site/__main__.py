"""Judge a built book: ``python -m tests.site JUDGE [FOLDER [PAGES ...]]``.

JUDGE is ``all``, or one or several names with commas between them; FOLDER is one version of the
built book, by default build/html/latest; PAGES are patterns such as ``chapters/*.html``, by default
all pages. Findings are printed as they come, then one table of figures, which also goes to
build/site-checks.json. The program exits with 1 if a figure is red.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from pathlib import Path

from tests.site.report import Row, table, write

ROOT = Path(__file__).parents[2]
# From the quickest to the slowest.
JUDGES = ("links", "search", "vnu", "csp", "keyboard", "overlaps", "lighthouse", "weight", "axe")


def main(which: str, folder: str = "build/html/latest", *patterns: str) -> int:
    """Run the judges that are named."""
    names = JUDGES if which == "all" else which.split(",")
    if unknown := set(names) - set(JUDGES):
        raise SystemExit(
            f"there is no judge {', '.join(sorted(unknown))}, only {', '.join(JUDGES)}"
        )
    book = (ROOT / folder).resolve()
    pages = sorted({page for pattern in patterns or ["**/*.html"] for page in book.glob(pattern)})
    if not pages:
        raise SystemExit(f"{book} holds no such page; nox -s docs builds the book")

    rows: list[Row] = []
    for name in names:
        start = time.monotonic()
        try:
            rows += importlib.import_module(f"tests.site.{name}").judge(book, pages)
        except Exception as error:  # the other judges still speak
            traceback.print_exc()
            rows.append(Row(name, "the judge itself", type(error).__name__, "no error", ok=False))
        write(rows, ROOT / "build" / "site-checks.json")
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(table(rows))
    return int(not all(row.ok for row in rows))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    sys.exit(main(*sys.argv[1:]))
