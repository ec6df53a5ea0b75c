"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from ._failure import Asked


def _remember(context: typer.Context, is_wanted: bool) -> bool:
    asked: Asked = context.obj
    asked.traceback = is_wanted
    return is_wanted


File = Annotated[Path, typer.Argument(metavar="FILE", help="The script.", show_default=False)]
Keys = Annotated[
    list[str] | None, typer.Option("--key", metavar="K", help="A key, for KEYS; may be repeated.")
]
Args = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="A", help="An argument, for ARGV; may be repeated."),
]
Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Files and folders of scripts.", show_default=False),
]
Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="valkey://[user:password@]host[:port][/db], with several hosts, or repeated, for "
        "several nodes. Default: a temporary server.",
        show_default=False,
    ),
]
Cluster = Annotated[
    bool, typer.Option("--cluster", help="Use a cluster: the one of --url, or a temporary one.")
]
Traceback = Annotated[
    bool,
    typer.Option("--traceback", callback=_remember, help="Show the Python traceback of an error."),
]
