"""Faults of a server or a cluster, on a test's request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from ._cluster import ValkeyCluster
from ._lifecycle import Startable
from ._proxy import SCRIPT_CALLS, FaultProxy, Matching
from ._server import ValkeyServer
from ._wait import wait_until
from ._wire import ServerReplyError

_PATIENCE = 10.0
# The older name, which all servers know.
_THRESHOLD = "lua-time-limit"


class _Faults(Startable):
    """Faults of the network in front of one or several servers."""

    _proxies: list[FaultProxy]
    _to_lose = False

    def lose_replies(self, count: int = 1, *, matching: Matching = SCRIPT_CALLS) -> None:
        """Let the next calls run, and end their connections before the reply.

        If more calls than `count` are in flight together, the last ones lose their replies, because
        a connection that ends loses all replies that are still to come. In a cluster, this counts
        per node. If no reply was lost, the end of the ``with`` block, or of the test that has the
        fixture, raises `AssertionError`.

        Args:
            count: The number of replies to lose.
            matching: Text or bytes, or several alternatives, that occur in the affected requests,
                such as `"SET"`. The default matches EVAL, EVALSHA, FCALL and their read-only forms.
        """
        for proxy in self._proxies:
            proxy.drop_replies(count, matching=matching)
        self._to_lose = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._check(kind)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, trace)
        self._check(kind)

    def _check(self, kind: type[BaseException] | None) -> None:
        """Otherwise a test would pass without the fault."""
        met = any(each.counts["dropped"] for each in self._proxies)
        if kind is None and self._to_lose and not met:
            raise AssertionError(
                "lose_replies() lost no reply, because no matching request was sent to the url of "
                "the faults; connect your client there, as the fixtures' clients do"
            )


class ServerFaults(_Faults):
    """The faults of a server and of the network in front of it.

        with ServerFaults(server) as faults:
            client = await GlideClient.from_url(faults.url)
            faults.lose_replies()

    Args:
        server: The running server.
    """

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server
        self._proxies = [FaultProxy(server.host, server.port)]

    @property
    def url(self) -> str:
        """The URL of the proxy, for `lose_replies`. The other faults affect every client."""
        return _through(self._proxies, self._server.url)

    def start(self) -> None:
        """Start the proxy. The server must run already. ``with`` does this."""
        self._proxies[0].start()

    def stop(self) -> None:
        """Stop the proxy, not the server. It cannot be started again."""
        self._proxies[0].stop()

    def flush(self) -> None:
        """Remove all scripts and functions from the server, as a restart would."""
        _flush(self._server)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the server busy with another client's script, so that it answers BUSY."""
        with _busy(self._server):
            yield


class ClusterFaults(_Faults):
    """The faults of a cluster and of the network in front of it.

        with ClusterFaults(cluster) as faults:
            client = await GlideClusterClient.from_url(faults.url)
            faults.failover("user:1")

    Args:
        cluster: The running cluster.
    """

    def __init__(self, cluster: ValkeyCluster) -> None:
        self._cluster = cluster
        self._proxies = [FaultProxy(node.host, node.port) for node in cluster.nodes]
        self._started = ExitStack()

    @property
    def url(self) -> str:
        """The URL of the proxy, for `lose_replies`. The other faults affect every client."""
        return _through(self._proxies, self._cluster.url)

    def start(self) -> None:
        """Start a proxy for each node. The cluster must run already. ``with`` does this."""
        with ExitStack() as started:
            for proxy in self._proxies:
                started.enter_context(proxy)
            nodes = zip(self._cluster.nodes, self._proxies, strict=True)
            ports = {node.port: proxy.port for node, proxy in nodes}
            for proxy in self._proxies:
                proxy.rewrite_ports(ports)
            self._started = started.pop_all()

    def stop(self) -> None:
        """Stop the proxies, not the cluster. They cannot be started again."""
        self._started.close()

    def flush(self) -> None:
        """Remove all scripts and functions from all nodes, as a restart would."""
        for node in self._cluster.nodes:
            _flush(node)

    @contextmanager
    def busy(self, key: str | bytes) -> Iterator[None]:
        """Keep the primary of a key busy with another client's script, so that it answers BUSY.

        Args:
            key: The key whose shard gets busy.
        """
        with _busy(self._owner(key)):
            yield

    def failover(self, key: str | bytes, *, timeout: float = 30.0) -> None:
        """Promote a replica of a key's shard. No write is lost; afterwards, all nodes agree.

        It takes about a second. To make calls meanwhile, run it with ``asyncio.to_thread``.

        Args:
            key: A key of the shard.
            timeout: The time limit in seconds.

        Raises:
            LookupError: The shard has no replica.
            TimeoutError: The replica was not promoted in time, or the nodes did not agree.
            ServerReplyError: The replica refused.
        """
        primary = self._owner(key)
        replicas = self._cluster.replicas(of=primary)
        if not replicas:
            raise LookupError(f"{primary} has no replica to take its place")
        self._cluster.failover(replicas[0], timeout=timeout)

    def _owner(self, key: str | bytes) -> ValkeyServer:
        return self._cluster.slot_owner(self._cluster.key_slot(key))


def _through(proxies: list[FaultProxy], url: str) -> str:
    scheme, _, rest = url.partition("://")
    login, at, _ = rest.rpartition("@")
    return f"{scheme}://{login}{at}" + ",".join(f"{each.host}:{each.port}" for each in proxies)


def _flush(server: ValkeyServer) -> None:
    with server.connect() as connection:
        connection.command("SCRIPT", "FLUSH")
        try:
            connection.command("FUNCTION", "FLUSH")
        except ServerReplyError as error:
            # A replica has its primary's functions; a server before Redis 7 knows none.
            if error.code not in ("READONLY", "ERR"):
                raise


@contextmanager
def _busy(server: ValkeyServer) -> Iterator[None]:
    reply = server.command("CONFIG", "GET", _THRESHOLD)
    assert isinstance(reply, list)
    threshold = reply[1]
    assert isinstance(threshold, bytes)
    server.command("CONFIG", "SET", _THRESHOLD, 1)
    running = threading.Thread(target=_run_for_ever, args=(server,), name="busy script")
    running.start()
    try:
        wait_until(lambda: None if _is_busy(server) else f"{server} is not busy", timeout=_PATIENCE)
        yield
    finally:
        # Again, since a first kill may come before the script.
        while running.is_alive():
            _kill_script(server)
            running.join(0.01)
        server.command("CONFIG", "SET", _THRESHOLD, threshold)


def _run_for_ever(server: ValkeyServer) -> None:
    try:
        server.command("EVAL", "while true do end", 0, timeout=3600.0)
    except (OSError, ServerReplyError):
        # Killed, by the fault's end or by the test; or the server was.
        pass


def _is_busy(server: ValkeyServer) -> bool:
    try:
        server.command("PING")
    except ServerReplyError as error:
        return error.code == "BUSY"
    return False


def _kill_script(server: ValkeyServer) -> None:
    try:
        server.command("SCRIPT", "KILL")
    except (OSError, ServerReplyError):
        # No script any more, or no server.
        pass
