"""No number of the prose stands there unexamined, and the arithmetic of the formulas is right."""

import tomllib
from pathlib import Path

import matplotlib as mpl
import pytest

from tests.book import arithmetic, numerals

mpl.use("Agg")
PAGES = sorted(numerals.DOCS.glob("chapters/*.md"))
EXPLAINED: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("numerals.toml").read_text(encoding="utf-8")
)


def covers(words: str, numeral: numerals.Numeral) -> bool:
    """Say whether the words, somewhere in the numeral's paragraph, contain it."""
    begin = numeral.paragraph.rfind(words, 0, numeral.start + len(words))
    return 0 <= begin <= numeral.start < begin + len(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_numeral_is_executed_recomputed_measured_or_explained(page: Path) -> None:
    explained = EXPLAINED.get(page.stem, {})
    found = list(numerals.unexplained(page, int(page.stem[:2])))
    left = [numeral for numeral in found if not any(covers(words, numeral) for words in explained)]
    assert not left, "\n".join(map(str, ["", *left]))
    idle = [words for words in explained if not any(covers(words, numeral) for numeral in found)]
    assert not idle, f"explained, but not there, or explained by the page itself: {idle}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_arithmetic_in_formulas_is_right(page: Path) -> None:
    formulas = [formula for part in numerals.sections(page) for formula in part.formulas]
    assert [claim for formula in formulas for claim in arithmetic.wrong(formula)] == []


@pytest.mark.parametrize(
    ("formula", "good"),
    [
        (r"\sqrt{0.21/500}=2.05\,\%", True),
        (r"\sqrt{0.21/500}=2.05", False),
        (r"\log32\approx3.5", True),
        (r"\log_2 32=5", True),
        (r"\tfrac12\cdot\frac{3}{4}=0.375", True),
        (r"\tfrac12\cdot\frac{3}{4}=0.376", False),
        (r"e^2\approx7.39", True),
        (r"1-0.95^{20}=64\,\%", True),
        (r"0.99^{-10{,}000}>e^{100}", True),
        (r"0.99^{-10{,}000}<e^{100}", False),
        (r"\binom{5}{2}=10", True),
        (r"3.1\cdot10^{23}\approx3.14\cdot10^{23}", True),
        (r"\sqrt{27}=5", False),
        (r"\log(1+\frac{0.5}{3.5})=0.13", True),
        (r"1-(1-1/n)^n\to1-1/e\approx0.64", False),
        (r"18^{32}\approx10^{40}", False),
        (r"x=3", True),
    ],
)
def test_arithmetic_is_computed(formula: str, good: bool) -> None:
    assert (list(arithmetic.wrong(formula)) == []) is good


def test_a_number_without_ground_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = """# Title

    We measured 0.731 nats and 41 % of chapter 17, in 1948, ten times, with $x\\approx27$,
    $1/8=0.125$ and $y=0.126$, on 2.5 million tokens, 2.6 million, and bits 01111111.

    | place | value |
    |---|---|
    | first | 99 |

    ```python
    >>> print(0.4096, 2.5e6)
    0.4096 2500000.0
    ```
    """
    page.write_text(text.replace("\n    ", "\n"), encoding="utf-8")
    found = list(numerals.unexplained(page, 0))
    assert [numeral.text for numeral in found] == ["0.731", "27", "0.126", "2.6 million", "99"]
    assert found[-1].paragraph == "first | 99 | "
