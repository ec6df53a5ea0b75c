"""TLS in front of the embedded server, which has none."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._accepting import stop_accepting


@asynccontextmanager
async def tls_proxy(server: ValkeyServer, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Gives the port of 127.0.0.1 where the server is reached over TLS."""
    writers: list[asyncio.StreamWriter] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        writers.append(writer)
        try:
            up_reader, up_writer = await asyncio.open_connection(server.host, server.port)
        except OSError:
            writer.close()
            return
        writers.append(up_writer)
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

    listening = await asyncio.start_server(serve, server.host, 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        await stop_accepting(listening)
        while any(task and not task.done() for task in serving):
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0)
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()
        await listening.wait_closed()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
