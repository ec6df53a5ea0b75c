"""Every command that the clients have a method for, each defined once.

A function checks its arguments and gives a ``Command``; clients and batches send it, each in its
way. The docstrings are those of the clients' methods of the same names, whose errors are, besides
what each lists: ``TimeoutError``, ``ConnectionError``, ``ClosingError``, and ``RequestError`` for
whatever else the server refuses.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _check, _decode
from ._core import Library, Script
from ._options import (
    ConditionalChange,
    ExpireOptions,
    ExpirySet,
    FlushMode,
    FunctionRestorePolicy,
    InfoSection,
    OnlyIfEqual,
    UpdateOptions,
)
from ._reply import TOK, TEncodable, TResult

if TYPE_CHECKING:
    from ._function_library import Function, FunctionLibrary

T = TypeVar("T")

# A mapping's key type is invariant: Mapping[TEncodable, …] would not take a dict[str, str].
K = TypeVar("K", bound=TEncodable)


@dataclass(frozen=True, slots=True)
class Command(Generic[T]):
    """A command, ready to be sent."""

    words: list[TEncodable]
    """The command's name and its arguments, as sent."""

    decode: Callable[[Any], T] | None = None
    """The server's reply, in RESP2 or RESP3, to what the method returns; None: it is that."""

    read_only: bool = False
    """Whether it reads keys and nothing else, so that a replica may answer it."""

    code: bytes | None = None
    """The Lua code it runs, so that its errors are a script's; empty where that is not known."""

    admin: bool = False
    """Whether it must get through while a script is running."""

    library: Library | None = None
    """The library of the function it calls, which is loaded where it is missing."""

    def settings(self) -> dict[str, Any]:
        """What the core is told of it, besides its words."""
        return {
            "read_only": self.read_only,
            "code": self.code,
            "admin": self.admin,
            **({} if self.library is None else {"library": self.library}),
        }


# Strings


def get(key: TEncodable) -> Command[bytes | None]:
    """Gets the value of a key.

    See https://valkey.io/commands/get/.

    Args:
        key: The key.

    Returns:
        The value, or None if there is no such key.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a string (``WRONGTYPE``).
    """
    return Command(["GET", _check.encodable("key", key)], read_only=True)


def set(
    key: TEncodable,
    value: TEncodable,
    conditional_set: ConditionalChange | OnlyIfEqual | None = None,
    expiry: ExpirySet | None = None,
    return_old_value: bool = False,
) -> Command[bytes | None]:
    """Sets the value of a key.

    See https://valkey.io/commands/set/.

    Args:
        key: The key.
        value: The value.
        conditional_set: Set it only if the key exists, does not exist, or holds a certain value.
        expiry: When the key expires; None means never.
        return_old_value: Whether to return the key's old value instead of ``OK``.

    Returns:
        ``OK``, or None if the condition was not met. With ``return_old_value``: the old value, set
        or not, or None if there was none.

    Raises:
        TypeError: An argument is of a wrong type.
        RequestError: ``return_old_value`` or ``OnlyIfEqual`` is used, and the key holds something
            other than a string (``WRONGTYPE``).

    Example:
        >>> ten_seconds = ExpirySet(ExpiryType.SEC, 10)
        >>> await client.set("lock", "me", ConditionalChange.ONLY_IF_DOES_NOT_EXIST, ten_seconds)
        b'OK'
    """
    words = ["SET", _check.encodable("key", key), _check.encodable("value", value)]
    if isinstance(conditional_set, ConditionalChange):
        words.append(conditional_set.value)
    elif isinstance(conditional_set, OnlyIfEqual):
        words += ["IFEQ", conditional_set.comparison_value]
    elif conditional_set is not None:
        raise _check.wrong_type(
            "conditional_set", conditional_set, "a ConditionalChange or an OnlyIfEqual"
        )
    if _check.flag("return_old_value", return_old_value):
        words.append("GET")
    if isinstance(expiry, ExpirySet):
        words += expiry.get_cmd_args()
    elif expiry is not None:
        raise _check.wrong_type("expiry", expiry, "an ExpirySet")
    return Command(words)


