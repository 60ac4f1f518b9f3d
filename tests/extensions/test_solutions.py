"""The list of exercises: each with its solution, and a missing one is told."""

import re
from pathlib import Path

import pytest

from tests.extensions import toy

# sphinx-exercise 1.2.1 still asks the environment for the application.
pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")

PAGE = """\
# Page {n}

```{{exercise}} Warm *up*
:label: ex-{n}-one

Do.
```

````{{solution}} ex-{n}-one
Done.
````

```{{exercise}}
:label: ex-{n}-two

Do more.
```

```{{solution}} ex-{n}-two
Done, too.
```
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "conf.py").write_text(
        "extensions = ['myst_parser', 'sphinx_exercise', '_extensions.solutions']\n"
        "html_theme = 'basic'\nnumfig = True\nsuppress_warnings = ['config.cache']\n"
    )
    (folder / "index.md").write_text(
        "# Book\n\n```{toctree}\n:numbered:\n\npage1\npage2\n```\n\n```{toctree}\nall\n```\n"
    )
    # A page of its own: Sphinx writes one with a toctree again whatever happens below it.
    (folder / "all.md").write_text("# All\n\n```{solutions}\n```\n")
    for n in (1, 2):
        (folder / f"page{n}.md").write_text(PAGE.format(n=n))
    return folder


def build(source: Path) -> tuple[str, str, set[str]]:
    """Build; return the list's page, the warnings and the pages written."""
    out, said, written = toy.build(source)
    return (out / "all.html").read_text(), said, written


def test_all_exercises_with_links_to_themselves_and_their_solutions(source: Path) -> None:
    html, said, _ = build(source)
    assert said == ""
    text = re.sub(r"<[^>]+>", "", html)
    numbers = ("1.1, Warm up", "1.2: ", "2.1, Warm up", "2.2: ")
    places = [text.index(f"Exercise {number}") for number in numbers]
    assert places == sorted(places)
    assert "Warm <em>up</em>" in html
    targets = re.findall(r'href="(page\d\.html)#([^"]+)">solution</a>', html)
    assert [page for page, _ in targets] == ["page1.html"] * 2 + ["page2.html"] * 2
    for page, anchor in targets:
        assert f'id="{anchor}"' in (source.parent / "html1" / page).read_text()
    assert 'href="page2.html#ex-2-one"' in html


def test_a_missing_solution_is_a_warning_each_time(source: Path) -> None:
    page = source / "page2.md"
    page.write_text(page.read_text().split("```{solution} ex-2-two")[0])
    for _ in range(2):
        _, said, _ = build(source)
        assert "page2.md: WARNING: exercise ex-2-two has no solution [solutions.missing]" in said


def test_the_list_follows_the_pages_and_rests_with_them(source: Path) -> None:
    build(source)
    assert build(source)[2] == set()
    page = source / "page2.md"
    page.write_text(page.read_text().replace("Warm *up*", "Cool *down*"))
    html, _, written = build(source)
    assert written == {"index", "page2", "all"}
    assert "Cool down" in re.sub(r"<[^>]+>", "", html)
    page.write_text(page.read_text().replace("Done, too.", "Done as well."))
    assert build(source)[2] == {"index", "page2"}
