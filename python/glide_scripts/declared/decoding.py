"""Converting replies of typed calls to the declared type.

Both protocols give the same: RESP2 has neither maps, doubles nor booleans, and sends flat lists,
text and integers for them.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeAlias, get_args, get_origin, is_typeddict

from ..values import OK
from . import json_text
from .annotations import Mark, is_union, optional_of, shown, without_marks
from .conversion import Unconvertible, conversion_of
from .json_values import NotJson
from .mismatch import Mismatch

Decoder: TypeAlias = Callable[[Any], Any]
"""Gives the reply as the declared type, or raises ``Mismatch``."""


class NotDecodable(Exception):
    """An annotation that no reply can be converted to."""


def decoder(annotation: Any) -> Decoder | None:
    """Return the function that converts a reply to a type; None if no conversion is needed.

    Raises:
        NotDecodable: There is no way.
    """
    kind, marks = without_marks(annotation)
    if kind is Any and Mark.JSON not in marks:
        return None
    if Mark.JSON in marks:
        return _json_decoder(annotation)
    if kind is None or kind is type(None):
        return _none
    inner = optional_of(kind)
    if inner is not kind:
        of = _some(decoder(inner))
        return lambda reply: None if reply is None else of(reply)
    try:
        conversion = conversion_of(annotation)
    except Unconvertible as error:
        raise NotDecodable(str(error)) from None
    if conversion is not None:
        sent, make = _some(decoder(conversion.sent_as)), conversion.decode
        return lambda reply: make(sent(reply))
    if is_dataclass(kind) or is_typeddict(kind):
        return _json_decoder(annotation)
    if is_union(kind):
        return _either(get_args(kind), shown(kind))
    if isinstance(kind, type) and kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin is list:
        return _list(args[0] if args else Any)
    if origin is builtins.set:
        return _set(args[0] if args else Any)
    if origin is dict:
        return _dict(*(args or (Any, Any)))
    if origin is tuple and args:
        if len(args) == 2 and args[1] is Ellipsis:
            items = _list(args[0])
            return lambda reply: tuple(items(reply))
        return _tuple(args)
    raise NotDecodable(
        f"{shown(kind)} is none of int, float, str, bytes, bool, None, Decimal, UUID, a date or "
        "time, an enum, Literal, list[...], tuple[...], set[...], dict[...], a dataclass, "
        "Json[...], a union of these, and Any; a Converter can make it of one of these"
    )


_COMES_AS: dict[Any, type] = {int: int, float: float, bool: bool, dict: dict, list: list}


def _either(annotations: tuple[Any, ...], what: str) -> Decoder:
    """The decoder of a union. It first tries the types in which a reply can arrive."""
    decoders: list[tuple[type, Decoder]] = []
    for each in annotations:
        kind = optional_of(without_marks(each)[0])
        conversion = conversion_of(each)
        if conversion is not None:
            kind = without_marks(conversion.sent_as)[0]
        comes_as = list if get_origin(kind) in (tuple, builtins.set) else get_origin(kind) or kind
        decoders.append((_COMES_AS.get(comes_as, bytes), _some(decoder(each))))

    def decode(reply: Any) -> Any:
        kind = type(reply)
        inner: Mismatch | None = None
        for comes_as, decode_one in sorted(decoders, key=lambda each: each[0] is not kind):
            try:
                return decode_one(reply)
            except Mismatch as mismatch:
                if comes_as is kind and mismatch.where:
                    inner = inner or mismatch
        raise inner or _wrong(reply, what)

    return decode


def _some(decode: Decoder | None) -> Decoder:
    return decode if decode is not None else lambda reply: reply


def _wrong(reply: object, right: str) -> Mismatch:
    return Mismatch(f"is {_kind(reply)}, not {right}")


def _kind(reply: object) -> str:
    if reply is None or reply is OK:
        return str(reply)
    return f"{reply!r}" if isinstance(reply, (bool, int, float)) else type(reply).__name__


def _int(reply: Any) -> int:
    if type(reply) is int:
        return reply
    if isinstance(reply, bytes):
        digits = reply[1:] if reply.startswith(b"-") else reply
        if digits.isdigit() and len(digits) <= 4000:
            return int(reply)
        raise Mismatch("is bytes that are not a whole number")
    raise _wrong(reply, "int")


def _float(reply: Any) -> float:
    if type(reply) in (float, int):
        try:
            return float(reply)
        except OverflowError:
            raise Mismatch("is a number too large for float") from None
    if isinstance(reply, bytes):
        # Python would also read " 1.5 " and "1_0".
        if b"_" in reply or reply.strip() != reply:
            raise Mismatch("is bytes that are not a number")
        try:
            number = float(reply)
        except ValueError:
            raise Mismatch("is bytes that are not a number") from None
        if math.isinf(number) and b"inf" not in reply.lower():
            raise Mismatch("is a number too large for float")
        return number
    raise _wrong(reply, "float")


def _bool(reply: Any) -> bool:
    # Lua's true is sent as 1, and its false as nil.
    if reply is None:
        return False
    if type(reply) in (bool, int) and reply in (0, 1):
        return bool(reply)
    if isinstance(reply, bytes) and reply in (b"0", b"1"):
        return reply == b"1"
    raise _wrong(reply, "bool")


def _str(reply: Any) -> str:
    if not isinstance(reply, bytes):
        raise _wrong(reply, "str")
    try:
        return reply.decode()
    except UnicodeDecodeError:
        raise Mismatch("is bytes that are not UTF-8") from None


def _bytes(reply: Any) -> bytes:
    if not isinstance(reply, bytes):
        raise _wrong(reply, "bytes")
    return reply


def _none(reply: Any) -> None:
    if reply is not None:
        raise _wrong(reply, "None")


_SCALARS: dict[type, Decoder] = {
    int: _int,
    float: _float,
    bool: _bool,
    str: _str,
    bytes: _bytes,
}


def _list(annotation: Any) -> Decoder:
    one = decoder(annotation)
    kind = f"list[{shown(annotation)}]"
    # Items that already have the type are checked all at once.
    exact = frozenset([annotation] if annotation in (int, bytes) else [])

    def decode(reply: Any) -> list[Any]:
        if not isinstance(reply, (list, builtins.set)):
            raise _wrong(reply, kind)
        if one is None or exact.issuperset(map(type, reply)):
            return list(reply)
        return _each(reply, one)

    return decode


def _each(items: Any, one: Decoder) -> list[Any]:
    try:
        return [one(item) for item in items]
    except Mismatch:
        # Again, to find the place: fitting values need not be counted.
        for index, item in enumerate(items):
            try:
                one(item)
            except Mismatch as mismatch:
                raise mismatch.within(f"[{index}]") from None
        raise


def _set(annotation: Any) -> Decoder:
    items = _list(annotation)
    kind = f"set[{shown(annotation)}]"

    def decode(reply: Any) -> builtins.set[Any]:
        if not isinstance(reply, (list, builtins.set)):
            raise _wrong(reply, kind)
        try:
            return builtins.set(items(reply))
        except TypeError:
            raise Mismatch("has an item that cannot be in a set") from None

    return decode


def _dict(key_annotation: Any, value_annotation: Any) -> Decoder:
    of_key, of_value = _some(decoder(key_annotation)), _some(decoder(value_annotation))
    kind = f"dict[{shown(key_annotation)}, {shown(value_annotation)}]"

    def decode(reply: Any) -> dict[Any, Any]:
        if isinstance(reply, dict):
            pairs = list(reply.items())
        elif isinstance(reply, list):
            if len(reply) % 2:
                raise Mismatch(f"has an odd number of items, {len(reply)}, so they are not pairs")
            pairs = list(zip(reply[::2], reply[1::2], strict=True))
        else:
            raise _wrong(reply, kind)
        decoded = {}
        for key, value in pairs:
            try:
                name = of_key(key)
                hash(name)
            except Mismatch as mismatch:
                raise mismatch.within(": a key") from None
            except TypeError:
                raise _wrong(key, "a key").within(": a key") from None
            try:
                decoded[name] = of_value(value)
            except Mismatch as mismatch:
                raise mismatch.at_key(name) from None
        return decoded

    return decode


def _tuple(annotations: tuple[Any, ...]) -> Decoder:
    if annotations == ((),):
        annotations = ()
    decoders = [_some(decoder(each)) for each in annotations]
    # Lua's tables end at the first nil, so that those at the end may be missing.
    needed = len(annotations)
    while needed and _takes_none(annotations[needed - 1]):
        needed -= 1

    def decode(reply: Any) -> tuple[Any, ...]:
        if not isinstance(reply, list):
            raise _wrong(reply, "a tuple")
        if not needed <= len(reply) <= len(decoders):
            raise Mismatch(f"has {len(reply)} items, not {len(decoders)}")
        decoded = []
        filled = [*reply, *[None] * (len(decoders) - len(reply))]
        for index, (decode_one, item) in enumerate(zip(decoders, filled, strict=True)):
            try:
                decoded.append(decode_one(item))
            except Mismatch as mismatch:
                raise mismatch.within(f"[{index}]") from None
        return tuple(decoded)

    return decode


def _takes_none(annotation: Any) -> bool:
    kind, _ = without_marks(annotation)
    return kind in (None, type(None)) or optional_of(kind) is not kind


def _json_decoder(annotation: Any) -> Decoder:
    kind, _ = without_marks(annotation)
    try:
        read = json_text.reader(annotation)
    except NotJson as error:
        raise NotDecodable(str(error)) from None
    right = f"the JSON of {shown(kind)}"
    takes_none = _takes_none(kind)

    def decode(reply: Any) -> Any:
        if isinstance(reply, bytes):
            return read(reply)
        if reply is None and takes_none:
            return None
        raise _wrong(reply, right)

    return decode
