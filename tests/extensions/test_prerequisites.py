"""The map of the chapters: what it leaves out is implied by what it draws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from figures.introduction import arrows, chapters, everything_before, needs, rows

Needs = dict[int, tuple[int, ...]]


@st.composite
def books(draw: st.DrawFn) -> Needs:
    """Draw a book of up to nine chapters, each naming earlier ones."""
    named: Needs = {}
    for number in range(1, draw(st.integers(1, 9)) + 1):
        earlier = st.sets(st.integers(1, number - 1)) if number > 1 else st.just(set[int]())
        named[number] = tuple(sorted(draw(earlier)))
    return named


def reaches(named: Needs, start: int, end: int) -> bool:
    return start in named[end] or any(reaches(named, start, other) for other in named[end])


@given(books())
def test_everything_before_a_chapter_is_what_ways_lead_from(named: Needs) -> None:
    for number, before in everything_before(named).items():
        assert before == {other for other in named if reaches(named, other, number)}


@given(books())
def test_no_way_is_lost_and_no_arrow_is_superfluous(named: Needs) -> None:
    drawn = arrows(named)
    kept = {n: tuple(a for a, b in drawn if b == n) for n in named}
    assert everything_before(kept) == everything_before(named)
    for one, other in drawn:
        fewer = {n: tuple(a for a in kept[n] if (a, n) != (one, other)) for n in named}
        assert everything_before(fewer) != everything_before(named)


@given(books())
def test_arrows_lead_down(named: Needs) -> None:
    row = rows(named)
    assert all(row[other] < row[number] for number in named for other in named[number])
    assert all(row[n] == 0 or any(row[o] == row[n] - 1 for o in named[n]) for n in named)


def test_an_implied_need_is_not_drawn() -> None:
    assert arrows({1: (), 2: (1,), 3: (1, 2)}) == [(1, 2), (2, 3)]


def test_the_map_of_this_book_starts_at_chapter_1() -> None:
    named, numbers = needs(), [article.number for article in chapters()]
    assert numbers == list(named) == list(range(1, len(numbers) + 1))
    assert [number for number, row in rows(named).items() if row == 0] == [1]
