"""``glide-scripts stubs DIR``: types of a folder's scripts, for mypy and for editors."""

import argparse
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .. import ScriptLibrary, ScriptSourceError, TypedScript
from .._annotations import shown
from .._declarations import NO_DEFAULT, Parameter
from .._library import TypedLibrary
from ._failure import Failure

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_NAME = "library.pyi"
_DIFFERENT = 1
_UNUSABLE = 2

_EPILOG = """\
The file holds the class Library, for type checkers only:

    if TYPE_CHECKING:
        from scripts.library import Library

    scripts = cast("Library", ScriptLibrary.from_directory("scripts/"))

Exit codes: 0 done; 1 with --check, the file is not as it would be written; 2 wrong usage, or a
script that cannot be used.
"""

_HEAD = "# Written by `glide-scripts stubs`; write it anew when a script's declarations change."
_IMPORTS = (
    {"collections.abc": ["Coroutine"], "typing": ["Any"]},
    {
        "glide_scripts": ["GlideClient", "GlideClusterClient", "Json", "Key", "TypedScript"],
        "glide_scripts._library": ["TypedLibrary"],
        "glide_scripts._typed": ["B"],
    },
)


def add_command(commands: "Commands") -> None:
    """Declare the subcommand and its options."""
    parser = commands.add_parser(
        "stubs",
        help="write the types of a folder's scripts for mypy",
        description=f"Write DIR/{_NAME}: the parameters and the replies that scripts declare.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("directory", type=Path, metavar="DIR", help="the folder, as of ScriptLibrary")
    add("--output", type=Path, metavar="FILE", help=f"another file (default: DIR/{_NAME})")
    add("--check", action="store_true", help="write nothing; fail if the file would change")
    add("--traceback", action="store_true", help="show where in Python an error came from")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the stub file as the options say.

    Raises `Failure` for whatever is not a bug in here.
    """
    output: Path = options.output or options.directory / _NAME
    try:
        text = stub(ScriptLibrary.from_directory(options.directory))
        if not options.check:
            output.write_text(text, encoding="utf-8")
            return
        is_same = output.exists() and output.read_text(encoding="utf-8") == text
    except ScriptSourceError as error:
        raise Failure(str(error), _UNUSABLE) from error
    except OSError as error:
        raise Failure(f"{output}: {error.strerror}", _UNUSABLE) from error
    if not is_same:
        raise Failure(f"{output} is out of date; run glide-scripts stubs", _DIFFERENT)


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
    yield f"class {name}(TypedScript[..., {returns}]):"
    yield "    def __call__("
    # No parameter of a script has such names.
    yield "        __self,"
    yield from ("        __client: GlideClient | GlideClusterClient,", "        /,")
    yield from parameters
    yield f"    ) -> Coroutine[Any, Any, {returns}]: ..."
    yield "    def add_to("
    yield from ("        __self,", "        __batch: B,", "        /,")
    yield from parameters
    yield "    ) -> B: ..."
    yield ""


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
