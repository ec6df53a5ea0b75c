"""``glide-scripts run FILE.lua``: run a script file and print what it returns."""

import argparse
import asyncio
import builtins
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from .. import (
    GlideClient,
    GlideClusterClient,
    GlideError,
    RequestError,
    Script,
    ScriptError,
    ScriptSourceError,
)
from ..testing import ServerNotFound, ServerStartError, ValkeyCluster, ValkeyServer
from ._failure import Failure
from ._json import to_json

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_FAILED = 1
_UNREACHABLE = 2

_EPILOG = """\
With --json: bytes are text, or {"base64": "..."} when they are not UTF-8; nan and infinite
numbers are the strings "nan", "inf" and "-inf"; sets are lists; errors inside a reply are
{"error": "..."}; keys of maps are strings.

Exit codes: 0 done; 1 the script or a request failed; 2 wrong usage, or no server to be reached;
130 interrupted.
"""


def add_command(commands: "Commands") -> None:
    """Declare the subcommand and its options."""
    parser = commands.add_parser(
        "run",
        help="run a script file and print its reply",
        description="Run a Lua script on a server, and print its reply, one line a call.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE.lua", help="the script")
    add("--key", dest="keys", action="append", default=[], metavar="K", help="KEYS, one each time")
    add("--arg", dest="args", action="append", default=[], metavar="A", help="ARGV, one each time")
    add("--url", help="valkey://[user:password@]host[:port][/db]; default: a server of its own")
    add("--cluster", action="store_true", help="--url is a cluster's; default: one of its own")
    add("--repeat", type=_count, default=1, metavar="N", help="how many calls (default: 1)")
    add("--json", action="store_true", help="print replies as JSON instead of Python")
    add("--time", action="store_true", help="print each call's milliseconds, on standard error")
    add("--traceback", action="store_true", help="show where in Python an error came from")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the script as the options say, printing replies.

    Raises `Failure` for whatever is not a bug in here.
    """
    script = _script(options.file)
    try:
        asyncio.run(_run(script, options))
    except ScriptError as error:
        raise Failure(_told(error, options.file), _FAILED) from error
    except (ServerNotFound, ServerStartError) as error:
        raise Failure(str(error), _UNREACHABLE) from error
    except GlideError as error:
        lost = isinstance(error, builtins.ConnectionError)
        answered = isinstance(error, RequestError) and not lost
        raise Failure(str(error), _FAILED if answered else _UNREACHABLE) from error


async def _run(script: Script, options: argparse.Namespace) -> None:
    # As the shell gave them: the bytes, whether or not they are text.
    keys = [os.fsencode(key) for key in options.keys]
    args = [os.fsencode(arg) for arg in options.args]
    kind = GlideClusterClient if options.cluster else GlideClient
    async with _url(options) as url, await kind.from_url(url) as client:
        for _ in range(options.repeat):
            start = time.perf_counter()
            reply = await client.invoke_script(script, keys, args)
            elapsed = time.perf_counter() - start
            print(to_json(reply) if options.json else repr(reply), flush=True)
            if options.time:
                print(f"{elapsed * 1000:.3f} ms", file=sys.stderr)


@contextlib.asynccontextmanager
async def _url(options: argparse.Namespace) -> AsyncIterator[str]:
    if options.url is not None:
        yield options.url
    elif options.cluster:
        async with ValkeyCluster() as cluster:
            yield cluster.url
    else:
        async with ValkeyServer() as server:
            yield server.url


def _script(file: Path) -> Script:
    try:
        code = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", _UNREACHABLE) from error
    try:
        code.decode()
    except UnicodeDecodeError:
        # It cannot include others, and runs all the same.
        return Script(code, name=str(file))
    try:
        return Script.from_file(file, name=str(file))
    except ScriptSourceError as error:
        raise Failure(str(error), _UNREACHABLE) from error


def _told(error: ScriptError, file: Path) -> str:
    """The whole text of the error, with the place in the file before it."""
    if error.line is None:
        return f"{file}: {error}"
    return f"{error.file or file}:{error.line}: {error}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of calls")
    return int(text)
