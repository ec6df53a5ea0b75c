"""The conversion of dataclasses and TypedDicts to objects of ``json``, and back."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

from .json_values import Change, Codec, NotJson, at_key, not_read, not_sent
from .mismatch import MAX_KEY, Mismatch, shortened_repr


def own_fields(kind: Any) -> Iterable[dataclasses.Field[Any]]:
    return (each for each in dataclasses.fields(kind) if each.init)


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


def _codec_of_field(
    of: str, field: str, annotation: Any, codec_of: Callable[[Any], Codec]
) -> Codec:
    """
    Raises:
        NotJson: There is none; the text names the field.
    """
    try:
        return codec_of(annotation)
    except NotJson as error:
        raise NotJson(f"{of}.{field}: {error}") from None


def dataclass_of(kind: Any, codec_of: Callable[[Any], Codec]) -> Codec:
    hints, name = _hints(kind), kind.__name__
    fields = {each.name: each for each in own_fields(kind)}
    codecs = {each: _codec_of_field(name, each, hints[each], codec_of) for each in fields}
    sent = [(each, of.sends, of.encode) for each, of in codecs.items()]
    missing = dataclasses.MISSING
    read = [
        (each, of.reads, of.decode, fields[each].default is fields[each].default_factory is missing)
        for each, of in codecs.items()
    ]

    def encode(value: Any) -> Any:
        if not isinstance(value, kind):
            raise not_sent(value, name)
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
            raise not_read(value, name)
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


def typed_dict_of(kind: Any, codec_of: Callable[[Any], Codec]) -> Codec:
    name, codecs, required = kind.__name__, {}, set(kind.__required_keys__)
    for key, hint in _hints(kind).items():
        is_required, inner = _requirement(hint)
        # Of annotations that were text, the class itself does not know it.
        if is_required is not None:
            (required.add if is_required else required.discard)(key)
        codecs[key] = _codec_of_field(name, key, inner, codec_of)
    encoders = {key: each.encode for key, each in codecs.items()}
    decoders = {key: each.decode for key, each in codecs.items()}

    def changed(changes: dict[str, Change], value: Mapping[Any, Any]) -> dict[str, Any]:
        for key in required:
            if key not in value:
                raise Mismatch(f"has no {min(required - value.keys())!r}")
        if not value.keys() <= changes.keys():
            raise _unknown(value, changes, name)
        return {key: at_key(changes[key], item, key) for key, item in value.items()}

    def encode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise not_sent(value, name)
        return changed(encoders, value)

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise not_read(value, name)
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
