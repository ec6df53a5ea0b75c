"""JSON of typed calls: checks of what is written, and declared types from what is read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from ._annotations import optional_of, shown, without_marks

_PLAIN = (str, int, float, bool)


def plain(value: object) -> object:
    """For ``json.dumps``: a dataclass as a dict.

    Raises:
        TypeError: It is something else that JSON does not have.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _fields(type(value))}
    raise TypeError(f"it holds {type(value).__name__}")


def fits(name: str, value: Any, annotation: Any) -> None:
    """Checks that a value is of a type that JSON has.

    Raises:
        TypeError: It is not.
        ValueError: It is nan or infinite.
    """
    kind, _ = without_marks(annotation)
    if kind is Any:
        return
    inner = optional_of(kind)
    if inner is not kind:
        if value is not None:
            fits(name, value, inner)
        return
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin in (None, type(None)):
        ok = value is None
    elif dataclasses.is_dataclass(origin) or is_typeddict(origin):
        ok = isinstance(value, dict if is_typeddict(origin) else origin)
        for field, of in _fields(origin).items() if ok else ():
            if dataclasses.is_dataclass(origin):
                fits(f"{name}.{field}", getattr(value, field), of)
            elif field in value:
                fits(f"{name}[{field!r}]", value[field], of)
    elif origin is dict:
        ok = isinstance(value, Mapping)
        for key, item in value.items() if ok and args else ():
            fits(f"{name}: its key", key, args[0])
            fits(f"{name}[{key!r}]", item, args[1])
    elif origin in (list, tuple):
        ok = isinstance(value, (list, tuple))
        items = of_items(args, len(value)) if ok and args else ()
        ok = ok and items is not None
        for index, of in enumerate(items or ()):
            fits(f"{name}[{index}]", value[index], of)
    elif origin is float:
        ok = isinstance(value, (int, float)) and not isinstance(value, bool)
        if ok and not math.isfinite(value):
            raise ValueError(f"{name} is {value}, which JSON does not have; pass another number")
    else:
        ok = isinstance(value, origin) and (origin is bool or not isinstance(value, bool))
    if not ok:
        raise TypeError(f"{name} is {type(value).__name__}; pass {shown(kind)}")


def check(annotation: Any) -> bool:
    """Whether an annotation is one of a value that JSON has."""
    kind, _ = without_marks(annotation)
    inner = optional_of(kind)
    if inner is not kind:
        return check(inner)
    origin, args = get_origin(kind) or kind, get_args(kind)
    if kind is Any or origin in (None, type(None), *_PLAIN):
        return True
    if origin is dict:
        return not args or (args[0] is str and check(args[1]))
    if origin in (list, tuple):
        return all(each is Ellipsis or check(each) for each in args)
    if dataclasses.is_dataclass(origin) or is_typeddict(origin):
        # One may hold itself.
        return all(each is kind or check(each) for each in _fields(origin).values())
    return False


def read(value: Any, annotation: Any, where: str) -> Any:
    """What was read from JSON, as a declared type.

    Raises:
        TypeError: It does not fit; the text says where and why.
    """
    kind, _ = without_marks(annotation)
    if kind is Any:
        return value
    inner = optional_of(kind)
    if inner is not kind:
        return None if value is None else read(value, inner, where)
    origin, args = get_origin(kind) or kind, get_args(kind)
    if dataclasses.is_dataclass(origin) and isinstance(value, dict):
        return _dataclass(origin, value, where)
    if origin is dict and isinstance(value, dict):
        of = args[1] if args else Any
        return {key: read(item, of, f"{where}[{key!r}]") for key, item in value.items()}
    if origin in (list, tuple) and isinstance(value, list):
        items = of_items(args, len(value)) if args else (Any,) * len(value)
        if items is None:
            raise TypeError(f"{where} has {len(value)} items, not {len(args)}")
        return origin(
            read(item, of, f"{where}[{index}]")
            for index, (item, of) in enumerate(zip(value, items, strict=True))
        )
    if origin is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    try:
        fits(where, value, kind)
    except (TypeError, ValueError):
        raise TypeError(f"{where} is {type(value).__name__}, not {shown(kind)}") from None
    return value


def of_items(args: tuple[Any, ...], count: int) -> tuple[Any, ...] | None:
    """The annotations of so many items; None if there have to be more or fewer."""
    if len(args) == 1:
        return args * count
    if len(args) == 2 and args[1] is Ellipsis:
        return args[:1] * count
    return args if len(args) == count else None


def _dataclass(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints, given = _fields(kind), {}
    for field in dataclasses.fields(kind):
        if field.name not in hints:
            continue
        if field.name in value:
            given[field.name] = read(
                value[field.name], hints[field.name], f"{where}[{field.name!r}]"
            )
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise TypeError(f"{where} has no {field.name!r}")
    if unknown := sorted(value.keys() - given.keys()):
        raise TypeError(f"{where} has {unknown[0]!r}, which {kind.__name__} has not")
    return kind(**given)


def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    if dataclasses.is_dataclass(kind):
        return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}
    return hints
