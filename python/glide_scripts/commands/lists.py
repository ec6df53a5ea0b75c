"""Commands on lists."""

from __future__ import annotations

from collections.abc import Sequence

from .. import checks
from ..values import TOK, TEncodable
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


def llen(key: TEncodable) -> Command[int]:
    """Return the length of a list.

    See https://valkey.io/commands/llen/.

    Args:
        key: The key of the list.

    Returns:
        The number of elements; 0 if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    return Command(["LLEN", checks.encodable("key", key)], read_only=True)


def lindex(key: TEncodable, index: int) -> Command[bytes | None]:
    """Return an element of a list.

    See https://valkey.io/commands/lindex/.

    Args:
        key: The key of the list.
        index: The index, from 0; -1 is the last element.

    Returns:
        The element, or None if the list has none there or the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``index`` is not an int.
        ValueError: ``index`` has more than 64 bits.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    words = ["LINDEX", checks.encodable("key", key), checks.integer("index", index)]
    return Command(words, read_only=True)


def lset(key: TEncodable, index: int, element: TEncodable) -> Command[TOK]:
    """Replace an element of a list.

    See https://valkey.io/commands/lset/.

    Args:
        key: The key of the list.
        index: The index, from 0; -1 is the last element.
        element: The new element.

    Returns:
        ``OK``.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``index`` has more than 64 bits.
        RequestError: The list has no such element, the key does not exist, or it holds something
            other than a list (``WRONGTYPE``).
    """
    words = ["LSET", checks.encodable("key", key), checks.integer("index", index)]
    return Command([*words, checks.encodable("element", element)])


def lrem(key: TEncodable, count: int, element: TEncodable) -> Command[int]:
    """Remove elements of a list that are equal to ``element``.

    See https://valkey.io/commands/lrem/.

    Args:
        key: The key of the list.
        count: How many to remove, from the head; from the tail if it is negative; 0 means all.
        element: The element.

    Returns:
        The number of elements removed.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``count`` has more than 64 bits.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    words = ["LREM", checks.encodable("key", key), checks.integer("count", count)]
    return Command([*words, checks.encodable("element", element)])


def ltrim(key: TEncodable, start: int, end: int) -> Command[TOK]:
    """Remove all elements of a list outside of a range.

    See https://valkey.io/commands/ltrim/.

    Args:
        key: The key of the list.
        start: The first index to keep, from 0; -1 is the last element.
        end: The last index to keep, inclusive.

    Returns:
        ``OK``.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``start`` or ``end`` has more than 64 bits.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    words = ["LTRIM", checks.encodable("key", key), checks.integer("start", start)]
    return Command([*words, checks.integer("end", end)])


def lpop(key: TEncodable) -> Command[bytes | None]:
    """Remove the first element of a list, and return it.

    See https://valkey.io/commands/lpop/.

    Args:
        key: The key of the list.

    Returns:
        The element, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    return Command(["LPOP", checks.encodable("key", key)])


def lpop_count(key: TEncodable, count: int) -> Command[list[bytes] | None]:
    """Remove the first elements of a list, and return them.

    See https://valkey.io/commands/lpop/.

    Args:
        key: The key of the list.
        count: The maximum number of elements.

    Returns:
        The elements, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``count`` is not an int.
        ValueError: ``count`` has more than 64 bits.
        RequestError: ``count`` is negative, or the key holds something other than a list
            (``WRONGTYPE``).
    """
    return Command(["LPOP", checks.encodable("key", key), checks.integer("count", count)])


def rpop(key: TEncodable) -> Command[bytes | None]:
    """Remove the last element of a list, and return it.

    See https://valkey.io/commands/rpop/.

    Args:
        key: The key of the list.

    Returns:
        The element, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a list (``WRONGTYPE``).
    """
    return Command(["RPOP", checks.encodable("key", key)])


def rpop_count(key: TEncodable, count: int) -> Command[list[bytes] | None]:
    """Remove the last elements of a list, and return them, the last one first.

    See https://valkey.io/commands/rpop/.

    Args:
        key: The key of the list.
        count: The maximum number of elements.

    Returns:
        The elements, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``count`` is not an int.
        ValueError: ``count`` has more than 64 bits.
        RequestError: ``count`` is negative, or the key holds something other than a list
            (``WRONGTYPE``).
    """
    return Command(["RPOP", checks.encodable("key", key), checks.integer("count", count)])
