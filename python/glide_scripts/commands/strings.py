"""Commands on strings, with their options and routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import CoroutineType
from typing import Any, Literal, Protocol, overload

import glide_scripts

from .. import checks
from ..public import show_as_public
from ..records import Record, record
from ..values import TOK, TEncodable
from . import replies
from .arguments import K, flattened, one_or_more
from .command import Command
from .routing import per_key, routed


class ConditionalChange(Enum):
    """A condition of ``set`` and ``zadd``."""

    ONLY_IF_EXISTS = "XX"
    """Only change what already exists."""

    ONLY_IF_DOES_NOT_EXIST = "NX"
    """Only add what does not exist yet."""


@record(frozen=True, slots=True)
class OnlyIfEqual(Record):
    """A condition of ``set``: only if the key holds this value. Needs Valkey 8.1.

    Args:
        comparison_value: The value that the key must hold.

    Raises:
        TypeError: It is not str or bytes.
    """

    comparison_value: TEncodable

    def __post_init__(self) -> None:
        checks.encodable("comparison_value", self.comparison_value)


def get(key: TEncodable) -> Command[bytes | None]:
    """Return the value of a key.

    See https://valkey.io/commands/get/.

    Args:
        key: The key.

    Returns:
        The value, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a string (``WRONGTYPE``).
    """
    return Command(["GET", checks.encodable("key", key)], read_only=True)


def set(
    key: TEncodable,
    value: TEncodable,
    conditional_set: ConditionalChange | OnlyIfEqual | None = None,
    expiry: glide_scripts.ExpirySet | None = None,
    return_old_value: bool = False,
) -> Command[TOK | bytes | None]:
    """Set the value of a key.

    See https://valkey.io/commands/set/.

    Args:
        key: The key.
        value: The value.
        conditional_set: A condition: the key exists, does not exist, or holds a certain value.
        expiry: When the key expires; None means never.
        return_old_value: Whether to return the key's old value instead of ``OK``.

    Returns:
        ``OK``, or None if the condition was not met. With ``return_old_value``: the old value,
        whether or not it was replaced, or None if there was none.

    Raises:
        TypeError: An argument has a wrong type.
        RequestError: ``return_old_value`` or ``OnlyIfEqual`` is used, and the key holds something
            other than a string (``WRONGTYPE``).

    Example:
        >>> ten_seconds = ExpirySet(ExpiryType.SEC, 10)
        >>> await client.set("lock", "me", ConditionalChange.ONLY_IF_DOES_NOT_EXIST, ten_seconds)
        b'OK'
    """
    words = ["SET", checks.encodable("key", key), checks.encodable("value", value)]
    if isinstance(conditional_set, ConditionalChange):
        words.append(conditional_set.value)
    elif isinstance(conditional_set, OnlyIfEqual):
        words += ["IFEQ", conditional_set.comparison_value]
    elif conditional_set is not None:
        raise checks.wrong_type(
            "conditional_set", conditional_set, "a ConditionalChange or an OnlyIfEqual"
        )
    if checks.flag("return_old_value", return_old_value):
        words.append("GET")
    if expiry is not None:
        from .expiry import ExpirySet  # noqa: PLC0415 - saves time at import; who has one has it

        checks.of_type("expiry", expiry, ExpirySet, "an ExpirySet")
        words += expiry.get_cmd_args()
    return Command(words)


class SetMethod(Protocol):
    """A client's ``set`` for type checkers, since its reply depends on its arguments."""

    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: None = None,
        expiry: glide_scripts.ExpirySet | None = None,
        return_old_value: Literal[False] = False,
    ) -> CoroutineType[Any, Any, TOK]: ...
    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: ConditionalChange | OnlyIfEqual | None = None,
        expiry: glide_scripts.ExpirySet | None = None,
        return_old_value: Literal[False] = False,
    ) -> CoroutineType[Any, Any, TOK | None]: ...
    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: ConditionalChange | OnlyIfEqual | None = None,
        expiry: glide_scripts.ExpirySet | None = None,
        return_old_value: bool = False,
    ) -> CoroutineType[Any, Any, bytes | None]: ...


