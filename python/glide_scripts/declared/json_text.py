"""JSON for typed calls: writing declared types, and reading them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from .. import checks
from .conversion import conversion_of
from .json_classes import own_fields
from .json_codec import codec
from .json_values import MAX_INT
from .mismatch import MAX_KEY, Mismatch, Unsendable, shortened_repr

# A text with 16 digits in a row may hold an integer beyond it. Replacing each digit by 0 finds one
# faster than a # regular expression.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 16


def writer(annotation: Any) -> Callable[[str, Any], str]:
    """Return the function that writes values of a type as JSON, given a name for errors.

    It raises TypeError for a value of another type, and ValueError for one that cannot be written.

    Raises:
        NotJson: As ``codec``.
    """
    import json  # noqa: PLC0415 - saves time at import

    encode = codec(annotation).encode
    dumps = json.JSONEncoder(
        default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode

    def write(name: str, value: Any) -> str:
        try:
            text = dumps(encode(value))
            if _LONG in text.encode().translate(_DIGITS):
                _check(name, value)
            return text
        except Mismatch as mismatch:
            kind = ValueError if isinstance(mismatch, Unsendable) else TypeError
            why: Exception = kind(f"{name}{mismatch.where} {mismatch.why}")
        except RecursionError:
            why = ValueError(
                f"{name} cannot be written as JSON: it contains itself or is nested too deeply"
            )
        except Exception as error:
            why = _why_unwritten(name, value, error)
        # Outside the except block: that error would be the context.
        raise why

    return write


def reader(annotation: Any) -> Callable[[bytes], Any]:
    """Return the function that reads JSON as a type, or raises ``Mismatch``.

    Raises:
        NotJson: As ``codec``.
    """
    import json  # noqa: PLC0415 - saves time at import

    decode = codec(annotation).decode
    loads = json.JSONDecoder(parse_constant=_refuse_constant).decode

    def read(text: bytes) -> Any:
        try:
            value = loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise Mismatch(f"is not JSON: {error}") from None
        return decode(value)

    return read


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _plain(value: object) -> object:
    """The fallback for types that ``json`` does not know, where any value is allowed."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in own_fields(type(value))}
    conversion = conversion_of(type(value))
    if conversion is not None:
        return conversion.encode(value)
    raise TypeError(f"it contains {type(value).__name__}")


# What cannot be written


def _why_unwritten(name: str, value: Any, error: Exception) -> Exception:
    try:
        _check(name, value)
    except _Unwritable as found:
        where = "" if found.where == name else f" at {found.where}"
        return TypeError(f"{name} cannot be written as JSON: it contains {found}{where}")
    except ValueError as better:
        return better
    except Exception:
        pass
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{name} cannot be written as JSON: {error}")


class _Unwritable(Exception):
    """What JSON has no form for."""

    def __init__(self, value: object, where: str) -> None:
        super().__init__(type(value).__name__)
        self.where = where


def _check(name: str, value: Any) -> None:
    """
    Raises:
        ValueError: It holds a number that is nan, infinite, or an integer that Lua would change, or
            a text that is not Unicode.
        _Unwritable: It holds what JSON has no form for.
    """
    if isinstance(value, str):
        checks.encodable(name, value)
    elif isinstance(value, int):
        if not -MAX_INT <= value <= MAX_INT:
            raise ValueError(
                f"{name} is an integer beyond 2**53, which Lua would change; pass it as str"
            )
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}, which JSON does not have; pass another number")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check(f"{name}[{shortened_repr(key, MAX_KEY)}]", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check(f"{name}[{index}]", item)
    elif dataclasses.is_dataclass(value):
        for field in own_fields(value):
            _check(f"{name}.{field.name}", getattr(value, field.name))
    elif value is not None and conversion_of(type(value)) is None:
        raise _Unwritable(value, name)
