"""``glide-scripts stubs DIR``: types of a folder's scripts, for mypy and for editors."""

import asyncio
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import RequestError, ScriptLibrary, TypedScript
from ..declared.annotations import shown
from ..declared.folder import shown_folder
from ..declared.signature import NO_DEFAULT, Parameter, Signature
from ..scripts.contents import Content
from ..scripts.files import directory_folder
from ..scripts.library import TypedLibrary, folder_contents
from . import _options
from ._failure import FAILED, UNUSABLE, Failure
from ._lua_stubs import definitions, of_include, of_server
from ._origin import read_file, write_file
from ._roots import Files, root_of
from ._servers import servers

_NAME = "library.pyi"
# Not a script of the folder: its name begins with a dot.
_LUA_NAME = ".luals/redis.lua"
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
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="The folder of scripts; with --lua, the folder of an editor's project, by default "
            "the current one.",
        ),
    ] = None,
    *,
    lua: Annotated[
        bool, typer.Option("--lua", help="Write definitions for the Lua language server instead.")
    ] = False,
    root: _options.Root = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"The file. Default: DIR/{_NAME}, or DIR/{_LUA_NAME}."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file would change.")
    ] = False,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    traceback: _options.Traceback = False,
) -> None:
    """Write type stubs for a folder's scripts, or definitions for Lua, for editors.

    DIR/library.pyi contains the declared parameters and replies.

    It contains the class Library, for type checkers only:

    \b
        if TYPE_CHECKING:
            from scripts.library import Library

    \b
        scripts = cast("Library", ScriptLibrary.from_directory("scripts/"))

    With --lua, the file has definitions for the Lua language server (LuaLS): of redis, server,
    KEYS, ARGV, cjson, cmsgpack, bit, struct, of each command of a temporary server, or of that of
    --url, and of what the files define that scripts of the folder include.

    Exit codes: 0 success; 1 with --check, the file is out of date; 2 wrong usage, or an unusable
    script.
    """
    if lua:
        file = output or (directory or Path()) / _LUA_NAME
        text = "\n".join(
            [asyncio.run(_lua(url, cluster=cluster)), *_of_includes(directory or Path())]
        )
    elif directory is None:
        raise Failure("which folder? Name the folder of scripts, or add --lua", UNUSABLE)
    else:
        file = output or directory / _NAME
        text = _python(directory, root)
    if not check:
        if output is None:
            file.parent.mkdir(exist_ok=True)
        write_file(file, text)
    elif not file.exists() or file.read_text(encoding="utf-8", errors="replace") != text:
        again = f"glide-scripts stubs {'--lua' if lua else directory}"
        state = "is out of date" if file.exists() else "does not exist"
        raise Failure(f"{file} {state}; run {again}", FAILED)


async def _lua(urls: list[str] | None, *, cluster: bool) -> str:
    async with servers(urls, cluster=cluster) as target, await target.connect() as client:
        try:
            docs = await client.custom_command(["COMMAND", "DOCS"])
        except RequestError as error:
            why = "the server has no COMMAND DOCS; use Valkey, or Redis 7.0 or later"
            raise Failure(why, FAILED) from error
        known = await client.custom_command(["COMMAND"])
        about: Any = await client.custom_command(["INFO", "server"])
    if isinstance(about, dict):
        about = next(iter(about.values()))
    fields = dict(line.split(":", 1) for line in about.decode().splitlines() if ":" in line)
    name = fields.get("server_name", "redis").capitalize()
    version = fields.get("valkey_version") or fields["redis_version"]
    return definitions(f"{name} {version}", of_server(docs, known))


def _of_includes(directory: Path) -> Iterator[str]:
    """What the files define that scripts of a folder include, by name."""
    directory_folder(directory)
    folder = Files(directory, shown_folder(directory), is_open=True)
    found: set[str | None] = set()
    for each in folder_contents(folder, ()):
        # The others are for `check`.
        if isinstance(each, Content):
            found.update(each.source.map.paths[1:])
    for path in sorted(filter(None, found)):
        name = Path(os.path.relpath(path, directory)).as_posix()
        yield of_include(name, read_file(Path(path)))


def _python(directory: Path, root: Path | None) -> str:
    library = ScriptLibrary.from_directory(directory, root=root_of(directory, root))
    if not library._entries():
        what = "scripts" if any(directory.rglob("*.lua")) else ".lua files"
        raise Failure(f"{directory}: it has no {what}", UNUSABLE)
    return stub(library)


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
