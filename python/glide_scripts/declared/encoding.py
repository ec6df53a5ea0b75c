"""Converting keys and arguments of typed calls to the form in which they are sent.

An encoder accepts every value that fits its type, and refuses others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, get_args, get_origin

from .. import checks
from ..values import TEncodable
from . import json_text
from .annotations import (
    Mark,
    is_encodable,
    is_json,
    is_union,
    optional_of,
    shown,
    without_marks,
)
from .conversion import Conversion, Unconvertible, conversion_of, has_converter
from .json_values import NotJson
from .mismatch import Mismatch, Unsendable

Encoder: TypeAlias = Callable[[str, Any], TEncodable]
"""Gives what is sent for a value; the name is for its errors."""


class NotEncodable(Exception):
    """An annotation of a parameter that cannot be sent."""


def encoder(annotation: Any) -> Encoder:
    """Return the function that encodes one value of a type.

    Raises:
        NotEncodable: There is no way.
    """
    kind, marks = without_marks(annotation)
    if Mark.KEY in marks or is_encodable(kind):
        return checks.encodable
    if Mark.JSON in marks:
        return _json_encoder(annotation)
    if optional_of(kind) is not kind:
        raise NotEncodable(
            "a script's arguments are strings, never None; use another value, such as ''"
        )
    try:
        conversion = conversion_of(annotation)
    except Unconvertible as error:
        raise NotEncodable(str(error)) from None
    if conversion is not None:
        return _converting(conversion)
    if isinstance(kind, type) and kind in _SCALARS:
        return _SCALARS[kind]
    if is_union(kind):
        return _either([encoder(each) for each in get_args(kind)], shown(kind))
    if is_json(kind, marks):
        return _json_encoder(annotation)
    raise NotEncodable(
        f"{shown(kind)} is none of int, float, str, bytes, bool, Decimal, UUID, a date or time, an "
        "enum, Literal, a union or a list of these, a dict, a dataclass and Json[...]; a Converter "
        "can make one of these of it"
    )


def _converting(conversion: Conversion) -> Encoder:
    encode_as_sent = encoder(conversion.sent_as)

    def encode(name: str, value: Any) -> TEncodable:
        try:
            sent = conversion.encode(value)
        except Mismatch as mismatch:
            kind = ValueError if isinstance(mismatch, Unsendable) else TypeError
            why = kind(f"{name}{mismatch.where} {mismatch.why}")
        else:
            return encode_as_sent(name, sent)
        # Outside the except block: that error would be the context.
        raise why

    return encode


def _either(encoders: Sequence[Encoder], what: str) -> Encoder:
    """The encoder of a union, which takes the first of its types that a value is of."""

    def encode(name: str, value: Any) -> TEncodable:
        refusals: list[Exception] = []
        for each in encoders:
            try:
                return each(name, value)
            except (TypeError, ValueError) as error:
                refusals.append(error)
        # A type that it is of, but that does not fit: the others say nothing about it.
        for refusal in refusals:
            if isinstance(refusal, ValueError) or not str(refusal).startswith(f"{name} is "):
                raise type(refusal)(*refusal.args)
        raise checks.wrong_type(name, value, what)

    return encode


def items_of(annotation: Any) -> Any | None:
    """Return the annotation of the items, if this is one of several keys or arguments."""
    kind, marks = without_marks(annotation)
    if Mark.JSON in marks or has_converter(annotation):
        return None
    origin, args = get_origin(kind), get_args(kind)
    if origin in (list, Sequence) and len(args) == 1:
        return args[0]
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return args[0]
    if kind in (list, tuple, Sequence):
        raise NotEncodable(f"write the type of its items, as in {kind.__name__}[str]")
    return None


def _float(name: str, value: Any) -> TEncodable:
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError(f"{name} is nan; pass a number, or declare it str to send 'nan'")
        # Not repr(): a subclass such as numpy.float64 may have another one.
        return float.__repr__(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise checks.wrong_type(name, value, "float")
    return checks.integer(name, value)


def _str(name: str, value: Any) -> TEncodable:
    return checks.encodable(name, checks.of_type(name, value, str, "str"))


def _bytes(name: str, value: Any) -> TEncodable:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value
    raise checks.wrong_type(name, value, "bytes")


def _bool(name: str, value: Any) -> TEncodable:
    return b"1" if checks.flag(name, value) else b"0"


_SCALARS: dict[type, Encoder] = {
    int: checks.integer,
    float: _float,
    str: _str,
    bytes: _bytes,
    bool: _bool,
}


def _json_encoder(annotation: Any) -> Encoder:
    try:
        return json_text.writer(annotation)
    except NotJson as error:
        raise NotEncodable(str(error)) from None


def many_encoder(one: Encoder, annotation: Any) -> Callable[[str, Any], list[TEncodable]]:
    """The encoder of a list of keys or arguments."""
    what = shown(annotation)

    def encode(name: str, values: Any) -> list[TEncodable]:
        checks.sequence(name, values, what)
        try:
            return [one(name, value) for value in values]
        except (TypeError, ValueError):
            # Again, to find the value: fitting values need no names.
            return [one(f"{name}[{index}]", value) for index, value in enumerate(values)]

    return encode


def secretly(encode: Callable[[str, Any], Any], what: str) -> Callable[[str, Any], Any]:
    """Return an encoder whose errors show nothing of a value."""

    def encode_secretly(name: str, value: Any) -> Any:
        try:
            return encode(name, value)
        except Exception as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
        # Outside the except block: that error would be the context.
        raise kind(f"{name} is {type(value).__name__} and cannot be sent as {what}")

    return encode_secretly
