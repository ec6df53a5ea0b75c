"""All commands, and how each of them ends."""

import importlib.metadata
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from . import bench, check, debug, load, profile, repl, serve, stubs
from . import run as run_command
from ._connection import connecting
from ._failure import INTERRUPTED, OUTPUT_CLOSED, UNUSABLE, Asked, failure_of

_PROGRAM = "glide-scripts"

# What typer, and the library that it checks values with, say to programmers.
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
        (r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", r"It does not take \1"),
        (r"(: --\S+) \(Possible options?: (--\S+?)\)", r"\1. Did you mean \2?"),
    )
]

app = typer.Typer(
    name=_PROGRAM,
    add_completion=False,
    # Errors are told by `run`, and help is as wide as the terminal without a frame around it.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("run")(connecting(run_command.command))
app.command("check")(connecting(check.command))
app.command("load")(connecting(load.command))
app.command("bench")(connecting(bench.command))
app.command("profile")(connecting(profile.command))
app.command("repl")(connecting(repl.command))
app.command("debug")(connecting(debug.command))
app.command("serve")(serve.command)
app.command("stubs")(connecting(stubs.command))


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
    if not argv:
        return run(["--help"]) or UNUSABLE
    asked = Asked()
    try:
        # Not typer's own main(), which words errors and Ctrl-C its own way.
        command = typer.main.get_command(app)
        with command.make_context(_PROGRAM, list(argv), obj=asked) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as exit:
        return exit.exit_code
    except typer.TyperException as error:
        return _explain(_usage(error), error.exit_code, asked)
    except KeyboardInterrupt:
        return _explain("interrupted", INTERRUPTED, asked)
    except BrokenPipeError:
        # The reader of our output left, as `head` does. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUTPUT_CLOSED
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            # A bug in here.
            raise
        return _explain(failure.message, failure.exit_code, asked)


def _usage(error: typer.TyperException) -> str:
    """Return a usage error in one line; typer's text may have several."""
    context = getattr(error, "ctx", None)
    program = context.command_path if context else _PROGRAM
    text = " ".join(error.format_message().split())
    for pattern, ours in _REWORDED:
        text = pattern.sub(ours, text)
    return f"{text} (see {program} --help)"


def _explain(message: str, exit_code: int, asked: Asked) -> int:
    if asked.traceback:
        traceback.print_exc()
    print(f"{_PROGRAM}: {message}", file=sys.stderr)
    return exit_code
