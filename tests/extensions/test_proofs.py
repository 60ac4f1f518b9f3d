"""Theorems, proofs and exercises are the same whether pages are read by one process or by two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CONF = (
    'extensions = ["myst_parser", "sphinx_exercise", "sphinx_codeautolink", "sphinx.ext.autodoc",'
    ' "_extensions.proofs", "_extensions.codelinks"]\nnumfig = True\nhtml_theme = "furo"\n'
)
PAGE = """# Page {n}

```{{prf:theorem}} Name
:label: thm-{n}

A claim. See {{prf:ref}}`thm-{other}`.
```

```{{prf:proof}}
Short.
```

```{{exercise}}
:label: ex-{n}

Do it.
```

````{{solution}} ex-{n}

```python
>>> 1 + 1
2
```
````
"""
PAGES = 12  # Sphinx reads in parallel only from a handful of pages on


def build(tmp_path: Path, jobs: str) -> dict[str, bytes]:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "conf.py").write_text(CONF)
    names = [f"page{n:02}" for n in range(PAGES)]
    (source / "index.md").write_text(
        "# Index\n\n```{toctree}\n:numbered: 1\n\n" + "\n".join(names) + "\n```\n"
    )
    for n, name in enumerate(names):
        (source / f"{name}.md").write_text(PAGE.format(n=n, other=(n + 1) % PAGES))
    docs = Path(__file__).parents[2] / "docs"
    out = tmp_path / jobs
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-j", jobs, "-b", "html"]
    subprocess.run(
        [*command, "-d", f"{out}-trees", str(source), str(out)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(docs), "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"},
    )
    return {path.name: path.read_bytes() for path in out.glob("page*.html")}


def test_parallel_equals_serial(tmp_path: Path) -> None:
    parallel, serial = build(tmp_path, "2"), build(tmp_path, "1")
    assert len(serial) == PAGES
    assert parallel == serial
    assert b"Theorem 3.1" in serial["page01.html"], "the reference to the next page's theorem"
