"""The conversion of single values to those of ``json``, and what conversions have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from .annotations import shown
from .conversion import Conversion
from .mismatch import Mismatch, Unsendable

Change: TypeAlias = Callable[[Any], Any]

NONE = type(None)

# Lua's numbers are doubles, which have no other integers above it.
MAX_INT = 2**53


class NotJson(Exception):
    """An annotation of a type that JSON does not have."""


@dataclasses.dataclass(slots=True)
class Codec:
    """The conversion between values of a type and the values of ``json``.

    Both ways raise ``Mismatch``.
    """

    sends: frozenset[type] | None
    """The types of which each value goes as it is; None if all do."""
    reads: frozenset[type] | None
    """Likewise of what was read."""
    encode: Change
    decode: Change


def same(value: Any) -> Any:
    return value


def not_sent(value: object, right: str) -> Mismatch:
    return Mismatch(f"is {type(value).__name__}; pass {right}")


def not_read(value: object, right: str) -> Mismatch:
    return Mismatch(f"is {type(value).__name__}, not {right}")


def only(types: frozenset[type] | None) -> Callable[[Iterable[Any]], bool]:
    """Whether all items have exactly one of these types."""
    if types is None:
        return lambda items: True
    holds = types.issuperset
    return lambda items: holds(map(type, items))


def _scalar(kind: type, takes: tuple[type, ...], converted: Change) -> Codec:
    name = shown(kind)

    def encode(value: Any) -> Any:
        # Subclasses of them, too, but bool is no int here.
        if isinstance(value, takes) and (kind is bool or not isinstance(value, bool)):
            return value
        raise not_sent(value, name)

    def decode(value: Any) -> Any:
        return value if type(value) is kind else converted(value)

    return Codec(frozenset(takes), frozenset((kind,)), encode, decode)


def _int_of(value: Any) -> int:
    # Lua writes 1e+14 for larger integers.
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INT:
        return int(value)
    raise not_read(value, "int")


def _float_of(value: Any) -> float:
    if type(value) is not int:
        raise not_read(value, "float")
    try:
        return float(value)
    except OverflowError:
        raise Mismatch("is an integer that is too large for float") from None


def _never(name: str) -> Change:
    def refuse(value: Any) -> Any:
        raise not_read(value, name)

    return refuse


SCALARS: dict[type, Codec] = {
    int: _scalar(int, (int,), _int_of),
    float: _scalar(float, (float, int), _float_of),
    str: _scalar(str, (str,), _never("str")),
    bool: _scalar(bool, (bool,), _never("bool")),
    NONE: _scalar(NONE, (NONE,), _never("None")),
}


def converting(conversion: Conversion, sent: Codec) -> Codec:
    def encode(value: Any) -> Any:
        return sent.encode(conversion.encode(value))

    def decode(value: Any) -> Any:
        return conversion.decode(sent.decode(value))

    return Codec(frozenset(), frozenset(), encode, decode)


def union_of(codecs: Sequence[Codec], name: str) -> Codec:
    """Of a union; the first of its types that a value is of exactly, or else one that it fits."""

    def first(
        changes: Sequence[tuple[frozenset[type] | None, Change]], value: Any, wrong: Mismatch
    ) -> Any:
        if any(types is None or type(value) in types for types, _ in changes):
            return value
        inner: Mismatch | None = None
        for _, change in changes:
            try:
                return change(value)
            except Mismatch as mismatch:
                if mismatch.where or isinstance(mismatch, Unsendable):
                    inner = inner or mismatch
        raise inner or wrong

    sends = [(each.sends, each.encode) for each in codecs]
    reads = [(each.reads, each.decode) for each in codecs]
    return Codec(
        frozenset(),
        frozenset(),
        lambda value: first(sends, value, not_sent(value, name)),
        lambda value: first(reads, value, not_read(value, name)),
    )


def optional(inner: Codec) -> Codec:
    def encode(value: Any) -> Any:
        return None if value is None else inner.encode(value)

    def decode(value: Any) -> Any:
        return None if value is None else inner.decode(value)

    sends = None if inner.sends is None else inner.sends | {NONE}
    reads = None if inner.reads is None else inner.reads | {NONE}
    return Codec(sends, reads, encode, decode)


def at_key(change: Change, value: Any, key: Any) -> Any:
    try:
        return change(value)
    except Mismatch as mismatch:
        raise mismatch.at_key(key) from None