def mget(keys: Sequence[TEncodable]) -> Command[list[bytes | None]]:
    """Gets the values of several keys.

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
    return Command(["MGET", *_some("keys", keys)], read_only=True)


def mset(key_value_map: Mapping[K, TEncodable]) -> Command[TOK]:
    """Sets the values of several keys, at once.

    See https://valkey.io/commands/mset/.

    Args:
        key_value_map: The values by key, at least one.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``key_value_map`` is not a dict of str or bytes.
        ValueError: ``key_value_map`` is empty.
    """
    return Command(["MSET", *_flat("key_value_map", key_value_map)])


def incr(key: TEncodable) -> Command[int]:
    """Adds one to the integer that a key holds; a key that does not exist counts as 0.

    See https://valkey.io/commands/incr/.

    Args:
        key: The key.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds no integer, or the new one would have more than 64 bits.
    """
    return Command(["INCR", _check.encodable("key", key)])


def incrby(key: TEncodable, amount: int) -> Command[int]:
    """Adds to the integer that a key holds; a key that does not exist counts as 0.

    See https://valkey.io/commands/incrby/.

    Args:
        key: The key.
        amount: What to add; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``amount`` is not an int.
        ValueError: ``amount`` has more than 64 bits.
        RequestError: The key holds no integer, or the new one would have more than 64 bits.
    """
    return Command(["INCRBY", _check.encodable("key", key), _check.integer("amount", amount)])


def decr(key: TEncodable) -> Command[int]:
    """Takes one from the integer that a key holds; a key that does not exist counts as 0.

    See https://valkey.io/commands/decr/.

    Args:
        key: The key.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds no integer, or the new one would have more than 64 bits.
    """
    return Command(["DECR", _check.encodable("key", key)])


def decrby(key: TEncodable, amount: int) -> Command[int]:
    """Takes from the integer that a key holds; a key that does not exist counts as 0.

    See https://valkey.io/commands/decrby/.

    Args:
        key: The key.
        amount: What to take; it may be negative.

    Returns:
        The new value.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``amount`` is not an int.
        ValueError: ``amount`` has more than 64 bits.
        RequestError: The key holds no integer, or the new one would have more than 64 bits.
    """
    return Command(["DECRBY", _check.encodable("key", key), _check.integer("amount", amount)])


# Keys


def delete(keys: Sequence[TEncodable]) -> Command[int]:
    """Deletes keys.

    See https://valkey.io/commands/del/.

    Args:
        keys: The keys, at least one.

    Returns:
        How many of them existed.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["DEL", *_some("keys", keys)])


def exists(keys: Sequence[TEncodable]) -> Command[int]:
    """Counts the keys that exist.

    See https://valkey.io/commands/exists/.

    Args:
        keys: The keys, at least one.

    Returns:
        How many of them exist; a key given twice counts twice.

    Raises:
        TypeError: ``keys`` is not a list of str or bytes.
        ValueError: ``keys`` is empty.
    """
    return Command(["EXISTS", *_some("keys", keys)], read_only=True)


def expire(key: TEncodable, seconds: int, option: ExpireOptions | None = None) -> Command[bool]:
    """Lets a key expire.

    See https://valkey.io/commands/expire/.

    Args:
        key: The key.
        seconds: When it expires, in seconds from now; zero or less deletes it at once.
        option: A condition on when it expires now. Needs Redis 7.

    Returns:
        Whether it was done: False if there is no such key or the condition was not met.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: ``seconds`` has more than 64 bits.
    """
    words = ["EXPIRE", _check.encodable("key", key), _check.integer("seconds", seconds)]
    if option is not None:
        words.append(_check.member("option", option, ExpireOptions).value)
    return Command(words, _decode.to_bool)


