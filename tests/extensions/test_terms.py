"""Definitions where terms are used: in HTML, once a page, as the glossary stands."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.extensions.toy import build

PAGE = """\
---
number: {n}
---

# About {{term}}`entropy`

```{{index}} ! {entries}
```

| a table | |
|---|---|
| {{term}}`nat` | 1 |

The {{term}}`entropies <entropy>`, and the {{term}}`Entropy` again, in {{term}}`nats <nat>`.

- A *list* with {{term}}`bit`.
"""
GLOSSARY = """\
# Glossary

```{glossary}
entropy
  The mean of $-\\log p$, in {term}`nats <nat>`.

  More than a reader wants to see at once.

nat
bit
  A *unit*; see {doc}`/index`.
```
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Lay out two chapters, a page without terms, and a glossary in a folder of its own."""
    source = tmp_path / "docs"
    (source / "chapters").mkdir(parents=True)
    (source / "appendix").mkdir()
    (source / "conf.py").write_text(
        "extensions = ['myst_parser', '_extensions.search', '_extensions.terms']\n"
        "html_theme = 'basic'\n"
        "myst_enable_extensions = ['dollarmath']\nhtml_copy_source = False\n"
    )
    (source / "index.md").write_text("# Book\n\n```{toctree}\n:glob:\n\n*/*\n```\n")
    for n, entries in ((1, "entropy, ! nat, ! bit"), (2, "other")):
        (source / "chapters" / f"{n}.md").write_text(PAGE.format(n=n, entries=entries))
    for n in range(5):  # Sphinx reads in parallel from six pages on
        (source / "chapters" / f"none{n}.md").write_text(f"# Without {n}\n")
    (source / "appendix" / "glossary.md").write_text(GLOSSARY)
    return source


class Spans(HTMLParser):
    """The spans of a page with a class, and what stands in them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.links: list[str | None] = []
        self._open: list[tuple[dict[str, str | None], list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "span":
            self._open.append((dict(attrs), []))
        if tag == "a" and any("meaning" in (a.get("class") or "") for a, _ in self._open):
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data: str) -> None:
        for _, text in self._open:
            text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            attrs, text = self._open.pop()
            if attrs.get("class") in {"term", "meaning"}:
                self.found.append((attrs, "".join(text)))


def test_the_first_use_in_running_text_shows_the_first_paragraph(source: Path) -> None:
    out, said, _ = build(source)
    assert said == ""
    page = Spans((out / "chapters" / "2.html").read_text())
    assert [text for attrs, text in page.found if attrs["class"] == "term"] == [
        "entropies",
        "nats",
        "bit",
    ]
    words, meanings = page.found[::2], page.found[1::2]
    for (word, _), (meaning, _) in zip(words, meanings, strict=True):
        assert word["role"] == "button"
        assert word["tabindex"] == "0"
        assert word["aria-describedby"] == meaning["id"]
        assert "hidden" in meaning
    first, nat, bit = (" ".join(text.split()) for _, text in meanings)
    assert first.startswith("The mean of")
    assert first.endswith(", in nats. Chapter 1 Glossary")
    assert "More than" not in first
    assert nat == bit == "A unit; see Book. Chapter 1 Glossary"


def test_links_in_a_definition_lead_from_the_page_that_shows_it(source: Path) -> None:
    out, _, _ = build(source)
    links = Spans((out / "chapters" / "2.html").read_text()).links
    nat = ["../index.html", "1.html#about-entropy", "../appendix/glossary.html#term-nat"]
    assert links[:3] == [
        "../appendix/glossary.html#term-nat",
        "1.html#about-entropy",
        "../appendix/glossary.html#term-entropy",
    ]
    assert links[3:6] == nat
    # On the page that explains the term there is no link to it.
    own = Spans((out / "chapters" / "1.html").read_text()).links
    assert not [link for link in own if link and link.startswith("1.html")]


def test_other_uses_stay_links(source: Path) -> None:
    out, _, _ = build(source)
    html = (out / "chapters" / "2.html").read_text()
    heading = re.search("<h1>.*?</h1>", html, re.DOTALL)
    table = re.search("<table.*?</table>", html, re.DOTALL)
    assert heading
    assert table
    for part in (heading[0], table[0]):
        assert 'href="../appendix/glossary.html#term-' in part
        assert 'class="meaning"' not in part
    assert html.count('<span class="xref std std-term">Entropy</span></a> again') == 1
    glossary = (out / "appendix" / "glossary.html").read_text()
    assert 'class="meaning"' not in glossary


def test_the_script_comes_with_the_definitions_only(source: Path) -> None:
    out, _, _ = build(source)
    assert "terms.js" in (out / "chapters" / "1.html").read_text()
    assert "terms.js" not in (out / "chapters" / "none1.html").read_text()


def test_the_search_does_not_index_what_a_page_only_shows(source: Path) -> None:
    out, _, _ = build(source)
    index = (out / "searchindex.js").read_text()
    documents = re.findall(r'"([^"]+)"', index.split('"docnames":[')[1].split("]")[0])
    assert f'"mean":{documents.index("appendix/glossary")},' in index


@pytest.mark.parametrize("name", ["text", "epub", "latex"])
def test_other_builders_get_the_word(source: Path, name: str) -> None:
    out, _, _ = build(source, name)
    texts = {"text": "chapters/2.txt", "epub": "chapters/2.xhtml"}
    text = (out / texts[name]).read_text() if name in texts else next(out.glob("*.tex")).read_text()
    assert "entropies" in text
    assert "hidden" not in text
    assert text.count("mean of") == (name == "latex")


def test_a_page_is_written_again_when_a_definition_on_it_changes(source: Path) -> None:
    build(source)
    assert build(source)[2] == set()
    glossary = source / "appendix" / "glossary.md"
    glossary.write_text(GLOSSARY.replace("The mean of", "The average of"))
    out, _, written = build(source)
    assert {"chapters/1", "chapters/2"} <= written
    assert "chapters/none1" not in written
    assert "The average of" in (out / "chapters" / "2.html").read_text()
    glossary.write_text(GLOSSARY.replace("The mean of", "The average of").replace("More", "Less"))
    assert not {"chapters/1", "chapters/2"} & build(source)[2]


def test_a_page_is_written_again_when_another_section_explains_the_term(source: Path) -> None:
    build(source)
    page = source / "chapters" / "1.md"
    page.write_text(page.read_text().replace("# About", "# All about"))
    out, _, written = build(source)
    assert "chapters/2" in written
    assert "1.html#all-about-entropy" in (out / "chapters" / "2.html").read_text()


def test_two_processes_make_the_same(source: Path) -> None:
    alone, _, _ = build(source)
    together, said, _ = build(source, parallel=2)
    assert said == ""
    for page in ("chapters/1.html", "chapters/2.html", "appendix/glossary.html"):
        assert (alone / page).read_text() == (together / page).read_text()
    assert build(source, parallel=2)[2] == set()
