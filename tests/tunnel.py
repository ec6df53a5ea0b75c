"""A TCP tunnel to a server. Tests can redirect it, or let it swallow what goes through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._accepting import stop_accepting


class Tunnel:
    """An address in front of the server that it leads to when a connection is made."""

    def __init__(self, leads_to: ValkeyServer) -> None:
        self.leads_to = leads_to
        self.port = 0
        self.swallowed: set[asyncio.StreamWriter] = set()
        self.made = 0
        self._open: set[asyncio.StreamWriter] = set()

    def swallow(self) -> None:
        """From now on, the present connections deliver nothing."""
        self.swallowed |= self._open


@asynccontextmanager
async def tunnel(server: ValkeyServer) -> AsyncIterator[Tunnel]:
    way = Tunnel(server)
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way._open.add(writer)
        with suppress(OSError):
            while data := await reader.read(65536):
                if writer not in way.swallowed:
                    writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way.made += 1
        target = way.leads_to
        up_reader, up_writer = await asyncio.open_connection(target.host, target.port)
        for task in (copy(reader, up_writer), copy(up_reader, writer)):
            tasks.add(asyncio.create_task(task))

    listening = await asyncio.start_server(serve, server.host, 0)
    way.port = listening.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        await stop_accepting(listening)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for writer in way._open:
            writer.transport.abort()
