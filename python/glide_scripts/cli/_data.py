"""Data in JSON, as the commands that write it.

::

    {
      "stock:apples": 5,
      "queue": ["a", "b"],
      "user:1": {"name": "Ann", "age": 41},
      "tags": {"$set": ["red", "green"]},
      "board": {"$zset": {"ann": 3, "bob": 1.5}},
      "events": {"$stream": [{"type": "login"}]},
      "session": {"$string": "x", "$ttl": 60},
      "picture": {"$base64": "iVBORw=="}
    }

A string or a number is a string of the server, a list is a list, and an object is a hash. An object
with a name that begins with ``$`` says what it is.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from typing import Any

Command = list[bytes]

_KINDS = ("$string", "$base64", "$list", "$hash", "$set", "$zset", "$stream")


def commands(text: str) -> Iterator[Command]:
    """The commands that write the data of a JSON text; those of a key begin with DEL.

    Raises:
        ValueError: It is no JSON, or a value cannot be written. The text names the key.
    """
    data = parsed(text)
    if not isinstance(data, dict):
        raise ValueError('it must be an object of keys and values: {"user:1": "Ann"}')
    for name, value in data.items():
        try:
            key = name.encode()
            yield [b"DEL", key]
            yield from _value(key, value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def parsed(text: str | bytes) -> Any:
    """Read JSON, in which numbers stay as they are written.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None


class _Number(str):
    """A number, as it was written."""


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _value(key: bytes, value: Any) -> Iterator[Command]:
    if not isinstance(value, dict):
        yield from (_list if isinstance(value, list) else _string)(key, value)
        return
    if not any(name.startswith("$") for name in value):
        yield from _hash(key, value)
        return
    kinds = [name for name in value if name != "$ttl"]
    if len(kinds) != 1 or kinds[0] not in _KINDS:
        raise ValueError(f"it must have one of {', '.join(_KINDS)}, and may have $ttl")
    (kind,) = kinds
    yield from _WRITERS[kind](key, value[kind])
    if "$ttl" in value:
        yield [b"PEXPIRE", key, b"%d" % _milliseconds(value["$ttl"])]


def _string(key: bytes, value: Any) -> Iterator[Command]:
    yield [b"SET", key, item(value)]


def _base64(key: bytes, value: Any) -> Iterator[Command]:
    yield [b"SET", key, item({"$base64": value})]


def _list(key: bytes, value: Any) -> Iterator[Command]:
    if items := _items(value):
        yield [b"RPUSH", key, *items]


def _set(key: bytes, value: Any) -> Iterator[Command]:
    if items := _items(value):
        yield [b"SADD", key, *items]


def _hash(key: bytes, value: Any) -> Iterator[Command]:
    if fields := _fields(value):
        yield [b"HSET", key, *fields]


def _zset(key: bytes, value: Any) -> Iterator[Command]:
    if not isinstance(value, dict) or not all(isinstance(each, _Number) for each in value.values()):
        raise ValueError('$zset takes members and their scores: {"ann": 3}')
    if value:
        pairs = [word.encode() for member, score in value.items() for word in (score, member)]
        yield [b"ZADD", key, *pairs]


def _stream(key: bytes, value: Any) -> Iterator[Command]:
    if isinstance(value, list):
        # Always the same ids.
        value = {f"{number}-0": entry for number, entry in enumerate(value, start=1)}
    if not isinstance(value, dict):
        raise ValueError("$stream takes a list of objects, or an object of them by their ids")
    for id_, entry in value.items():
        fields = _fields(entry)
        if not fields:
            raise ValueError("an entry of a stream has at least one field")
        yield [b"XADD", key, id_.encode(), *fields]


_WRITERS: dict[str, Callable[[bytes, Any], Iterator[Command]]] = {
    "$string": _string,
    "$base64": _base64,
    "$list": _list,
    "$hash": _hash,
    "$set": _set,
    "$zset": _zset,
    "$stream": _stream,
}


def _items(value: Any) -> list[bytes]:
    if not isinstance(value, list):
        raise ValueError(f"it takes a list, not {_shown(value)}")
    return [item(each) for each in value]


def _fields(value: Any) -> list[bytes]:
    if not isinstance(value, dict):
        raise ValueError(f"it takes an object of fields and values, not {_shown(value)}")
    return [word for name, each in value.items() for word in (name.encode(), item(each))]


def item(value: Any) -> bytes:
    """The bytes of a string, a number, or ``{"$base64": "..."}``.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and list(value) == ["$base64"]:
        try:
            return base64.b64decode(value["$base64"], validate=True)
        except (TypeError, binascii.Error) as error:
            raise ValueError(f"$base64: {error}") from None
    raise ValueError(f"{_shown(value)} is not a string or a number")


def _milliseconds(value: Any) -> int:
    seconds = float(value) if isinstance(value, _Number) else 0.0
    if not 0 < seconds < 1e12:
        raise ValueError("$ttl takes seconds, more than 0")
    return max(1, round(seconds * 1000))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"