def ttl(key: TEncodable) -> Command[int]:
    """Tells when a key expires.

    See https://valkey.io/commands/ttl/.

    Args:
        key: The key.

    Returns:
        In how many seconds it expires; -1 if never, -2 if there is no such key.

    Raises:
        TypeError: ``key`` is not str or bytes.
    """
    return Command(["TTL", _check.encodable("key", key)], read_only=True)


# Hashes


def hset(key: TEncodable, field_value_map: Mapping[K, TEncodable]) -> Command[int]:
    """Sets fields of a hash; a key that does not exist counts as an empty one.

    See https://valkey.io/commands/hset/.

    Args:
        key: The key of the hash.
        field_value_map: The values by field, at least one.

    Returns:
        How many of the fields are new.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``field_value_map`` is not a dict of those.
        ValueError: ``field_value_map`` is empty.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(
        ["HSET", _check.encodable("key", key), *_flat("field_value_map", field_value_map)]
    )


def hget(key: TEncodable, field: TEncodable) -> Command[bytes | None]:
    """Gets the value of a field of a hash.

    See https://valkey.io/commands/hget/.

    Args:
        key: The key of the hash.
        field: The field.

    Returns:
        The value, or None if there is no such field or key.

    Raises:
        TypeError: ``key`` or ``field`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(
        ["HGET", _check.encodable("key", key), _check.encodable("field", field)], read_only=True
    )


def hgetall(key: TEncodable) -> Command[dict[bytes, bytes]]:
    """Gets all fields of a hash.

    See https://valkey.io/commands/hgetall/.

    Args:
        key: The key of the hash.

    Returns:
        The values by field, empty if there is no such key.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a hash (``WRONGTYPE``).
    """
    return Command(["HGETALL", _check.encodable("key", key)], _decode.to_dict, read_only=True)


# Lists


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
    return Command(["LPUSH", _check.encodable("key", key), *_some("elements", elements)])


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
    return Command(["RPUSH", _check.encodable("key", key), *_some("elements", elements)])


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
            _check.encodable("key", key),
            _check.integer("start", start),
            _check.integer("end", end),
        ],
        read_only=True,
    )


# Sets


def sadd(key: TEncodable, members: Sequence[TEncodable]) -> Command[int]:
    """Adds members to a set; a key that does not exist counts as an empty one.

    See https://valkey.io/commands/sadd/.

    Args:
        key: The key of the set.
        members: The members, at least one.

    Returns:
        How many of them are new.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``members`` is not a list of those.
        ValueError: ``members`` is empty.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SADD", _check.encodable("key", key), *_some("members", members)])


def smembers(key: TEncodable) -> Command[builtins.set[bytes]]:
    """Gets all members of a set.

    See https://valkey.io/commands/smembers/.

    Args:
        key: The key of the set.

    Returns:
        The members, none if there is no such key.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a set (``WRONGTYPE``).
    """
    return Command(["SMEMBERS", _check.encodable("key", key)], _decode.to_set, read_only=True)


# Sorted sets


def zadd(
    key: TEncodable,
    members_scores: Mapping[K, float],
    existing_options: ConditionalChange | None = None,
    update_condition: UpdateOptions | None = None,
    changed: bool = False,
) -> Command[int]:
    """Adds members to a sorted set, or changes their scores.

    See https://valkey.io/commands/zadd/.

    Args:
        key: The key of the sorted set; one that does not exist counts as an empty one.
        members_scores: The scores by member, at least one; inf is a score, nan is not.
        existing_options: Only add members, or only change scores.
        update_condition: Only change scores to greater, or to lesser ones.
        changed: Whether to count the members whose score changed, too.

    Returns:
        How many members were added; with ``changed``, added or changed.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: ``members_scores`` is empty, a score is nan or an int of more than 64 bits, or
            ``update_condition`` comes with ``ConditionalChange.ONLY_IF_DOES_NOT_EXIST``.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).

    Example:
        >>> await client.zadd("board", {"ann": 12.5, "bob": 7})
        2
    """
    words = ["ZADD", _check.encodable("key", key)]
    if existing_options is not None:
        words.append(_check.member("existing_options", existing_options, ConditionalChange).value)
    if update_condition is not None:
        words.append(_check.member("update_condition", update_condition, UpdateOptions).value)
        if existing_options is ConditionalChange.ONLY_IF_DOES_NOT_EXIST:
            raise ValueError(
                "update_condition changes scores and existing_options is ONLY_IF_DOES_NOT_EXIST, "
                "which changes none; pass one of them"
            )
    if _check.flag("changed", changed):
        words.append("CH")
    for index, member, score in _check.pairs("members_scores", members_scores, "int or float"):
        words.append(_check.number(f"members_scores: score {index}", score))
        words.append(_check.encodable(f"members_scores: member {index}", member))
    return Command(words)


def zscore(key: TEncodable, member: TEncodable) -> Command[float | None]:
    """Gets the score of a member of a sorted set.

    See https://valkey.io/commands/zscore/.

    Args:
        key: The key of the sorted set.
        member: The member.

    Returns:
        The score, or None if there is no such member or key.

    Raises:
        TypeError: ``key`` or ``member`` is not str or bytes.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    return Command(
        ["ZSCORE", _check.encodable("key", key), _check.encodable("member", member)],
        _decode.to_optional_float,
        read_only=True,
    )


# The server


def ping(message: TEncodable | None = None) -> Command[bytes]:
    """Asks the server for a sign of life.

    See https://valkey.io/commands/ping/.

    Args:
        message: What to answer; None means ``PONG``.

    Returns:
        The message, or ``b"PONG"``.

    Raises:
        TypeError: ``message`` is not str or bytes.
    """
    return Command(["PING"] if message is None else ["PING", _check.encodable("message", message)])


def echo(message: TEncodable) -> Command[bytes]:
    """Asks the server to answer with a message.

    See https://valkey.io/commands/echo/.

    Args:
        message: The message.

    Returns:
        The message.

    Raises:
        TypeError: ``message`` is not str or bytes.
    """
    return Command(["ECHO", _check.encodable("message", message)])


def info(sections: Sequence[InfoSection] | None = None) -> Command[bytes]:
    """Gets facts and figures about the server.

    See https://valkey.io/commands/info/.

    Args:
        sections: The sections to get; None or an empty list means the default ones. More than one
            needs Redis 7.

    Returns:
        Text in lines: ``# Section`` and ``name:value``.

    Raises:
        TypeError: ``sections`` is not a list of ``InfoSection``.
    """
    words: list[TEncodable] = ["INFO"]
    if sections is not None:
        _check.sequence("sections", sections, "InfoSection")
        for index, section in enumerate(sections):
            words.append(_check.member(f"sections[{index}]", section, InfoSection).value)
    return Command(words)


def time() -> Command[list[bytes]]:
    """Gets the server's time.

    See https://valkey.io/commands/time/.

    Returns:
        Two numbers as text: the seconds since 1970, and the microseconds of the current second.
    """
    return Command(["TIME"])


def dbsize() -> Command[int]:
    """Counts the keys of the database.

    See https://valkey.io/commands/dbsize/.

    Returns:
        The number of keys.
    """
    return Command(["DBSIZE"])


def config_get(parameters: Sequence[TEncodable]) -> Command[dict[bytes, bytes]]:
    """Gets parameters of the server.

    See https://valkey.io/commands/config-get/.

    Args:
        parameters: Names or patterns such as ``"max*"``, at least one. More than one needs Redis 7.

    Returns:
        The values by name, of all parameters that match.

    Raises:
        TypeError: ``parameters`` is not a list of str or bytes.
        ValueError: ``parameters`` is empty.
    """
    return Command(["CONFIG", "GET", *_some("parameters", parameters)], _decode.to_dict)


def config_set(parameters_map: Mapping[K, TEncodable]) -> Command[TOK]:
    """Sets parameters of the server.

    See https://valkey.io/commands/config-set/.

    Args:
        parameters_map: The values by name, at least one. More than one needs Redis 7.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``parameters_map`` is not a dict of str or bytes.
        ValueError: ``parameters_map`` is empty.
        RequestError: There is no such parameter, or it does not take the value; none was set.
    """
    return Command(["CONFIG", "SET", *_flat("parameters_map", parameters_map)])


def flushall(flush_mode: FlushMode | None = None) -> Command[TOK]:
    """Deletes all keys of all databases.

    See https://valkey.io/commands/flushall/.

    Args:
        flush_mode: Whether to free the memory before answering; None means as the server is set.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``flush_mode`` is not a ``FlushMode``.
    """
    return Command(["FLUSHALL", *_mode("flush_mode", flush_mode)])


# Scripts


def eval(
    code: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Runs a script from its code, which is sent each time; ``invoke_script`` sends it once.

    See https://valkey.io/commands/eval/.

    Args:
        code: The script's code.
        keys: The keys it works on: ``KEYS`` in the script.
        args: Its other arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``code`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        ScriptError: The script does not compile, or failed.
    """
    return _run("EVAL", _check.encodable("code", code), keys, args, code=_as_bytes(code))


def eval_ro(
    code: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Runs a script that must not write, from its code. A replica may run it. Needs Redis 7.

    See https://valkey.io/commands/eval_ro/.

    Args:
        code: The script's code.
        keys: The keys it works on: ``KEYS`` in the script.
        args: Its other arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``code`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        ScriptError: The script does not compile, failed, or tried to write.
    """
    _check.encodable("code", code)
    return _run("EVAL_RO", code, keys, args, code=_as_bytes(code), read_only=True)


