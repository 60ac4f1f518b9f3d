"""Make tests of the examples: every ``python`` fence of a page, every docstring of the package.

A failing example is reported with the file and line where it is printed. Names persist down a page
(so a page is one unit for ``pytest -n``, which needs ``--dist loadfile``), and within a module's
docstrings, although those import whatever they use.
"""

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE

pages = Sybil(
    [PythonCodeBlockParser(doctest_optionflags=FLAGS)],
    patterns=["README.md", "docs/index.md", "docs/*/*.md", "docs/reference/*/*.md"],
)
docstrings = Sybil([DocTestParser(FLAGS)], pattern="src/primer_ref/*.py")
pytest_collect_file = (pages + docstrings).pytest()
