"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ._encoding import make_output_json
from ._failure import Asked


def _remember(context: typer.Context, is_wanted: bool) -> bool:
    asked: Asked = context.obj
    asked.traceback = is_wanted
    return is_wanted


File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="The script; - for standard input, which is the default in a pipe."
    ),
]
Code = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        metavar="CODE",
        help="The script's text, instead of a file; more of them are more lines.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="The folder that included files must be in. Default: root of [tool.glide-scripts] in "
        "pyproject.toml.",
    ),
]
Function = Annotated[
    str | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="The function to call, if the file is a library of functions.",
    ),
]
Keys = Annotated[
    list[str] | None, typer.Option("--key", metavar="K", help="A key, for KEYS; may be repeated.")
]
Args = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="A", help="An argument, for ARGV; may be repeated."),
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]...",
        help="Files and folders of scripts; - for standard input, which is the default in a pipe.",
    ),
]
_URL = (
    "valkey://[user:password@]host[:port][/db]; for several nodes, write several hosts or repeat "
    "the option."
)
Urls = Annotated[
    list[str] | None,
    typer.Option("--url", metavar="URL", help=f"{_URL} Default: a temporary server."),
]
RequiredUrls = Annotated[
    list[str] | None, typer.Option("--url", metavar="URL", help=f"{_URL} Required.")
]
Cluster = Annotated[
    bool, typer.Option("--cluster", help="Use a cluster: the one of --url, or a temporary one.")
]
Setup = Annotated[
    list[Path] | None,
    typer.Option(
        "--setup",
        metavar="FILE",
        help="Fill the temporary server first: with commands, one a line, or a .lua file; may be "
        "repeated.",
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="JSON",
        help="Fill the temporary server first, with keys and values: a JSON file, or JSON itself; "
        "may be repeated.",
    ),
]
Fill = Annotated[
    bool, typer.Option("--fill-url", help="Let --setup and --data write to the server of --url.")
]
Coverage = Annotated[
    bool,
    typer.Option(
        "--coverage", help="At the end, report to standard error which lines and branches ran."
    ),
]


def _remember_json(context: typer.Context, is_wanted: bool) -> bool:
    asked: Asked = context.obj
    asked.as_json = is_wanted
    if is_wanted:
        make_output_json()
    return is_wanted


def json_option(about: str) -> Any:
    """``--json``, with which errors are JSON, too."""
    return typer.Option("--json", callback=_remember_json, is_eager=True, help=about)


Traceback = Annotated[
    bool,
    typer.Option("--traceback", callback=_remember, help="Show the Python traceback of an error."),
]
