"""Commands on lists."""

from __future__ import annotations

from collections.abc import Sequence

from .. import checks
from ..values import TEncodable
from .arguments import one_or_more
from .command import Command


def lpush(key: TEncodable, elements: Sequence[TEncodable]) -> Command[int]:
    """Insert elements at the head of a list, one by one: the last one becomes the first.

    See https://valkey.io/commands/lpush/.

    Args:
        key: The key of the list. A missing key counts as an empty list.
        elements: The elements, at least one.

    Returns:
        The list's new length.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``elements`` is not a list of those.
        ValueError: ``elements`` is empty.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    return Command(["LPUSH", checks.encodable("key", key), *one_or_more("elements", elements)])


def rpush(key: TEncodable, elements: Sequence[TEncodable]) -> Command[int]:
    """Append elements to a list.

    See https://valkey.io/commands/rpush/.

    Args:
        key: The key of the list. A missing key counts as an empty list.
        elements: The elements, at least one.

    Returns:
        The list's new length.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``elements`` is not a list of those.
        ValueError: ``elements`` is empty.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    return Command(["RPUSH", checks.encodable("key", key), *one_or_more("elements", elements)])


def lrange(key: TEncodable, start: int, end: int) -> Command[list[bytes]]:
    """Return a range of a list.

    See https://valkey.io/commands/lrange/.

    Args:
        key: The key of the list.
        start: The first index, from 0; -1 is the last element.
        end: The last index, inclusive.

    Returns:
        The elements; an empty list if the key does not exist or the range is empty.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``start`` or ``end`` has more than 64 bits.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    return Command(
        [
            "LRANGE",
            checks.encodable("key", key),
            checks.integer("start", start),
            checks.integer("end", end),
        ],
        read_only=True,
    )
