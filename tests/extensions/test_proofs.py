"""Theorems, proofs and exercises: the same from one process and from two, and valid HTML."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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

```{{prf:lemma}}
:label: lem-{n}

A step.
```

````{{prf:proof}}

```{{math}}
a = b
```
````

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
PAGES = 7  # Sphinx reads in parallel from six pages on


def sphinx(source: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    docs = Path(__file__).parents[2] / "docs"
    paths = ["-b", "html", "-d", f"{out}-trees", str(source), str(out)]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", *options, *paths],
        check=False,
        text=True,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(docs), "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"},
    )


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
    out = tmp_path / "html"
    result = sphinx(source, out, "-W", "-j", jobs)
    assert not result.returncode, result.stderr
    return {path.name: path.read_bytes() for path in out.glob("page*.html")}


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(tmp_path_factory.mktemp("serial"), "1")


def test_parallel_equals_serial(tmp_path: Path, serial: dict[str, bytes]) -> None:
    assert len(serial) == PAGES
    assert build(tmp_path, "2") == serial
    assert b"Theorem 3.1" in serial["page01.html"], "the reference to the next page's theorem"


def test_every_id_is_unique(serial: dict[str, bytes]) -> None:
    ids = re.findall(rb'\bid="([^"]+)"', serial["page01.html"])
    assert sorted(ids) == sorted(set(ids))
    assert {b"thm-1", b"ex-1"} <= set(ids)


def test_a_proof_says_so_once_even_before_a_formula(serial: dict[str, bytes]) -> None:
    html = serial["page01.html"].decode()
    assert "<p><em>Proof.</em> Short.</p>" in html
    assert re.search(r'<p><em>Proof.</em> </p>\s*<div class="math', html)
    assert html.count("Proof.") == 2


def test_a_warning_inside_a_proof_names_its_line(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text(CONF)
    (source / "index.md").write_text(
        "# T\n\n```{prf:proof}\n:class: long\n\nFirst.\n\nThen {nonsense}`x`.\n```\n"
    )
    stderr = sphinx(source, tmp_path / "html").stderr
    assert "index.md:8: WARNING: Unknown interpreted text role" in stderr
