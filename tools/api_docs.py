"""What griffe cannot read from the source of the API, for the reference pages.

- A method that is made of a command's definition, such as ``get = method_of(strings.get)``, has
  that definition's parameters and docstring.
- `Script` and the batches' `invoke_script` are compiled; their docstrings are those of the built
  classes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import griffe

import glide_scripts
from glide_scripts._core import ScriptBatch

CLIENT, BATCH = "method_of", "adding"
MADE = re.compile(rf"({CLIENT}|{BATCH})\((\w+)\.(\w+)\)")
PARSER: Any = {
    "parser": "google",
    "parser_options": {"returns_multiple_items": False, "returns_named_value": False},
}


class ApiDocs(griffe.Extension):
    """The extension; mkdocs.yml names this file."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        if pkg.path != "glide_scripts":
            return
        for kind in _classes(pkg):
            for made in list(kind.members.values()):
                if isinstance(made, griffe.Attribute):
                    _put_method(kind, made, pkg)
            _mend_constructor(kind)
            _name_dataclass(kind)
        for compiled in (glide_scripts.Script, ScriptBatch):
            kind = pkg[f"_core.{compiled.__name__}"]
            kind.docstring = _docstring(inspect.getdoc(compiled), kind)
            for name, member in kind.members.items():
                if not name.startswith("_"):
                    text = inspect.getdoc(getattr(compiled, name))
                    member.docstring = _docstring(text, member)
        _mend_examples(pkg)


def _classes(package: griffe.Module) -> Iterator[griffe.Class]:
    # A module that imports the package contains an alias of it. Following the alias never ends.
    for module in package.modules.values():
        if not module.is_alias:
            yield from (kind for kind in module.classes.values() if not kind.is_alias)
            yield from _classes(module)


def _docstring(text: str | None, of: Any) -> griffe.Docstring | None:
    return None if text is None else griffe.Docstring(text, parent=of, **PARSER)


def _put_method(kind: griffe.Class, made: griffe.Attribute, package: griffe.Module) -> None:
    """Puts a method in the place of the attribute that is made from a command's definition."""
    call = MADE.fullmatch(str(made.value))
    if call is None:
        return
    maker, module, name = call.groups()
    command = package["commands"][module][name]
    docs = "" if command.docstring is None else command.docstring.value
    method = griffe.Function(
        made.name,
        parameters=griffe.Parameters(
            griffe.Parameter("self", kind=griffe.ParameterKind.positional_only),
            *command.parameters,
        ),
        # The type in Command[…] is the one that the client returns.
        returns=command.returns.slice if maker is CLIENT else "Self",
    )
    if maker is CLIENT:
        method.labels.add("async")
    else:
        docs = docs.replace("Returns:\n", "In the results:\n")
    method.docstring = _docstring(docs, method)
    kind.set_member(made.name, method)


def _mend_constructor(kind: griffe.Class) -> None:
    """Leaves out a constructor that no user calls, or that only names the class's docstring.

    Of several forms, users call the first one.
    """
    constructor = kind.members.get("__init__")
    if constructor is None or constructor.docstring is None:
        return
    if constructor.overloads:
        constructor.parameters = constructor.overloads[0].parameters
        constructor.overloads = None
    if constructor.docstring.value.startswith("For ``create`` and"):
        kind.del_member("__init__")
    elif constructor.docstring.value == "See the class.":
        constructor.docstring = None


def _name_dataclass(kind: griffe.Class) -> None:
    """Names the decorator of a record for griffe as type checkers know it."""
    for decorator in kind.decorators:
        if decorator.callable_path == "glide_scripts.records.record":
            decorator.value.function = griffe.ExprName("dataclasses.dataclass")


def _mend_examples(of: Any) -> None:
    """Names the section of examples as griffe knows it."""
    if of.docstring is not None:
        of.docstring.value = of.docstring.value.replace("Example:\n", "Examples:\n")
    for member in of.members.values():
        if not member.is_alias:
            _mend_examples(member)
