"""``glide-scripts debug FILE``: step through a script in the server's debugger."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, closing, nullcontext
from typing import Annotated

import typer

from . import _options
from ._call_arguments import encoded, fit
from ._callee import refuse_library
from ._coverage import Covered, covered, reported
from ._failure import FAILED, UNUSABLE, Failure
from ._launch import Data, Launch
from ._origin import Origin, origin
from ._seed import seed
from ._servers import Servers, servers


def command(
    file: _options.File = None,
    *,
    code: _options.Code = None,
    root: _options.Root = None,
    keys: _options.Keys = None,
    args: _options.Args = None,
    breaks: Annotated[
        list[str] | None,
        typer.Option(
            "--break",
            "-b",
            metavar="LINE",
            help="A breakpoint: 12, util.lua:12 or '12 if n > 3'; may be repeated.",
        ),
    ] = None,
    dap: Annotated[
        bool,
        typer.Option("--dap", help="Be a debug adapter for an editor, on standard input."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65535, help="With --dap: listen on 127.0.0.1:PORT."
        ),
    ] = None,
    coverage: _options.Coverage = False,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    setup: _options.Setup = None,
    data: _options.Data = None,
    fill: _options.Fill = False,
    traceback: _options.Traceback = False,
) -> None:
    """Step through a Lua script line by line in the server's debugger.

    The script runs in a fork of the server: its writes are discarded, and the server serves other
    clients meanwhile. Line numbers are those of the files, also of included files.

    \b
      step, s            run this line; step into functions
      next, n            run this line, and the functions that it calls
      out, o             run until this function returns
      continue, c        run until a breakpoint, or to the end
      break, b [LINE]    set a breakpoint, at 12, util.lua:12 or 12 if n > 3;
                         or list them
      delete, d [LINE]   remove a breakpoint, or all of them
      list, l [LINE]     show the lines around LINE, or around the current one
      where, w           show the call stack
      up, u; down        look at the calling function; or back
      print, p VALUE     show a variable or an expression
      locals             show all local variables; print alone likewise
      eval, e CODE       run Lua, which sees the local variables
      redis, r COMMAND   run a command, as in: redis get user:1
      abort, a           end the script here
      restart            read the file again, and run it from the start
      quit, q            leave, as does Ctrl-D
      help, h            show these

    While stepping, the script's commands (>) and their replies (<) are shown. An empty line repeats
    the step. A script also stops where it calls redis.breakpoint(). Ctrl-C ends a running script.
    If standard input is not a terminal, its lines are the commands.

    With --coverage, the lines and branches of all runs are reported at the end.

    With --dap, an editor controls the session by the Debug Adapter Protocol; see the guide
    "Debugging from an editor".

    Exit codes: 0 success; 1 the script failed, or a piped command failed; 2 wrong usage, or no
    server could be reached; 130 interrupted.
    """
    from ._debugger import Debugger  # noqa: PLC0415 - saves time at import
    from ._prompt import entered, listed  # noqa: PLC0415 - saves time at import

    if port is not None and not dap:
        raise typer.BadParameter("it needs --dap", param_hint="--port")
    if breaks and dap:
        why = "it cannot be combined with --dap; the editor sets breakpoints"
        raise typer.BadParameter(why, param_hint="--break")
    filling = seed(setup, data, root=root, urls=url, cluster=cluster, may_fill=fill)
    if dap:

        def start(
            urls: Sequence[str] | None, data: Data | None
        ) -> AbstractAsyncContextManager[Servers]:
            # The options are about their server, and not about one that the editor names.
            own = filling if urls == url else None
            if data is not None:
                own = seed(
                    data.setup, data.data, root=root, urls=urls, cluster=cluster, may_fill=fill
                )
            return servers(urls, cluster=cluster, seed=own)

        source = None if file is None and code is None else origin(file, code, root, stdin=False)
        _adapt(
            port,
            Launch(source, encoded(keys), encoded(args), url, coverage=coverage),
            start,
        )
        return
    source = origin(file, code, root, stdin=False)
    script = source.read()
    refuse_library(source, script)
    words = encoded(keys), encoded(args)
    fit(script, source, *words)
    targets = servers(url, cluster=cluster, seed=filling)
    with (
        covered(source, url) if coverage else nullcontext() as measured,
        asyncio.Runner() as runner,
        entered(runner, targets) as target,
    ):
        debugger = Debugger(
            target,
            source,
            *words,
            about=listed(command),
            refill=lambda: runner.run(target.refill()),
            covered=measured,
        )
        with closing(debugger), reported(measured):
            debugger.prepare(script, breaks or [])
            runner.run(_reach(target))
            debugger.start()
            debugger.converse()
    if debugger.has_failed:
        raise typer.Exit(FAILED)


def _adapt(
    port: int | None,
    launch: Launch,
    start: Callable[[Sequence[str] | None, Data | None], AbstractAsyncContextManager[Servers]],
) -> None:
    """Serve an editor, or with a port one after another."""
    from ._dap import Adapter  # noqa: PLC0415 - saves time at import
    from ._dap_stream import ProtocolError, streams  # noqa: PLC0415 - saves time at import
    from ._prompt import entered  # noqa: PLC0415 - saves time at import

    for stream in streams(port):
        with asyncio.Runner() as runner, ExitStack() as stack:

            def enter(urls: Sequence[str] | None, data: Data | None) -> Servers:
                target = stack.enter_context(entered(runner, start(urls, data)))
                runner.run(_reach(target))
                return target

            def cover(source: Origin, urls: Sequence[str] | None) -> Covered:
                return stack.enter_context(covered(source, urls))

            try:
                Adapter(stream, enter, cover, launch).run()
            except (ProtocolError, ConnectionError) as error:
                if port is None:
                    why = f"standard input: {error}; --dap is for editors, not for typing"
                    raise Failure(why, UNUSABLE) from error
                # The next client may do better.
                print(f"glide-scripts: {error}", file=sys.stderr, flush=True)


async def _reach(target: Servers) -> None:
    """Connect as the other commands do, so that errors have the same texts."""
    async with await target.connect():
        pass
