"""Reading docstrings and equation markers from source text."""

from pathlib import Path

from _extensions.equation_sources import (
    find_implementations,
    find_tests,
    read_sources,
    support,
)

PACKAGE = '''
"""Implements :eq:`eq-module`: a module is no function, so nothing comes of this."""


def f():
    """Short.

    Notes
    -----
    Implements :eq:`eq-a`.
    Implements :eq:`eq-b`, :eq:`eq-c`
    and :eq:`eq-d`. Compare :eq:`eq-elsewhere`.
    """


async def g():
    r"""Implements :eq:`eq-e`."""


class C:
    """Implements :eq:`eq-f`."""

    def method(self):
        """Implements :eq:`eq-g`."""


def h():
    """This one Implements nothing, and :eq:`eq-cited` is only cited."""
'''

TESTS = """
import pytest
from pkg import f, g

pytestmark = [pytest.mark.slow, pytest.mark.equation("eq-all")]


@pytest.mark.equation("eq-a")
@pytest.mark.equation("eq-b", "eq-c")
def test_function():
    assert f()


@pytest.mark.equation(LABEL)
async def test_computed_label(): ...


@pytest.mark.equation("eq-class")
class TestClass:
    pytestmark = pytest.mark.equation("eq-attribute")

    class TestInner:
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.equation("eq-case"))])
        def test_method(self, x):
            assert x


@pytest.mark.equation("eq-lost")
def helper(): ...


@pytest.mark.equation("eq-lost")
class Base:
    def test_never_collected(self): ...
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip("\n"), encoding="utf-8")
    return path


def test_docstrings_of_functions_methods_and_classes_are_found_with_their_lines(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "src/pkg/sub/part.py", PACKAGE)
    write(tmp_path / "src/pkg/sub/__init__.py", 'def i():\n    """Implements :eq:`eq-i`."""\n')
    found = [(each.label, each.name, each.line) for each in find_implementations(path.parents[1])]
    assert found == [
        ("eq-i", "pkg.sub.i", 2),
        ("eq-a", "pkg.sub.part.f", 9),
        ("eq-b", "pkg.sub.part.f", 10),
        ("eq-c", "pkg.sub.part.f", 10),
        ("eq-d", "pkg.sub.part.f", 11),
        ("eq-e", "pkg.sub.part.g", 16),
        ("eq-f", "pkg.sub.part.C", 20),
        ("eq-g", "pkg.sub.part.C.method", 23),
    ]


def test_markers_of_functions_classes_and_modules_are_found(tmp_path: Path) -> None:
    write(tmp_path / "tests/deep/test_it.py", TESTS)
    found = {test.id: test.labels for test in find_tests(tmp_path / "tests")}
    module = "tests/deep/test_it.py"
    assert found == {
        f"{module}::test_function": ("eq-all", "eq-a", "eq-b", "eq-c"),
        # A label that is not written out cannot be linked; as "LABEL" it is an unknown equation.
        f"{module}::test_computed_label": ("eq-all", "LABEL"),
        f"{module}::TestClass::TestInner::test_method": (
            "eq-all",
            "eq-class",
            "eq-attribute",
            "eq-case",
        ),
    }


def test_a_test_without_a_marker_is_left_out(tmp_path: Path) -> None:
    write(
        tmp_path / "tests/test_it.py",
        "@pytest.mark.equation('eq-a')\ndef test_a(): ...\n\ndef test_b(): ...\n",
    )
    assert [test.name for test in find_tests(tmp_path / "tests")] == ["test_a"]


def test_tests_in_deeper_folders_come_last(tmp_path: Path) -> None:
    for name in ("tests/deep/test_it.py", "tests/test_it.py"):
        write(tmp_path / name, TESTS)
    modules = dict.fromkeys(test.module for test in find_tests(tmp_path / "tests"))
    assert list(modules) == ["tests/test_it.py", "tests/deep/test_it.py"]


def test_the_source_of_a_test_has_its_decorators_and_no_indentation(tmp_path: Path) -> None:
    write(tmp_path / "tests/test_it.py", TESTS)
    sources = {test.name: test.source for test in find_tests(tmp_path / "tests")}
    assert sources["test_function"] == (
        '@pytest.mark.equation("eq-a")\n'
        '@pytest.mark.equation("eq-b", "eq-c")\n'
        "def test_function():\n"
        "    assert f()"
    )
    assert sources["TestClass.TestInner.test_method"].startswith("@pytest.mark.parametrize(")


def test_markers_know_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "tests/test_it.py", TESTS)
    first = next(find_tests(tmp_path / "tests"))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [label in lines[line - 1] for label, line in first.markers] == [True] * 4


def test_what_the_tests_use_comes_with_them(tmp_path: Path) -> None:
    module = """
import os.path
import numpy as np
import pytest
from pkg import (
    f,
    unused as g,
)

pytestmark = pytest.mark.slow
A = 1
B, C = A + 1, 2
UNUSED = 3


def helper():
    return B


@pytest.fixture
def table():
    return np.zeros(3)


@pytest.mark.equation("eq-a")
def test_a(table):
    assert f(helper()) == table


def test_other():
    assert os.path, UNUSED
"""
    path = write(tmp_path / "tests/test_it.py", module)
    assert support(path, find_tests(path.parent)) == (
        "import numpy as np\nimport pytest\nfrom pkg import (\n    f,\n    unused as g,\n)\n"
        "pytestmark = pytest.mark.slow\nA = 1\nB, C = A + 1, 2\n\n\n"
        "def helper():\n    return B\n\n\n"
        "@pytest.fixture\ndef table():\n    return np.zeros(3)"
    )


def test_missing_folders_say_nothing(tmp_path: Path) -> None:
    sources = read_sources(tmp_path / "src", tmp_path / "tests")
    assert (sources.implementations, sources.tests) == ((), ())


def test_every_module_with_equation_tests_has_its_page() -> None:
    root = Path(__file__).parents[2]
    for module in sorted({test.module for test in find_tests(root / "tests")}):
        page = (root / "docs/reference" / module).with_suffix(".md")
        directive = f"```{{equation-tests}} {module}\n```\n"
        assert page.is_file(), f"write {page} with a title and\n{directive}"
        assert directive in page.read_text(encoding="utf-8")
