"""One client's connection through a `FaultProxy`."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct

from ._damage import Damage
from ._unanswered import Unanswered

_CHUNK = 65536
_LITTLE = 16384
# In seconds. Within this time, calls that were made together have all reached the proxy.
_BURST = 0.02
# Zero seconds of lingering: closing sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)
# Where nodes of a cluster name a node's port: in CLUSTER SLOTS, and in redirects.
_PORT = re.compile(
    rb"(?P<before>\$\d+\r\n[\w.:-]+\r\n:|-(?:MOVED|ASK) \d+ [\w.:-]*:)(?P<port>\d+)(?=\r\n)"
)


class Link:
    """One client's connection and the proxy's own to the server."""

    def __init__(
        self, damage: Damage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._damage = damage
        self._reader, self._writer = reader, writer
        self._server: asyncio.StreamWriter | None = None
        self._unanswered = Unanswered(damage)
        self.is_hole = damage.swallows
        self.holds = False

    async def run(self, upstream: tuple[str, int]) -> None:
        if self.is_hole:
            return await self._swallow(self._reader)
        try:
            replies, self._server = await asyncio.open_connection(*upstream)
        except OSError:
            # To the client, this is like a refused connection.
            self._damage.counts["refused"] += 1
            return self.reset()
        if self._writer.is_closing():
            # Ended while it was being connected.
            return self.end()
        pumps = [
            asyncio.ensure_future(self._requests(self._server)),
            asyncio.ensure_future(self._replies(replies)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self._unanswered.is_lost:
                await asyncio.wait(pumps)
        finally:
            self.end()
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
        return None

    def end(self) -> None:
        for writer in (self._writer, self._server):
            if writer is not None:
                # Bytes for the client that are still buffered must be sent first.
                writer.close()

    async def closed(self) -> None:
        """End it, and wait until its sockets are closed."""
        self.end()
        for writer in (self._writer, self._server):
            if writer is not None:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def keep_little(self) -> None:
        """Let the system buffer little of what the client sends, but whole segments."""
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _CHUNK
        )

    def reset(self) -> None:
        for writer in (self._writer, self._server):
            if writer is not None:
                with contextlib.suppress(OSError):
                    linger = writer.get_extra_info("socket")
                    linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                self._damage.counts["swallowed bytes"] += len(data)

    async def _requests(self, server: asyncio.StreamWriter) -> None:
        damage = self._damage
        with contextlib.suppress(OSError):
            while data := await self._reader.read(_CHUNK if damage.pace is None else _LITTLE):
                if damage.pace is not None:
                    damage.counts["slowed bytes"] += len(data)
                    await self._at_pace(len(data))
                if self.is_hole:
                    damage.counts["swallowed bytes"] += len(data)
                    continue
                self._unanswered.ask(data)
                await self._send(server, data)
            if self._unanswered.is_lost:
                server.write_eof()

    async def _at_pace(self, count: int) -> None:
        due, loop = 0.0, asyncio.get_running_loop()
        begun = loop.time()
        while (pace := self._damage.pace) is not None and (not pace or due < count):
            await asyncio.sleep(0.01)
            due = (loop.time() - begun) * pace

    async def _replies(self, reader: asyncio.StreamReader) -> None:
        damage = self._damage
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if damage.merge:
                    damage.counts["merged"] += 1
                    data += await self._more(reader, damage.merge)
                if self._unanswered.may_be_lost:
                    await asyncio.sleep(_BURST)
                    self._unanswered.choose()
                data = self._unanswered.answer(data)
                if damage.ports:
                    data = _PORT.sub(self._told_port, data)
                if damage.delay:
                    damage.counts["delayed"] += 1
                    await asyncio.sleep(damage.delay)
                if not damage.flow.is_set():
                    damage.counts["held"] += 1
                    self.holds = True
                    await damage.flow.wait()
                    self.holds = False
                if self.is_hole:
                    damage.counts["swallowed bytes"] += len(data)
                    continue
                await self._send(self._writer, data)
                if self._unanswered.is_lost:
                    return await self._execute_the_rest(reader)
        if self.is_hole:
            # The server has gone; of a black hole the client does not hear even that.
            await asyncio.get_running_loop().create_future()
        return None

    async def _execute_the_rest(self, replies: asyncio.StreamReader) -> None:
        """End the client's connection, and wait until the server has executed all requests.

        If the proxy closed its own connection now, with replies unread, that would be reset, and
        the server might leave requests unread.
        """
        self._writer.write_eof()
        while await replies.read(_CHUNK):
            pass

    def _told_port(self, told: re.Match[bytes]) -> bytes:
        port = int(told["port"])
        return b"%b%d" % (told["before"], self._damage.ports.get(port, port))

    async def _more(self, reader: asyncio.StreamReader, seconds: float) -> bytes:
        more = bytearray()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while data := await reader.read(_CHUNK):
                    more += data
        return bytes(more)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if self._damage.splits:
            self._damage.counts["split bytes"] += len(data)
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                # Written at once, since nothing waits before it; a turn of the loop for each byte.
                await asyncio.sleep(0)
        else:
            writer.write(data)
        await writer.drain()
