"""What frozen dataclasses share: methods that each would otherwise compile when it is imported."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class Record:
    """The base of dataclasses with ``eq=False, repr=False``: equality, hash and repr by fields."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        hashed = (each for each in fields(self) if each.compare and each.hash is not False)  # type: ignore[arg-type] # of a dataclass
        return hash(tuple(getattr(self, each.name) for each in hashed))

    def __repr__(self) -> str:
        shown = (each.name for each in fields(self) if each.repr)  # type: ignore[arg-type] # of a dataclass
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"


def _compared(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, each.name) for each in fields(record) if each.compare)
