"""The command line ``glide-scripts COMMAND …``, from the extra ``cli``.

Exit codes of every command: 0 success; 1 a script or a request failed, or a check did not pass; 2
wrong usage, or no server could be reached; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence

from ._encoding import escape_output

__all__ = ["main"]

# What the extra brings: without one of them, it is the extra that is missing.
_EXTRA = {
    *("prompt_toolkit", "pygments", "rich", "tree_sitter", "tree_sitter_lua", "typer"),
    "watchfiles",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process's arguments) and return the exit code."""
    _open_streams()
    try:
        from ._app import run  # noqa: PLC0415 - saves time at import

        return run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        # While it is imported, which takes most of the time of a short command.
        print("glide-scripts: interrupted", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        print(
            f"glide-scripts: the command line needs {missing}; "
            'install it: pip install "glide-scripts[cli]"',
            file=sys.stderr,
        )
        return 2


def _open_streams() -> None:
    """Have nothing in place of the standard streams that are closed, which Python has as None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end
    escape_output()
