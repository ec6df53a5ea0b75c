"""The command that goes through all keys of a server."""

from __future__ import annotations

from enum import Enum
from typing import Any

from .. import checks
from ..public import show_as_public
from ..values import TEncodable
from .command import Command
from .routing import any_node, routed


class ObjectType(Enum):
    """A type of values, as a filter of ``scan``."""

    STRING = "String"
    """Strings."""

    LIST = "List"
    """Lists."""

    SET = "Set"
    """Sets."""

    ZSET = "ZSet"
    """Sorted sets."""

    HASH = "Hash"
    """Hashes."""

    STREAM = "Stream"
    """Streams."""


@routed("SCAN", any_node)
def scan(
    cursor: TEncodable,
    match: TEncodable | None = None,
    count: int | None = None,
    type: ObjectType | None = None,
) -> Command[list[Any]]:
    """Return some keys of the database, and the cursor for the next ones.

    A key that exists from the first call to the last is returned at least once.

    See https://valkey.io/commands/scan/.

    Args:
        cursor: ``"0"`` for the first call, and then the cursor of the call before.
        match: Only keys that match, such as ``"user:*"``; None means all.
        count: About how many keys to look at; None means 10.
        type: Only keys with values of that type; None means all.

    Returns:
        A list of two: the next cursor, ``b"0"`` at the end, and a list of keys, which may be empty.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``count`` has more than 64 bits.
        RequestError: The cursor is not one.

    Example:
        >>> cursor, keys = await client.scan("0", match="user:*")
    """
    return Command(["SCAN", checks.encodable("cursor", cursor), *filters(match, count, type)])


def filters(
    match: TEncodable | None, count: int | None, type: ObjectType | None
) -> list[TEncodable]:
    """Return the words of SCAN after the cursor."""
    words: list[TEncodable] = []
    if match is not None:
        words += ["MATCH", checks.encodable("match", match)]
    if count is not None:
        words += ["COUNT", checks.integer("count", count)]
    if type is not None:
        words += ["TYPE", checks.member("type", type, ObjectType).value]
    return words


show_as_public(globals())
