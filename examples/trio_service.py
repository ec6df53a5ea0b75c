"""A service under trio that knows new offers from old ones.

    python examples/trio_service.py

starts a temporary server and the service, and sends offers to it over several connections at once.
To run the service alone: ``python examples/trio_service.py valkey://localhost 7000``. The script is
``scripts/rate_limit.lua``.

Each connection is a task of one nursery, and all of them share one client. A caller that gives up
cancels its call: what was not written yet never reaches the server.
"""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import trio

from glide_scripts import ClosingError, GlideClient, RequestError, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))


async def answer(client: GlideClient, stream: trio.SocketStream) -> None:
    """Answer each line of a connection with "new" or "old"."""
    rest = b""
    async with stream:
        async for data in stream:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                await stream.send_all(await verdict(client, line.decode()) + b"\n")


async def verdict(client: GlideClient, offer: str) -> bytes:
    try:
        with trio.fail_after(0.5):
            # Once an hour.
            is_new = await scripts.rate_limit(client, f"offer:{offer}", limit=1, window=3600)
    except (RequestError, ClosingError, trio.TooSlowError):
        return b"unknown"
    return b"new" if is_new else b"old"


async def serve(
    url: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until the task is cancelled. The status is the port."""
    async with await GlideClient.from_url(url) as client, trio.open_nursery() as nursery:
        listening = partial(trio.serve_tcp, partial(answer, client), port, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(listening)
        task_status.started(listeners[0].socket.getsockname()[1])


async def ask(port: int, offers: list[str], answers: list[tuple[str, str]]) -> None:
    """Send offers over one connection."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        for offer in offers:
            await stream.send_all(offer.encode() + b"\n")
            answers.append((offer, (await stream.receive_some()).decode().strip()))


async def main() -> None:
    answers: list[tuple[str, str]] = []
    async with ValkeyServer() as server, trio.open_nursery() as nursery:
        port = await nursery.start(serve, server.url, 0)
        async with trio.open_nursery() as callers:
            for _ in range(4):
                callers.start_soon(ask, port, ["apples", "pears", "plums"], answers)
        nursery.cancel_scope.cancel()
    for offer, verdict in sorted(set(answers)):
        print(f"{offer}: {answers.count((offer, verdict))} × {verdict}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        trio.run(serve, sys.argv[1], int(sys.argv[2]))
    else:
        trio.run(main)
