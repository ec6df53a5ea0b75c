"""``glide-scripts check PATH…``: what is wrong with scripts, before they are deployed."""

import asyncio
import itertools
import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import (
    Batch,
    ClusterBatch,
    GlideClient,
    GlideClusterClient,
    RequestError,
    ScriptError,
    ScriptSourceError,
)
from . import _lock, _options
from ._console import has_color, painted
from ._failure import FAILED
from ._findings import ERRORS, WARNINGS, Finding
from ._origin import emptiness
from ._rules import CommandInfo, findings
from ._scripts import Collected, Unit, collect, refusal
from ._servers import servers


class Format(StrEnum):
    """How findings are shown."""

    text = "text"
    json = "json"
    github = "github"


def command(
    paths: _options.Paths = None,
    *,
    code: _options.Code = None,
    root: _options.Root = None,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Turn off this warning; may be repeated."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    lock: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the names and SHA1s, if the check passes."),
    ] = None,
    locked: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Fail if a SHA1 differs from the lockfile."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.text,
    traceback: _options.Traceback = False,
) -> None:
    """Compile scripts and warn of mistakes.

    A folder means its .lua files, except those that others include. A file whose first line has a
    name, as in #!lua name=mylib, is a library of functions. On a temporary server, libraries are
    loaded; on the server of a URL, they are only compiled, and its script cache then contains the
    scripts.

    Errors:

    {errors}

    Warnings:

    {warnings}

    A comment on the line allows a warning there:

    \b
      redis.call('INCR', 'calls') -- glide-scripts: allow undeclared-key

    The lockfile is for deployments: commit the file that --lock writes, and run --locked in CI.

    Exit codes: 0 no problems; 1 errors, or warnings with --strict; 2 wrong usage, or no server
    could be reached; 130 interrupted.
    """
    ignored = set(ignore or [])
    if unknown := sorted(ignored - WARNINGS.keys()):
        what = "an error, which" if unknown[0] in ERRORS else "no warning that"
        raise typer.BadParameter(f"{unknown[0]} is {what} can be ignored", param_hint="--ignore")
    if lock and locked:
        raise typer.BadParameter("it cannot be combined with --lock", param_hint="--locked")
    collected = collect(paths, code, root)
    found = asyncio.run(_check(collected, url, cluster=cluster))
    if locked:
        found += _lock.differences(locked, collected.units)
    found = sorted({each for each in found if each.code not in ignored}, key=_place)
    _FORMATS[output](collected, found)
    if any(strict or each.severity == "error" for each in found):
        raise typer.Exit(FAILED)
    if lock:
        _lock.write(lock, collected.units)


def _codes(codes: dict[str, str]) -> str:
    return "\b\n    " + "\n    ".join(f"  {code:<20}{means}" for code, means in codes.items())


command.__doc__ = (command.__doc__ or "").format(errors=_codes(ERRORS), warnings=_codes(WARNINGS))


def _place(finding: Finding) -> tuple[str, int, int, str, str]:
    return finding.file, finding.line, finding.column, finding.code, finding.message


async def _check(
    collected: Collected, urls: Sequence[str] | None, *, cluster: bool
) -> list[Finding]:
    found = [_unusable(error) for error in collected.unusable]
    async with servers(urls, cluster=cluster) as target, await target.connect() as client:

        async def ask(commands: Sequence[Sequence[bytes]]) -> list[CommandInfo]:
            return await _ask(client, commands)

        for unit in collected.units:
            if why := emptiness(unit.code):
                found.append(Finding(unit.file, 1, 1, "source", why))
                continue
            if misnamed := unit.content.misnamed:
                why = f"ScriptLibrary does not load it: {misnamed}"
                found.append(Finding(unit.file, 1, 1, "name", why))
            if refused := await _compile(client, unit, is_own=target.is_own):
                found.append(refused)
                continue
            try:
                found += await findings(unit, ask)
            except RecursionError:
                why = "the code is nested too deeply to be checked"
                found.append(Finding(unit.file, 1, 1, "source", why))
    return found


def _unusable(error: ScriptSourceError) -> Finding:
    place = f"{error.file}:" if error.line is None else f"{error.file}:{error.line}:"
    message = str(error).removeprefix(place).lstrip()
    return Finding(error.file or "", error.line or 1, 1, "source", message)


