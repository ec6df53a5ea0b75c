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


def srem(key: TEncodable, members: Sequence[TEncodable]) -> Command[int]:
    """Remove members from a set.

    See https://valkey.io/commands/srem/.

    Args:
        key: The key of the set.
        members: The members, at least one.

    Returns:
        The number of members that existed.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``members`` is not a list of those.
        ValueError: ``members`` is empty.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SREM", checks.encodable("key", key), *one_or_more("members", members)])


def sismember(key: TEncodable, member: TEncodable) -> Command[bool]:
    """Check whether a set has a member.

    See https://valkey.io/commands/sismember/.

    Args:
        key: The key of the set.
        member: The member.

    Returns:
        Whether it is a member; False if the key does not exist.

    Raises:
        TypeError: ``key`` or ``member`` is not str or bytes.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    words = ["SISMEMBER", checks.encodable("key", key), checks.encodable("member", member)]
    return Command(words, replies.to_bool, read_only=True)


def smismember(key: TEncodable, members: Sequence[TEncodable]) -> Command[list[bool]]:
    """Check which members a set has.

    See https://valkey.io/commands/smismember/.

    Args:
        key: The key of the set.
        members: The members, at least one.

    Returns:
        A list in the order of ``members``: whether the set has each.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``members`` is not a list of those.
        ValueError: ``members`` is empty.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    words = ["SMISMEMBER", checks.encodable("key", key), *one_or_more("members", members)]
    return Command(words, replies.to_bools, read_only=True)


def scard(key: TEncodable) -> Command[int]:
    """Count the members of a set.

    See https://valkey.io/commands/scard/.

    Args:
        key: The key of the set.

    Returns:
        The number of members; 0 if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SCARD", checks.encodable("key", key)], read_only=True)


def spop(key: TEncodable) -> Command[bytes | None]:
    """Remove a random member of a set, and return it.

    See https://valkey.io/commands/spop/.

    Args:
        key: The key of the set.

    Returns:
        The member, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SPOP", checks.encodable("key", key)])


def spop_count(key: TEncodable, count: int) -> Command[set[bytes]]:
    """Remove random members of a set, and return them.

    See https://valkey.io/commands/spop/.

    Args:
        key: The key of the set.
        count: The maximum number of members.

    Returns:
        The members; an empty set if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``count`` is not an int.
        ValueError: ``count`` has more than 64 bits.
        RequestError: ``count`` is negative, or the key holds something other than a set
            (``WRONGTYPE``).
    """
    words = ["SPOP", checks.encodable("key", key), checks.integer("count", count)]
    return Command(words, replies.to_set)
