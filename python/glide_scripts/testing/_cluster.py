"""A real Valkey cluster on free loopback ports."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from ._agreement import unsettled
from ._cluster_view import View, view_of
from ._lifecycle import Startable
from ._process import ServerStartError
from ._server import ValkeyServer, credentials
from ._slots import even_ranges, key_slot
from ._wait import wait_until
from ._wire import ServerReplyError

_KEYS_A_TIME = 100
_MIGRATE_TIMEOUT_MS = 5_000


class ValkeyCluster(Startable):
    """A cluster of real servers, each a `ValkeyServer`, in memory only, on 127.0.0.1.

        with ValkeyCluster(primaries=3, replicas=1) as cluster:
            cluster.move_slot(cluster.key_slot("user:1"), cluster.primaries()[2])

    After the start, all nodes agree on slots and roles, and replicas are in sync. Needs Valkey, or
    Redis 6.2 or later.

    Args:
        primaries: The number of shards, with evenly spread slots. Automatic failover needs at least
            three.
        replicas: The number of replicas per primary.
        port: The first node's port; the others have the next ones. The default is free ports.
        binary, password, config: As for `ValkeyServer`, for all nodes.
        cluster_node_timeout_ms: The milliseconds after which a silent node counts as failed.
        start_timeout: The time limit in seconds until the cluster is ready.

    Raises:
        ValueError: There is no primary, a negative number of replicas, or a setting in ``config``
            is wrong.
    """

    key_slot = staticmethod(key_slot)

    def __init__(
        self,
        primaries: int = 3,
        replicas: int = 1,
        *,
        port: int | None = None,
        binary: str | os.PathLike[str] | None = None,
        password: str | None = None,
        config: Mapping[str, str] | None = None,
        cluster_node_timeout_ms: int = 2000,
        start_timeout: float = 30.0,
    ) -> None:
        self._nodes: list[ValkeyServer] = []
        for name, value, least in (("primaries", primaries, 1), ("replicas", replicas, 0)):
            if value < least:
                raise ValueError(f"{name} is {value}; pass {least} or more")
        self._shards = primaries
        self._password = password
        self._start_timeout = start_timeout
        settings = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(cluster_node_timeout_ms),
            # Roles change only if a test asks for it or a primary fails.
            "cluster-allow-replica-migration": "no",
            # Some servers list a replica to clients only when something was replicated, as a ping.
            "repl-ping-replica-period": "1",
            **(config or {}),
        }
        self._nodes = [
            ValkeyServer(
                binary=binary,
                port=None if port is None else port + index,
                password=password,
                config=settings,
                start_timeout=start_timeout,
            )
            for index in range(primaries * (1 + replicas))
        ]

    @property
    def nodes(self) -> list[ValkeyServer]:
        """All nodes. Those that started as primaries come first."""
        return list(self._nodes)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The host and port of each node, in the order of `nodes`."""
        return [(node.host, node.port) for node in self._nodes]

    @property
    def url(self) -> str:
        """``valkey://127.0.0.1:port,127.0.0.1:port,…`` with every node."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"valkey://{credentials(self._password)}{hosts}"

    def start(self) -> None:
        """Start all nodes, join them, and wait until the cluster is ready.

        Raises:
            ServerNotFound: No server program was found.
            ServerStartError: A node did not start, or the nodes did not agree in time.
        """
        if any(node.running for node in self._nodes):
            return
        try:
            self._on_all_nodes(ValkeyServer.start)
            self._join()
            self.wait_until_ready(timeout=self._start_timeout)
            wait_until(self._unlisted, timeout=self._start_timeout)
        except TimeoutError as error:
            self.stop()
            raise ServerStartError(f"the cluster is not ready: {error}") from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all nodes and remove their directories. You may stop it twice."""
        self._on_all_nodes(ValkeyServer.stop)

    def wait_until_ready(self, *, timeout: float = 30.0) -> None:
        """Wait until the running nodes agree, serve all slots, and have their replicas in sync.

        Killed and paused nodes must be known as failed.

        Args:
            timeout: The time limit in seconds.

        Raises:
            TimeoutError: With the reason.
        """
        wait_until(lambda: unsettled(self._nodes), timeout=timeout)

    def primaries(self) -> list[ValkeyServer]:
        """The nodes that report that they are primaries. Nodes that do not answer are omitted."""
        return [node for node, view in self._views() if view.myself.is_primary]

    def replicas(self, of: ValkeyServer | None = None) -> list[ValkeyServer]:
        """The nodes that are replicas now.

        Args:
            of: A primary, for its replicas only; None means all.
        """
        primary_id = None if of is None else _id(of)
        return [
            node
            for node, view in self._views()
            if not view.myself.is_primary and primary_id in (None, view.myself.primary_id)
        ]

    def slot_owner(self, slot: int) -> ValkeyServer:
        """The primary that owns a slot; during a change, the new owner.

        Args:
            slot: The slot's number, from 0 to 16383; ``key_slot(key)`` computes it.

        Raises:
            LookupError: No reachable node owns it.
        """
        claims = [
            (view.myself.epoch, node)
            for node, view in self._views()
            if view.myself.is_primary and view.myself.owns(slot)
        ]
        if not claims:
            raise LookupError(f"no node owns slot {slot}")
        return max(claims, key=lambda claim: claim[0])[1]

    def move_slot(self, slot: int, to: ValkeyServer) -> None:
        """Move a slot and its keys to another primary, without downtime.

        Args:
            slot: The slot's number, from 0 to 16383.
            to: The primary that gets it.

        Raises:
            LookupError: No reachable node owns the slot.
            TimeoutError: The primaries do not agree within 10 seconds.
            ServerReplyError: A node refused.
        """
        self.begin_migration(slot, to)
        self.migrate_keys(slot, to)
        self.finish_migration(slot, to)

    def begin_migration(self, slot: int, to: ValkeyServer) -> None:
        """Begin to move a slot: its owner then answers ASK for keys that it lacks.

        Args:
            slot: The slot's number, from 0 to 16383.
            to: The primary that gets it.
        """
        source = self.slot_owner(slot)
        to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(to))

    def migrate_keys(self, slot: int, to: ValkeyServer) -> int:
        """Move the keys of a slot that is being migrated.

        Args:
            slot: The slot's number, from 0 to 16383.
            to: The primary that gets them.

        Returns:
            The number of keys.
        """
        source = self.slot_owner(slot)
        auth = () if self._password is None else ("AUTH", self._password)
        moved = 0
        while keys := _keys_in_slot(source, slot):
            source.command(
                *("MIGRATE", to.host, to.port, "", 0, _MIGRATE_TIMEOUT_MS, *auth, "KEYS", *keys)
            )
            moved += len(keys)
        return moved

    def finish_migration(self, slot: int, to: ValkeyServer) -> None:
        """Give the slot to its new owner, tell all primaries, and wait until all agree.

        Args:
            slot: The slot's number, from 0 to 16383.
            to: The new owner.

        Raises:
            RuntimeError: The old owner still has keys, which would be lost.
            TimeoutError: The primaries do not agree within 10 seconds.
        """
        source = self.slot_owner(slot)
        if _keys_in_slot(source, slot):
            raise RuntimeError(f"slot {slot} has keys left to migrate")
        # The new owner first: in between, the old one still knows where to send callers.
        others = [node for node in self.primaries() if node not in (to, source)]
        for node in (to, source, *others):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", _id(to))
        wait_until(lambda: self._disagreement(slot, to), timeout=10.0)

    def _disagreement(self, slot: int, owner: ValkeyServer) -> str | None:
        """Return the nodes that do not know a slot's owner and epoch.

        Until all do, another move may get the same epoch, and the slot may lose its owner.
        """
        itself = view_of(owner).myself
        for node in self.primaries():
            seen = next(m for m in view_of(node).members if m.id == itself.id)
            if not seen.owns(slot):
                # A late message named the old owner. If the node is told again, it keeps the new
                # one.
                node.command("CLUSTER", "SETSLOT", slot, "NODE", itself.id)
                return f"{node} does not give slot {slot} to {owner}"
            if seen.epoch != itself.epoch:
                return f"{node} does not know the epoch of {owner}"
        return None

    def failover(self, replica: ValkeyServer, *, timeout: float = 30.0) -> None:
        """Promote a replica without losing a write, and wait until all nodes agree.

        Args:
            replica: The node to promote.
            timeout: The time limit in seconds.

        Raises:
            TimeoutError: The replica was not promoted in time, or the nodes did not agree.
            ServerReplyError: The replica refused, for example because the primary is down.
        """
        replica.command("CLUSTER", "FAILOVER")
        wait_until(
            lambda: None if view_of(replica).myself.is_primary else f"{replica} is not a primary",
            timeout=timeout,
        )
        self.wait_until_ready(timeout=timeout)

    def __repr__(self) -> str:
        return f"<ValkeyCluster of {self._nodes}>"

    def _on_all_nodes(self, step: Callable[[ValkeyServer], None]) -> None:
        with ThreadPoolExecutor(len(self._nodes)) as threads:
            for _ in threads.map(step, self._nodes):
                pass

    def _join(self) -> None:
        primaries, replicas = self._nodes[: self._shards], self._nodes[self._shards :]
        for epoch, (node, slots) in enumerate(
            zip(primaries, even_ranges(self._shards), strict=True), start=1
        ):
            # Each slot by itself, since servers before Redis 7 know no ranges here.
            node.command("CLUSTER", "ADDSLOTS", *slots)
            # Distinct from the start: otherwise the nodes take a while to make them distinct.
            node.command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        # Each pair, because gossip takes seconds.
        for index, node in enumerate(self._nodes):
            for other in self._nodes[index + 1 :]:
                node.command("CLUSTER", "MEET", other.host, other.port)
        for index, replica in enumerate(replicas):
            self._attach(replica, _id(primaries[index % self._shards]))

    def _unlisted(self) -> str | None:
        """Return the node that does not list all replicas to clients."""
        for node in self._nodes:
            ranges = node.command("CLUSTER", "SLOTS")
            assert isinstance(ranges, list)
            # First, last, the primary, its replicas.
            listed = sum(len(each) - 3 for each in ranges if isinstance(each, list))
            if listed != len(self._nodes) - self._shards:
                return f"{node} lists {listed} replicas"
        return None

    def _attach(self, replica: ValkeyServer, primary_id: str) -> None:
        wait_until(
            lambda: None if view_of(replica).knows(primary_id) else f"{replica} met no primary",
            timeout=self._start_timeout,
        )
        replica.command("CLUSTER", "REPLICATE", primary_id)

    def _views(self) -> Iterator[tuple[ValkeyServer, View]]:
        for node in self._nodes:
            if node.running and not node.paused:
                try:
                    view = view_of(node)
                except (OSError, ServerReplyError):
                    # Down, loading its data, or busy with a script.
                    continue
                yield node, view


def _id(node: ValkeyServer) -> str:
    identity = node.command("CLUSTER", "MYID")
    assert isinstance(identity, bytes)
    return identity.decode()


def _keys_in_slot(node: ValkeyServer, slot: int) -> list[bytes]:
    keys = node.command("CLUSTER", "GETKEYSINSLOT", slot, _KEYS_A_TIME)
    assert isinstance(keys, list)
    return [key for key in keys if isinstance(key, bytes)]
