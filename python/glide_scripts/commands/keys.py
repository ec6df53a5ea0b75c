"""Commands on keys of any type. Those on their expiry are in ``key_expiry``."""

from __future__ import annotations

from collections.abc import Sequence

from .. import checks
from ..values import TOK, TEncodable
from . import replies
from .arguments import one_or_more
from .command import Command
from .routing import keys_from, per_key, routed


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


@routed("UNLINK", per_key(1, "sum"))
def unlink(keys: Sequence[TEncodable]) -> Command[int]:
    """Delete keys. The server frees their memory in the background.

    See https://valkey.io/commands/unlink/.

    Args:
        keys: The keys, at least one.

    Returns:
        The number of keys that existed.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["UNLINK", *one_or_more("keys", keys)])


@routed("TOUCH", per_key(1, "sum"))
def touch(keys: Sequence[TEncodable]) -> Command[int]:
    """Mark keys as used now, as reading them does.

    See https://valkey.io/commands/touch/.

    Args:
        keys: The keys, at least one.

    Returns:
        The number of keys that exist.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["TOUCH", *one_or_more("keys", keys)])


def type(key: TEncodable) -> Command[bytes]:
    """Return the type of a key's value.

    See https://valkey.io/commands/type/.

    Args:
        key: The key.

    Returns:
        The type, such as ``b"string"`` or ``b"zset"``; ``b"none"`` if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["TYPE", checks.encodable("key", key)], read_only=True)


@routed("RENAME", keys_from(1, 3))
def rename(key: TEncodable, new_key: TEncodable) -> Command[TOK]:
    """Rename a key. A key of the new name is replaced.

    See https://valkey.io/commands/rename/.

    Args:
        key: The key.
        new_key: The new name; in a cluster, both must be in one slot.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``key`` or ``new_key`` is not str or bytes.
        CrossSlotError: The keys are in several slots.
        RequestError: The key does not exist.
    """
    return Command(["RENAME", checks.encodable("key", key), checks.encodable("new_key", new_key)])


@routed("RENAMENX", keys_from(1, 3))
def renamenx(key: TEncodable, new_key: TEncodable) -> Command[bool]:
    """Rename a key, unless there is a key of the new name.

    See https://valkey.io/commands/renamenx/.

    Args:
        key: The key.
        new_key: The new name; in a cluster, both must be in one slot.

    Returns:
        Whether the key was renamed.

    Raises:
        TypeError: ``key`` or ``new_key`` is not str or bytes.
        CrossSlotError: The keys are in several slots.
        RequestError: The key does not exist.
    """
    words = ["RENAMENX", checks.encodable("key", key), checks.encodable("new_key", new_key)]
    return Command(words, replies.to_bool)


@routed("COPY", keys_from(1, 3))
def copy(
    source: TEncodable,
    destination: TEncodable,
    destinationDB: int | None = None,
    replace: bool | None = None,
) -> Command[bool]:
    """Copy a key's value to another key.

    See https://valkey.io/commands/copy/.

    Args:
        source: The key.
        destination: The other key; in a cluster, both must be in one slot.
        destinationDB: The number of the other key's database; None means the same.
        replace: Whether to replace an existing key; None means no.

    Returns:
        Whether the value was copied: False if ``source`` does not exist, or ``destination`` exists
        and is not replaced.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``destinationDB`` has more than 64 bits.
        CrossSlotError: The keys are in several slots.
        RequestError: There is no such database.
    """
    words = ["COPY", checks.encodable("source", source)]
    words.append(checks.encodable("destination", destination))
    if destinationDB is not None:
        words += ["DB", checks.integer("destinationDB", destinationDB)]
    if replace is not None and checks.flag("replace", replace):
        words.append("REPLACE")
    return Command(words, replies.to_bool)


def dump(key: TEncodable) -> Command[bytes | None]:
    """Return a key's value in the server's own form, for ``restore``.

    See https://valkey.io/commands/dump/.

    Args:
        key: The key.

    Returns:
        The value, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["DUMP", checks.encodable("key", key)], read_only=True)


def restore(  # noqa: PLR0917 - as in GLIDE
    key: TEncodable,
    ttl: int,
    value: TEncodable,
    replace: bool = False,
    absttl: bool = False,
    idletime: int | None = None,
    frequency: int | None = None,
) -> Command[TOK]:
    """Create a key from what ``dump`` returned.

    See https://valkey.io/commands/restore/.

    Args:
        key: The key.
        ttl: The time until it expires, in milliseconds; 0 means never.
        value: The result of ``dump``.
        replace: Whether to replace an existing key.
        absttl: Whether ``ttl`` is a point in time, in milliseconds since 1970.
        idletime: For how many seconds the key counts as unused; not with ``frequency``.
        frequency: How often the key counts as used, for a server that evicts by LFU.

    Returns:
        ``OK``.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: A number has more than 64 bits.
        RequestError: The key exists and is not replaced (``BUSYKEY``), the value is damaged, or a
            number is out of range.
    """
    words = ["RESTORE", checks.encodable("key", key), checks.integer("ttl", ttl)]
    words.append(checks.encodable("value", value))
    if checks.flag("replace", replace):
        words.append("REPLACE")
    if checks.flag("absttl", absttl):
        words.append("ABSTTL")
    if idletime is not None:
        words += ["IDLETIME", checks.integer("idletime", idletime)]
    if frequency is not None:
        words += ["FREQ", checks.integer("frequency", frequency)]
    return Command(words)


def object_encoding(key: TEncodable) -> Command[bytes | None]:
    """Return how the server stores a key's value.

    See https://valkey.io/commands/object-encoding/.

    Args:
        key: The key.

    Returns:
        The encoding, such as ``b"embstr"``, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["OBJECT", "ENCODING", checks.encodable("key", key)], read_only=True)


def object_freq(key: TEncodable) -> Command[int | None]:
    """Return how often a key was used, on a logarithmic scale.

    See https://valkey.io/commands/object-freq/.

    Args:
        key: The key.

    Returns:
        The counter, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The server does not evict by LFU.
    """
    return Command(["OBJECT", "FREQ", checks.encodable("key", key)], read_only=True)


def object_idletime(key: TEncodable) -> Command[int | None]:
    """Return for how long a key was not used.

    See https://valkey.io/commands/object-idletime/.

    Args:
        key: The key.

    Returns:
        The time in seconds, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The server evicts by LFU.
    """
    return Command(["OBJECT", "IDLETIME", checks.encodable("key", key)], read_only=True)


def object_refcount(key: TEncodable) -> Command[int | None]:
    """Return how many references the server has to a key's value.

    See https://valkey.io/commands/object-refcount/.

    Args:
        key: The key.

    Returns:
        The number, or None if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["OBJECT", "REFCOUNT", checks.encodable("key", key)], read_only=True)
