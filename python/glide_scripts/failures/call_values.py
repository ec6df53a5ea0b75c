"""The keys and arguments of a failed call, as an error may show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from types import NoneType
from typing import Any

from .._core import Script
from ..declared.script import DeclaredScript
from .one_line import shorten
from .secrets import SECRET, Secrets

_MAX_TEXT = 60
_MAX_VALUES = 8


class CallValues:
    """A call's keys and arguments, as an error may show them."""

    def __init__(self, script: Script, keys: object, args: object) -> None:
        self.keys = keys if isinstance(keys, (list, tuple)) else ()
        self.args = args if isinstance(args, (list, tuple)) else ()
        self.counts = {
            name: len(values or ()) if isinstance(values, (list, tuple, NoneType)) else None
            for name, values in (("KEYS", keys), ("ARGV", args))
        }
        signature = script._signature if isinstance(script, DeclaredScript) else None
        if signature is None or not signature.declared:
            signature = None
        self.declared = signature is not None
        self.key_names = _names(signature.keys, self.keys) if signature else None
        self.arg_names = _names(signature.args, self.args) if signature else None
        self.secrets = Secrets(())
        if signature is not None and any(each.secret for each in signature.parameters):
            # An iterator can be read only once, so its secrets are unknown.
            are_unknown = any(
                parameter.secret and not isinstance(values, (list, tuple, NoneType))
                for values, parameters in ((keys, signature.keys), (args, signature.args))
                for parameter in parameters
            )
            given = chain(_secrets(signature.keys, self.keys), _secrets(signature.args, self.args))
            self.secrets = Secrets(given, are_unknown=are_unknown)

    def notes(self) -> list[str]:
        notes = []
        if self.keys:
            notes.append(f"keys: {_listed(self.keys, self.key_names)}")
        if self.args:
            notes.append(f"args: {_listed(self.args, self.arg_names)}")
        return notes

    def shown_keys(self) -> list[str]:
        secrets = [secret for _, secret in self.key_names or ()]
        return [
            SECRET if index < len(secrets) and secrets[index] else shorten(_text(key), _MAX_TEXT)
            for index, key in enumerate(self.keys[:_MAX_VALUES])
        ]


def _fits(parameters: Sequence[Any], values: Sequence[Any]) -> bool:
    """Whether the number of values fits the declaration."""
    single = sum(not each.many for each in parameters)
    return len(values) == single or (single < len(values) and single < len(parameters))


def _names(parameters: Sequence[Any], values: Sequence[Any]) -> list[tuple[str, bool]]:
    """The name of each value that is shown, and whether it is secret."""
    if not _fits(parameters, values):
        # Which of them are secret cannot be known.
        return [("", any(each.secret for each in parameters))] * _MAX_VALUES
    names = [(each.name, each.secret) for each in parameters if not each.many]
    names += [
        (f"{each.name}[{index}]", each.secret)
        for each in parameters
        if each.many
        for index in range(_MAX_VALUES)
    ]
    return names[:_MAX_VALUES]


def _secrets(parameters: Sequence[Any], values: Sequence[Any]) -> Iterator[Any]:
    """The values that are secret, or may be."""
    if not any(each.secret for each in parameters):
        return
    if not _fits(parameters, values):
        yield from values
        return
    single = [each for each in parameters if not each.many]
    yield from (value for value, each in zip(values, single, strict=False) if each.secret)
    if any(each.secret for each in parameters if each.many):
        yield from islice(values, len(single), None)


def _listed(values: Sequence[Any], names: list[tuple[str, bool]] | None) -> str:
    items = []
    for index, value in enumerate(values[:_MAX_VALUES]):
        name, secret = names[index] if names is not None else ("", False)
        text = SECRET if secret else _quoted(value)
        items.append(f"{name} = {text}" if name else text)
    more = len(values) - _MAX_VALUES
    return ", ".join(items) + (f", and {more} more" if more > 0 else "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        # No character has more than 4 bytes.
        start = bytes(memoryview(value)[: 4 * (_MAX_TEXT + 1)])
        return start.decode(errors="backslashreplace")
    return f"<{type(value).__name__}>"


def _quoted(value: object) -> str:
    """Return a value in quotes, shortened."""
    if isinstance(value, str):
        if len(value) <= _MAX_TEXT:
            return repr(value)
        # For text beyond ASCII, the size in bytes is not at hand.
        size = f"{len(value):,} {'bytes' if value.isascii() else 'characters'}"
        return f"{value[:_MAX_TEXT]!r}… ({size})"
    data = memoryview(value)  # type: ignore[arg-type]
    start: object = bytes(data[:_MAX_TEXT])
    try:
        start = start.decode()  # type: ignore[attr-defined]
    except UnicodeDecodeError:
        pass
    return repr(start) if data.nbytes <= _MAX_TEXT else f"{start!r}… ({data.nbytes:,} bytes)"
