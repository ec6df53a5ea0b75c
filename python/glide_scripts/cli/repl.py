"""``glide-scripts repl``: evaluate Lua on a server."""

import asyncio
import inspect

import typer

from . import _options
from ._failure import FAILED
from ._servers import servers

# Milliseconds: a piece of Lua ends when it ends, or with Ctrl-C.
_PATIENCE = 24 * 60 * 60 * 1000
# With a server of its own nobody else waits, so a script can be killed at once.
_OWN = {"busy-reply-threshold": "50"}


def command(
    keys: _options.Keys = None,
    args: _options.Args = None,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    traceback: _options.Traceback = False,
) -> None:
    """Evaluate Lua as scripts run it, on a scratch server, and print the replies as Python.

    An expression needs no "return". A block goes on until it is complete. Tab completes commands
    after redis.call(', and names. Each piece runs by itself: a local variable ends with it. What is
    typed is kept as history in $XDG_STATE_HOME/glide-scripts.

    \b
      :keys [KEY...]     set KEYS for what follows; quotes as in a shell
      :args [ARG...]     set ARGV
      :help              show these
      :quit              leave; Ctrl-D likewise

    Ctrl-C drops what is being typed, or kills the script that the server runs. Alt-Enter begins a
    line without asking whether the block is complete. If standard input is no terminal, its lines
    are evaluated.

    Exit codes: 0 done; 1 of the lines of a pipe, one failed; 2 wrong usage, or no server to be
    reached; 130 interrupted.
    """
    from ._prompt import entered  # noqa: PLC0415 - saves time at import
    from ._read_eval_print import Loop  # noqa: PLC0415 - saves time at import

    own = servers(url, cluster=cluster, config=_OWN)
    with asyncio.Runner() as runner, entered(runner, own) as target:
        client = runner.run(target.connect(request_timeout=_PATIENCE))
        with entered(runner, client):
            loop = Loop(runner, client, target, keys=keys or [], args=args or [], about=_about())
            loop.run()
    if loop.has_failed:
        raise typer.Exit(FAILED)


def _about() -> str:
    """The settings, as the help has them."""
    about = inspect.getdoc(command) or ""
    return about.partition("\b\n")[2].partition("\n\n")[0]
