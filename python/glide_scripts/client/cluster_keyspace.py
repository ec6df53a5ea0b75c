"""What a cluster's client does with keys in another way than that of one server."""

from __future__ import annotations

from typing import Any

from .. import checks
from ..commands import keys, server
from ..commands.cluster_scan import ClusterScanCursor, slots_of_nodes
from ..commands.command import Command
from ..commands.routes import SlotIdRoute, SlotType
from ..commands.scanning import ObjectType, scan
from ..values import TEncodable
from .base import BaseClient
from .sending_in_cluster import ClusterSending


class ClusterKeyspaceCommands(ClusterSending, BaseClient):
    """The part of ``GlideClusterClient`` for scans, copies and messages."""

    async def scan(
        self,
        cursor: ClusterScanCursor,
        match: TEncodable | None = None,
        count: int | None = None,
        type: ObjectType | None = None,
        allow_non_covered_slots: bool = False,
    ) -> list[Any]:
        """Return some keys of the whole cluster, and the cursor for the next ones.

        A key that exists from the first call to the last is returned at least once, even if its
        slot moves to another node meanwhile.

        See https://valkey.io/commands/scan/.

        Args:
            cursor: ``ClusterScanCursor()`` for the first call, then the one that the last call
                returned.
            match: Only keys that match, such as ``"user:*"``; None means all.
            count: About how many keys to look at; None means 10.
            type: Only keys with values of that type; None means all.
            allow_non_covered_slots: Whether to leave out slots that no node has, instead of raising
                an error.

        Returns:
            A list of two: the next cursor, and a list of keys, which may be empty. The scan is over
            when the cursor's ``is_finished()`` is True.

        Raises:
            TypeError: An argument has a wrong type.
            ValueError: ``cursor`` is finished, or ``count`` has more than 64 bits.
            RequestError: A slot has no node, and ``allow_non_covered_slots`` is False.

        Example:
            >>> cursor = ClusterScanCursor()
            >>> while not cursor.is_finished():
            ...     cursor, keys = await client.scan(cursor, match="user:*")
        """
        checks.of_type("cursor", cursor, ClusterScanCursor)
        checks.flag("allow_non_covered_slots", allow_non_covered_slots)
        if cursor.is_finished():
            raise ValueError("cursor is finished; begin another scan with ClusterScanCursor()")
        at = cursor._position
        command = scan(at.cursor, match, count, type)
        if not at.node:
            owners = await _slots_of_nodes(self)
            at = at.on_next_node(owners, skips_uncovered=allow_non_covered_slots)
            if not at.node:
                return [ClusterScanCursor._at(at), []]
        node, (next_cursor, found) = await _with_node_id(self, command, at.slot)
        if node != at.node:
            # No server redirects SCAN, so only this shows that the slot has moved.
            self._core.refresh()
            return [ClusterScanCursor._at(at.again()), found]
        owners_now = await _slots_of_nodes(self) if next_cursor == b"0" else None
        return [ClusterScanCursor._at(at.after(next_cursor, owners_now)), found]

    async def copy(
        self,
        source: TEncodable,
        destination: TEncodable,
        replace: bool | None = None,
        destinationDB: int | None = None,
    ) -> bool:
        """Copy a key's value to another key.

        See https://valkey.io/commands/copy/.

        Args:
            source: The key.
            destination: The other key, in the same slot.
            replace: Whether to replace an existing key; None means no.
            destinationDB: The number of the other key's database; None means the same.

        Returns:
            Whether the value was copied: False if ``source`` does not exist, or ``destination``
            exists and is not replaced.

        Raises:
            TypeError: An argument has a wrong type.
            ValueError: ``destinationDB`` has more than 64 bits.
            CrossSlotError: The keys are in several slots.
            RequestError: There is no such database.
        """
        return await self._execute(keys.copy(source, destination, destinationDB, replace))

    async def publish(self, message: TEncodable, channel: TEncodable, sharded: bool = False) -> int:
        """Publish a message to a channel.

        See https://valkey.io/commands/publish/ and https://valkey.io/commands/spublish/.

        Args:
            message: The message.
            channel: The channel.
            sharded: Whether only the shard of the channel's slot gets it; needs Redis 7.

        Returns:
            The number of clients of the same node that received it.

        Raises:
            TypeError: ``message`` or ``channel`` is not str or bytes, or ``sharded`` is not a bool.
        """
        return await self._execute(server.publish_in_cluster(message, channel, sharded))


# Functions, because the synchronous client has only the methods.
async def _slots_of_nodes(client: ClusterKeyspaceCommands) -> dict[str, int]:
    return slots_of_nodes(await client._routed(Command(["CLUSTER", "SLOTS"]), None))


async def _with_node_id(
    client: ClusterKeyspaceCommands, command: Command[Any], slot: int
) -> tuple[str, Any]:
    """Send a command to a slot's primary; return that node's id and the reply."""
    from .batch import ClusterBatch  # noqa: PLC0415 - saves time at import
    from .batch_options import ClusterBatchOptions  # noqa: PLC0415 - saves time at import

    both = ClusterBatch(is_atomic=False).custom_command(["CLUSTER", "MYID"])._add(command)
    options = ClusterBatchOptions(route=SlotIdRoute(SlotType.PRIMARY, slot))
    replies: Any = await client._exec(both, True, options, None, None)
    node, reply = replies
    return node.decode("ascii"), reply
