"""What several tests share: the built book, and the real model."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from build_versions import build_latest, version_data, write_root
from primer_ref import llama

# Sphinx colors its warnings where CI is set; the tests read them as plain text.
os.environ["NO_COLOR"] = "1"

# How long a case takes is no property of the code here: machines are shared.
settings.register_profile("quick", deadline=None)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def built_book() -> Path:
    """Build the book into a folder of the tests' own, which the next run builds upon."""
    site = ROOT / "build" / "tested" / "html"
    cache = site.parent / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    # One worker after the other: the second finds all done. SQLite's lock ends with its process.
    with closing(sqlite3.connect(cache / "lock", timeout=3600, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        build_latest(ROOT, site, cache)
        write_root(site, version_data(site, []))
    return site


TOY_CONF = """\
extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton",
    "sphinx_exercise", "sphinx_proof", "_extensions.mathml", "_extensions.proofs",
    "_extensions.folds", "_extensions.shell", "_extensions.versions",
]
project = "Toy"
html_theme = "book"
html_theme_path = [{themes!r}]
templates_path = [{templates!r}]
html_static_path = [{static!r}, "extra"]
html_css_files = ["book.css"]
html_favicon = {favicon!r}
html_math_renderer = "mathml"
html_copy_source = False
myst_enable_extensions = ["colon_fence", "dollarmath"]
numfig = True
copybutton_prompt_text = ">>> "
epub_show_urls = "no"
suppress_warnings = ["epub.unknown_project_files"]


def add_to_one_page(app, page, template, context, doctree):
    if page == "chapters/01-one":
        app.add_js_file("extra.js", loading_method="defer")


def setup(app):
    app.connect("html-page-context", add_to_one_page)
"""
TOY_PAGES = {
    "index": """\
# Toy

The name zebra stands here.

```{toctree}
:numbered: 1

chapters/01-one
chapters/02-two
```

```{toctree}
reference
```
""",
    "chapters/01-one": """\
---
title: One
number: 1
needs: []
date: 2026-01-01
status: finished
summary: The first.
---
# One

## Part

```{prf:theorem} Name
:label: thm-name

A claim, $a = b$.
```

```{prf:proof}
It is *so*.
```

````{prf:proof}
```{math}
a = b
```
````

```{exercise} With a name
:label: ex-one

Do it.
```

````{solution} ex-one
:class: dropdown
:label: sol-one

Done, [within](#inside).

(inside)=
Inside.
````

:::{admonition} More of *it*
:class: dropdown

Hidden.
:::

## Another part

```{list-table}
:widths: 30 70

* - a
  - b
```

```python
>>> print("a line that is longer than a telephone is wide")
```

```python
>>> 1
```
""",
    "chapters/02-two": """\
---
title: Two
number: 2
needs: [1]
date: 2026-02-02
status: coming
summary: The second.
---
# Two

## Part

Text, and a zebra.
""",
    "reference": "# Reference\n\n```{toctree}\ncolors\n```\n",
    "colors": """\
# Colors

```{eval-rst}
.. automodule:: colorsys
   :members:
   :undoc-members:
```
""",
}


@pytest.fixture(scope="session")
def build_toy() -> Callable[..., str]:
    """Build a few pages in the book's own frame with Sphinx; return what it warned of."""

    def build(folder: Path, *options: str, builder: str = "html") -> str:
        docs, source = ROOT / "docs", folder / "source"
        if not source.exists():
            folders = {"themes": "_themes", "templates": "_templates", "static": "_static"}
            for name, text in TOY_PAGES.items():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / f"{name}.md").write_text(text)
            folders["favicon"] = "_static/favicon.svg"
            paths = {key: str(docs / name) for key, name in folders.items()}
            (source / "extra").mkdir()
            (source / "extra" / "extra.js").write_text("// For one page.\n")
            (source / "conf.py").write_text(TOY_CONF.format(**paths))
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-q", "-b", builder, *options, "-d", folder / "trees",
             source, folder / builder],
            check=False,
            text=True,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(docs), "SOURCE_DATE_EPOCH": "0",
                              "PYTHONHASHSEED": "0", "PYTHONWARNINGS": ""},
        )  # fmt: skip
        assert not done.returncode, done.stderr
        return done.stderr

    return build


@pytest.fixture(scope="session")
def model() -> llama.Model:
    """Load the real model, once for all tests of a process."""
    return llama.load()
