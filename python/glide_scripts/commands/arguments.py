"""Arguments that several commands have, checked and as they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from .. import checks
from ..values import TEncodable

K = TypeVar("K", bound=TEncodable)


def counted(
    keys: Sequence[TEncodable] | None, name: str, arguments: Sequence[TEncodable] | None
) -> list[TEncodable]:
    """The number of the keys, the keys, and the other arguments."""
    keys = () if keys is None else checks.encodables("keys", keys)
    arguments = () if arguments is None else checks.encodables(name, arguments)
    return [b"%d" % len(keys), *keys, *arguments]


def as_bytes(code: TEncodable) -> bytes:
    """Code as it is sent."""
    return code.encode() if isinstance(code, str) else bytes(code)


def one_or_more(name: str, values: Sequence[TEncodable]) -> Sequence[TEncodable]:
    """A list of keys or arguments that is not empty."""
    checks.encodables(name, values)
    checks.not_empty(name, values)
    return values


def flattened(name: str, mapping: Mapping[K, TEncodable]) -> list[TEncodable]:
    """The keys and values of a mapping that is not empty, one after the other."""
    words: list[TEncodable] = []
    for index, key, value in checks.pairs(name, mapping, "str or bytes"):
        words.append(checks.encodable(f"{name}: key {index}", key))
        words.append(checks.encodable(f"{name}: value {index}", value))
    return words
