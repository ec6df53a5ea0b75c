"""Frozen dataclasses that share their methods: Python would compile those of each at import."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from .arguments import with_clear_errors

__all__ = ["Record", "record"]

if TYPE_CHECKING:
    # So type checkers and the documentation know the parameters, and that fields are read-only.
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """Decorate a class with the base ``Record``: as ``dataclass``, without compiled methods."""
        assert frozen
        return dataclasses.dataclass(slots=slots, init=False, repr=False, eq=False)


class _SignatureOfFields:
    """The signature of a record's class, made when it is asked for: at import, none is."""

    def __get__(self, _: object, owner: type[Any]) -> Signature:
        by_name = {each.name: each for each in _fields(owner)}
        first = owner._positional()
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD if name in first else Parameter.KEYWORD_ONLY,
                    default=Parameter.empty if field.default is MISSING else field.default,
                    annotation=field.type,
                )
                for name, field in ({name: by_name[name] for name in first} | by_name).items()
            ]
        )


@with_clear_errors()
class Record:
    """The base of what ``record`` decorates: its fields have plain defaults."""

    __slots__ = ()

    _by_position: ClassVar[tuple[str, ...]] = ()
    """The fields that are taken by position; empty means those before ``KW_ONLY``."""

    if not TYPE_CHECKING:
        __signature__ = _SignatureOfFields()

        def __init__(self, *args, **kwargs):
            given = dict(zip(self._positional(), args, strict=False))
            if len(given) < len(args) or not given.keys().isdisjoint(kwargs):
                raise TypeError("too many arguments by position")
            given |= kwargs
            for each in _fields(self):
                value = given.pop(each.name, each.default)
                if value is MISSING:
                    raise TypeError(f"missing a required argument: {each.name!r}")
                object.__setattr__(self, each.name, value)
            if given:
                raise TypeError("unexpected keyword arguments")
            self.__post_init__()

    @classmethod
    def _positional(cls) -> tuple[str, ...]:
        return cls._by_position or tuple(each.name for each in _fields(cls) if not each.kw_only)

    def __post_init__(self) -> None:
        """Checks the fields."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        hashed = (each for each in _fields(self) if each.compare and each.hash is not False)
        return hash(tuple(getattr(self, each.name) for each in hashed))

    def __repr__(self) -> str:
        shown = (each.name for each in _fields(self) if each.repr)
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    def __getstate__(self) -> list[Any]:
        return [getattr(self, each.name) for each in _fields(self)]

    def __setstate__(self, state: list[Any]) -> None:
        for each, value in zip(_fields(self), state, strict=True):
            object.__setattr__(self, each.name, value)


def _compared(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, each.name) for each in _fields(record) if each.compare)


def _fields(of: Any) -> tuple[Field[Any], ...]:
    return dataclasses.fields(of)
