"""What ``--setup`` and ``--data`` put into a server before the script runs."""

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import (
    AllPrimaries,
    Batch,
    GlideClient,
    GlideClusterClient,
    RequestError,
    Script,
    ScriptError,
)
from ..commands.function_library import names_library
from . import _command_lines, _data
from ._failure import FAILED, UNUSABLE, Failure, script_error_text
from ._origin import Origin, read_file

_AT_ONCE = 1000
_MOST_TIMES = 1_000_000


@dataclass(frozen=True)
class Command:
    """A command, and where it is written."""

    place: str
    words: list[bytes]


Step = Command | Script


@dataclass(frozen=True)
class Seed:
    """What a server is filled with, in this order."""

    steps: Sequence[Step]

    async def fill(self, client: GlideClient | GlideClusterClient) -> None:
        """Write all of it.

        Raises:
            Failure: A command or a script failed.
            GlideError: The server could not be reached any more.
        """
        waiting: list[Command] = []
        for step in self.steps:
            if isinstance(step, Script):
                await _send(client, waiting)
                waiting = []
                await _run(client, step)
                continue
            waiting.append(step)
            if len(waiting) == _AT_ONCE:
                await _send(client, waiting)
                waiting = []
        await _send(client, waiting)

    async def refill(self, client: GlideClient | GlideClusterClient) -> None:
        """Empty the servers, and write all of it again. Raises the errors of `fill`."""
        route = {"route": AllPrimaries()} if isinstance(client, GlideClusterClient) else {}
        await client.custom_command(["FLUSHALL"], **route)
        await self.fill(client)


def seed(
    setup: Sequence[Path] | None,
    data: Sequence[str] | None,
    *,
    root: Path | None,
    urls: Sequence[str] | None,
    cluster: bool,
    may_fill: bool,
) -> Seed | None:
    """Read what the command line gives; None if it gives nothing.

    Args:
        setup: The files of ``--setup``.
        data: What was given with ``--data``, each a file or JSON itself.
        root: The folder of ``--root``.
        urls: What was given as ``--url``.
        cluster: Whether it is for a cluster.
        may_fill: Whether ``--fill-url`` was given.

    Raises:
        Failure: A file cannot be read or is wrong, or the server is not a temporary one.
    """
    if not setup and not data:
        return None
    if urls is not None and not may_fill:
        why = "--setup and --data fill a temporary server; add --fill-url to write to that of --url"
        raise Failure(why, UNUSABLE)
    steps: list[Step] = [step for each in data or [] for step in _of_data(each)]
    for file in setup or []:
        if file.suffix == ".lua":
            steps.append(_of_lua(file, root, cluster=cluster))
        else:
            steps += _of_lines(file)
    return Seed(steps)


def _of_data(given: str) -> Iterator[Step]:
    is_json = _is_json(given)
    name = "--data" if is_json else given
    try:
        text = given if is_json else read_file(Path(given)).decode("utf-8-sig")
        for words in _data.commands(text):
            yield Command(name, words)
    except ValueError as error:
        raise Failure(f"{name}: {error}", UNUSABLE) from error


def _is_json(given: str) -> bool:
    """Whether it is JSON, maybe with a mistake in it, and not the name of a file."""
    if given.lstrip().startswith(("{", "[")):
        return True
    try:
        json.loads(given)
    except ValueError:
        return False
    return True


def _of_lua(file: Path, root: Path | None, *, cluster: bool) -> Step:
    script = Origin(str(file), root).read()
    if names_library(script.code):
        return Command(str(file), [b"FUNCTION", b"LOAD", b"REPLACE", script.code])
    if cluster:
        why = "a Lua script writes to one node only; set a cluster up with commands, or --data"
        raise Failure(f"{file}: {why}", UNUSABLE)
    return script


def _of_lines(file: Path) -> Iterator[Step]:
    text = read_file(file).removeprefix(codecs.BOM_UTF8)
    for number, line in enumerate(text.split(b"\n"), start=1):
        if line.lstrip().startswith(b"#"):
            continue
        place = f"{file}:{number}"
        try:
            times, words = _repeated(_command_lines.words(line))
        except ValueError as error:
            raise Failure(f"{place}: {error}", UNUSABLE) from error
        for _ in range(times if words else 0):
            yield Command(place, words)


def _repeated(words: list[bytes]) -> tuple[int, list[bytes]]:
    """How often a command is sent, which valkey-cli takes in front of it, and the command."""
    if len(words) < 2 or not words[0].isdigit():
        return 1, words
    count = words[0].lstrip(b"0")
    if len(count) > len(str(_MOST_TIMES)) or int(count or b"0") > _MOST_TIMES:
        raise ValueError(f"a command is repeated at most {_MOST_TIMES:,} times; write a .lua file")
    return int(count or b"0"), words[1:]


async def _run(client: GlideClient | GlideClusterClient, script: Script) -> None:
    try:
        await client.invoke_script(script)
    except ScriptError as error:
        raise Failure(script_error_text(error, script.name), FAILED) from error


async def _send(client: GlideClient | GlideClusterClient, commands: Sequence[Command]) -> None:
    if isinstance(client, GlideClusterClient):
        # One after another: they may need each other, and are on several nodes.
        for command in commands:
            await _send_one(client, command)
    elif commands:
        batch = Batch(is_atomic=False)
        for command in commands:
            try:
                batch.custom_command(command.words)
            except RequestError as error:
                raise _failed(command, error) from error
        replies = await client.exec(batch, raise_on_error=False) or []
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, RequestError):
                raise _failed(command, reply)


async def _send_one(client: GlideClusterClient, command: Command) -> None:
    route = AllPrimaries() if command.words[0].upper() in _FOR_ALL else None
    try:
        await client.custom_command(command.words, route)
    except RequestError as error:
        raise _failed(command, error) from error


# What concerns a whole cluster, and has no keys.
_FOR_ALL = {b"CONFIG", b"FLUSHALL", b"FLUSHDB", b"FUNCTION", b"SCRIPT"}


def _failed(command: Command, error: RequestError) -> Failure:
    return Failure(f"{command.place}: {str(error).partition(chr(10))[0]}", FAILED)
