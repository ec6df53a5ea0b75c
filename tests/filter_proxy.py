"""A proxy that refuses some commands, as managed services do, in front of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.read_command import read_command
from tests.tls_proxy import copy

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._accepting import stop_accepting

_SAY = "return redis.error_reply(ARGV[1])"

OWN_COMMANDS = [
    "HELLO",
    "CLIENT SETNAME",
    "CLIENT SETINFO",
    "CLIENT INFO",
    "CLIENT",
    "CONFIG",
    "INFO",
    "ROLE",
    "PING",
    "ECHO",
    "SCRIPT",
    "SCRIPT LOAD",
    "COMMAND",
]
"""Commands that any client may send on its own."""

REFUSALS = [
    "ERR unknown command 'it'",
    "NOPERM this user has no permissions to run the 'it' command",
    "forbidden by policy",
]


@dataclass
class Filter:
    """What is refused, and how."""

    refuses: Callable[[list[bytes]], bool]
    words: str | None
    """The error that is answered; None: the connection ends."""
    port: int = 0
    refused: list[bytes] = field(default_factory=list)
    """The commands that were refused."""
    seen: list[list[bytes]] = field(default_factory=list)
    """All commands, in their order."""

    def passes_on(self, command: list[bytes]) -> list[bytes] | None:
        """What the server gets in place of the command, so that replies stay in order."""
        self.seen.append(command)
        if not self.refuses(command):
            return command
        self.refused.append(command[0].upper())
        return None if self.words is None else [b"EVAL", _SAY.encode(), b"0", self.words.encode()]


def naming(*names: str) -> Callable[[list[bytes]], bool]:
    """Commands of a name, ``CONFIG`` or ``CLIENT SETINFO``."""

    def refuses(command: list[bytes]) -> bool:
        words = b" ".join(command[:2]).decode(errors="replace").upper() + " "
        return any(words.startswith(f"{name} ") for name in names)

    return refuses


@asynccontextmanager
async def filter_proxy(
    server: ValkeyServer, refuses: Callable[[list[bytes]], bool], words: str | None
) -> AsyncIterator[Filter]:
    """Gives the filter, whose port of 127.0.0.1 leads to the server."""
    filtering = Filter(refuses, words)
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection(server.host, server.port)
        writers.update((writer, up_writer))
        back = asyncio.create_task(copy(up_reader, writer))
        with suppress(OSError, asyncio.IncompleteReadError):
            while (command := filtering.passes_on(await read_command(reader))) is not None:
                up_writer.write(packed(command))
        up_writer.close()
        writer.close()
        await back

    listening = await asyncio.start_server(serve, server.host, 0)
    filtering.port = listening.sockets[0].getsockname()[1]
    try:
        yield filtering
    finally:
        await stop_accepting(listening)
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def packed(command: list[bytes]) -> bytes:
    words = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)
    return b"*%d\r\n%b" % (len(command), words)
