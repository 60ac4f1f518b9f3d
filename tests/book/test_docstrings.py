"""Every public name of the package says what a reader of the reference needs to know."""

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import primer_ref

MODULES = sorted(
    path.stem
    for path in Path(primer_ref.__file__).parent.glob("*.py")
    if not path.stem.startswith("__")
)


def public(kind: Callable[[Any], bool]) -> list[Any]:
    """Collect the package's public functions or classes."""
    modules = [importlib.import_module(f"primer_ref.{module}") for module in MODULES]
    return [
        pytest.param(found, id=f"{module.__name__.removeprefix('primer_ref.')}.{name}")
        for module in modules
        for name in getattr(module, "__all__", ())
        if kind(found := getattr(module, name))
    ]


def sections(thing: object) -> dict[str, str]:
    """Split a numpydoc docstring at its underlined headings; the summary comes under ``""``."""
    text = inspect.getdoc(thing) or ""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def entries(section: str) -> set[str]:
    """Names that the unindented lines of a section introduce."""
    heads = re.findall(r"^(\S[^:\n]*?)(?: : .*)?$", section, flags=re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(",")}


def raised(function: Any) -> set[str]:
    """Names of the exceptions that a function's own body raises."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return {
        call.func.id
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }


def summarizes(thing: object) -> bool:
    return bool(re.match(r"\S[^\n]*\.(\n\n|$)", sections(thing)[""]))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_and_what_is_public(name: str) -> None:
    module: ModuleType = importlib.import_module(f"primer_ref.{name}")
    assert summarizes(module)
    listed = getattr(module, "__all__", None)
    assert listed, "what is public stands in __all__, sorted"
    assert listed == sorted(listed)


@pytest.mark.parametrize("function", public(inspect.isfunction))
def test_a_function_is_documented_in_full(function: Any) -> None:
    assert summarizes(function)
    found = sections(function)
    parameters = set(inspect.signature(function).parameters)
    assert entries(found.get("Parameters", "")) == parameters, "list all, under Parameters"
    assert "Returns" in found or "Yields" in found
    assert raised(function) <= entries(found.get("Raises", ""))
    assert ">>> " in found.get("Examples", "")


@pytest.mark.parametrize("kind", public(inspect.isclass))
def test_a_class_is_documented_with_its_fields_and_methods(kind: Any) -> None:
    assert summarizes(kind)
    found = sections(kind)
    fields = set(getattr(kind, "__dataclass_fields__", ()))
    listed = entries(found.get("Attributes", "")) | entries(found.get("Parameters", ""))
    assert {field for field in fields if field[0] != "_"} <= listed
    for name, member in vars(kind).items():
        if name[0] != "_" and (inspect.isfunction(member) or isinstance(member, property)):
            assert summarizes(member), name
