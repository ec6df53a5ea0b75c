"""Types whose values are sent as another type's: enums, literals, UUIDs, times, and one's own."""

import datetime
import decimal
import enum
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from ..public import show_as_public
from .annotations import layers, shown, union_of
from .mismatch import MAX_KEY, Mismatch, Unsendable, shortened_repr

T = TypeVar("T")
V = TypeVar("V")

_SCALARS = (str, int, float, bytes, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter(Generic[T, V]):
    """The conversion of your own type, given with ``Annotated``.

    ::

        Price = Annotated[Money, Converter(sent_as=int, encode=Money.cents, decode=Money.of_cents)]

        @typed_script(Script.from_file("buy.lua"))
        def buy(sku: Key, price: Price) -> Price: ...

    It applies wherever the type is used: as a parameter, as a reply, in a list and inside JSON.

    Args:
        sent_as: The type that it is sent as and read from, such as ``int`` or ``Json[list[str]]``.
        encode: Makes a value of that type from one of yours.
        decode: Makes a value of your type from one of that type. If it raises, the call raises
            ``ReplyTypeError``.
    """

    sent_as: Any
    encode: Callable[[T], V]
    decode: Callable[[V], T]


@dataclass(frozen=True, slots=True)
class Conversion:
    """How values of a type become another type's, and come back. Both ways raise ``Mismatch``."""

    sent_as: Any
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Unconvertible(Exception):
    """A type with values that cannot be sent."""


def conversion_of(annotation: Any) -> Conversion | None:
    """How values of a type are converted; None: they are not.

    Raises:
        Unconvertible: Some of its values cannot be sent.
    """
    kind = annotation
    for kind, metadata in layers(annotation):
        for each in metadata:
            if isinstance(each, Converter):
                return _of_converter(kind, each)
    if get_origin(kind) is Literal:
        return _of_literal(get_args(kind))
    if not isinstance(kind, type):
        return None
    if issubclass(kind, enum.Enum):
        return _of_enum(kind)
    if kind is decimal.Decimal:
        return _of_decimal()
    if kind is uuid.UUID:
        return _of_text(kind, str, uuid.UUID)
    if kind in (datetime.datetime, datetime.date, datetime.time):
        standard: Any = kind
        return _of_text(kind, standard.isoformat, standard.fromisoformat)
    return None


def has_converter(annotation: Any) -> bool:
    """Whether ``Annotated`` says how its values are converted."""
    return any(isinstance(each, Converter) for _, said in layers(annotation) for each in said)


def _of_converter(kind: Any, converter: Converter[Any, Any]) -> Conversion:
    checked, name = kind if isinstance(kind, type) else object, shown(kind)

    def encode(value: Any) -> Any:
        _check(value, checked, name)
        try:
            return converter.encode(value)
        except Exception as error:
            why = f"cannot be encoded: {type(error).__name__}: {error}"
        raise Unsendable(why)

    return Conversion(converter.sent_as, encode, _decoding(converter.decode, name))


def _of_text(kind: type, write: Callable[[Any], str], read: Callable[[str], Any]) -> Conversion:
    def encode(value: Any) -> str:
        # A datetime is a date, too, to isinstance.
        if kind is datetime.date and isinstance(value, datetime.datetime):
            raise Mismatch("is datetime; pass date")
        _check(value, kind, kind.__name__)
        return write(value)

    return Conversion(str, encode, _decoding(read, kind.__name__))


def _of_decimal() -> Conversion:
    def write(value: decimal.Decimal) -> str:
        if value.is_nan():
            raise Unsendable("is nan; pass a number")
        return str(value)

    def read(value: Any) -> decimal.Decimal:
        # A float's own digits, not those of the fraction that it is.
        try:
            return decimal.Decimal(repr(value) if isinstance(value, float) else value)
        except decimal.InvalidOperation:
            # Its own text names only a class of the module.
            why = f"not a number: {shortened_repr(value, MAX_KEY)}"
        raise ValueError(why)

    text = _of_text(decimal.Decimal, write, read)
    return Conversion(str | int | float, text.encode, text.decode)


def _of_enum(kind: type[enum.Enum]) -> Conversion:
    what = f"a member of {kind.__name__}"
    values = [each.value for each in kind]
    texts = {_text(value): value for value in values}

    def encode(value: Any) -> Any:
        _check(value, kind, what)
        return value.value

    def decode(value: Any) -> Any:
        # As the class itself does: it combines flags, and calls _missing_ for other values.
        for each in (value, texts.get(_text(value), value)):
            try:
                return kind(each)
            except ValueError:
                pass
        raise Mismatch(f"is {shortened_repr(value, MAX_KEY)}, not {what}")

    return Conversion(_type_of(values), encode, decode)


def _of_literal(values: Sequence[Any]) -> Conversion:
    enums = {type(value) for value in values if isinstance(value, enum.Enum)}
    if len(enums) > 1:
        raise Unconvertible("it has members of several enums")
    member = _of_enum(enums.pop()) if enums else None
    if member is not None and not all(isinstance(value, enum.Enum) for value in values):
        raise Unconvertible("it has members of an enum and other values")
    sent_as = _type_of(values) if member is None else member.sent_as
    what = "one of " + ", ".join(map(repr, values))
    kinds = {type(value) for value in values}
    choices = {(type(value), value) for value in values}
    texts = {_text(value): value for value in values}

    def encode(value: Any) -> Any:
        if type(value) not in kinds:
            raise Mismatch(f"is {type(value).__name__}; pass {what}")
        if (type(value), value) not in choices:
            raise Unsendable(f"is not {what}")
        return value if member is None else member.encode(value)

    def decode(value: Any) -> Any:
        if member is not None:
            value = member.decode(value)
        if (type(value), value) in choices:
            return value
        if _text(value) in texts:
            return texts[_text(value)]
        raise Mismatch(f"is {shortened_repr(value, MAX_KEY)}, not {what}")

    return Conversion(sent_as, encode, decode)


def _type_of(values: Sequence[Any]) -> Any:
    """The type of some values, which may be a union.

    Raises:
        Unconvertible: One is nothing that can be sent.
    """
    for value in values:
        if type(value) not in _SCALARS:
            raise Unconvertible(
                f"its value {value!r} is {type(value).__name__}, not str, int, float, bytes or bool"
            )
    kinds = tuple(dict.fromkeys(map(type, values)))
    return union_of(kinds) if kinds else str


def _text(value: object) -> str:
    """A value as it may come in a reply, where all may be text."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _check(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise Mismatch(f"is {type(value).__name__}; pass {name}")


def _decoding(decode: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    def decode_clearly(value: Any) -> Any:
        try:
            return decode(value)
        except Exception as error:
            why = f"is not a valid {name}: {type(error).__name__}: {error}"
        raise Mismatch(why)

    return decode_clearly


show_as_public(globals())