@routed("MGET", per_key(1, "in_order"))
def mget(keys: Sequence[TEncodable]) -> Command[list[bytes | None]]:
    """Return the values of several keys.

    See https://valkey.io/commands/mget/.

    Args:
        keys: The keys, at least one.

    Returns:
        The values in the order of the keys; None for a key that does not exist or holds something
        other than a string.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["MGET", *one_or_more("keys", keys)], read_only=True)


@routed("MSET", per_key(2, "all"))
def mset(key_value_map: Mapping[K, TEncodable]) -> Command[TOK]:
    """Set the values of several keys at once.

    See https://valkey.io/commands/mset/.

    Args:
        key_value_map: A dict from key to value, with at least one item.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``key_value_map`` is not a dict of str or bytes.
        ValueError: ``key_value_map`` is empty.
    """
    return Command(["MSET", *flattened("key_value_map", key_value_map)])


def incr(key: TEncodable) -> Command[int]:
    """Add 1 to a key's integer. A missing key counts as 0.

    See https://valkey.io/commands/incr/.

    Args:
        key: The key.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key does not hold an integer, or the result would have more than 64 bits.
    """
    return Command(["INCR", checks.encodable("key", key)])


def incrby(key: TEncodable, amount: int) -> Command[int]:
    """Add to a key's integer. A missing key counts as 0.

    See https://valkey.io/commands/incrby/.

    Args:
        key: The key.
        amount: The number to add; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``amount`` is not an int.
        ValueError: ``amount`` has more than 64 bits.
        RequestError: The key does not hold an integer, or the result would have more than 64 bits.
    """
    return Command(["INCRBY", checks.encodable("key", key), checks.integer("amount", amount)])


def decr(key: TEncodable) -> Command[int]:
    """Subtract 1 from a key's integer. A missing key counts as 0.

    See https://valkey.io/commands/decr/.

    Args:
        key: The key.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key does not hold an integer, or the result would have more than 64 bits.
    """
    return Command(["DECR", checks.encodable("key", key)])


def decrby(key: TEncodable, amount: int) -> Command[int]:
    """Subtract from a key's integer. A missing key counts as 0.

    See https://valkey.io/commands/decrby/.

    Args:
        key: The key.
        amount: The number to subtract; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``amount`` is not an int.
        ValueError: ``amount`` has more than 64 bits.
        RequestError: The key does not hold an integer, or the result would have more than 64 bits.
    """
    return Command(["DECRBY", checks.encodable("key", key), checks.integer("amount", amount)])


def incrbyfloat(key: TEncodable, amount: float) -> Command[float]:
    """Add to a key's number. A missing key counts as 0.

    See https://valkey.io/commands/incrbyfloat/.

    Args:
        key: The key.
        amount: The number to add; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``amount`` is not an int or float.
        ValueError: ``amount`` is nan, or an int of more than 64 bits.
        RequestError: The key does not hold a number.
    """
    words = ["INCRBYFLOAT", checks.encodable("key", key), checks.number("amount", amount)]
    return Command(words, replies.to_float)


def append(key: TEncodable, value: TEncodable) -> Command[int]:
    """Append to the value of a key. A missing key counts as empty.

    See https://valkey.io/commands/append/.

    Args:
        key: The key.
        value: What to append.

    Returns:
        The new length in bytes.

    Raises:
        TypeError: ``key`` or ``value`` is not str or bytes.
        RequestError: The key holds something other than a string (``WRONGTYPE``).
    """
    return Command(["APPEND", checks.encodable("key", key), checks.encodable("value", value)])


def strlen(key: TEncodable) -> Command[int]:
    """Return the length of the value of a key.

    See https://valkey.io/commands/strlen/.

    Args:
        key: The key.

    Returns:
        The length in bytes; 0 if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a string (``WRONGTYPE``).
    """
    return Command(["STRLEN", checks.encodable("key", key)], read_only=True)


def getdel(key: TEncodable) -> Command[bytes | None]:
    """Return the value of a key, and delete the key.

    See https://valkey.io/commands/getdel/.

    Args:
        key: The key.

    Returns:
        The value, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a string (``WRONGTYPE``).
    """
    return Command(["GETDEL", checks.encodable("key", key)])


def getrange(key: TEncodable, start: int, end: int) -> Command[bytes]:
    """Return a part of the value of a key.

    See https://valkey.io/commands/getrange/.

    Args:
        key: The key.
        start: The index of the first byte, from 0; -1 is the last one.
        end: The index of the last byte, inclusive.

    Returns:
        The bytes; empty if the key does not exist or the range is empty.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``start`` or ``end`` has more than 64 bits.
        RequestError: The key holds something other than a string (``WRONGTYPE``).
    """
    words = ["GETRANGE", checks.encodable("key", key), checks.integer("start", start)]
    return Command([*words, checks.integer("end", end)], read_only=True)


def setrange(key: TEncodable, offset: int, value: TEncodable) -> Command[int]:
    """Overwrite a part of the value of a key. Zero bytes fill a gap before it.

    See https://valkey.io/commands/setrange/.

    Args:
        key: The key.
        offset: The index of the first byte to overwrite, from 0.
        value: The new bytes.

    Returns:
        The new length in bytes.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``offset`` has more than 64 bits.
        RequestError: ``offset`` is negative or too large, or the key holds something other than a
            string (``WRONGTYPE``).
    """
    words = ["SETRANGE", checks.encodable("key", key), checks.integer("offset", offset)]
    return Command([*words, checks.encodable("value", value)])


show_as_public(globals())
