"""All commands, and how each of them ends."""

import difflib
import importlib.metadata
import inspect
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from .. import GlideError
from ..failures.one_line import on_its_lines
from . import bench, check, debug, load, profile, repl, serve, stubs
from . import run as run_command
from ._connection import connecting
from ._console import Color, color, painted, painted_error
from ._failure import (
    INTERRUPTED,
    OUTPUT_CLOSED,
    STANDARD_OUTPUT,
    UNUSABLE,
    Asked,
    failure_of,
)

_PROGRAM = "glide-scripts"
_COMPLETE = "_GLIDE_SCRIPTS_COMPLETE"

_POSSIBLE = re.compile(r"(--\S+) \(Possible options?: ([^)]*)\)")

# Texts of typer, and of the library that checks its values, that are meant for programmers.
_REWORDED = [
    (re.compile(pattern), ours)
    for pattern, ours in (
        (r"Input should be a valid integer.*", "it is not a whole number"),
        (r"Input should be a valid number.*", "it is not a number"),
        (r"Input should be a finite number", "it is not a number"),
        (r"Input should be greater than or equal to (\S+)", r"it is less than \1"),
        (r"Input should be less than or equal to (\S+)", r"it is more than \1"),
        (r"Input should be", "it should be"),
        (r"Value error, ", ""),
        (r"Invalid value for '?(-[^\s':]+)'?: ", r"\1: "),
        (r"Option '(-\S+)' requires an argument\.", r"\1 needs a value"),
        (r"\.$", ""),
        (r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", r"it does not take \1"),
    )
]

app = typer.Typer(
    name=_PROGRAM,
    # `run` prints errors, and help is as wide as the terminal without a frame around it.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 10_000},
)


def _add(name: str, command: Callable[..., None]) -> None:
    app.command(name, short_help=_first(command))(connecting(command))


def _first(command: Callable[..., None]) -> str:
    """The first paragraph of its help, which typer would cut at the end of the line."""
    return (inspect.getdoc(command) or "").partition("\n\n")[0]


_add("run", run_command.command)
_add("check", check.command)
_add("load", load.command)
_add("bench", bench.command)
_add("profile", profile.command)
_add("repl", repl.command)
_add("debug", debug.command)
app.command("serve", short_help=_first(serve.command))(serve.command)
_add("stubs", stubs.command)


def _version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"{_PROGRAM} {importlib.metadata.version(_PROGRAM)}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run, check, deploy and debug Lua scripts on Valkey and Redis.

    Exit codes: 0 success; 1 a script or a request failed, or a check did not pass; 2 wrong usage,
    or no server could be reached; 130 interrupted.
    """


def run(argv: Sequence[str]) -> int:
    """Run a command line and return the exit code."""
    if not argv and _COMPLETE not in os.environ:
        return run(["--help"]) or UNUSABLE
    asked = Asked()
    color.set(Color.auto)
    try:
        command = typer.main.get_command(app)
        if _COMPLETE in os.environ:
            # The shell asks what may follow.
            command.main(list(argv), _PROGRAM, _COMPLETE)
        # Not typer's own main(), which words errors and Ctrl-C its own way.
        with command.make_context(_PROGRAM, list(argv), obj=asked) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as exit:
        return exit.exit_code
    except SystemExit as exit:
        # Of what installs completions.
        return exit.code if isinstance(exit.code, int) else 0
    except typer.TyperException as error:
        # The options may not have been read up to --json.
        asked.as_json |= "--json" in argv
        return _explain(_usage(error, argv[0]), error.exit_code, asked)
    except KeyboardInterrupt:
        return _explain("interrupted", INTERRUPTED, asked)
    except BrokenPipeError:
        # The reader of our output left, as `head` does.
        _discard_output()
        return OUTPUT_CLOSED
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            # A bug in here.
            raise
        if failure.message.startswith(STANDARD_OUTPUT):
            _discard_output()
        return _explain(failure.message, failure.exit_code, asked, error.__cause__ or error)


def _discard_output() -> None:
    """Write nothing more to where it cannot be written: Python would complain again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: typer.TyperException, name: str) -> str:
    """Return a usage error of a command in one line; typer's text may have several."""
    is_command = any(name == each.name for each in app.registered_commands)
    program = f"{_PROGRAM} {name}" if is_command else _PROGRAM
    text = " ".join(error.format_message().split())
    for pattern, ours in _REWORDED:
        text = pattern.sub(ours, text)
    text = _POSSIBLE.sub(_nearest, text)
    return f"{text} (see {program} --help)"


def _nearest(found: re.Match[str]) -> str:
    option, possible = found[1], found[2].split(", ")
    near = difflib.get_close_matches(option, possible, n=1, cutoff=0)
    return f"{option}. Did you mean {near[0]}?"


def _explain(message: str, exit_code: int, asked: Asked, error: BaseException | None = None) -> int:
    if asked.traceback:
        traceback.print_exc()
    shown = painted_error(on_its_lines(message), sys.stderr)
    print(f"{painted(f'{_PROGRAM}:', 'error', sys.stderr)} {shown}", file=sys.stderr)
    if asked.as_json:
        print(json.dumps({"error": _fields(message, exit_code, error)}, ensure_ascii=False))
    return exit_code


def _fields(message: str, exit_code: int, error: BaseException | None) -> dict[str, object]:
    """An error for a program; what is not known of it is left out."""
    known = {
        "type": type(error).__name__ if isinstance(error, GlideError) else None,
        "code": getattr(error, "code", None),
        "file": getattr(error, "file", None),
        "line": getattr(error, "line", None),
        "may_have_executed": getattr(error, "may_have_executed", None),
    }
    fields = {name: value for name, value in known.items() if value is not None}
    return {"message": message.partition("\n")[0], "exit_code": exit_code, **fields}
