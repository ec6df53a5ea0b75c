"""A TCP proxy that causes network faults on command.

    with FaultProxy(server.host, server.port) as proxy:
        client = await GlideClient.from_url(f"valkey://{proxy.host}:{proxy.port}")
        proxy.drop_replies(3)

It runs on its own event loop in its own thread, so a client that blocks the test's loop does not
delay the fault. You may call its methods from any thread. ``counts`` shows what was done, which
proves that the fault occurred.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias, TypeVar

from .. import checks
from ._accepting import stop_accepting
from ._damage import Damage, Loss
from ._lifecycle import Startable
from ._link import Link

T = TypeVar("T")

_PATIENCE = 10.0
SCRIPT_CALLS = (b"\r\nEVAL", b"\r\nFCALL")
Matching: TypeAlias = str | bytes | tuple[str | bytes, ...]
"""What occurs in the requests that a fault is for; one of several."""


class FaultProxy(Startable):
    """A proxy that passes bytes between clients and a server, and causes faults on command.

    Args:
        host, port: The server's address.
        listen_host, listen_port: The address for clients; port 0 chooses a free port.
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
        """How often each fault occurred, by its name: ``"dropped"``, ``"reset"``, ``"closed"``."""
        return self._damage.counts

    # What may go wrong

    def drop_replies(self, count: int = 1, *, matching: Matching = SCRIPT_CALLS) -> None:
        """Let the next requests with `matching` run, and end the connection before the reply.

        Requests that were sent earlier get their replies. Requests sent later on that connection
        also run without a reply. So if more requests than `count` are in flight together, the last
        ones get no reply.

        A request for a script that the server lacks gets its reply and does not count. A
        transaction is one request; EXEC is its reply.

        Args:
            count: The number of replies to drop.
            matching: Text or bytes, or several alternatives, that occur in the affected requests,
                such as `"SET"`. The default matches EVAL, EVALSHA, FCALL and their read-only forms.
        """
        self._lose(count, matching, 0)

    def cut_replies(
        self, count: int = 1, *, after: int = 3, matching: Matching = SCRIPT_CALLS
    ) -> None:
        """Like `drop_replies`, but pass the first bytes of the reply before the end.

        Args:
            count: The number of replies to cut.
            after: The number of bytes to pass.
            matching: As for `drop_replies`.
        """
        self._lose(count, matching, after)

    def delay_replies(self, seconds: float) -> None:
        """Delay each piece of a reply by a number of seconds."""
        self._do(lambda: setattr(self._damage, "delay", seconds))

    def merge_replies(self, seconds: float) -> None:
        """Collect the server's bytes for a number of seconds, and pass them in one piece."""
        self._do(lambda: setattr(self._damage, "merge", seconds))

    def split_bytes(self) -> None:
        """Pass each byte of requests and replies separately."""
        self._do(lambda: setattr(self._damage, "splits", True))

    def hold_replies(self) -> None:
        """Pass requests, and hold replies back until `clear`."""
        self._do(self._damage.flow.clear)

    def slow_requests(self, bytes_a_second: float) -> None:
        """Pass requests with at most ``bytes_a_second``; at 0, the proxy stops reading them."""
        self._do(lambda: self._slow_requests(bytes_a_second))

    def reset_all(self) -> int:
        """End all open connections with RST on both sides; return their number."""
        return self._do(lambda: self._end_all(Link.reset, "reset"))

    def close_all(self) -> int:
        """End all open connections with FIN; return their number."""
        return self._do(lambda: self._end_all(Link.end, "closed"))

    def black_hole(self) -> None:
        """Swallow all bytes of open and new connections from now on, and close none.

        Connections that are open now never recover: after `clear`, only new ones work.
        """
        self._do(self._black_hole)

    def swallow_new(self) -> None:
        """Accept new connections but never answer on them; open ones continue."""
        self._do(lambda: setattr(self._damage, "swallows", True))

    def rewrite_ports(self, ports: Mapping[int, int]) -> None:
        """Replace the ports in the replies of a cluster's nodes by those of proxies."""
        self._do(lambda: setattr(self._damage, "ports", dict(ports)))

    def clear(self) -> None:
        """Stop all faults, and release the held replies."""
        self._do(self._damage.clear)

    @property
    def holds(self) -> bool:
        """Whether a reply is held back now."""
        return self._do(lambda: any(link.holds for link in self._links))

    @property
    def open_connections(self) -> int:
        """The number of connections of clients that are open now."""
        return self._do(lambda: len(self._links))

    # How it is done

    def start(self) -> None:
        """Start listening."""
        self._thread.start()
        self._listening = self._run(self._listen())
        self.host, self.port = self._listening.sockets[0].getsockname()[:2]

    def stop(self) -> None:
        """End all connections and accept no more. It cannot be started again."""
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
        await stop_accepting(self._listening)
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

    def _lose(self, count: int, matching: Matching, let_through: int) -> None:
        checks.positive("count", count, "how many replies are to be lost")
        alternatives = matching if isinstance(matching, tuple) else (matching,)
        for each in alternatives:
            checks.encodable("matching", each)
        any_of = tuple(each.encode() if isinstance(each, str) else each for each in alternatives)
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
