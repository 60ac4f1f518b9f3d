"""Examples in fences: all are run, and a wrong output is reported where it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = """\
# Page

```python
>>> x = 0.1
>>> x + 0.2 == 0.3
False
```

Names persist, `...` and spaces are as under pytest:

```python
>>> [x,
...  2 * x]
[0.1,    0.2]
>>> float("one")
Traceback (most recent call last):
    ...
ValueError: could not convert string to float: 'one'
```

:::{note}
```python
>>> 6 * 7  # doctest: +SKIP
NEVER RUN
>>> 1 + 1
2
```
:::

```python
print("no prompt, not this builder's")
```
"""


def build(folder: Path, page: str, builder: str, *extensions: str) -> tuple[int, str]:
    """Build one page; return the exit status and all that was said."""
    names = ["sphinx.ext.doctest", "myst_parser", *extensions]
    settings = f"import sys; sys.path.insert(0, {str(DOCS)!r})\nextensions = {names}\n"
    (folder / "conf.py").write_text(settings + 'myst_enable_extensions = ["colon_fence"]\n')
    (folder / "index.md").write_text(page)
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-b", builder, "-D", "html_theme=basic"]
    command += [str(folder), str(folder / builder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def doctest_page(folder: Path, page: str) -> tuple[int, str]:
    status, said = build(folder, page, "doctest", "_extensions.doctest_fences")
    return status, said + (folder / "doctest" / "output.txt").read_text()


def passed(said: str) -> int:
    """Count the examples of the one page, of which none may have failed."""
    [count] = re.findall(r"^(\d+) passed(?: and 0 failed)?\.$", said, re.M)
    return int(count)


def test_right_outputs_pass_and_all_examples_run(tmp_path: Path) -> None:
    status, said = doctest_page(tmp_path, PAGE)
    assert status == 0, said
    # From Python 3.13 on, the example that is skipped is counted with those that passed.
    assert passed(said) == (5 if sys.version_info < (3, 13) else 6)


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("False", "True", 5),
        ("[0.1,    0.2]", "[0.1, 0.3]", 12),
        ("'one'", "'two'", 15),
        ("\n2\n", "\n3\n", 25),
    ],
)
def test_a_wrong_output_is_reported_with_file_and_line(
    tmp_path: Path, right: str, wrong: str, line: int
) -> None:
    assert PAGE.count(right) == 1
    status, said = doctest_page(tmp_path, PAGE.replace(right, wrong))
    assert status != 0
    assert f'File "index.md", line {line}, in default' in said


def test_the_page_reads_the_same(tmp_path: Path) -> None:
    build(tmp_path, PAGE, "html")
    plain = (tmp_path / "html" / "index.html").read_bytes()
    build(tmp_path, PAGE, "html", "_extensions.doctest_fences")
    assert (tmp_path / "html" / "index.html").read_bytes() == plain


def test_quoted_source_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text('def f():\n    """\n    >>> f()\n    WRONG\n    """\n')
    quote = "```{literalinclude} code.py\n```\n"
    status, said = doctest_page(tmp_path, f"# Page\n\n{quote}\n```python\n>>> 1\n1\n```\n")
    assert status == 0, said
    assert passed(said) == 1
