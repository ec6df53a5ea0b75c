"""The command line: ``glide-scripts run FILE.lua`` and ``glide-scripts stubs DIR``.

Exit codes: 0 done; 1 the script or a request failed; 2 wrong usage, or no server to be reached;
130 interrupted.
"""

import argparse
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence

from . import run, stubs
from ._failure import Failure

__all__ = ["main"]

_PROGRAM = "glide-scripts"
_INTERRUPTED = 130
_OUTPUT_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Do what `argv` says (without it the process's own arguments) and return the exit code.

    Raises `SystemExit` for ``--help``, ``--version`` and wrong usage, as argparse does.
    """
    options = _parser().parse_args(argv)
    try:
        options.run(options)
        return 0
    except Failure as failure:
        return _explain(failure.message, failure.exit_code, options)
    except KeyboardInterrupt:
        return _explain("interrupted", _INTERRUPTED, options)
    except BrokenPipeError:
        # The reader of our output left, as `head` does. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _OUTPUT_CLOSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM, description="Lua scripting on Valkey and Redis."
    )
    version = importlib.metadata.version(_PROGRAM)
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run.add_command(commands)
    stubs.add_command(commands)
    return parser


def _explain(message: str, exit_code: int, options: argparse.Namespace) -> int:
    if options.traceback:
        traceback.print_exc()
    print(f"{_PROGRAM}: {message}", file=sys.stderr)
    return exit_code
