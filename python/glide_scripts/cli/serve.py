"""``glide-scripts serve``: a temporary server or cluster, until it is ended."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from ..testing import ServerStartError, ValkeyCluster, ValkeyServer
from . import _options
from ._connection import Verbose, When
from ._console import Color
from ._failure import FAILED, UNUSABLE, Failure
from ._seed import Seed, seed
from ._servers import announce, temporary
from ._signals import on_signals

# Seconds. A server that ends by itself ends the command within them.
_LOOK = 0.5


def command(
    *,
    cluster: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1000, help="Start a cluster of N primaries."),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=100, help="With --cluster: the replicas of each primary."
        ),
    ] = 0,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="The port; a cluster's nodes have this one and the next ones. Default: free "
            "ports.",
        ),
    ] = None,
    setup: _options.Setup = None,
    data: _options.Data = None,
    root: _options.Root = None,
    when: When = Color.auto,
    verbose: Verbose = False,
    traceback: _options.Traceback = False,
) -> None:
    """Keep a temporary server or cluster up, and print its URL.

    When the server is ready, its URL is printed as the first line. It listens on 127.0.0.1, keeps
    its data in memory, and stops when this command ends, by Ctrl-C, SIGTERM or otherwise.

    \b
      glide-scripts serve --data data.json > url &
      glide-scripts run take.lua --url "$(cat url)"

    Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 the server ended by itself, or --setup failed; 2
    wrong usage, or the server could not be started.
    """
    if replicas and cluster is None:
        raise typer.BadParameter("it needs --cluster", param_hint="--replicas")
    filling = seed(setup, data, root=root, urls=None, cluster=cluster is not None, may_fill=True)
    asyncio.run(_serve(cluster, replicas, port, filling, verbose=verbose))


async def _serve(
    primaries: int | None, replicas: int, port: int | None, filling: Seed | None, *, verbose: bool
) -> None:
    started: ValkeyServer | ValkeyCluster
    if primaries is None:
        started = ValkeyServer(port=port)
    else:
        started = ValkeyCluster(primaries, replicas, port=port)
    nodes = started.nodes if isinstance(started, ValkeyCluster) else [started]
    async with contextlib.AsyncExitStack() as stack:
        with _port_explained(port):
            await stack.enter_async_context(started)
        target = temporary(started.url, cluster=primaries is not None, seed=filling)
        if verbose:
            announce(target)
        await target.fill()
        is_over = asyncio.Event()
        stack.enter_context(on_signals(is_over.set, signal.SIGINT, signal.SIGTERM))
        print(started.url, flush=True)
        print("glide-scripts: Ctrl-C ends the server", file=sys.stderr, flush=True)
        while not is_over.is_set():
            if not all(node.running for node in nodes):
                raise Failure(f"{started.url} has ended unexpectedly", FAILED)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), _LOOK)


@contextlib.contextmanager
def _port_explained(port: int | None) -> Iterator[None]:
    try:
        yield
    except ServerStartError as error:
        if port is not None and "the port is taken" in str(error):
            why = f"port {port}, or one of those that follow it, is taken; choose another --port"
            raise Failure(why, UNUSABLE) from error
        raise
