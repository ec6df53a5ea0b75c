"""The conversion of lists, tuples and dicts to those of ``json``, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .annotations import shown, without_marks
from .conversion import Conversion, Unconvertible, conversion_of
from .json_values import Change, Codec, NotJson, at_key, not_read, not_sent, only
from .mismatch import Mismatch

_TEXT = frozenset((str,))


def list_of(kind: Any, origin: Any, of: Codec) -> Codec:
    all_go, all_read = only(of.sends), only(of.reads)
    name = shown(kind)

    def encode(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise not_sent(value, name)
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
    raise not_read(value, name)


def _each(change: Change, items: Iterable[Any]) -> list[Any]:
    changed = []
    for index, item in enumerate(items):
        try:
            changed.append(change(item))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from None
    return changed


def tuple_of(kind: Any, of: list[Codec]) -> Codec:
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
            raise not_sent(value, name)
        return changed(encoders, value)

    def decode(value: Any) -> Any:
        return tuple(changed(decoders, _items(value, name)))

    return Codec(frozenset(), frozenset(), encode, decode)


def conversion_of_key(annotation: Any) -> Conversion | None:
    """How the keys of a dict are converted, which JSON writes as text."""
    kind, _ = without_marks(annotation)
    try:
        conversion = conversion_of(annotation)
    except Unconvertible as error:
        raise NotJson(str(error)) from None
    if kind not in (str, Any) and (conversion is None or conversion.sent_as is not str):
        raise NotJson(f"keys in JSON are str, not {shown(kind)}")
    return conversion


def dict_of(kind: Any, key_conversion: Conversion | None, of: Codec) -> Codec:
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
            raise not_sent(value, name)
        return values.encode(with_keys(key_conversion.encode, value))

    def decode(value: Any) -> Any:
        return with_keys(key_conversion.decode, values.decode(value))

    return Codec(frozenset(), frozenset(), encode, decode)


def _dict_of_text(kind: Any, of: Codec) -> Codec:
    all_go, all_read = only(of.sends), only(of.reads)
    name = shown(kind)
    any_key = kind is dict

    def encode(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise not_sent(value, name)
        if not any_key and not _TEXT.issuperset(map(type, value)):
            for key in value:
                if not isinstance(key, str):
                    raise not_sent(key, "str").within(": a key")
        if all_go(value.values()):
            return value if isinstance(value, dict) else dict(value)
        return {key: at_key(of.encode, item, key) for key, item in value.items()}

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise not_read(value, name)
        if all_read(value.values()):
            return value
        return {key: at_key(of.decode, item, key) for key, item in value.items()}

    return Codec(frozenset(), frozenset(), encode, decode)
