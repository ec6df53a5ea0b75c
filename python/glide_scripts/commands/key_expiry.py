"""Commands on the expiry of keys."""

from __future__ import annotations

from enum import Enum

from .. import checks
from ..public import show_as_public
from ..values import TEncodable
from . import replies
from .command import Command


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
    return _expire("EXPIRE", key, "seconds", seconds, option)


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


def pexpire(
    key: TEncodable, milliseconds: int, option: ExpireOptions | None = None
) -> Command[bool]:
    """Set a key's expiry in milliseconds.

    See https://valkey.io/commands/pexpire/.

    Args:
        key: The key.
        milliseconds: The time until it expires; zero or less deletes it at once.
        option: A condition on the current expiry. Needs Redis 7.

    Returns:
        Whether the expiry was set: False if the key does not exist or the condition was not met.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``milliseconds`` has more than 64 bits.
    """
    return _expire("PEXPIRE", key, "milliseconds", milliseconds, option)


def expireat(
    key: TEncodable, unix_seconds: int, option: ExpireOptions | None = None
) -> Command[bool]:
    """Set the time at which a key expires.

    See https://valkey.io/commands/expireat/.

    Args:
        key: The key.
        unix_seconds: The time in seconds since 1970; a time in the past deletes the key at once.
        option: A condition on the current expiry. Needs Redis 7.

    Returns:
        Whether the expiry was set: False if the key does not exist or the condition was not met.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``unix_seconds`` has more than 64 bits.
    """
    return _expire("EXPIREAT", key, "unix_seconds", unix_seconds, option)


def pexpireat(
    key: TEncodable, unix_milliseconds: int, option: ExpireOptions | None = None
) -> Command[bool]:
    """Set the time at which a key expires, in milliseconds.

    See https://valkey.io/commands/pexpireat/.

    Args:
        key: The key.
        unix_milliseconds: The time in milliseconds since 1970; a time in the past deletes the key
            at once.
        option: A condition on the current expiry. Needs Redis 7.

    Returns:
        Whether the expiry was set: False if the key does not exist or the condition was not met.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``unix_milliseconds`` has more than 64 bits.
    """
    return _expire("PEXPIREAT", key, "unix_milliseconds", unix_milliseconds, option)


def persist(key: TEncodable) -> Command[bool]:
    """Remove a key's expiry.

    See https://valkey.io/commands/persist/.

    Args:
        key: The key.

    Returns:
        Whether an expiry was removed: False if the key has none or does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["PERSIST", checks.encodable("key", key)], replies.to_bool)


def pttl(key: TEncodable) -> Command[int]:
    """Return the time until a key expires, in milliseconds.

    See https://valkey.io/commands/pttl/.

    Args:
        key: The key.

    Returns:
        The time in milliseconds; -1 if the key never expires, -2 if it does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["PTTL", checks.encodable("key", key)], read_only=True)


def expiretime(key: TEncodable) -> Command[int]:
    """Return the time at which a key expires. Needs Redis 7.

    See https://valkey.io/commands/expiretime/.

    Args:
        key: The key.

    Returns:
        The time in seconds since 1970; -1 if the key never expires, -2 if it does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["EXPIRETIME", checks.encodable("key", key)], read_only=True)


def pexpiretime(key: TEncodable) -> Command[int]:
    """Return the time at which a key expires, in milliseconds. Needs Redis 7.

    See https://valkey.io/commands/pexpiretime/.

    Args:
        key: The key.

    Returns:
        The time in milliseconds since 1970; -1 if the key never expires, -2 if it does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["PEXPIRETIME", checks.encodable("key", key)], read_only=True)


def _expire(
    name: str, key: TEncodable, unit: str, when: int, option: ExpireOptions | None
) -> Command[bool]:
    words = [name, checks.encodable("key", key), checks.integer(unit, when)]
    if option is not None:
        words.append(checks.member("option", option, ExpireOptions).value)
    return Command(words, replies.to_bool)


show_as_public(globals())
