"""Put controls under a figure, with which the reader draws it anew.

::

    ```{widget} softmax_temperature
    :figure: attention.temperature
    :name: fig-temperature
    :alt: ...

    The caption.
    ```

The argument names a module of ``widgets/``, whose docstring says what one is; ``:figure:`` names
the figure as for ``pyfigure``, whose other options hold. The figure stays what it is for readers
without scripts, on paper and in other formats; the element around it makes room for its controls
beforehand, so that nothing moves when they appear. All of a page's widgets are one script, written
beside the page's other files: it needs no module loader, no request, and no server.
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

import widgets
from _extensions.imports import imported_files
from _extensions.pyfigures import PyFigure, write_if_changed
from _extensions.site import is_site

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata, OptionSpec
    from sphinx.writers.html5 import HTML5Translator

FOLDER = Path(widgets.__file__).parent


class Widget(nodes.General, nodes.Element):
    """The element around a figure's image."""


class WidgetDirective(PyFigure):
    """A figure of the book, in an element that knows how to draw it anew."""

    option_spec: ClassVar[OptionSpec] = {
        **PyFigure.option_spec,
        "figure": directives.unchanged_required,
    }

    def run(self) -> list[Node]:
        """Draw the figure, then put the element between the figure and its image."""
        env, name = self.state.document.settings.env, self.arguments[0]
        scripts = {FOLDER / f"{name}.js", FOLDER / "widget.js"}
        for source in imported_files(FOLDER / f"{name}.py") | scripts:
            env.note_dependency(os.path.relpath(source, env.srcdir))
        try:
            module = importlib.import_module(f"widgets.{name}")
            script = (FOLDER / f"{name}.js").read_text("utf-8")
        except (ImportError, OSError) as error:
            self.warn(f"widget {name} cannot be loaded: {error}")
            return []
        if tag(name) not in script:
            self.warn(f"widget {name}: its script must define {tag(name)!r}")
        self.check_data(f"widget {name}", module, self.options.get("data", "").split())
        self.arguments = [self.options.pop("figure")]
        result = super().run()
        for image in [image for node in result for image in node.findall(nodes.image)]:
            image.replace_self(Widget("", image.deepcopy(), widget=name))
        env.metadata[env.docname].setdefault("widgets", []).append(name)
        return result


def tag(name: str) -> str:
    """Name the element of a widget: a custom element's name has a hyphen."""
    return name.replace("_", "-")


def bundle(names: list[str]) -> str:
    """Write the script of a page that has these widgets."""
    figures = {}
    for name in names:
        module = importlib.import_module(f"widgets.{name}")
        controls = [asdict(control) for control in module.CONTROLS]
        figures[tag(name)] = {"controls": controls, "data": module.data()}
    table = json.dumps(figures, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    base = (FOLDER / "widget.js").read_text("utf-8")
    # Each script's names are its own: functions declared in a block end with it.
    scripts = [f"{{\n{(FOLDER / f'{name}.js').read_text('utf-8')}}}\n" for name in names]
    return f'"use strict";\n(() => {{\nconst figures = {table};\n{base}{"".join(scripts)}}})();\n'


def add_script(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    """Write the script of a page's widgets and load it with the page."""
    names = app.env.metadata.get(page, {}).get("widgets")
    if names and is_site(app.builder):
        file = f"widgets/{page.replace('/', '-')}.js"
        write_if_changed(Path(app.outdir, "_static", file), bundle(names))
        app.add_js_file(file, loading_method="defer")


def visit(translator: HTML5Translator, node: Widget) -> None:
    """Open the element, where scripts may run."""
    if is_site(translator.builder):
        module = importlib.import_module(f"widgets.{node['widget']}")
        rows = f"rows-{len(module.CONTROLS)}"
        translator.body.append(f'<{tag(node["widget"])} class="widget {rows}">')


def depart(translator: HTML5Translator, node: Widget) -> None:
    """Close it."""
    if is_site(translator.builder):
        translator.body.append(f"</{tag(node['widget'])}>")


def skip(_translator: Any, _node: Widget) -> None:
    """Write the figure alone."""


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the directive."""
    plain = (skip, skip)
    app.add_node(Widget, html=(visit, depart), latex=plain, text=plain, man=plain, texinfo=plain)
    app.add_directive("widget", WidgetDirective)
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
