"""Hash slots."""

import binascii
import itertools

SLOTS = 16_384


def key_slot(key: str | bytes) -> int:
    """The slot of a key: 0 to 16383. With a ``{tag}`` in the key, the tag decides.

    https://valkey.io/topics/cluster-spec/#key-distribution-model
    """
    data = key.encode() if isinstance(key, str) else key
    _, opened, rest = data.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    if opened and closed and tag:
        data = tag
    return binascii.crc_hqx(data, 0) % SLOTS


def even_ranges(shards: int) -> list[range]:
    """All slots, cut into `shards` ranges of nearly the same length."""
    cuts = [SLOTS * shard // shards for shard in range(shards + 1)]
    return [range(first, end) for first, end in itertools.pairwise(cuts)]
