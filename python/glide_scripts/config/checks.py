"""Checks of settings; what is wrong is a ``ConfigurationError`` that names the setting."""

from enum import Enum
from typing import TypeVar

from ..errors import ConfigurationError

T = TypeVar("T")

MAX_INT32 = 2**31 - 1
MAX_UINT32 = 2**32 - 1
MAX_INT64 = 2**63 - 1


def check_pem(name: str, value: bytes | None, label: str) -> None:
    check_not_empty(name, value, bytes, "bytes in PEM")
    if value is not None and f"{label}-----".encode() not in value:
        raise ConfigurationError(f"{name} has no {label} in PEM; pass the content of a .pem file")


def check_not_empty(name: str, value: object, kind: type, right: str) -> None:
    if value is not None:
        check_type(name, value, kind, right)
        if not value:
            raise ConfigurationError(f"{name} is empty; pass {right}, or leave it out")


def check_optional_int(name: str, value: int | None, low: int, high: int, unit: str = "") -> None:
    if value is not None:
        check_int(name, value, low, high, unit)


def check_int(name: str, value: int, low: int, high: int, unit: str = "") -> None:
    right = f"an int from {low} to {high}{unit}"
    if isinstance(value, bool):
        raise wrong_type(name, value, right)
    check_type(name, value, int, right)
    if not low <= value <= high:
        # A number of thousands of digits cannot even be shown.
        shown = value if abs(value) <= MAX_UINT32 else "too large" if value > 0 else "negative"
        raise ConfigurationError(f"{name} is {shown}; pass {right}")


def check_optional_bool(name: str, value: bool | None) -> None:
    if value is not None:
        check_bool(name, value)


def check_bool(name: str, value: bool) -> None:
    check_type(name, value, bool, "True or False")


def check_member(name: str, value: Enum, enum: type[Enum]) -> None:
    check_type(name, value, enum, " or ".join(map(str, enum)))


def check_optional(name: str, value: object, kind: type) -> None:
    if value is not None:
        check_type(name, value, kind, f"a {kind.__name__}")


def check_type(name: str, value: object, kind: type, right: str) -> None:
    if not isinstance(value, kind):
        raise wrong_type(name, value, right)


def wrong_type(name: str, value: object, right: str) -> ConfigurationError:
    # Not the value: whoever mixes settings up may have put a password there.
    return ConfigurationError(f"{name} is {type(value).__name__}; pass {right}")


def or_default(value: T | None, default: T) -> T:
    return default if value is None else value
