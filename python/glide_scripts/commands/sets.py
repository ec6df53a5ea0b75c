"""Commands on sets."""

from __future__ import annotations

from collections.abc import Sequence

from .. import checks
from ..values import TEncodable
from . import replies
from .arguments import one_or_more
from .command import Command


def sadd(key: TEncodable, members: Sequence[TEncodable]) -> Command[int]:
    """Add members to a set. A missing key counts as an empty set.

    See https://valkey.io/commands/sadd/.

    Args:
        key: The key of the set.
        members: The members, at least one.

    Returns:
        The number of new members.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``members`` is not a list of those.
        ValueError: ``members`` is empty.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SADD", checks.encodable("key", key), *one_or_more("members", members)])


def smembers(key: TEncodable) -> Command[set[bytes]]:
    """Return all members of a set.

    See https://valkey.io/commands/smembers/.

    Args:
        key: The key of the set.

    Returns:
        The members; an empty set if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SMEMBERS", checks.encodable("key", key)], replies.to_set, read_only=True)
