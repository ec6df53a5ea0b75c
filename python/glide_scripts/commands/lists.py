"""Commands on lists."""

from __future__ import annotations

from collections.abc import Sequence

from .. import checks
from ..values import TEncodable
from .arguments import one_or_more
from .command import Command


def lpush(key: TEncodable, elements: Sequence[TEncodable]) -> Command[int]:
    """Inserts elements at the head of a list, one after another, so that the last comes first.

    See https://valkey.io/commands/lpush/.

    Args:
        key: The key of the list; one that does not exist counts as an empty list.
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
    """Appends elements to a list.

    See https://valkey.io/commands/rpush/.

    Args:
        key: The key of the list; one that does not exist counts as an empty list.
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
    """Gets a range of a list.

    See https://valkey.io/commands/lrange/.

    Args:
        key: The key of the list.
        start: The first index, from 0; -1 is the last element.
        end: The last index; it is part of the range.

    Returns:
        The elements; none if there is no such key or nothing in the range.

    Raises:
        TypeError: An argument is of a wrong type.
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
