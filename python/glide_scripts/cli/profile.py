"""``glide-scripts profile FILE``: how often each line of a script runs, and for how long."""

import asyncio
import contextlib
import json
import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import (
    GlideClient,
    GlideClusterClient,
    RequestError,
    Script,
    ScriptError,
    ScriptSyntaxError,
)
from ..declared.script import DeclaredScript
from ..failures.explanation import explained
from . import _options
from ._call_arguments import fit
from ._callee import Callee, callee
from ._failure import FAILED, UNUSABLE, Failure, script_error_text
from ._origin import origin, read_file, write_file
from ._seed import seed
from ._servers import Servers, servers

if TYPE_CHECKING:
    from ._profile import Failed, Profile
    from ._timers import Timed
    from ._workload import Template


# The code with which the text of an error may begin.
_CODE = re.compile(r"[A-Z][A-Z0-9_]+(?= |$)")
_LEAST, _MOST, _SECONDS = 100, 8000, 5.0
"""How many calls there are without ``--repeat``, and how long those after the least may take."""
_IN_FLIGHT, _AT_ONCE = 16, 0.02
"""How many calls are in flight, and how many seconds these may take; but one call always is.

Between calls one by one, the server sleeps, and other programs use its processor's caches.
"""


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
    repeat: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=(
                "The number of calls, or of rounds of --workload. Default: as many calls as fit "
                "into 5 seconds, from 100 to 8,000; with --workload 1 round."
            ),
        ),
    ] = None,
    workload: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='The calls, one a line: {"keys": ["k"], "args": ["a"]}.'),
    ] = None,
    as_json: Annotated[
        bool, _options.json_option("Print one JSON object instead of text.")
    ] = False,
    stacks: Annotated[
        Path | None,
        typer.Option(
            "--stacks",
            metavar="FILE",
            help="Write collapsed stacks, for speedscope and flamegraph.pl.",
        ),
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a flame graph.")] = None,
    traceback: _options.Traceback = False,
) -> None:
    """Call a script repeatedly, and show how often each line runs and how long it takes.

    In --key and --arg, {n} is the call's number, and {rand:1000} is a random number from 0 to 999.
    The first call runs the script as it is: it shows that it works, and is not counted.

    A line's time includes the commands that it calls. It does not include the script's own
    functions: their time counts for their lines. Times are CPU time of the server. Timers run
    before each line; their own time is measured and subtracted. So the time of a line that takes
    less than a timer is an estimate, while its count is exact.

    Without --repeat and --workload, about as many more calls run without timers, which corrects the
    times.

    With --function, the file is a library. Two copies of it are loaded under other names, and
    deleted at the end.

    Exit codes: 0 success; 1 the script or a request failed; 2 wrong usage, or no server could be
    reached; 130 interrupted, after showing the figures so far.
    """
    for option, path in (("--stacks", stacks), ("--svg", svg)):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if workload is not None and (keys or args):
        raise typer.BadParameter(
            "it cannot be combined with --key and --arg", param_hint="--workload"
        )
    source = origin(file, code, root)
    called = callee(source, function)
    calls = _given(keys, args) if workload is None else _of_file(workload)
    for each in calls:
        fit(called.script, source, *each.words(0))
    filling = seed(setup, data, root=root, urls=url, cluster=cluster, may_fill=fill)
    is_timed = repeat is None and workload is None
    count = (repeat or (_MOST if is_timed else 1)) * len(calls)
    target = servers(url, cluster=cluster, seed=filling)
    least = _LEAST if is_timed else count
    made = _Made()
    try:
        asyncio.run(_make(made, called, calls, target, count=count, least=least, corrects=is_timed))
    finally:
        # What there is by then, also after Ctrl-C and if the server is gone.
        if made.profile is not None and made.profile.calls:
            _report(made.profile, as_json=as_json, stacks=stacks, svg=svg)
    if made.failure is not None:
        assert made.profile is not None
        failed = f"{made.profile.failed:,} of {made.profile.calls:,} calls failed"
        raise Failure(f"{failed}; the first one: {made.failure}", FAILED)


