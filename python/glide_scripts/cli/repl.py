"""``glide-scripts repl``: evaluate Lua on a server."""

import asyncio

import typer

from . import _options
from ._failure import FAILED
from ._seed import seed
from ._servers import servers

# Milliseconds: a piece of Lua ends when it ends, or with Ctrl-C.
_PATIENCE = 24 * 60 * 60 * 1000
# No one else waits for a temporary server, so a script can be killed at once.
_OWN = {"busy-reply-threshold": "50"}


def command(
    *,
    keys: _options.Keys = None,
    args: _options.Args = None,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    setup: _options.Setup = None,
    data: _options.Data = None,
    fill: _options.Fill = False,
    traceback: _options.Traceback = False,
) -> None:
    """Evaluate Lua as scripts run it, and print the replies as Python values.

    An expression needs no "return". If a server's reply loses a part of a value, such as the
    fraction of a number, a terminal also shows the value as it is in Lua. A block continues until
    it is complete. Tab completes names, and commands after redis.call('. Each piece runs
    separately, with its own local variables. The history is kept in $XDG_STATE_HOME/glide-scripts.

    \b
      :keys [KEY...]     set KEYS for what follows; quotes as in a shell
      :args [ARG...]     set ARGV
      :load FILE         run a file; if it returns nothing, keep what it defines
      :lua EXPRESSION    show a value as it is in Lua: 3.7, {a = 1}
      :help, help        show these
      :quit, exit        leave, as does Ctrl-D

    Ctrl-C discards the current input, or kills the running script. Alt-Enter inserts a line break
    even if the block is complete. If standard input is not a terminal, its lines are evaluated.

    Exit codes: 0 success; 1 a piped line failed; 2 wrong usage, or no server could be reached; 130
    interrupted.
    """
    from ._prompt import entered, listed  # noqa: PLC0415 - saves time at import
    from ._read_eval_print import Loop  # noqa: PLC0415 - saves time at import

    filling = seed(setup, data, root=None, urls=url, cluster=cluster, may_fill=fill)
    own = servers(url, cluster=cluster, seed=filling, config=_OWN)
    with asyncio.Runner() as runner, entered(runner, own) as target:
        client = runner.run(target.connect(request_timeout=_PATIENCE))
        with entered(runner, client):
            about = listed(command)
            loop = Loop(runner, client, target, keys=keys or [], args=args or [], about=about)
            loop.run()
    if loop.has_failed:
        raise typer.Exit(FAILED)
