"""Arguments of several commands: checks, and the form in which they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from .. import checks
from ..values import TEncodable

# A mapping's key type is invariant: Mapping[TEncodable, …] would not take a dict[str, str].
K = TypeVar("K", bound=TEncodable)


def counted(
    keys: Sequence[TEncodable] | None, name: str, arguments: Sequence[TEncodable] | None
) -> list[TEncodable]:
    """Return the number of keys, the keys, and the arguments."""
    keys = () if keys is None else checks.encodables("keys", keys)
    arguments = () if arguments is None else checks.encodables(name, arguments)
    return [b"%d" % len(keys), *keys, *arguments]


def as_bytes(code: TEncodable) -> bytes:
    """Return code in the form in which it is sent."""
    return code.encode() if isinstance(code, str) else bytes(code)


def one_or_more(name: str, values: Sequence[TEncodable]) -> Sequence[TEncodable]:
    """Check a list of keys or arguments that must not be empty."""
    checks.encodables(name, values)
    checks.not_empty(name, values)
    return values


def flattened(name: str, mapping: Mapping[K, TEncodable]) -> list[TEncodable]:
    """Return the keys and values of a mapping in alternation; it must not be empty."""
    words: list[TEncodable] = []
    for index, key, value in checks.pairs(name, mapping, "str or bytes"):
        words.append(checks.encodable(f"{name}: key {index}", key))
        words.append(checks.encodable(f"{name}: value {index}", value))
    return words