@dataclass
class _Made:
    """What the calls have shown so far."""

    profile: "Profile | None" = None
    """None before the first call with timers."""
    failure: str | None = None
    """The first line of the first error among these calls."""


def _report(profile: "Profile", *, as_json: bool, stacks: Path | None, svg: Path | None) -> None:
    from ._profile_report import collapsed, flame_graph, show, to_json  # noqa: PLC0415 - saves time at import

    profile.settle()
    if as_json:
        print(json.dumps(to_json(profile)))
    else:
        show(profile)
    if stacks is not None:
        write_file(stacks, collapsed(profile))
    if svg is not None:
        write_file(svg, flame_graph(profile))


@dataclass(frozen=True)
class _Call:
    keys: "Sequence[Template]"
    args: "Sequence[Template]"

    def words(
        self, number: int, randrange: Callable[[int], int] = random.randrange
    ) -> tuple[list[bytes], list[bytes]]:
        """The keys and arguments of a call, by its number."""
        keys = [key.fill(number, randrange) for key in self.keys]
        return keys, [arg.fill(number, randrange) for arg in self.args]


def _given(keys: list[str] | None, args: list[str] | None) -> list[_Call]:
    from ._workload import templates  # noqa: PLC0415 - saves time at import

    return [_Call(*templates(keys, args))]


def _of_file(path: Path) -> list[_Call]:
    """The calls of a file.

    Raises:
        Failure: It cannot be read, or has no calls, or a line is not one.
    """
    from ._data import item, parsed  # noqa: PLC0415 - saves time at import
    from ._workload import Template  # noqa: PLC0415 - saves time at import

    calls = []
    for number, line in enumerate(read_file(path).splitlines(), 1):
        if not line.strip():
            continue
        example = '{"keys": ["k"], "args": ["a"]}'
        try:
            call = parsed(line)
            if not isinstance(call, dict) or call.keys() - {"keys", "args"}:
                raise ValueError(f"a call is {example}")
            words = [call.get(name, []) for name in ("keys", "args")]
            if not all(isinstance(each, list) for each in words):
                raise ValueError(f"keys and args are lists of strings and numbers: {example}")
            calls.append(_Call(*([Template(item(word)) for word in each] for each in words)))
        except ValueError as error:
            raise Failure(f"{path}:{number}: {error}", UNUSABLE) from None
    if not calls:
        raise Failure(f"{path}: it has no calls", UNUSABLE)
    return calls


class _Making:
    """Makes calls, one after the other or several at once."""

    def __init__(self, client: GlideClient | GlideClusterClient, calls: Sequence[_Call]) -> None:
        self._client, self._calls = client, calls
        self._number, self._at_once = 0, 1
        # Each run makes the same calls.
        self._random = random.Random(0)

    async def some(
        self, text: Callee, most: int
    ) -> AsyncIterator[tuple[tuple[list[bytes], list[bytes]], Any]]:
        """Yield the keys and arguments of the next calls, each with its reply."""
        numbers = range(self._number, self._number + min(self._at_once, most))
        self._number = numbers.stop
        words = [
            self._calls[each % len(self._calls)].words(each + 1, self._random.randrange)
            for each in numbers
        ]
        began = time.monotonic()
        replies = await asyncio.gather(
            *(text.call(self._client, *each) for each in words), return_exceptions=True
        )
        took = (time.monotonic() - began) / len(words)
        self._at_once = max(min(int(_AT_ONCE / took), _IN_FLIGHT), 1)
        for given, reply in zip(words, replies, strict=True):
            if isinstance(reply, BaseException):
                raise reply
            yield given, reply


