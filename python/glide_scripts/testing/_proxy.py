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
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from .. import checks
from ._damage import Damage, Loss
from ._lifecycle import Startable
from ._link import Link

T = TypeVar("T")

_PATIENCE = 10.0
SCRIPT_CALLS = (b"\r\nEVAL", b"\r\nFCALL")


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
        self._damage = Damage()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._listening: asyncio.Server | None = None
        self._links: set[Link] = set()

    @property
    def counts(self) -> Counter[str]:
        """How often which fault was done."""
        return self._damage.counts

    # What may go wrong

    def drop_replies(
        self, count: int = 1, *, matching: bytes | tuple[bytes, ...] = SCRIPT_CALLS
    ) -> None:
        """The next requests that hold `matching` are executed; the connection ends unanswered.

        What was sent before them is answered. What was sent after them on that connection is
        executed and unanswered, too. So of more requests than `count` that are in flight
        together, the last ones are those that get no reply.

        A request for a script that the server lacks is answered, and does not count. A
        transaction is one request, which its EXEC answers.

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
        self._do(lambda: setattr(self._damage, "delay", seconds))

    def merge_replies(self, seconds: float) -> None:
        """What the server sends in that time arrives as one piece."""
        self._do(lambda: setattr(self._damage, "merge", seconds))

    def split_bytes(self) -> None:
        """Each byte of requests and replies travels alone."""
        self._do(lambda: setattr(self._damage, "splits", True))

    def hold_replies(self) -> None:
        """Requests come through; replies wait for `clear`."""
        self._do(self._damage.flow.clear)

    def slow_requests(self, bytes_a_second: float) -> None:
        """Requests come through no faster than that; at 0 the proxy reads nothing more of them."""
        self._do(lambda: self._slow_requests(bytes_a_second))

    def reset_all(self) -> int:
        """Ends every open connection with RST, on both sides; how many there were."""
        return self._do(lambda: self._end_all(Link.reset, "reset"))

    def close_all(self) -> int:
        """Ends every open connection with FIN; how many there were."""
        return self._do(lambda: self._end_all(Link.end, "closed"))

    def black_hole(self) -> None:
        """Swallows all bytes from now on, of open and of new connections, and closes none.

        What is open now never comes back: after `clear` only new connections work.
        """
        self._do(self._black_hole)

    def swallow_new(self) -> None:
        """Accepts new connections and never says a word on them; open ones go on."""
        self._do(lambda: setattr(self._damage, "swallows", True))

    def tell_ports(self, ports: Mapping[int, int]) -> None:
        """Has nodes of a cluster send clients to other ports: of proxies, in place of theirs."""
        self._do(lambda: setattr(self._damage, "ports", dict(ports)))

    def clear(self) -> None:
        """Back to passing bytes on; what was held is let go."""
        self._do(self._damage.clear)

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
        self._damage.clear()
        assert self._listening is not None
        self._listening.close()
        # Also the tasks of connections that were just accepted.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for link in self._links:
                link.reset()
            await asyncio.wait(tasks, timeout=0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        link = Link(self._damage, reader, writer)
        self._links.add(link)
        try:
            await link.run(self._upstream)
        finally:
            await link.closed()
            self._links.discard(link)

    def _lose(self, count: int, matching: bytes | tuple[bytes, ...], let_through: int) -> None:
        checks.positive("count", count, "how many replies are to be lost")
        any_of = (matching,) if isinstance(matching, bytes) else matching
        self._do(lambda: self._damage.losses.extend([Loss(any_of, let_through)] * count))

    def _end_all(self, end: Callable[[Link], None], counted_as: str) -> int:
        links = list(self._links)
        for link in links:
            end(link)
        self.counts[counted_as] += len(links)
        return len(links)

    def _black_hole(self) -> None:
        self._damage.swallows = True
        for link in self._links:
            link.is_hole = True

    def _slow_requests(self, bytes_a_second: float) -> None:
        self._damage.pace = bytes_a_second
        for link in self._links:
            link.keep_little()
