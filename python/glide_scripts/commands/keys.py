"""Commands on keys of any type."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from .. import checks
from ..public import show_as_public
from ..values import TEncodable
from . import replies
from .arguments import one_or_more
from .command import Command
from .routing import per_key, routed


class ExpireOptions(Enum):
    """A condition of ``expire``."""

    HasNoExpiry = "NX"
    """Only if the key has no expiry."""

    HasExistingExpiry = "XX"
    """Only if the key has an expiry."""

    NewExpiryGreaterThanCurrent = "GT"
    """Only if the key then expires later; no expiry counts as the latest."""

    NewExpiryLessThanCurrent = "LT"
    """Only if the key then expires earlier; no expiry counts as the latest."""


@routed("DEL", per_key(1, "sum"))
def delete(keys: Sequence[TEncodable]) -> Command[int]:
    """Delete keys.

    See https://valkey.io/commands/del/.

    Args:
        keys: The keys, at least one.

    Returns:
        The number of keys that existed.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["DEL", *one_or_more("keys", keys)])


@routed("EXISTS", per_key(1, "sum"))
def exists(keys: Sequence[TEncodable]) -> Command[int]:
    """Count the keys that exist.

    See https://valkey.io/commands/exists/.

    Args:
        keys: The keys, at least one.

    Returns:
        The number of keys that exist; a key given twice counts twice.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["EXISTS", *one_or_more("keys", keys)], read_only=True)


def expire(key: TEncodable, seconds: int, option: ExpireOptions | None = None) -> Command[bool]:
    """Set a key's expiry.

    See https://valkey.io/commands/expire/.

    Args:
        key: The key.
        seconds: The time until it expires; zero or less deletes it at once.
        option: A condition on the current expiry. Needs Redis 7.

    Returns:
        Whether the expiry was set: False if the key does not exist or the condition was not met.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``seconds`` has more than 64 bits.
    """
    words = ["EXPIRE", checks.encodable("key", key), checks.integer("seconds", seconds)]
    if option is not None:
        words.append(checks.member("option", option, ExpireOptions).value)
    return Command(words, replies.to_bool)


def ttl(key: TEncodable) -> Command[int]:
    """Return the time until a key expires.

    See https://valkey.io/commands/ttl/.

    Args:
        key: The key.

    Returns:
        The time in seconds; -1 if the key never expires, -2 if it does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["TTL", checks.encodable("key", key)], read_only=True)


show_as_public(globals())
