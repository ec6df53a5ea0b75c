"""WAIT, so that it counts the replicas that have the writes of the shared connection.

The server waits for what the same connection wrote last. So one of the library's connections first
writes, and then waits: replicas get that write after all earlier ones.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from .shared_client import SharedClient

_WRITE = "redis.call('SET', KEYS[1], '') return redis.call('DEL', KEYS[1])"


def after_a_write(client: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return a pipeline that writes and waits. A message that is published goes to replicas."""
    pipeline = client.pipeline(transaction=False)
    pipeline.publish("glide_scripts:wait", "")
    pipeline.execute_command(*args, **options)
    return pipeline


def write_on(
    cluster: Any, shared: SharedClient, node: Any, args: tuple[Any, ...]
) -> tuple[Any, ...] | None:
    """Return the command that writes on a cluster's node before a command that waits.

    A cluster does not send published messages to replicas as it sends writes, so that this writes
    and deletes a key, in one step.

    Returns:
        None if the command does not wait, or if the node has no slots.
    """
    if not shared.waits_for_replicas(args):
        return None
    slots = cluster.nodes_manager.slots_cache
    own = {slot for slot, nodes in slots.items() if nodes[0].name == node.name}
    if not own:
        return None
    keys = (f"glide_scripts:wait:{{{number}}}" for number in count())
    return "EVAL", _WRITE, 1, next(key for key in keys if cluster.keyslot(key) in own)
