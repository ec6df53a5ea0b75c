"""The values of declared types as the values of ``json``, and back.

Of each type there is one ``Codec``, made when a script is declared: a call looks at no annotation.
Most values are lists, dicts and fields of plain types, which are checked by their exact types
alone; whatever else comes is looked at closely, and taken or refused.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias, get_args, get_origin, is_typeddict

from .annotations import is_union, optional_of, shown, without_marks
from .conversion import Conversion, Unconvertible, conversion_of
from .mismatch import MAX_KEY, Mismatch, Unsendable, shortened_repr

Change: TypeAlias = Callable[[Any], Any]

_NONE = type(None)
_TEXT = frozenset((str,))

# Lua's numbers are doubles, which have no other integers above it.
MAX_INT = 2**53


class NotJson(Exception):
    """An annotation of a type that JSON does not have."""


@dataclasses.dataclass(slots=True)
class Codec:
    """The conversion between values of a type and the values of ``json``.

    Both ways raise ``Mismatch``.
    """

    sends: frozenset[type] | None
    """The types of which each value goes as it is; None if all do."""
    reads: frozenset[type] | None
    """Likewise of what was read."""
    encode: Change
    decode: Change


def codec(annotation: Any) -> Codec:
    """
    Raises:
        NotJson: It is of something that JSON does not have; the text says why.
    """
    try:
        return _codec(annotation, {})
    except RecursionError:
        raise NotJson("its type is recursive without end") from None


def own_fields(kind: Any) -> Iterable[dataclasses.Field[Any]]:
    return (each for each in dataclasses.fields(kind) if each.init)


def _codec(annotation: Any, seen: dict[Any, Codec]) -> Codec:
    """``seen`` has the enclosing classes, which may occur again."""
    kind, _ = without_marks(annotation)
    if kind is Any:
        return Codec(None, None, _same, _same)
    if kind is None:
        kind = _NONE
    inner = optional_of(kind)
    if inner is not kind:
        return _optional(_codec(inner, seen))
    try:
        conversion = conversion_of(annotation)
    except Unconvertible as error:
        raise NotJson(str(error)) from None
    if conversion is not None:
        return _converting(conversion, _codec(conversion.sent_as, seen))
    if is_union(kind):
        return _either([_codec(each, seen) for each in get_args(kind)], shown(kind))
    if isinstance(kind, type) and kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin is dict:
        return _dict(kind, _key(args[0] if args else Any), _codec(args[1] if args else Any, seen))
    if origin in (list, Sequence) or (
        origin is tuple and (kind is tuple or args[1:] == (Ellipsis,))
    ):
        return _list(kind, origin, _codec(args[0] if args else Any, seen))
    if origin is tuple:
        return _tuple(kind, [_codec(each, seen) for each in args])
    is_class = dataclasses.is_dataclass(origin)
    if not is_class and not is_typeddict(origin):
        raise NotJson("it contains a type that JSON does not have")
    if kind not in seen:
        # What holds it again is made before it is, and finds it when it is called.
        made = seen[kind] = Codec(frozenset(), frozenset(), _same, _same)
        whole = _dataclass(origin, seen) if is_class else _typed_dict(origin, seen)
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


def _same(value: Any) -> Any:
    return value


def _not_sent(value: object, right: str) -> Mismatch:
    return Mismatch(f"is {type(value).__name__}; pass {right}")


def _not_read(value: object, right: str) -> Mismatch:
    return Mismatch(f"is {type(value).__name__}, not {right}")


def _only(types: frozenset[type] | None) -> Callable[[Iterable[Any]], bool]:
    """Whether all items have exactly one of these types."""
    if types is None:
        return lambda items: True
    holds = types.issuperset
    return lambda items: holds(map(type, items))


def _scalar(kind: type, takes: tuple[type, ...], converted: Change) -> Codec:
    name = shown(kind)

    def encode(value: Any) -> Any:
        # Subclasses of them, too, but bool is no int here.
        if isinstance(value, takes) and (kind is bool or not isinstance(value, bool)):
            return value
        raise _not_sent(value, name)

    def decode(value: Any) -> Any:
        return value if type(value) is kind else converted(value)

    return Codec(frozenset(takes), frozenset((kind,)), encode, decode)


def _int_of(value: Any) -> int:
    # Lua writes 1e+14 for larger integers.
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INT:
        return int(value)
    raise _not_read(value, "int")


def _float_of(value: Any) -> float:
    if type(value) is not int:
        raise _not_read(value, "float")
    try:
        return float(value)
    except OverflowError:
        raise Mismatch("is an integer that is too large for float") from None


def _never(name: str) -> Change:
    def refuse(value: Any) -> Any:
        raise _not_read(value, name)

    return refuse


_SCALARS: dict[type, Codec] = {
    int: _scalar(int, (int,), _int_of),
    float: _scalar(float, (float, int), _float_of),
    str: _scalar(str, (str,), _never("str")),
    bool: _scalar(bool, (bool,), _never("bool")),
    _NONE: _scalar(_NONE, (_NONE,), _never("None")),
}


def _converting(conversion: Conversion, sent: Codec) -> Codec:
    def encode(value: Any) -> Any:
        return sent.encode(conversion.encode(value))

    def decode(value: Any) -> Any:
        return conversion.decode(sent.decode(value))

    return Codec(frozenset(), frozenset(), encode, decode)


def _either(codecs: Sequence[Codec], name: str) -> Codec:
    """Of a union; the first of its types that a value is of exactly, or else one that it fits."""

    def first(
        changes: Sequence[tuple[frozenset[type] | None, Change]], value: Any, wrong: Mismatch
    ) -> Any:
        if any(types is None or type(value) in types for types, _ in changes):
            return value
        inner: Mismatch | None = None
        for _, change in changes:
            try:
                return change(value)
            except Mismatch as mismatch:
                if mismatch.where or isinstance(mismatch, Unsendable):
                    inner = inner or mismatch
        raise inner or wrong

    sends = [(each.sends, each.encode) for each in codecs]
    reads = [(each.reads, each.decode) for each in codecs]
    return Codec(
        frozenset(),
        frozenset(),
        lambda value: first(sends, value, _not_sent(value, name)),
        lambda value: first(reads, value, _not_read(value, name)),
    )


def _optional(inner: Codec) -> Codec:
    def encode(value: Any) -> Any:
        return None if value is None else inner.encode(value)

    def decode(value: Any) -> Any:
        return None if value is None else inner.decode(value)

    sends = None if inner.sends is None else inner.sends | {_NONE}
    reads = None if inner.reads is None else inner.reads | {_NONE}
    return Codec(sends, reads, encode, decode)


def _list(kind: Any, origin: Any, of: Codec) -> Codec:
    all_go, all_read = _only(of.sends), _only(of.reads)
    name = shown(kind)

    def encode(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _not_sent(value, name)
        return value if all_go(value) else _each(of.encode, value)

    def decode(value: Any) -> Any:
        items = _items(value, name)
        if not all_read(items):
            items = _each(of.decode, items)
        return tuple(items) if origin is tuple else items

    return Codec(frozenset(), frozenset(), encode, decode)


def _items(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    # To cjson, an empty table is no list.
    if value == {}:
        return []
    raise _not_read(value, name)


def _each(change: Change, items: Iterable[Any]) -> list[Any]:
    changed = []
    for index, item in enumerate(items):
        try:
            changed.append(change(item))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from None
    return changed


def _tuple(kind: Any, of: list[Codec]) -> Codec:
    name = shown(kind)

    def changed(changes: list[Change], items: Any) -> list[Any]:
        if len(items) != len(changes):
            raise Mismatch(f"has {len(items)} items, not {len(changes)}")
        made = []
        for index, (change, item) in enumerate(zip(changes, items, strict=True)):
            try:
                made.append(change(item))
            except Mismatch as mismatch:
                raise mismatch.within(f"[{index}]") from None
        return made

    encoders, decoders = [each.encode for each in of], [each.decode for each in of]

    def encode(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _not_sent(value, name)
        return changed(encoders, value)

    def decode(value: Any) -> Any:
        return tuple(changed(decoders, _items(value, name)))

    return Codec(frozenset(), frozenset(), encode, decode)


def _key(annotation: Any) -> Conversion | None:
    """How the keys of a dict are converted, which JSON writes as text."""
    kind, _ = without_marks(annotation)
    try:
        conversion = conversion_of(annotation)
    except Unconvertible as error:
        raise NotJson(str(error)) from None
    if kind not in (str, Any) and (conversion is None or conversion.sent_as is not str):
        raise NotJson("it contains a type that JSON does not have")
    return conversion


def _dict(kind: Any, key_conversion: Conversion | None, of: Codec) -> Codec:
    values = _dict_of_text(kind, of)
    if key_conversion is None:
        return values
    name = shown(kind)

    def with_keys(change: Change, value: Mapping[Any, Any]) -> dict[Any, Any]:
        changed = {}
        for key, item in value.items():
            try:
                changed[change(key)] = item
            except Mismatch as mismatch:
                raise mismatch.within(": a key") from None
        return changed

    def encode(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _not_sent(value, name)
        return values.encode(with_keys(key_conversion.encode, value))

    def decode(value: Any) -> Any:
        return with_keys(key_conversion.decode, values.decode(value))

    return Codec(frozenset(), frozenset(), encode, decode)


def _dict_of_text(kind: Any, of: Codec) -> Codec:
    all_go, all_read = _only(of.sends), _only(of.reads)
    name = shown(kind)
    any_key = kind is dict

    def encode(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _not_sent(value, name)
        if not any_key and not _TEXT.issuperset(map(type, value)):
            for key in value:
                if not isinstance(key, str):
                    raise _not_sent(key, "str").within(": a key")
        if all_go(value.values()):
            return value if isinstance(value, dict) else dict(value)
        return {key: _at_key(of.encode, item, key) for key, item in value.items()}

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _not_read(value, name)
        if all_read(value.values()):
            return value
        return {key: _at_key(of.decode, item, key) for key, item in value.items()}

    return Codec(frozenset(), frozenset(), encode, decode)


def _at_key(change: Change, value: Any, key: Any) -> Any:
    try:
        return change(value)
    except Mismatch as mismatch:
        raise mismatch.at_key(key) from None


def _hints(kind: Any) -> dict[str, Any]:
    """The annotations of a class.

    Raises:
        NotJson: One of them has no meaning.
    """
    try:
        try:
            return typing.get_type_hints(kind, include_extras=True)
        except NameError:
            # A class inside of a function, which holds itself.
            return typing.get_type_hints(kind, localns={kind.__name__: kind}, include_extras=True)
    except Exception as error:
        raise NotJson(
            f"an annotation of {kind.__qualname__} cannot be evaluated: {error}"
        ) from None


def _dataclass(kind: Any, seen: dict[Any, Codec]) -> Codec:
    hints, name = _hints(kind), kind.__name__
    fields = {each.name: each for each in own_fields(kind)}
    codecs = {each: _codec(hints[each], seen) for each in fields}
    sent = [(each, of.sends, of.encode) for each, of in codecs.items()]
    missing = dataclasses.MISSING
    read = [
        (each, of.reads, of.decode, fields[each].default is fields[each].default_factory is missing)
        for each, of in codecs.items()
    ]

    def encode(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _not_sent(value, name)
        plain = {}
        for field, types, change in sent:
            item = getattr(value, field)
            if types is not None and type(item) not in types:
                try:
                    item = change(item)
                except Mismatch as mismatch:
                    raise mismatch.at_field(field) from None
            plain[field] = item
        if type(value) is not kind:
            # Of a subclass, which may have more of them.
            for more in own_fields(value):
                plain.setdefault(more.name, getattr(value, more.name))
        return plain

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _not_read(value, name)
        given = {}
        for field, types, change, needed in read:
            if field in value:
                item = value[field]
                if types is not None and type(item) not in types:
                    try:
                        item = change(item)
                    except Mismatch as mismatch:
                        raise mismatch.at_field(field) from None
                given[field] = item
            elif needed:
                raise Mismatch(f"has no {field!r}")
        if len(given) != len(value):
            raise _unknown(value, given, name)
        try:
            return kind(**given)
        except Exception as error:
            raise Mismatch(f"is not a valid {name}: {type(error).__name__}: {error}") from None

    return Codec(frozenset(), frozenset(), encode, decode)


def _unknown(value: Mapping[Any, Any], known: Iterable[str], name: str) -> Mismatch:
    unknown = next(key for key in value if key not in known)
    return Mismatch(f"has {shortened_repr(unknown, MAX_KEY)}, which {name} does not have")


def _typed_dict(kind: Any, seen: dict[Any, Codec]) -> Codec:
    name, codecs, required = kind.__name__, {}, set(kind.__required_keys__)
    for key, hint in _hints(kind).items():
        is_required, inner = _requirement(hint)
        # Of annotations that were text, the class itself does not know it.
        if is_required is not None:
            (required.add if is_required else required.discard)(key)
        codecs[key] = _codec(inner, seen)
    encoders = {key: each.encode for key, each in codecs.items()}
    decoders = {key: each.decode for key, each in codecs.items()}

    def changed(changes: dict[str, Change], value: Mapping[Any, Any]) -> dict[str, Any]:
        for key in required:
            if key not in value:
                raise Mismatch(f"has no {min(required - value.keys())!r}")
        if not value.keys() <= changes.keys():
            raise _unknown(value, changes, name)
        return {key: _at_key(changes[key], item, key) for key, item in value.items()}

    def encode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _not_sent(value, name)
        return changed(encoders, value)

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _not_read(value, name)
        return changed(decoders, value)

    return Codec(frozenset(), frozenset(), encode, decode)


def _requirement(hint: Any) -> tuple[bool | None, Any]:
    """Whether an annotation in a TypedDict says ``Required`` or not, and what of."""
    required = None
    while True:
        origin = get_origin(hint)
        if origin in (typing.Required, typing.NotRequired):
            required = origin is typing.Required
        elif origin is not Annotated and origin is not getattr(typing, "ReadOnly", Annotated):
            return required, hint
        hint = get_args(hint)[0]
