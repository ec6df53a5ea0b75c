"""Replies as JSON."""

import base64
import json
import math
from typing import Any


def to_json(reply: object) -> str:
    """A reply as one line of JSON.

    Bytes are text, or ``{"base64": "..."}`` when they are not UTF-8. nan and infinite numbers are
    strings. Sets are lists, in the order of their elements' JSON. An error inside a reply is
    ``{"error": "..."}``. A map's key that is no string becomes its JSON, as a string.
    """
    return json.dumps(_plain(reply), ensure_ascii=False)


def _plain(value: object) -> Any:
    match value:
        case bytes():
            return _text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case set() | frozenset():
            return sorted((_plain(item) for item in value), key=json.dumps)
        case dict():
            return {_key(key): _plain(item) for key, item in value.items()}
        case BaseException():
            return {"error": str(value)}
        case _:
            return value


def _text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _key(key: object) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
