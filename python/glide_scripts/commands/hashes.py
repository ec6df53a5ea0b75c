"""Commands on hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from .. import checks
from ..values import TEncodable
from . import replies
from .arguments import flattened
from .command import Command

# A mapping's key type is invariant: Mapping[TEncodable, …] would not take a dict[str, str].
K = TypeVar("K", bound=TEncodable)


def hset(key: TEncodable, field_value_map: Mapping[K, TEncodable]) -> Command[int]:
    """Set fields of a hash. A missing key counts as an empty hash.

    See https://valkey.io/commands/hset/.

    Args:
        key: The key of the hash.
        field_value_map: The values by field, at least one.

    Returns:
        The number of new fields.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``field_value_map`` is not a dict of those.
        ValueError: ``field_value_map`` is empty.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(
        ["HSET", checks.encodable("key", key), *flattened("field_value_map", field_value_map)]
    )


def hget(key: TEncodable, field: TEncodable) -> Command[bytes | None]:
    """Return the value of a field of a hash.

    See https://valkey.io/commands/hget/.

    Args:
        key: The key of the hash.
        field: The field.

    Returns:
        The value, or None if the field or the key does not exist.

    Raises:
        TypeError: ``key`` or ``field`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(
        ["HGET", checks.encodable("key", key), checks.encodable("field", field)], read_only=True
    )


def hgetall(key: TEncodable) -> Command[dict[bytes, bytes]]:
    """Return all fields of a hash.

    See https://valkey.io/commands/hgetall/.

    Args:
        key: The key of the hash.

    Returns:
        A dict from field to value; empty if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(["HGETALL", checks.encodable("key", key)], replies.to_dict, read_only=True)
