"""Checks of arguments and settings, before anything is sent.

Each error names the argument and its type: ``keys[1] is int; pass str or bytes``. For a setting,
``config/configuration_errors.py`` turns it into a ``ConfigurationError`` with the same text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from enum import Enum
from typing import Concatenate, ParamSpec, TypeVar

from .values import TEncodable

K = TypeVar("K")
V = TypeVar("V")
E = TypeVar("E", bound=Enum)
T = TypeVar("T")
P = ParamSpec("P")

_ENCODABLE = (str, bytes, bytearray, memoryview)
MAX_INT32 = 2**31 - 1
MAX_UINT32 = 2**32 - 1
MS = " ms"
_LONGEST_MS = 10**12
_MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1


def encodable(name: str, value: TEncodable) -> TEncodable:
    """A key or an argument.

    Raises:
        TypeError: It is not str, bytes, bytearray or memoryview.
        ValueError: It is a str with lone surrogates, which UTF-8 cannot encode.
    """
    if isinstance(value, str):
        if not value.isascii():
            _check_text(name, value)
    elif not isinstance(value, _ENCODABLE):
        raise wrong_type(name, value, "str or bytes")
    return value


def encodables(name: str, values: Sequence[TEncodable]) -> Sequence[TEncodable]:
    """A list of keys or arguments.

    Raises:
        TypeError: It is not a list or another sequence, or one of its items is not encodable.
    """
    sequence(name, values, "str or bytes")
    for index, value in enumerate(values):
        # Most values are fine. Only the others need a name, for an error.
        if not isinstance(value, bytes) and not (isinstance(value, str) and value.isascii()):
            encodable(f"{name}[{index}]", value)
    return values


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        why = f"{name} is text that cannot be encoded as UTF-8 ({error}); pass bytes"
        raise ValueError(why) from None


def sequence(name: str, values: Sequence[V], items: str) -> Sequence[V]:
    """A list, or another sequence that is not itself one str or bytes.

    Raises:
        TypeError: It is not.
    """
    # The first test is the common case, and much quicker than the one for any sequence.
    if not isinstance(values, (list, tuple)) and (
        isinstance(values, _ENCODABLE) or not isinstance(values, Sequence)
    ):
        raise wrong_type(name, values, f"a list of {items}")
    return values


def pairs(name: str, mapping: Mapping[K, V], items: str) -> Iterator[tuple[int, K, V]]:
    """Yield the position, key and value of each item of a mapping, which must not be empty.

    Raises:
        TypeError: It is not a mapping.
        ValueError: It is empty.
    """
    if not isinstance(mapping, Mapping):
        raise wrong_type(name, mapping, f"a dict of {items}")
    not_empty(name, mapping)
    for index, (key, value) in enumerate(mapping.items()):
        yield index, key, value


def not_empty(name: str, values: Sized) -> None:
    """
    Raises:
        ValueError: It is empty.
    """
    if not len(values):
        raise ValueError(f"{name} is empty; pass at least one")


def integer(name: str, value: int) -> bytes:
    """An integer in the server's form.

    Raises:
        TypeError: It is not an int, or is a bool.
        ValueError: It has more than 64 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, value, "int")
    if not _MIN_INT64 <= value <= MAX_INT64:
        raise ValueError(f"{name} does not fit in 64 bits; pass an int from -2**63 to 2**63 - 1")
    return b"%d" % value


def positive(name: str, value: int, right: str) -> int:
    """
    Raises:
        TypeError: It is not an int, or is a bool.
        ValueError: It is not positive.
    """
    integer(name, value)
    if value <= 0:
        raise ValueError(f"{name} is {value}; pass {right}")
    return value


def milliseconds(name: str, value: float) -> int:
    """A ``timeout`` of a call.

    Raises:
        TypeError: It is not an int; the text helps whoever passes seconds.
        ValueError: It is not more than 0, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise no_milliseconds(name, value, "milliseconds as an int")
    if not 0 < value <= _LONGEST_MS:
        # A number of thousands of digits cannot even be shown.
        shown = "too large" if isinstance(value, int) and value > MAX_INT64 else value
        raise ValueError(f"{name} is {shown}; pass milliseconds, more than 0 and at most 1e12")
    if isinstance(value, float):
        raise no_milliseconds(name, value, "milliseconds as an int")
    return value


def no_milliseconds(name: str, value: object, right: str) -> TypeError:
    """The error for a time that is no int, which helps whoever passes seconds or a timedelta."""
    seconds = value.total_seconds() if hasattr(value, "total_seconds") else value
    if isinstance(seconds, float) and 0 < seconds < 1e9:
        right = f"{right}: {math.ceil(seconds * 1000)} for {seconds} seconds"
    return wrong_type(name, value, right)


def within(name: str, value: int, low: int, high: int, unit: str = "") -> int:
    """
    Raises:
        TypeError: It is not an int, or is a bool.
        ValueError: It is less than ``low`` or more than ``high``.
    """
    right = f"an int from {low} to {high}{unit}"
    if isinstance(value, bool):
        raise wrong_type(name, value, right)
    if unit == MS and not isinstance(value, int):
        raise no_milliseconds(name, value, right)
    of_type(name, value, int, right)
    if not low <= value <= high:
        # A number of thousands of digits cannot even be shown.
        shown = value if abs(value) <= MAX_UINT32 else "too large" if value > 0 else "negative"
        raise ValueError(f"{name} is {shown}; pass {right}")
    return value


def number(name: str, value: float) -> bytes:
    """A number in the server's form, with all digits that a float needs.

    Raises:
        TypeError: It is not an int or a float, or is a bool.
        ValueError: It is nan, or an int of more than 64 bits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return integer(name, value)
    if not isinstance(value, float):
        raise wrong_type(name, value, "int or float")
    if math.isnan(value):
        raise ValueError(f"{name} is nan; pass a number")
    # Not repr(): a subclass such as numpy.float64 may have another one.
    return float.__repr__(value).encode("ascii")


def flag(name: str, value: bool, right: str = "bool") -> bool:
    """
    Raises:
        TypeError: It is not a bool.
    """
    return of_type(name, value, bool, right)


def member(name: str, value: E, enum: type[E]) -> E:
    """A member of an enum.

    Raises:
        TypeError: It is not.
    """
    return of_type(name, value, enum, f"a member of {enum.__name__}")


def of_type(name: str, value: T, kind: type, right: str | None = None) -> T:
    """
    Raises:
        TypeError: It is not of that type.
    """
    if not isinstance(value, kind):
        raise wrong_type(name, value, right or f"a {kind.__name__}")
    return value


def optional(
    check: Callable[Concatenate[str, T, P], object],
    name: str,
    value: T | None,
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    """Check an argument that may be None."""
    if value is not None:
        check(name, value, *args, **kwargs)


def wrong_type(name: str, value: object, right: str) -> TypeError:
    """Return the error for an argument of a wrong type.

    It does not show the value, which may be a password in the wrong place.
    """
    return TypeError(f"{name} is {type(value).__name__}; pass {right}")
