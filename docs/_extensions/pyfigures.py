"""Draw the book's figures while it is built.

A figure is a function without arguments, in ``figures/<module>.py``, that returns a Matplotlib
figure::

    ```{pyfigure} attention.temperature
    :name: fig-temperature
    :alt: What the figure shows, for those who do not see it.
    :data: attention_heads

    The caption.
    ```

It is drawn again when its module changes, or what that imports of the book and its package.
``:data:`` names the measurements that it reads, so that these count, too; ``:reads:`` does so for
other files of the book, as patterns (``chapters/*.md``), also for a new file that fits.
"""

from __future__ import annotations

import importlib
import inspect
import io
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import matplotlib as mpl
from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib.figure import Figure
from sphinx.directives.patches import Figure as FigureDirective
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from _extensions import svg
from _extensions.imports import imported_files
from figures import style

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata, OptionSpec

logger = logging.getLogger(__name__)

READS = re.compile(r'record\.load\("([\w-]+)"\)')


class PyFigure(FigureDirective):
    """Sphinx's ``figure`` directive, with a function in the place of a file."""

    option_spec: ClassVar[OptionSpec] = {
        "alt": directives.unchanged_required,
        "name": directives.unchanged_required,
        "data": directives.unchanged_required,
        "reads": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Draw, then go on as for any image."""
        env, dotted = self.state.document.settings.env, self.arguments[0]
        if not self.options.get("alt"):
            self.warn(f"figure {dotted} says nothing to those who cannot see it: add :alt:")
        module_name, _, function_name = dotted.rpartition(".")
        figures, measurements = Path(style.__file__).parent, self.options.pop("data", "").split()
        for source in imported_files(figures / f"{module_name}.py") | {figures / "style.py"}:
            env.note_dependency(os.path.relpath(source, env.srcdir))
        for name in measurements:
            env.note_dependency(f"measurements/{name}.json")
        if pattern := self.options.pop("reads", ""):
            found = env.metadata[env.docname]
            found["pyfigure_reads"] = f"{found.get('pyfigure_reads', '')} {pattern}"
            for file in matching(env, pattern):
                env.note_dependency(file)
        try:
            function = getattr(importlib.import_module(f"figures.{module_name}"), function_name)
            drawing = drawn(function)
        except Exception as error:
            self.warn(f"figure {dotted} cannot be drawn: {type(error).__name__}: {error}")
            env.note_reread()  # the next build says it again, unless somebody has mended it
            return []
        self.check_data(f"figure {dotted}", function, measurements)
        path = Path(env.doctreedir) / "figures" / f"{dotted.replace('.', '-')}.svg"
        write_if_changed(path, drawing)
        page = Path(env.doc2path(env.docname)).parent
        self.arguments = [Path(os.path.relpath(path, page)).as_posix()]
        self.options["figclass"] = ["pyfigure"]
        result = super().run()
        for image in [image for node in result for image in node.findall(nodes.image)]:
            image["pixels"] = svg.pixels(drawing)
        return result

    def check_data(self, user: str, code: Any, measurements: list[str]) -> None:
        """Warn of a measurement that code reads and the page does not name."""
        for name in sorted(READS.findall(inspect.getsource(code))):
            if name not in measurements:
                self.warn(f"{user} reads a measurement: add :data: {name}")

    def warn(self, message: str) -> None:
        """Report where the directive stands."""
        source, line = self.state_machine.get_source_and_line(self.lineno)
        logger.warning(message, location=f"{source}:{line}", type="pyfigures")


class PlaceImages(SphinxPostTransform):
    """Tell browsers how large each figure is, so that nothing moves when it comes.

    The figures below the first come when the reader comes near them.
    """

    default_priority = 501
    builders = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Set the attributes of the images."""
        for position, image in enumerate(self.document.findall(nodes.image)):
            if "pixels" in image:
                image["width"], image["height"] = map(str, image["pixels"])
            if position > 0:
                image["loading"] = "lazy"


def matching(env: BuildEnvironment, patterns: str) -> list[str]:
    """Name the files of the book that fit one of the patterns, relative to its folder."""
    folder = Path(env.srcdir)
    paths = {path for pattern in patterns.split() for path in folder.glob(pattern)}
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def read_new_files(
    _app: Sphinx, env: BuildEnvironment, _added: set[str], _changed: set[str], _removed: set[str]
) -> list[str]:
    """Name the pages with a figure that reads files of which there is a new one."""
    pages = []
    for docname, found in env.metadata.items():
        if patterns := found.get("pyfigure_reads"):
            known = {Path(env.srcdir, path) for path in env.dependencies[docname]}
            if any(Path(env.srcdir, path) not in known for path in matching(env, patterns)):
                pages.append(docname)
    return pages


def drawn(function: Any) -> str:
    """Draw a figure as SVG, the same to the byte each time; a warning of Matplotlib's is an error.

    Raises
    ------
    TypeError
        If the function returns something else than a figure.
    """
    with warnings.catch_warnings(), mpl.rc_context(style.RC):
        warnings.simplefilter("error")
        figure = function()
        if not isinstance(figure, Figure):
            raise TypeError(
                f"a figure's function must return a Figure; got {type(figure).__name__}"
            )
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return svg.slim(target.getvalue())


def write_if_changed(path: Path, text: str) -> None:
    """Leave a file alone that says the same already: its age decides what is built again."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may draw the same figure at once; each replaces the file whole.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(text, "utf-8")
    draft.replace(path)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the directive."""
    app.add_directive("pyfigure", PyFigure)
    app.add_post_transform(PlaceImages)
    app.connect("env-get-outdated", read_new_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
