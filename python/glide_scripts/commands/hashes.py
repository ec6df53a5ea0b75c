"""Commands on hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import checks
from ..values import TEncodable
from . import replies
from .arguments import K, flattened, one_or_more
from .command import Command


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


def hdel(key: TEncodable, fields: Sequence[TEncodable]) -> Command[int]:
    """Delete fields of a hash. A hash without fields is deleted, too.

    See https://valkey.io/commands/hdel/.

    Args:
        key: The key of the hash.
        fields: The fields, at least one.

    Returns:
        The number of fields that existed.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``fields`` is not a list of those.
        ValueError: ``fields`` is empty.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(["HDEL", checks.encodable("key", key), *one_or_more("fields", fields)])


def hexists(key: TEncodable, field: TEncodable) -> Command[bool]:
    """Check whether a hash has a field.

    See https://valkey.io/commands/hexists/.

    Args:
        key: The key of the hash.
        field: The field.

    Returns:
        Whether the field exists; False if the key does not exist.

    Raises:
        TypeError: ``key`` or ``field`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    words = ["HEXISTS", checks.encodable("key", key), checks.encodable("field", field)]
    return Command(words, replies.to_bool, read_only=True)


def hincrby(key: TEncodable, field: TEncodable, amount: int) -> Command[int]:
    """Add to the integer in a field of a hash. A missing field counts as 0.

    See https://valkey.io/commands/hincrby/.

    Args:
        key: The key of the hash.
        field: The field.
        amount: The number to add; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` or ``field`` is not str or bytes, or ``amount`` is not an int.
        ValueError: ``amount`` has more than 64 bits.
        RequestError: The field does not hold an integer, or the result would have more than 64
            bits, or the key holds something other than a hash (``WRONGTYPE``).
    """
    words = ["HINCRBY", checks.encodable("key", key), checks.encodable("field", field)]
    return Command([*words, checks.integer("amount", amount)])


def hincrbyfloat(key: TEncodable, field: TEncodable, amount: float) -> Command[float]:
    """Add to the number in a field of a hash. A missing field counts as 0.

    See https://valkey.io/commands/hincrbyfloat/.

    Args:
        key: The key of the hash.
        field: The field.
        amount: The number to add; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` or ``field`` is not str or bytes, or ``amount`` is not an int or float.
        ValueError: ``amount`` is nan, or an int of more than 64 bits.
        RequestError: The field does not hold a number, or the key holds something other than a hash
            (``WRONGTYPE``).
    """
    words = ["HINCRBYFLOAT", checks.encodable("key", key), checks.encodable("field", field)]
    return Command([*words, checks.number("amount", amount)], replies.to_float)


def hkeys(key: TEncodable) -> Command[list[bytes]]:
    """Return the names of all fields of a hash.

    See https://valkey.io/commands/hkeys/.

    Args:
        key: The key of the hash.

    Returns:
        The names; an empty list if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(["HKEYS", checks.encodable("key", key)], read_only=True)


def hlen(key: TEncodable) -> Command[int]:
    """Count the fields of a hash.

    See https://valkey.io/commands/hlen/.

    Args:
        key: The key of the hash.

    Returns:
        The number of fields; 0 if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(["HLEN", checks.encodable("key", key)], read_only=True)


def hmget(key: TEncodable, fields: Sequence[TEncodable]) -> Command[list[bytes | None]]:
    """Return the values of several fields of a hash.

    See https://valkey.io/commands/hmget/.

    Args:
        key: The key of the hash.
        fields: The fields, at least one.

    Returns:
        The values in the order of the fields; None for a field that does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``fields`` is not a list of those.
        ValueError: ``fields`` is empty.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    words = ["HMGET", checks.encodable("key", key), *one_or_more("fields", fields)]
    return Command(words, read_only=True)


def hsetnx(key: TEncodable, field: TEncodable, value: TEncodable) -> Command[bool]:
    """Set a field of a hash if the field does not exist.

    See https://valkey.io/commands/hsetnx/.

    Args:
        key: The key of the hash. A missing key counts as an empty hash.
        field: The field.
        value: The value.

    Returns:
        Whether the field was set.

    Raises:
        TypeError: ``key``, ``field`` or ``value`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    words = ["HSETNX", checks.encodable("key", key), checks.encodable("field", field)]
    return Command([*words, checks.encodable("value", value)], replies.to_bool)


def hvals(key: TEncodable) -> Command[list[bytes]]:
    """Return the values of all fields of a hash.

    See https://valkey.io/commands/hvals/.

    Args:
        key: The key of the hash.

    Returns:
        The values; an empty list if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(["HVALS", checks.encodable("key", key)], read_only=True)
