"""Annotations of a script's parameters and reply."""

from __future__ import annotations

import builtins
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from enum import Enum
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

from ..values import TEncodable

T = TypeVar("T")


class Mark(Enum):
    """The meaning of an annotation in addition to its type."""

    KEY = "key"
    JSON = "json"
    SECRET = "secret"


Key: TypeAlias = Annotated[TEncodable, Mark.KEY]
"""The annotation of a parameter that is a key; ``Sequence[Key]`` for several keys.

Type checkers accept a caller's ``list[str]`` as ``Sequence[Key]``, but not as ``list[Key]``.
"""

Json: TypeAlias = Annotated[T, Mark.JSON]
"""A parameter or reply in JSON: ``Json[list[int]]``. dicts and dataclasses need no mark."""

Secret: TypeAlias = Annotated[T, Mark.SECRET]
"""A parameter that errors never show: ``Secret[str]``."""

TYPES: dict[str, Any] = {
    "Any": Any,
    "None": None,
    "bool": bool,
    "bytes": bytes,
    "dict": dict,
    "float": float,
    "int": int,
    "json": Annotated[Any, Mark.JSON],
    "list": list,
    "set": set,
    "str": str,
    "tuple": tuple,
}
"""The plain types, by the names that a comment uses."""


def without_marks(annotation: Any) -> tuple[Any, frozenset[Mark]]:
    """Return an annotation's type and its marks."""
    marks: set[Mark] = set()
    for kind, metadata in layers(annotation):
        annotation = kind
        marks.update(mark for mark in metadata if isinstance(mark, Mark))
    return annotation, frozenset(marks)


def layers(annotation: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """What an annotation stands for, step by step, with what ``Annotated`` says at each.

    The last one is neither ``Annotated`` nor a ``NewType`` nor an alias by ``type``.
    """
    yield annotation, ()
    while True:
        metadata: tuple[Any, ...] = ()
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = tuple(more)
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return
        yield annotation, metadata


def optional_of(annotation: Any) -> Any:
    """What may be None, of ``T | None``, without None; the annotation itself if it is none."""
    args = get_args(annotation)
    if is_union(annotation) and type(None) in args:
        return union_of(each for each in args if each is not type(None))
    if get_origin(annotation) is Literal and None in args and len(args) > 1:
        return Literal[tuple(each for each in args if each is not None)]
    return annotation


def is_union(annotation: Any) -> bool:
    """Whether it is ``A | B``."""
    return get_origin(annotation) in (Union, types.UnionType)


def union_of(kinds: Iterable[Any]) -> Any:
    """The union of some types."""
    return Union[tuple(kinds)]  # noqa: UP007 - they are not known here


def is_encodable(annotation: Any) -> bool:
    """Whether it is ``str | bytes``, or any type that commands accept."""
    kinds = set(get_args(annotation)) if is_union(annotation) else set()
    return {str, bytes} <= kinds <= set(get_args(TEncodable))


def is_json(annotation: Any, marks: frozenset[Mark]) -> bool:
    """Whether an argument with this annotation is sent as JSON."""
    if Mark.JSON in marks or is_dataclass(annotation) or is_typeddict(annotation):
        return True
    # A list that is not several arguments is one.
    return (get_origin(annotation) or annotation) in (dict, list, tuple, Sequence)


def shown(annotation: Any) -> str:
    """Return an annotation as a user would write it."""
    if isinstance(annotation, NewType):
        return annotation.__name__
    kind, marks = without_marks(annotation)
    if Mark.KEY in marks:
        return "Key"
    if Mark.JSON in marks:
        return f"Json[{shown(kind)}]"
    if kind is Any:
        return "Any"
    if kind is None or kind is type(None):
        return "None"
    if kind is Ellipsis:
        return "..."
    if is_encodable(kind):
        return "str | bytes"
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if is_union(kind):
        return " | ".join(shown(each) for each in args)
    if origin is not None:
        return f"{shown(origin)}[{', '.join(shown(each) for each in args)}]"
    return (
        getattr(kind, "__qualname__", str(kind)) if isinstance(kind, builtins.type) else str(kind)
    )
