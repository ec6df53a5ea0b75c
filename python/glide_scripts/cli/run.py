"""``glide-scripts run FILE``: run a script file and print what it returns."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from .. import Script, ScriptError
from . import _options
from ._failure import FAILED, UNUSABLE, Failure
from ._json import to_json
from ._servers import Servers, servers


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The script.", show_default=False)],
    *,
    keys: Annotated[
        list[str] | None, typer.Option("--key", metavar="K", help="KEYS, one each time.")
    ] = None,
    args: Annotated[
        list[str] | None, typer.Option("--arg", metavar="A", help="ARGV, one each time.")
    ] = None,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    repeat: Annotated[int, typer.Option(metavar="N", min=1, help="How many calls.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print replies as JSON instead of Python.")
    ] = False,
    show_time: Annotated[
        bool, typer.Option("--time", help="Print each call's milliseconds, on standard error.")
    ] = False,
    traceback: _options.Traceback = False,
) -> None:
    """Run a script file, and print its reply, one line a call.

    With --json: bytes are text, or {"base64": "..."} when they are not UTF-8; nan and infinite
    numbers are the strings "nan", "inf" and "-inf"; sets are lists; errors inside a reply are
    {"error": "..."}; keys of maps are strings.

    Exit codes: 0 done; 1 the script or a request failed; 2 wrong usage, or no server to be
    reached; 130 interrupted.
    """
    call = _Call(file, keys or [], args or [], repeat, as_json, show_time)
    call.read()
    asyncio.run(_run(call, url, cluster))


async def _run(call: "_Call", url: list[str] | None, cluster: bool) -> None:
    async with servers(url, cluster=cluster) as target:
        await call.run(target)


@dataclass
class _Call:
    """What is to be run, and how it is shown."""

    file: Path
    keys: list[str]
    args: list[str]
    repeat: int
    as_json: bool
    show_time: bool

    def read(self) -> Script:
        """
        Raises:
            Failure: The file cannot be read.
            ScriptSourceError: What it includes is not there.
        """
        return read_script(self.file)

    async def run(self, target: Servers) -> None:
        script = self.read()
        # As the shell gave them: the bytes, whether or not they are text.
        keys = [os.fsencode(key) for key in self.keys]
        args = [os.fsencode(arg) for arg in self.args]
        async with await target.connect() as client:
            for _ in range(self.repeat):
                start = time.perf_counter()
                try:
                    reply = await client.invoke_script(script, keys, args)
                except ScriptError as error:
                    raise Failure(told(error, self.file), FAILED) from error
                elapsed = time.perf_counter() - start
                print(to_json(reply) if self.as_json else repr(reply), flush=True)
                if self.show_time:
                    print(f"{elapsed * 1000:.3f} ms", file=sys.stderr)


def read_script(file: Path) -> Script:
    """The script of a file, whose name is the file's as it was given.

    Raises:
        Failure: The file cannot be read.
        ScriptSourceError: It cannot be used, or what it includes.
    """
    try:
        code = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", UNUSABLE) from error
    try:
        code.decode()
    except UnicodeDecodeError:
        # It cannot include others, and runs all the same.
        return Script(code, name=str(file))
    return Script.from_file(file, name=str(file))


def told(error: ScriptError, file: Path) -> str:
    """The whole text of the error, with the place in the file before it."""
    if error.line is None:
        return f"{file}: {error}"
    return f"{error.file or file}:{error.line}: {error}"
