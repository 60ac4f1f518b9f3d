"""The texts that experiments and chapters measure on: six novels by Jane Austen."""

from pathlib import Path

NOVELS = (
    "sensesensibility",
    "prideprejudice",
    "mansfieldpark",
    "emma",
    "northangerabbey",
    "persuasion",
)


def austen(name: str) -> str:
    """Read a whole novel."""
    path = Path(__file__).parents[1] / "data" / "austen" / f"{name}.txt"
    return path.read_text(encoding="utf-8")


def austen_chapter(name: str, number: int) -> str:
    """Read one chapter of a novel that has no volumes, without its heading."""
    after = austen(name).split(f"\nChapter {number}\n", 1)[1]
    return after.split(f"\nChapter {number + 1}\n", 1)[0].strip() + "\n"
