"""How a listening server of asyncio stops without leaving a connection open."""

from __future__ import annotations

import asyncio

_TURNS = 10
"""Of the event loop; no connection that was accepted takes more to reach its callback."""


async def stop_accepting(server: asyncio.Server) -> None:
    """Close a listening server once each connection that it has accepted is served.

    asyncio would leave a connection open that was accepted and has not reached its callback.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    server.close()
