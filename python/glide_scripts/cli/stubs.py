"""``glide-scripts stubs DIR``: types of a folder's scripts, for mypy and for editors."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .. import ScriptLibrary, TypedScript
from ..declared.annotations import shown
from ..declared.signature import NO_DEFAULT, Parameter, Signature
from ..scripts.library import TypedLibrary
from . import _options
from ._failure import FAILED, UNUSABLE, Failure
from ._roots import root_of

_NAME = "library.pyi"
_HEAD = "# Written by `glide-scripts stubs`; run it again when a script's declarations change."
_IMPORTS = (
    {
        "datetime": ["date", "datetime", "time"],
        "decimal": ["Decimal"],
        "typing": ["Any", "Literal"],
        "uuid": ["UUID"],
    },
    {
        "glide_scripts": [
            "AnyClient",
            "Json",
            "Key",
            "TBatch",
            "TCall",
            "TypedLibrary",
            "TypedScript",
        ],
    },
)


def command(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder of scripts.", show_default=False),
    ],
    *,
    root: _options.Root = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"The file. Default: DIR/{_NAME}.", show_default=False),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file would change.")
    ] = False,
    traceback: _options.Traceback = False,
) -> None:
    """Write type stubs for a folder's scripts, for mypy and editors.

    DIR/library.pyi contains the declared parameters and replies.

    It contains the class Library, for type checkers only:

    \b
        if TYPE_CHECKING:
            from scripts.library import Library

    \b
        scripts = cast("Library", ScriptLibrary.from_directory("scripts/"))

    Exit codes: 0 success; 1 with --check, the file is out of date; 2 wrong usage, or an unusable
    script.
    """
    file = output or directory / _NAME
    library = ScriptLibrary.from_directory(directory, root=root_of(directory, root))
    if not library._entries():
        what = "scripts" if any(directory.rglob("*.lua")) else ".lua files"
        raise Failure(f"{directory}: it has no {what}", UNUSABLE)
    text = stub(library)
    if not check:
        file.write_text(text, encoding="utf-8")
    elif not file.exists() or file.read_text(encoding="utf-8") != text:
        raise Failure(f"{file} is out of date; run glide-scripts stubs", FAILED)


def stub(library: TypedLibrary) -> str:
    """The text of the stub file of a library, whose class in it is ``Library``."""
    body = "\n".join(_library(library, "Library", set()))
    return "\n".join([_HEAD, *_imports(body), body])


def _imports(body: str) -> Iterator[str]:
    """The names that the rest of the file uses."""
    for group in _IMPORTS:
        used = {
            module: [name for name in names if re.search(rf"\b{name}\b", body)]
            for module, names in group.items()
        }
        if any(used.values()):
            yield from (
                f"from {each} import {', '.join(used[each])}" for each in used if used[each]
            )
            yield ""


def _library(library: TypedLibrary, name: str, taken: set[str]) -> Iterator[str]:
    attributes = []
    for attribute, entry in library._entries().items():
        inner = _class_name(f"_{name.removeprefix('_')}_{attribute}", taken)
        if isinstance(entry, TypedScript):
            yield from _script(entry, inner)
        else:
            yield from _library(entry, inner, taken)
        attributes.append(f"    {attribute}: {inner}")
    yield f"class {name}(TypedLibrary):"
    yield from attributes or ["    pass"]
    yield ""


def _class_name(wanted: str, taken: set[str]) -> str:
    """A name that no other class has: ``a_b.lua`` and ``a/b.lua`` want the same."""
    names = itertools.chain([wanted], (f"{wanted}_{number}" for number in itertools.count(2)))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def _script(script: TypedScript[..., object], name: str) -> Iterator[str]:
    signature = script._signature
    returns = shown(signature.returns)
    parameters = [f"        {_parameter(each)}," for each in signature.parameters]
    once = list(_once(signature)) if script.once else []
    yield f"class {name}(TypedScript[..., {returns}]):"
    yield "    def __call__("
    # No parameter of a script has such names.
    yield "        __self,"
    yield from (f"        __client: AnyClient[{returns}, TCall],", "        /,")
    yield from (*parameters, *once)
    yield "    ) -> TCall: ..."
    yield "    def add_to("
    yield from ("        __self,", "        __batch: TBatch,", "        /,")
    yield from (*parameters, *once)
    yield "    ) -> TBatch: ..."
    yield ""


def _once(signature: Signature) -> Iterator[str]:
    """What a call takes besides the script's parameters."""
    taken = {each.name for each in signature.parameters}
    types = {"once": "bool | str | bytes | None", "once_ttl": "float | None"}
    lines = [f"        {name}: {kind} = ...," for name, kind in types.items() if name not in taken]
    yield from ["        *,", *lines] if lines else []


def _parameter(parameter: Parameter) -> str:
    default = "" if parameter.default is NO_DEFAULT else " = ..."
    return f"{parameter.name}: {_type(parameter)}{default}"


def _type(parameter: Parameter) -> str:
    kind = shown(parameter.annotation)
    if not parameter.many:
        return kind
    # Not Sequence[str], of which a str is one; and a list[str] is no list[str | bytes].
    lists = ["list[str]", "list[bytes]"] if kind in ("Key", "str | bytes") else [f"list[{kind}]"]
    return " | ".join([*lists, f"tuple[{kind}, ...]"])
