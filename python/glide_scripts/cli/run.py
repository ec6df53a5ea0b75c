"""``glide-scripts run FILE``: run a script file and print what it returns."""

import asyncio
import os
import sys
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from .. import (
    Batch,
    GlideClient,
    GlideClusterClient,
    Script,
    ScriptError,
    ScriptSourceError,
    TypedScript,
)
from . import _options
from ._call_arguments import encoded, fit
from ._callee import Callee, callee
from ._coverage import covered, reported
from ._failure import FAILED, UNUSABLE, Failure, failure_of, script_error_text, with_options
from ._json import to_json
from ._origin import Origin, origin
from ._seed import seed
from ._servers import Servers, servers

# Until a change is noticed of which the system does not tell, such as one of another machine, or in
# a folder that was not there before.
_LOOK_AGAIN_MS = 1000
_DEBOUNCE_MS = 100


def command(
    file: _options.File = None,
    *,
    code: _options.Code = None,
    root: _options.Root = None,
    function: _options.Function = None,
    keys: _options.Keys = None,
    args: _options.Args = None,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    setup: _options.Setup = None,
    data: _options.Data = None,
    fill: _options.Fill = False,
    repeat: Annotated[int, typer.Option(metavar="N", min=1, help="The number of calls.")] = 1,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run again when FILE or an included file changes.")
    ] = False,
    as_json: Annotated[
        bool, _options.json_option("Print replies as JSON instead of Python.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print replies unconverted, without --@returns.")
    ] = False,
    once: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The script takes effect at most once for this id."),
    ] = None,
    once_ttl: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="How long the server keeps the record of the id. Default: a day.",
        ),
    ] = None,
    coverage: _options.Coverage = False,
    show_time: Annotated[
        bool, typer.Option("--time", help="Print each call's milliseconds to standard error.")
    ] = False,
    traceback: _options.Traceback = False,
) -> None:
    """Run a script file, and print one reply per line.

    With --watch, a failed run waits for the next change; Ctrl-C ends it. The server keeps its data,
    unless --setup or --data fill it again.

    Keys and arguments are checked against the file's --@key and --@arg before anything is sent. The
    reply is converted to the type of --@returns.

    With --function, the file is a library of functions. It is loaded on a temporary server; the
    server of --url must have it, as the command load does.

    With --json, bytes are text, or {"base64": "..."} if they are not UTF-8; nan and infinite
    numbers are the strings "nan", "inf" and "-inf"; sets are lists; errors inside a reply are
    {"error": "..."}; keys of maps are strings. A failure prints a line {"error": {"message": ...,
    "exit_code": ...}}, too.

    Exit codes: 0 success; 1 the script or a request failed; 2 wrong usage, or no server could be
    reached; 130 interrupted.
    """
    ids = _once(once, once_ttl)
    script = origin(file, code, root)
    if watch and script.file is None:
        raise Failure(f"--watch needs a file; {script} is not a file", UNUSABLE)
    if ids and function is not None:
        raise Failure("--once cannot be combined with --function; only scripts have it", UNUSABLE)
    words = encoded(keys), encoded(args)
    call = _Call(script, function, *words, repeat, as_json, raw, show_time, ids)
    try:
        # Before a server is started.
        call.fit(callee(script, function).script)
    except ScriptSourceError:
        # What it includes may come to be.
        if not watch:
            raise
    filling = seed(setup, data, root=root, urls=url, cluster=cluster, may_fill=fill)
    target = servers(url, cluster=cluster, seed=filling)
    with (
        covered(call.origin, url) if coverage else nullcontext() as measured,
        reported(measured),
    ):
        asyncio.run(_run(call, target, watch=watch))


@dataclass
class _Call:
    """What is called, and how it is shown."""

    origin: Origin
    function: str | None
    keys: list[bytes]
    args: list[bytes]
    repeat: int
    as_json: bool
    raw: bool
    show_time: bool
    once: dict[str, Any]
    """What is given of ``once`` and ``once_ttl``."""

    def fit(self, script: Script) -> None:
        """
        Raises:
            Failure: What is given is not what the script declares.
        """
        fit(script, self.origin, self.keys, self.args)
        try:
            Batch(is_atomic=False).invoke_script(script, self.keys, self.args, **self.once)
        except ValueError as error:
            raise Failure(f"{self.origin}: {with_options(error)}", UNUSABLE) from error

    async def run(
        self, client: GlideClient | GlideClusterClient, called: Callee, target: Servers
    ) -> None:
        """
        Raises:
            Failure: The script failed, or is called wrongly.
            GlideError: A call failed otherwise.
        """
        script = called.script
        self.fit(script)
        await called.prepare(client, target)
        for _ in range(self.repeat):
            start = time.perf_counter()
            try:
                reply = await called.call(client, self.keys, self.args, **self.once)
                elapsed = time.perf_counter() - start
                if isinstance(script, TypedScript) and not self.raw:
                    reply = script.decode(reply)
            except ScriptError as error:
                raise Failure(script_error_text(error, self.origin), FAILED) from error
            print(to_json(reply) if self.as_json else repr(reply), flush=True)
            if self.show_time:
                print(f"{elapsed * 1000:.3f} ms", file=sys.stderr)


def _once(once: str | None, once_ttl: float | None) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if once is not None:
        # As it was typed, also where that is not UTF-8.
        given["once"] = os.fsencode(once)
    if once_ttl is not None:
        given["once_ttl"] = once_ttl
    return given


async def _run(call: _Call, targets: AbstractAsyncContextManager[Servers], *, watch: bool) -> None:
    async with targets as target, await target.connect() as client:
        if watch:
            await _watch(call, client, target)
        else:
            await call.run(client, callee(call.origin, call.function), target)


async def _watch(
    call: _Call, client: GlideClient | GlideClusterClient, target: Servers
) -> NoReturn:
    assert call.origin.file is not None
    folders = {call.origin.file.parent}
    while True:
        called = _look(call)
        try:
            if isinstance(called, str):
                raise Failure(called, UNUSABLE)
            script = called.script
            if isinstance(script, TypedScript) and script._source_map is not None:
                folders = {Path(file).parent for file in script._source_map.files}
            await call.run(client, called, target)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            print(f"glide-scripts: {failure.message}", file=sys.stderr)
        print(f"glide-scripts: waiting for a change of {call.origin}", file=sys.stderr)
        await _changed(call, called, folders)
        await target.refill()


async def _changed(call: _Call, called: Callee | str, folders: set[Path]) -> None:
    """Wait until a script is another one, by its text and that of all it includes."""
    from watchfiles import awatch  # noqa: PLC0415 - saves time at import

    async for _ in awatch(
        *(folder for folder in folders if folder.is_dir()),
        # Not the files, which editors replace.
        watch_filter=None,
        recursive=False,
        rust_timeout=_LOOK_AGAIN_MS,
        yield_on_timeout=True,
        debounce=_DEBOUNCE_MS,
    ):
        if _look(call) != called:
            return


def _look(call: _Call) -> Callee | str:
    """What is called as it is now, or why there is nothing."""
    try:
        return callee(call.origin, call.function)
    except (Failure, ScriptSourceError) as error:
        return str(error)