def evalsha(
    sha1: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Runs a script that the server has; ``invoke_script`` also sends it where it is missing.

    See https://valkey.io/commands/evalsha/.

    Args:
        sha1: The SHA1 of the script's code, 40 hexadecimal digits.
        keys: The keys it works on: ``KEYS`` in the script.
        args: Its other arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``sha1`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        NoScriptError: The server does not have the script; it did not run.
        ScriptError: The script failed.
    """
    return _run("EVALSHA", _check.encodable("sha1", sha1), keys, args)


def evalsha_ro(
    sha1: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Runs a script that must not write and that the server has. A replica may run it.

    Needs Redis 7. See https://valkey.io/commands/evalsha_ro/.

    Args:
        sha1: The SHA1 of the script's code, 40 hexadecimal digits.
        keys: The keys it works on: ``KEYS`` in the script.
        args: Its other arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``sha1`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        NoScriptError: The server does not have the script; it did not run.
        ScriptError: The script failed, or tried to write.
    """
    return _run("EVALSHA_RO", _check.encodable("sha1", sha1), keys, args, read_only=True)


def script_load(script: Script | TEncodable) -> Command[str]:
    """Puts a script on the server without running it.

    See https://valkey.io/commands/script-load/.

    Args:
        script: The script, or its code.

    Returns:
        The SHA1 of its code, 40 hexadecimal digits, for ``evalsha``.

    Raises:
        TypeError: ``script`` is not a ``Script``, str or bytes.
        ScriptSyntaxError: It does not compile.
    """
    code = script.code if isinstance(script, Script) else script
    if not isinstance(code, (str, bytes, bytearray, memoryview)):
        raise _check.wrong_type("script", code, "a Script, str or bytes")
    _check.encodable("script", code)
    return Command(["SCRIPT", "LOAD", code], _decode.to_str, code=_as_bytes(code))


def script_exists(sha1s: Sequence[TEncodable]) -> Command[list[bool]]:
    """Tells which scripts the server has.

    See https://valkey.io/commands/script-exists/.

    Args:
        sha1s: The SHA1s of the scripts' code, at least one.

    Returns:
        For each of them, in their order, whether the server has the script.

    Raises:
        TypeError: ``sha1s`` is not a list of str or bytes.
        ValueError: ``sha1s`` is empty.
    """
    return Command(["SCRIPT", "EXISTS", *_some("sha1s", sha1s)], _decode.to_bools)


def script_flush(mode: FlushMode | None = None) -> Command[TOK]:
    """Removes all scripts from the server.

    See https://valkey.io/commands/script-flush/.

    Args:
        mode: Whether to free the memory before answering; None means as the server is set.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``mode`` is not a ``FlushMode``.
    """
    return Command(["SCRIPT", "FLUSH", *_mode("mode", mode)])


def script_show(sha1: TEncodable) -> Command[bytes]:
    """Gets the code of a script that the server has. Needs Valkey 8.

    See https://valkey.io/commands/script-show/.

    Args:
        sha1: The SHA1 of the script's code, 40 hexadecimal digits.

    Returns:
        The code.

    Raises:
        TypeError: ``sha1`` is not str or bytes.
        NoScriptError: The server does not have the script.
    """
    return Command(["SCRIPT", "SHOW", _check.encodable("sha1", sha1)])


def script_kill() -> Command[TOK]:
    """Stops the script that the server is running, whoever called it, if it has not written yet.

    It goes over a connection of its own, so that it also reaches a server that is running this
    client's script. A server takes it only once the script has run for its
    ``busy-reply-threshold`` (5 seconds unless set otherwise); until then the call waits.

    See https://valkey.io/commands/script-kill/.

    Returns:
        ``OK``: the script was stopped; its caller gets ``ScriptKilledError``.

    Raises:
        NotBusyError: No script is running.
        UnkillableError: The script has written already.
    """
    return Command(["SCRIPT", "KILL"], admin=True)


# Functions


def function_load(
    library_code: FunctionLibrary | TEncodable, replace: bool = False
) -> Command[bytes]:
    """Puts a library of functions on the server. Needs Redis 7.

    See https://valkey.io/commands/function-load/.

    Args:
        library_code: The library, or its code.
        replace: Whether to replace a library of the same name.

    Returns:
        The library's name.

    Raises:
        TypeError: ``library_code`` is not a ``FunctionLibrary``, str or bytes, or ``replace`` is
            not a bool.
        ScriptSyntaxError: It does not compile.
        ScriptError: The server has a library of that name, or another one with a function of the
            same name.

    Example:
        >>> code = "#!lua name=mylib\\nserver.register_function('one', function() return 1 end)"
        >>> await client.function_load(code)
        b'mylib'
    """
    if not isinstance(library_code, (str, bytes, bytearray, memoryview)):
        from ._function_library import FunctionLibrary

        if not isinstance(library_code, FunctionLibrary):
            right = "a FunctionLibrary, str or bytes"
            raise _check.wrong_type("library_code", library_code, right)
        library_code = library_code.code
    code = _check.encodable("library_code", library_code)
    words = ["FUNCTION", "LOAD", code]
    if _check.flag("replace", replace):
        words.insert(2, "REPLACE")
    return Command(words, code=_as_bytes(code))


def function_list(
    library_name_pattern: TEncodable | None = None, with_code: bool = False
) -> Command[list[dict[bytes, Any]]]:
    """Tells which libraries the server has, and which functions are in them. Needs Redis 7.

    See https://valkey.io/commands/function-list/.

    Args:
        library_name_pattern: Only the libraries whose names match, such as ``"my*"``; None means
            all.
        with_code: Whether to get their code, too.

    Returns:
        A dict for each library: ``b"library_name"``, ``b"engine"``, ``b"functions"`` and, if asked
        for, ``b"library_code"``. The functions are a list of dicts: ``b"name"``,
        ``b"description"``, which may be None, and ``b"flags"``, a set.

    Raises:
        TypeError: ``library_name_pattern`` is not str or bytes, or ``with_code`` is not a bool.
    """
    words: list[TEncodable] = ["FUNCTION", "LIST"]
    if library_name_pattern is not None:
        words += ["LIBRARYNAME", _check.encodable("library_name_pattern", library_name_pattern)]
    if _check.flag("with_code", with_code):
        words.append("WITHCODE")
    return Command(words, _decode.to_libraries)


def function_delete(library_name: TEncodable) -> Command[TOK]:
    """Removes a library and its functions from the server. Needs Redis 7.

    See https://valkey.io/commands/function-delete/.

    Args:
        library_name: The library's name.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``library_name`` is not str or bytes.
        RequestError: The server has no such library.
    """
    return Command(["FUNCTION", "DELETE", _check.encodable("library_name", library_name)])


def function_flush(mode: FlushMode | None = None) -> Command[TOK]:
    """Removes all libraries from the server. Needs Redis 7.

    See https://valkey.io/commands/function-flush/.

    Args:
        mode: Whether to free the memory before answering; None means as the server is set.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``mode`` is not a ``FlushMode``.
    """
    return Command(["FUNCTION", "FLUSH", *_mode("mode", mode)])


def function_kill() -> Command[TOK]:
    """Stops the function that the server is running, whoever called it, if it has not written yet.

    It goes over a connection of its own, as ``script_kill`` does, and waits like that until the
    server takes it. Needs Redis 7.

    See https://valkey.io/commands/function-kill/.

    Returns:
        ``OK``: the function was stopped; its caller gets ``ScriptKilledError``.

    Raises:
        NotBusyError: No function is running.
        UnkillableError: The function has written already.
    """
    return Command(["FUNCTION", "KILL"], admin=True)


def function_stats() -> Command[dict[bytes, Any]]:
    """Tells which function or script the server is running, and what engines it has.

    Needs Redis 7.

    See https://valkey.io/commands/function-stats/.

    Returns:
        A dict: ``b"running_script"`` is None, or a dict of ``b"name"``, ``b"command"`` and
        ``b"duration_ms"``; ``b"engines"`` is a dict by engine of dicts of ``b"libraries_count"``
        and ``b"functions_count"``.
    """
    return Command(["FUNCTION", "STATS"], _decode.to_function_stats)


def function_dump() -> Command[bytes]:
    """Gets all libraries of the server in a form that ``function_restore`` takes. Needs Redis 7.

    See https://valkey.io/commands/function-dump/.

    Returns:
        The libraries.
    """
    return Command(["FUNCTION", "DUMP"])


def function_restore(
    payload: TEncodable, policy: FunctionRestorePolicy | None = None
) -> Command[TOK]:
    """Puts libraries on the server that ``function_dump`` gave. Needs Redis 7.

    See https://valkey.io/commands/function-restore/.

    Args:
        payload: What ``function_dump`` gave.
        policy: What happens to the libraries that the server has; None means ``APPEND``.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``payload`` is not str or bytes, or ``policy`` is not a
            ``FunctionRestorePolicy``.
        RequestError: The payload is damaged, or the server has a library or a function of the same
            name; none was restored.
    """
    words = ["FUNCTION", "RESTORE", _check.encodable("payload", payload)]
    if policy is not None:
        words.append(_check.member("policy", policy, FunctionRestorePolicy).value)
    return Command(words)


def fcall(
    function: TEncodable | Function,
    keys: Sequence[TEncodable] | None = None,
    arguments: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Calls a function that the server has, or one of a ``FunctionLibrary``, which loads itself.

    Needs Redis 7. See https://valkey.io/commands/fcall/.

    Args:
        function: The function's name, or the ``Function`` of a ``FunctionLibrary``: its library is
            loaded where it is missing. A read-only ``Function`` is called as by ``fcall_ro``.
        keys: The keys it works on: its first parameter.
        arguments: Its other arguments: its second parameter.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``function`` is not a ``Function``, str or bytes, or ``keys`` or ``arguments``
            is not a list of str or bytes.
        ScriptError: There is no such function, or it failed.
    """
    return _call(function, keys, arguments, read_only=False)


def fcall_ro(
    function: TEncodable | Function,
    keys: Sequence[TEncodable] | None = None,
    arguments: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Calls a function that must not write. A replica may run it. Needs Redis 7.

    See https://valkey.io/commands/fcall_ro/, and ``fcall``.

    Args:
        function: The function's name, or the ``Function`` of a ``FunctionLibrary``. It must be
            registered with the flag ``no-writes``.
        keys: The keys it works on: its first parameter.
        arguments: Its other arguments: its second parameter.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``function`` is not a ``Function``, str or bytes, or ``keys`` or ``arguments``
            is not a list of str or bytes.
        ScriptError: There is no such function, it may write, or it failed.
    """
    return _call(function, keys, arguments, read_only=True)


# Any


def custom_command(command_args: Sequence[TEncodable]) -> Command[TResult]:
    """Sends any command.

    See https://valkey.io/commands/. One that waits for others, such as BLPOP, has a connection of
    its own, and its own time on top of ``request_timeout``.

    Args:
        command_args: The command's name and its arguments, each an item: ``["CLIENT", "ID"]``.

    Returns:
        What the server answers, as it comes; RESP2 and RESP3 may differ.

    Raises:
        TypeError: ``command_args`` is not a list of str or bytes.
        ValueError: ``command_args`` is empty.
        RequestError: It would disturb other calls on the shared connection, as SUBSCRIBE or SELECT.
    """
    return Command([*_some("command_args", command_args)])


def _run(
    name: str,
    script: TEncodable,
    keys: Sequence[TEncodable] | None,
    args: Sequence[TEncodable] | None,
    *,
    code: bytes = b"",
    read_only: bool = False,
) -> Command[TResult]:
    words = [name, script, *_numbered(keys, "args", args)]
    return Command(words, read_only=read_only, code=code)


def _call(
    function: TEncodable | Function,
    keys: Sequence[TEncodable] | None,
    arguments: Sequence[TEncodable] | None,
    *,
    read_only: bool,
) -> Command[TResult]:
    library = None
    if not isinstance(function, (str, bytes, bytearray, memoryview)):
        from ._function_library import Function

        if not isinstance(function, Function):
            raise _check.wrong_type("function", function, "a Function, str or bytes")
        read_only, library = read_only or function.read_only, function.library._core
        function = function.name
    name = "FCALL_RO" if read_only else "FCALL"
    numbered = _numbered(keys, "arguments", arguments)
    words = [name, _check.encodable("function", function), *numbered]
    return Command(words, read_only=read_only, code=b"", library=library)


def _numbered(
    keys: Sequence[TEncodable] | None, name: str, arguments: Sequence[TEncodable] | None
) -> list[TEncodable]:
    keys = () if keys is None else _check.encodables("keys", keys)
    arguments = () if arguments is None else _check.encodables(name, arguments)
    return [b"%d" % len(keys), *keys, *arguments]


def _as_bytes(code: TEncodable) -> bytes:
    return code.encode() if isinstance(code, str) else bytes(code)


def _some(name: str, values: Sequence[TEncodable]) -> Sequence[TEncodable]:
    _check.encodables(name, values)
    _check.not_empty(name, values)
    return values


def _flat(name: str, mapping: Mapping[K, TEncodable]) -> list[TEncodable]:
    words: list[TEncodable] = []
    for index, key, value in _check.pairs(name, mapping, "str or bytes"):
        words.append(_check.encodable(f"{name}: key {index}", key))
        words.append(_check.encodable(f"{name}: value {index}", value))
    return words


def _mode(name: str, mode: FlushMode | None) -> list[TEncodable]:
    return [] if mode is None else [_check.member(name, mode, FlushMode).value]
