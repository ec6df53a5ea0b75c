"""Reading what a client sends, for servers and proxies that tests make."""

from __future__ import annotations

import asyncio


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    """The words of the next command.

    Raises:
        asyncio.IncompleteReadError: The client has ended the connection.
    """
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words
