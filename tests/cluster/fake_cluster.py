"""A cluster with scripted answers, for cases that a real one does not produce on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.read_command import read_command

from glide_scripts.testing._accepting import stop_accepting

Words = list[bytes]
Answer = bytes | None
"""A reply as it goes over the wire; None: no reply, ever."""

Script = Callable[[Words], Answer | Awaitable[Answer]]

OK = b"+OK\r\n"
LAST_SLOT = 16383


def bulk(data: str | bytes | None) -> bytes:
    if data is None:
        return b"$-1\r\n"
    data = data.encode() if isinstance(data, str) else data
    return b"$%d\r\n%b\r\n" % (len(data), data)


def integer(number: int) -> bytes:
    return b":%d\r\n" % number


def array(*items: bytes) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(items)


def error(text: str) -> bytes:
    return f"-{text}\r\n".encode()


def node(host: str | None, port: int, *about: str) -> bytes:
    """A node in CLUSTER SLOTS."""
    more = [array(*(bulk(word) for word in about))] if about else []
    return array(bulk(host), integer(port), bulk("id"), *more)


def slots(*nodes: bytes, first: int = 0, last: int = LAST_SLOT) -> bytes:
    """A range in CLUSTER SLOTS: its primary and replicas."""
    return array(integer(first), integer(last), *nodes)


class FakeNode:
    """One node. It answers first commands as a server does, and others as a test says."""

    def __init__(self) -> None:
        self.host, self.port = "127.0.0.1", 0
        self.map: Script = lambda _: array(slots(node(self.host, self.port)))
        self.script: Script = lambda _: integer(1)
        self.greeting: Script = lambda _: b"%1\r\n" + bulk("proto") + integer(3)
        self.received: list[Words] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def connections(self) -> set[asyncio.StreamWriter]:
        """Those that are open."""
        return set(self._writers)

    def count(self, *names: str) -> int:
        """Return how many commands with one of these names have arrived."""
        wanted = [name.encode() for name in names]
        return sum(words[0].upper() in wanted for words in self.received)

    def drop_connections(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @asynccontextmanager
    async def listening(self, host: str = "127.0.0.1") -> AsyncIterator[FakeNode]:
        server = await asyncio.start_server(self._serve, host, 0)
        self.host, self.port = server.sockets[0].getsockname()[:2]
        try:
            yield self
        finally:
            await stop_accepting(server)
            self.drop_connections()
            for task in list(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        try:
            while True:
                words = await read_command(reader)
                self.received.append(words)
                reply = self._reply(words)
                if reply is not None and not isinstance(reply, bytes):
                    reply = await reply
                if reply is None:
                    # Later commands get no reply, either: replies come in order.
                    await asyncio.get_running_loop().create_future()
                else:
                    writer.write(reply)
                    await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    def _reply(self, words: Words) -> Answer | Awaitable[Answer]:
        name = words[0].upper()
        if name == b"HELLO":
            return self.greeting(words)
        if name == b"CLUSTER":
            return self.map(words)
        if name in (b"EVALSHA", b"EVAL", b"EVALSHA_RO", b"EVAL_RO"):
            return self.script(words)
        return b"+PONG\r\n" if name == b"PING" else OK