async def _make(
    made: _Made,
    called: Callee,
    calls: Sequence[_Call],
    targets: contextlib.AbstractAsyncContextManager[Servers],
    *,
    count: int,
    least: int,
    corrects: bool,
) -> None:
    """Make so many calls. After the least number of them, none begins later than `_SECONDS`.

    Args:
        corrects: Whether as many more are made without timers, which corrects the times.
    """
    from ._profile import Profile  # noqa: PLC0415 - saves time at import

    source, script = called.origin, called.script
    source_map = script._source_map if isinstance(script, DeclaredScript) else None
    async with targets as target, await target.connect() as client:
        await called.prepare(client, target)
        try:
            # As it is, so that errors name its own lines.
            await called.call(client, *calls[0].words(0))
            with _room(called):
                async with _with_timers(called, client) as (timed, text, without):
                    profile = Profile(str(source), script.code, timed, source_map)
                    made.profile = profile
                    making = _Making(client, calls)
                    until = time.monotonic() + _SECONDS
                    while profile.calls < count:
                        if profile.calls >= least and time.monotonic() > until:
                            break
                        if corrects:
                            async for _, reply in making.some(without, _IN_FLIGHT):
                                profile.add_without_timers(reply)
                        async for words, reply in making.some(text, count - profile.calls):
                            profile.add(reply)
                            failed = profile.first_failure
                            if made.failure is None and failed is not None:
                                made.failure = _explained(failed, called, *words)
        except ScriptError as error:
            raise Failure(script_error_text(error, source), FAILED) from error


def _explained(failed: "Failed", called: Callee, keys: list[bytes], args: list[bytes]) -> str:
    """The first line of the error that the call would have raised without timers."""
    # Servers send a text on one line, too.
    words = " ".join(failed.words.splitlines())
    code = _CODE.match(words)
    said = words if code else f"ERR {words}"
    error = ScriptError(said, code=code[0] if code else "ERR", line=failed.line)
    made = explained(error, called.script, keys, args)
    assert isinstance(made, ScriptError)
    return script_error_text(made, called.origin).partition("\n")[0]


@contextlib.contextmanager
def _room(called: Callee) -> Iterator[None]:
    """
    Raises:
        Failure: The text, which runs, does not with timers: it has too many variables, or the
            server has no clock for them.
    """
    try:
        yield
    except ScriptSyntaxError as error:
        why = f"it cannot be profiled, because with timers added {error.message}"
        raise Failure(f"{called.origin}: {why}", FAILED) from error
    except ScriptError as error:
        if "global variable 'os'" not in str(error):
            raise
        kind = "scripts" if called.library is None else "functions"
        why = f"{kind} of this server have no clock, so they cannot be profiled"
        raise Failure(
            f"{called.origin}: {why}; Redis 7.2, Valkey 7.2 and later have it", FAILED
        ) from error


@contextlib.asynccontextmanager
async def _with_timers(
    called: Callee, client: GlideClient | GlideClusterClient
) -> AsyncIterator[tuple["Timed", Callee, Callee]]:
    """Yield what is called, with timers and without.

    Of a library, two copies with other names are on the server meanwhile.

    Raises:
        Failure: It does not parse.
    """
    from ._timers import library_with_timers, with_timers  # noqa: PLC0415 - saves time at import

    source, script, library = called.origin, called.script, called.library
    suffix = f"_timed_{os.urandom(4).hex()}"
    timed = with_timers(script.code) if library is None else library_with_timers(library, suffix)
    if timed is None:
        # The server takes it, so it is a text that the parser does not know.
        raise Failure(f"{source}: it does not parse as Lua 5.1", UNUSABLE)
    if library is None:
        with_them, without = (
            Callee(source, Script(code, name=str(source), read_only=script.read_only))
            for code in (timed.code, timed.without)
        )
        yield timed, with_them, without
        return
    suffixes = (suffix, f"{suffix}_")
    try:
        for code in (timed.code, timed.without):
            await client.function_load(code, replace=True)
        with_them, without = (
            Callee(source, script, f"{called.function}{each}", library) for each in suffixes
        )
        yield timed, with_them, without
    finally:
        for each in suffixes:
            with contextlib.suppress(RequestError):
                await client.function_delete(f"{library.name}{each}")
