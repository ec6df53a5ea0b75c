"""The error for a reply that does not fit its declared type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_KEY = 60
"""Characters of a key that are shown."""


class Mismatch(Exception):
    """A reply, or part of it, does not fit its declared type."""

    def __init__(self, why: str, where: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.where = where
        """The part, as Python would reach it: ``.items[2]['name']``; empty for the whole value."""

    def within(self, where: str) -> Mismatch:
        """The same error within a larger value."""
        return type(self)(self.why, where + self.where)

    def at_field(self, name: str) -> Mismatch:
        """The same error at a field of a dataclass."""
        return self.within(f".{name}")

    def at_key(self, key: object) -> Mismatch:
        """The same error at a key of a mapping."""
        return self.within(f"[{shortened_repr(key, MAX_KEY)}]")


class Unsendable(Mismatch):
    """A value is of its declared type, and still cannot be sent."""


def shortened_repr(value: object, size: int) -> str:
    """Return the beginning of a value's ``repr``, in bounded time."""
    text, length, around = [], 0, [_repr(value, size)]
    # No recursion: replies nest deeper than Python's stack.
    while around and length <= size:
        part = next(around[-1], None)
        if part is None:
            around.pop()
        elif isinstance(part, str):
            text.append(part)
            length += len(part)
        else:
            around.append(part)
    whole = "".join(text)
    return whole if length <= size else whole[:size] + "…"


def _repr(value: Any, size: int) -> Iterator[str | Iterator[Any]]:
    """The parts of a value's ``repr``: text, and those of the values in it."""
    kind = type(value)
    if kind in (str, bytes):
        # Parts beyond the size are left out.
        yield repr(value[:size])
    elif kind is dict:
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ", " * (index > 0)
            yield _repr(key, size)
            yield ": "
            yield _repr(item, size)
        yield "}"
    elif kind is list or (kind is set and value):
        yield "[" if kind is list else "{"
        for index, item in enumerate(value):
            yield ", " * (index > 0)
            yield _repr(item, size)
        yield "]" if kind is list else "}"
    else:
        yield repr(value)