async def _compile(
    client: GlideClient | GlideClusterClient, unit: Unit, *, is_own: bool
) -> Finding | None:
    try:
        if unit.library is None:
            await client.script_load(unit.code)
        elif is_own:
            await client.function_load(unit.code)
        else:
            # What it registers would be called by others. Its lines stay the same.
            await client.script_load(b"--" + unit.code)
    except ScriptError as error:
        place, message = refusal(unit, error)
        return Finding(place.file, place.line, 1, "syntax", message)
    return None


async def _ask(
    client: GlideClient | GlideClusterClient, commands: Sequence[Sequence[bytes]]
) -> list[CommandInfo]:
    """What a server says of commands that are given as their words."""
    names = [[words[0].lower(), b"|".join(words[:2]).lower()] for words in commands]
    asked: list[list[str | bytes]] = [["COMMAND", "INFO", *itertools.chain(*names)]]
    asked += [["COMMAND", "GETKEYS", *words] for words in commands]
    replies: Any
    if isinstance(client, GlideClusterClient):
        of_cluster = ClusterBatch(is_atomic=False)
        for each in asked:
            of_cluster.custom_command(each)
        replies = await client.exec(of_cluster, raise_on_error=False)
    else:
        batch = Batch(is_atomic=False)
        for each in asked:
            batch.custom_command(each)
        replies = await client.exec(batch, raise_on_error=False)
    about: Any = replies[0]
    keys: list[Any] = replies[1:]
    if isinstance(about, RequestError):
        raise about
    # A command that has no keys, or does not exist, is an error.
    return [
        CommandInfo(
            whole is not None,
            _writes(whole) or _writes(sub),
            each if isinstance(each, list) else [],
            # Of a command with subcommands, the second is the one that is called.
            next((int(info[1]) for info in (sub, whole) if info is not None), 0),
        )
        for whole, sub, each in zip(about[::2], about[1::2], keys, strict=True)
    ]


def _writes(info: Any) -> bool:
    return info is not None and b"write" in info[2]


# Output


def _text(collected: Collected, found: list[Finding]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for each in found:
        place = f"{each.file}:{each.line}:{each.column}"
        line = f"{place}: {each.severity}: {each.message} [{each.code}]"
        print(_painted(line if width is None else _wrapped(line, width), place, each))
    scripts = _plural(len(collected.units) + len(collected.unusable), "script")
    print(f"{scripts}: {_total(found)}")


def _painted(line: str, place: str, finding: Finding) -> str:
    if not has_color(sys.stdout):
        return line
    # Either may have been wrapped.
    for text, style in (
        (place, "bold"),
        (f"{finding.severity}:", finding.severity),
        (f"[{finding.code}]", "code"),
    ):
        line = line.replace(text, painted(text, style, sys.stdout), 1)
    return line


def _wrapped(line: str, width: int) -> str:
    return textwrap.fill(
        line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _github(_: Collected, found: list[Finding]) -> None:
    """https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands"""

    def escaped(text: str, *more: str) -> str:
        for character in ("%", "\r", "\n", *more):
            text = text.replace(character, f"%{ord(character):02X}")
        return text

    for each in found:
        place = f"file={escaped(each.file, ':', ',')},line={each.line},col={each.column}"
        print(f"::{each.severity} {place},title={each.code}::{escaped(each.message)}")


def _json(collected: Collected, found: list[Finding]) -> None:
    scripts = [
        {"file": unit.file, "kind": unit.kind, "sha1": unit.sha1} for unit in collected.units
    ]
    shown = [
        {
            "file": each.file,
            "line": each.line,
            "column": each.column,
            "severity": each.severity,
            "code": each.code,
            "message": each.message,
        }
        for each in found
    ]
    print(json.dumps({"findings": shown, "scripts": scripts}, ensure_ascii=False, indent=2))


_FORMATS = {Format.text: _text, Format.json: _json, Format.github: _github}


def _total(found: list[Finding]) -> str:
    if not found:
        return "no problems found"
    return ", ".join(_totals(found))


def _totals(found: list[Finding]) -> Iterator[str]:
    for severity in ("error", "warning"):
        if count := sum(each.severity == severity for each in found):
            yield _plural(count, severity)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
