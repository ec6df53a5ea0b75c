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
Keys = Annotated[list[str] | None, typer.Option("--key", metavar="K", help="KEYS, one each time.")]
Args = Annotated[list[str] | None, typer.Option("--arg", metavar="A", help="ARGV, one each time.")]
Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Files and folders of scripts.", show_default=False),
]
Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="valkey://[user:password@]host[:port][/db], with several hosts or several times for "
        "several nodes. Default: a server of its own.",
        show_default=False,
    ),
]
Cluster = Annotated[
    bool, typer.Option("--cluster", help="On a cluster: the URL's, or one of its own.")
]
Traceback = Annotated[
    bool,
    typer.Option(
        "--traceback", callback=_remember, help="Show where in Python an error came from."
    ),
]
