"""Sphinx configuration. Whatever needs more than a line lives in ``_extensions/``."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
# Each version of the book is built against the source that lies beside it, installed or not.
sys.path[:0] = [str(DOCS), str(DOCS.parent / "src")]

from _extensions.array_types import ArrayTypes  # noqa: E402
from primer_ref import __version__  # noqa: E402

project = "LLM Primer II"
author = "The LLM Primer authors"
project_copyright = "2026, The LLM Primer authors. Code: MIT. Text and figures: CC BY 4.0."
release = version = __version__
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_autodoc_typehints",
    "myst_parser",
    "sphinx_codeautolink",
    "sphinx_copybutton",
    "sphinx_exercise",
    "sphinx_proof",
    "sphinxcontrib.bibtex",
    "_extensions.array_types",
    "_extensions.codelinks",
    "_extensions.doctest_fences",
    "_extensions.equations",
    "_extensions.folds",
    "_extensions.local_contents",
    "_extensions.markdown_copies",
    "_extensions.mathml",
    "_extensions.measurements",
    "_extensions.navigation",
    "_extensions.not_found",
    "_extensions.oracles",
    "_extensions.page_metadata",
    "_extensions.print_epub",
    "_extensions.print_latex",
    "_extensions.print_pages",
    "_extensions.proofs",
    "_extensions.published_numbers",
    "_extensions.pyfigures",
    "_extensions.reference",
    "_extensions.search",
    "_extensions.series",
    "_extensions.shell",
    "_extensions.slim",
    "_extensions.solutions",
    "_extensions.sound_html",
    "_extensions.terms",
    "_extensions.versions",
    "_extensions.widgets",
]
exclude_patterns = [
    "_*",
    "data",
    "experiments",
    "figures",
    "measurements",
    "widgets",
    "**/README.md",
]
templates_path = ["_templates"]
nitpicky = True
numfig = True
math_numfig = True
numfig_secnum_depth = 1

# Pages
myst_enable_extensions = [
    "amsmath",
    "attrs_inline",
    "attrs_block",
    "colon_fence",
    "deflist",
    "dollarmath",
]
myst_title_to_header = True
myst_heading_anchors = 3
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "alpha"
bibtex_tooltips_style = "short"  # ours, in _extensions/slim.py
proof_minimal_theme = True
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
codeautolink_concat_default = True

# Reference
autodoc_default_options = {"members": True, "member-order": "bysource", "ignore-module-all": True}
add_module_names = False
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
typehints_formatter = ArrayTypes()
# Every name is documented where it is defined; an alias would lead to the standard library.
viewcode_follow_imported_members = False
intersphinx_mapping = {
    "python": ("https://docs.python.org/3.11", "_inventories/python.inv"),
    "numpy": ("https://numpy.org/doc/stable", "_inventories/numpy.inv"),
}

# HTML
html_theme = "book"
html_theme_path = ["_themes"]
html_title = "LLM Primer II"
html_static_path = ["_static"]
html_css_files = ["book.css", "widgets.css"]
html_favicon = "_static/favicon.svg"
html_math_renderer = "mathml"
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", "")
html_copy_source = False
html_scaled_image_link = False
html_show_sphinx = False
html_show_search_summary = False
