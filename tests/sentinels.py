"""A primary with replicas and Sentinels; and a Sentinel with scripted answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

from tests.read_command import read_command

from glide_scripts import NodeAddress, SentinelConfiguration
from glide_scripts.testing import ServerReplyError, ValkeySentinel, ValkeyServer
from glide_scripts.testing._accepting import stop_accepting
from glide_scripts.testing._lifecycle import Startable


class Service(Startable):
    """Servers, and the Sentinels that monitor them; a majority decides."""

    name = "main"

    def __init__(
        self,
        *,
        replicas: int = 1,
        sentinels: int = 1,
        password: str | None = None,
        sentinel_password: str | None = None,
    ) -> None:
        self._password, self._sentinel_password = password, sentinel_password
        self._counts = replicas, sentinels
        self._stack = ExitStack()
        self.servers: list[ValkeyServer] = []
        self.sentinels: list[ValkeySentinel] = []

    def start(self) -> None:
        replicas, sentinels = self._counts
        try:
            for index in range(1 + replicas):
                config = {} if index == 0 else {"replicaof": f"127.0.0.1 {self.servers[0].port}"}
                server = ValkeyServer(password=self._password, config=config)
                self.servers.append(self._stack.enter_context(server))
            for _ in range(sentinels):
                sentinel = ValkeySentinel(
                    self.servers[0],
                    service_name=self.name,
                    quorum=sentinels // 2 + 1,
                    password=self._sentinel_password,
                )
                self.sentinels.append(self._stack.enter_context(sentinel))
            for sentinel in self.sentinels:
                sentinel.wait_until_ready(replicas=replicas, sentinels=sentinels - 1)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._stack.close()

    @property
    def primary(self) -> ValkeyServer:
        """The server that the first Sentinel which runs takes for the primary."""
        sentinel = next(one for one in self.sentinels if one.running and not one.paused)
        return self.at(sentinel.primary)

    @property
    def replica(self) -> ValkeyServer:
        """A server that is not the primary."""
        return next(server for server in self.servers if server is not self.primary)

    def at(self, place: tuple[str, int]) -> ValkeyServer:
        return next(server for server in self.servers if server.port == place[1])

    def configuration(self, *others: NodeAddress, **settings: Any) -> SentinelConfiguration:
        """A client's configuration, with further Sentinels before these."""
        addresses = [*others, *(NodeAddress(one.host, one.port) for one in self.sentinels)]
        return SentinelConfiguration(addresses, **{"service_name": self.name, **settings})


def is_primary(server: ValkeyServer) -> bool:
    """Whether a server that runs says that it is one."""
    with suppress(OSError, ServerReplyError):
        role = server.command("ROLE")
        return isinstance(role, list) and role[0] == b"master"
    return False


@asynccontextmanager
async def false_sentinel(
    primary: ValkeyServer | NodeAddress | None, *, epoch: int | None = 0
) -> AsyncIterator[NodeAddress]:
    """A Sentinel that always names this primary, as of an epoch; None: it never answers."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.closing(writer), suppress(OSError, asyncio.IncompleteReadError):
            while True:
                words = await read_command(reader)
                if primary is None:
                    continue
                writer.write(_answer(words, primary, epoch))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield NodeAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        await stop_accepting(server)
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
        await server.wait_closed()


def _answer(words: list[bytes], primary: ValkeyServer | NodeAddress, epoch: int | None) -> bytes:
    match [word.upper() for word in words[:2]]:
        case [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME"]:
            return _array(primary.host, str(primary.port))
        case [b"SENTINEL", b"MASTER"] if epoch is not None:
            return _array("name", words[2].decode(), "config-epoch", str(epoch))
        case [b"SENTINEL", b"REPLICAS"]:
            return b"*0\r\n"
        case [b"SUBSCRIBE", *_]:
            channels = [word.decode() for word in words[1:]]
            return b"".join(_array("subscribe", channel) for channel in channels)
        case _:
            return b"-ERR unknown command\r\n"


def _array(*words: str) -> bytes:
    bulks = (f"${len(word)}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{''.join(bulks)}".encode()
