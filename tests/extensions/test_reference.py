"""The reference has a page for every module, and every public name is on it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
MODULES = sorted(
    path.stem for path in (ROOT / "src/primer_ref").glob("*.py") if not path.stem.startswith("_")
)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_page_and_its_place_in_the_index(module: str) -> None:
    page = REFERENCE / "api" / f"{module}.md"
    assert page.is_file(), f"write {page.relative_to(ROOT)} like its neighbors"
    assert f".. automodule:: primer_ref.{module}\n" in page.read_text()
    index = (REFERENCE / "index.md").read_text()
    assert f"   primer_ref.{module}\n" in index, f"list primer_ref.{module} in reference/index.md"


def test_no_page_is_left_of_a_module_that_is_gone() -> None:
    assert sorted(path.stem for path in (REFERENCE / "api").glob("*.md")) == MODULES


def test_the_groups_of_the_index_follow_the_layers_of_the_imports() -> None:
    """A module that imports another stands in its group or below."""
    groups = re.split(r"^## ", (REFERENCE / "index.md").read_text(), flags=re.MULTILINE)
    layer = {
        name: depth
        for depth, group in enumerate(groups)
        for name in re.findall(r"^   primer_ref\.(\w+)$", group, flags=re.MULTILINE)
    }
    for module in MODULES:
        source = (ROOT / "src/primer_ref" / f"{module}.py").read_text()
        for imported in re.findall(r"^from primer_ref\.(\w+) import", source, flags=re.MULTILINE):
            assert layer[imported] <= layer[module], f"{module} imports {imported}"
