"""A TCP proxy that does to a connection what networks do, on command.

    with FaultProxy(server.host, server.port) as proxy:
        client = await GlideClient.from_url(f"valkey://{proxy.host}:{proxy.port}")
        proxy.drop_replies(3)

It runs on an event loop in a thread of its own, so that a client which holds up its caller's loop
does not hold up the fault. Its methods may be called from any thread. ``counts`` tells what was
done, and so proves that a test met the fault that it is about.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ._lifecycle import Startable

T = TypeVar("T")

_CHUNK = 65536
_LITTLE = 16384
_PATIENCE = 10.0
# Zero seconds of lingering: closing sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)
SCRIPT_CALLS = (b"\r\nEVAL", b"\r\nFCALL")
# A script or function that the server does not have has not run.
_MISSING = (b"-NOSCRIPT ", b"-ERR Function not found")
# Where nodes of a cluster name a node's port: in CLUSTER SLOTS, and in redirects.
_PORT = re.compile(
    rb"(?P<before>\$\d+\r\n[\w.:-]+\r\n:|-(?:MOVED|ASK) \d+ [\w.:-]*:)(?P<port>\d+)(?=\r\n)"
)


@dataclass(frozen=True)
class _Loss:
    """What is to become of the reply to a request that holds `matching`."""

    matching: tuple[bytes, ...]
    let_through: int


class FaultProxy(Startable):
    """Passes bytes between clients and one server, until it is told to do something else.

    Args:
        host, port: The server.
        listen_host, listen_port: Where clients connect; 0 is a free port.
    """

    def __init__(
        self, host: str, port: int, *, listen_host: str = "127.0.0.1", listen_port: int = 0
    ) -> None:
        self._upstream = (host, port)
        self.host, self.port = listen_host, listen_port
        self.counts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._listening: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._losses: list[_Loss] = []
        self._swallows = False
        self._flow = asyncio.Event()
        self._flow.set()
        self._delay = 0.0
        self._merge = 0.0
        self._splits = False
        self._ports: dict[int, int] = {}
        self._pace: float | None = None

    # What may go wrong

    def drop_replies(
        self, count: int = 1, *, matching: bytes | tuple[bytes, ...] = SCRIPT_CALLS
    ) -> None:
        """The next requests that hold `matching` are executed; the connection ends unanswered.

        Where the server lacks the script, it says so, and what comes next there is unanswered.

        Args:
            count: How many.
            matching: What is in a request that is meant, or any of several. The default is in
                EVAL, EVALSHA, FCALL and their read-only forms.
        """
        self._lose(count, matching, 0)

    def cut_replies(
        self, count: int = 1, *, after: int = 3, matching: bytes | tuple[bytes, ...] = SCRIPT_CALLS
    ) -> None:
        """As `drop_replies`, but so many bytes of the reply come through before the end."""
        self._lose(count, matching, after)

    def delay_replies(self, seconds: float) -> None:
        """Each piece of a reply comes later by that time."""
        self._do(lambda: setattr(self, "_delay", seconds))

    def merge_replies(self, seconds: float) -> None:
        """What the server sends in that time arrives as one piece."""
        self._do(lambda: setattr(self, "_merge", seconds))

    def split_bytes(self) -> None:
        """Each byte of requests and replies travels alone."""
        self._do(lambda: setattr(self, "_splits", True))

    def hold_replies(self) -> None:
        """Requests come through; replies wait for `clear`."""
        self._do(self._flow.clear)

    def slow_requests(self, bytes_a_second: float) -> None:
        """Requests come through no faster than that; at 0 the proxy reads nothing more of them."""
        self._do(lambda: self._slow_requests(bytes_a_second))

    def reset_all(self) -> int:
        """Ends every open connection with RST, on both sides; how many there were."""
        return self._do(lambda: self._end_all(_Link.reset, "reset"))

    def close_all(self) -> int:
        """Ends every open connection with FIN; how many there were."""
        return self._do(lambda: self._end_all(_Link.end, "closed"))

    def black_hole(self) -> None:
        """Swallows all bytes from now on, of open and of new connections, and closes none.

        What is open now never comes back: after `clear` only new connections work.
        """
        self._do(self._black_hole)

    def swallow_new(self) -> None:
        """Accepts new connections and never says a word on them; open ones go on."""
        self._do(lambda: setattr(self, "_swallows", True))

    def tell_ports(self, ports: Mapping[int, int]) -> None:
        """Has nodes of a cluster send clients to other ports: of proxies, in place of theirs."""
        self._do(lambda: setattr(self, "_ports", dict(ports)))

    def clear(self) -> None:
        """Back to passing bytes on; what was held is let go."""
        self._do(self._clear)

    @property
    def holds(self) -> bool:
        """Whether there is a reply that is held back now."""
        return self._do(lambda: any(link.holds for link in self._links))

    @property
    def open_connections(self) -> int:
        return self._do(lambda: len(self._links))

    # How it is done

    def start(self) -> None:
        """Listens, from when it returns on."""
        self._thread.start()
        self._listening = self._run(self._listen())
        self.host, self.port = self._listening.sockets[0].getsockname()[:2]

    def stop(self) -> None:
        """Ends all connections, and accepts no more. It cannot be started again."""
        self._run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def _do(self, step: Callable[[], T]) -> T:
        async def work() -> T:
            return step()

        return self._run(work())

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, self.port, backlog=1024)

    async def _shut(self) -> None:
        self._clear()
        assert self._listening is not None
        self._listening.close()
        while self._links:
            for link in self._links:
                link.reset()
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run(self._upstream)
        finally:
            link.end()
            self._links.discard(link)

    def _lose(self, count: int, matching: bytes | tuple[bytes, ...], let_through: int) -> None:
        any_of = (matching,) if isinstance(matching, bytes) else matching
        self._do(lambda: self._losses.extend([_Loss(any_of, let_through)] * count))

    def _end_all(self, end: Callable[[_Link], None], counted_as: str) -> int:
        links = list(self._links)
        for link in links:
            end(link)
        self.counts[counted_as] += len(links)
        return len(links)

    def _black_hole(self) -> None:
        self._swallows = True
        for link in self._links:
            link.is_hole = True

    def _slow_requests(self, bytes_a_second: float) -> None:
        self._pace = bytes_a_second
        for link in self._links:
            link.keep_little()

    def _clear(self) -> None:
        self._pace = None
        self._losses.clear()
        self._swallows = self._splits = False
        self._delay = self._merge = 0.0
        self._flow.set()

    def _loss_for(self, data: bytes) -> _Loss | None:
        for loss in self._losses:
            if any(each in data for each in loss.matching):
                self._losses.remove(loss)
                return loss
        return None


class _Link:
    """One client's connection and the proxy's own to the server."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._server: asyncio.StreamWriter | None = None
        self._loss: _Loss | None = None
        self.is_hole = proxy._swallows
        self.holds = False

    async def run(self, upstream: tuple[str, int]) -> None:
        if self.is_hole:
            return await self._swallow(self._reader)
        try:
            replies, self._server = await asyncio.open_connection(*upstream)
        except OSError:
            # As good as refused, which is what the client would have met.
            self._proxy.counts["refused"] += 1
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
        finally:
            self.end()
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
        return None

    def end(self) -> None:
        for writer in (self._writer, self._server):
            if writer is not None:
                # What the client is yet to get of a reply that was cut must still go out.
                writer.close()

    def keep_little(self) -> None:
        """Has the system keep little of what the client sends, but whole segments."""
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _CHUNK
        )

    def reset(self) -> None:
        for writer in (self._writer, self._server):
            if writer is not None and not writer.is_closing():
                linger = writer.get_extra_info("socket")
                linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                self._proxy.counts["swallowed bytes"] += len(data)

    async def _requests(self, server: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await self._reader.read(_CHUNK if self._proxy._pace is None else _LITTLE):
                if self._proxy._pace is not None:
                    self._proxy.counts["slowed bytes"] += len(data)
                    await self._at_pace(len(data))
                if self.is_hole:
                    self._proxy.counts["swallowed bytes"] += len(data)
                    continue
                if self._loss is None:
                    self._loss = self._proxy._loss_for(data)
                await self._send(server, data)

    async def _at_pace(self, count: int) -> None:
        due, loop = 0.0, asyncio.get_running_loop()
        begun = loop.time()
        while (pace := self._proxy._pace) is not None and (not pace or due < count):
            await asyncio.sleep(0.01)
            due = (loop.time() - begun) * pace

    async def _replies(self, reader: asyncio.StreamReader) -> None:
        proxy = self._proxy
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._loss is not None and not data.startswith(_MISSING):
                    # The server has answered: what it was asked has been executed.
                    through = min(self._loss.let_through, len(data) - 1)
                    proxy.counts["cut" if through else "dropped"] += 1
                    self._writer.write(data[:through])
                    return
                if proxy._ports:
                    data = _PORT.sub(self._told_port, data)
                if proxy._merge:
                    proxy.counts["merged"] += 1
                    data += await self._more(reader, proxy._merge)
                if proxy._delay:
                    proxy.counts["delayed"] += 1
                    await asyncio.sleep(proxy._delay)
                if not proxy._flow.is_set():
                    proxy.counts["held"] += 1
                    self.holds = True
                    await proxy._flow.wait()
                    self.holds = False
                if self.is_hole:
                    proxy.counts["swallowed bytes"] += len(data)
                    continue
                await self._send(self._writer, data)
        if self.is_hole:
            # The server has gone; of a black hole the client does not hear even that.
            await asyncio.get_running_loop().create_future()

    def _told_port(self, told: re.Match[bytes]) -> bytes:
        port = int(told["port"])
        return b"%b%d" % (told["before"], self._proxy._ports.get(port, port))

    async def _more(self, reader: asyncio.StreamReader, seconds: float) -> bytes:
        more = bytearray()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while data := await reader.read(_CHUNK):
                    more += data
        return bytes(more)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if self._proxy._splits:
            self._proxy.counts["split bytes"] += len(data)
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                # Written at once, since nothing waits before it; a turn of the loop for each byte.
                await asyncio.sleep(0)
        else:
            writer.write(data)
        await writer.drain()
