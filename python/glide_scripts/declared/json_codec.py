"""The values of declared types as the values of ``json``, and back.

Of each type there is one ``Codec``, made when a script is declared: a call looks at no annotation.
Most values are lists, dicts and fields of plain types, which are checked by their exact types
alone; whatever else comes is looked at closely, and taken or refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args, get_origin, is_typeddict

from .annotations import is_union, optional_of, shown, without_marks
from .conversion import Unconvertible, conversion_of
from .json_classes import dataclass_of, typed_dict_of
from .json_containers import conversion_of_key, dict_of, list_of, tuple_of
from .json_values import NONE, SCALARS, Codec, NotJson, converting, optional, same, union_of


def codec(annotation: Any) -> Codec:
    """
    Raises:
        NotJson: It is of something that JSON does not have; the text says why.
    """
    try:
        return _codec(annotation, {})
    except RecursionError:
        raise NotJson("its type is recursive without end") from None


def _codec(annotation: Any, seen: dict[Any, Codec]) -> Codec:
    """``seen`` has the enclosing classes, which may occur again."""
    kind, _ = without_marks(annotation)
    if kind is Any:
        return Codec(None, None, same, same)
    if kind is None:
        kind = NONE
    inner = optional_of(kind)
    if inner is not kind:
        return optional(_codec(inner, seen))
    try:
        conversion = conversion_of(annotation)
    except Unconvertible as error:
        raise NotJson(str(error)) from None
    if conversion is not None:
        return converting(conversion, _codec(conversion.sent_as, seen))
    if is_union(kind):
        return union_of([_codec(each, seen) for each in get_args(kind)], shown(kind))
    if isinstance(kind, type) and kind in SCALARS:
        return SCALARS[kind]
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin is dict:
        return dict_of(
            kind,
            conversion_of_key(args[0] if args else Any),
            _codec(args[1] if args else Any, seen),
        )
    if origin in (list, Sequence) or (
        origin is tuple and (kind is tuple or args[1:] == (Ellipsis,))
    ):
        return list_of(kind, origin, _codec(args[0] if args else Any, seen))
    if origin is tuple:
        return tuple_of(kind, [_codec(each, seen) for each in args])
    is_class = dataclasses.is_dataclass(origin)
    if not is_class and not is_typeddict(origin):
        raise NotJson(f"{shown(kind)} is not a type that JSON has")
    if kind not in seen:
        # Types that contain it again are made first, and look it up when they are called.
        made = seen[kind] = Codec(frozenset(), frozenset(), same, same)
        define = dataclass_of if is_class else typed_dict_of
        whole = define(origin, lambda annotation: _codec(annotation, seen))
        made.encode, made.decode = whole.encode, whole.decode
        return whole
    again = seen[kind]
    none: frozenset[type] = frozenset()
    # Not its functions themselves: those that it will have are not made yet.
    return Codec(
        none,
        none,
        lambda value: again.encode(value),  # noqa: PLW0108
        lambda value: again.decode(value),  # noqa: PLW0108
    )
