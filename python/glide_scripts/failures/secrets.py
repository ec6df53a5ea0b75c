"""Secrets, taken out of words that may hold what a script was given.

All that is looked at is bounded, as an error is made on the event loop: words are short when they
come here, and of larger or more secrets than ``MAX_SIZE`` and ``_MAX_FORMS`` allow none is looked
for. Nothing of such words is shown then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any

SECRET = "<secret>"
HIDDEN = "(the words are not shown: they hold a secret)"

# Bytes of all secrets of a call together. A call with more has few words without a piece of one.
MAX_SIZE = 16 * 1024
# Ways in which they may stand in words: most have one or two, and a document one for each string.
_MAX_FORMS = 512
# So long is what is found of a secret in other words; shorter ones are found as a whole.
_PIECE = 4


class Secrets:
    """The secret values of a call."""

    def __init__(self, values: Iterable[Any], *, are_unknown: bool = False) -> None:
        """
        Args:
            values: The values, of which no more are read than are looked for.
            are_unknown: Whether there are others, which nobody knows any more.
        """
        self._values: list[Any] = []
        self._are_unknown = are_unknown
        room = MAX_SIZE
        for value in values:
            # An empty one takes time, too.
            room -= 16 + (len(value) if isinstance(value, str) else memoryview(value).nbytes)
            if room < 0:
                self._are_unknown = True
                break
            self._values.append(value)

    def hidden_in(self, words: str) -> str:
        """Words of a server or of a reply, as they may be shown.

        A secret that stands there as it was sent is replaced; of words that hold one otherwise,
        or a piece of one, nothing is left. What a script makes of a secret so that no four
        characters of it stay side by side (a hash, base64, its reverse) is not recognised.
        """
        if self._are_unknown:
            return HIDDEN
        text = words
        for form in self._texts:
            text = text.replace(form, SECRET)
        return HIDDEN if self.are_in(text.replace(SECRET, " ")) else text

    def are_in(self, words: str) -> bool:
        """Whether words hold a secret, or a piece of one, in whatever way it is escaped."""
        if self._are_unknown:
            return True
        if not self._values or not words:
            return False
        if self._meanings is None:
            return True
        plain = [_plain(each) for each in _unescaped(words)]
        pieces = {piece for each in plain for piece in _pieces(each) if " " not in piece}
        return any(
            any(meaning in each for each in plain) or not pieces.isdisjoint(_pieces(meaning))
            for meaning in self._meanings
        )

    @cached_property
    def _texts(self) -> list[str]:
        """The secrets as they may stand in words, the longest first: one may be part of another."""
        forms = {form for value in self._values for form in _forms(value)}
        return sorted(
            (form for form in forms if len(form.strip()) >= _PIECE), key=len, reverse=True
        )

    @cached_property
    def _meanings(self) -> list[str] | None:
        """What the words are searched for; None: too much."""
        forms = (form for value in self._values for form in _meanings(value))
        found = list(islice(forms, _MAX_FORMS + 1))
        if len(found) > _MAX_FORMS:
            return None
        return [plain for form in found if (plain := _plain(form))]


def _forms(secret: object) -> Iterator[str]:
    """How a value may stand in a server's words, or in the repr of a reply."""
    data = _bytes(secret)
    text = data.decode(errors="replace")
    yield text
    # Servers put spaces for the ends of lines.
    yield re.sub(r"[\r\n]", " ", text)
    yield repr(text)[1:-1]
    yield repr(data)[2:-1]


def _meanings(secret: object) -> Iterator[str]:
    """A value as it was sent, and what a script may read in it: numbers, and leaves of JSON."""
    text = _bytes(secret).decode(errors="replace")
    yield text
    yield from _as_number(text)
    if text[:1] in ("{", "[", '"'):
        try:
            around = [json.loads(text)]
        except (ValueError, RecursionError):
            return
        while around:
            value = around.pop()
            if isinstance(value, dict):
                around += [*value, *value.values()]
            elif isinstance(value, list):
                around += value
            elif isinstance(value, str):
                yield value
                yield from _as_number(value)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                yield from _as_number(repr(value))


def _as_number(text: str) -> Iterator[str]:
    """A number as Lua and its libraries print it."""
    try:
        number = float(text)
    except ValueError:
        return
    yield text
    for form in ("%.14g", "%.17g", "%.15g"):
        yield form % number
    if number.is_integer():
        yield str(int(number))


def _bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]


_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\d{3})|(.))", re.DOTALL)
_CONTROLS = {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"b": b"\b",
    b"f": b"\f",
    b"a": b"\a",
    b"v": b"\v",
}


def _unescaped(text: str) -> list[str]:
    """A text, and what it is without the escapes of JSON, Python or Lua, one in another too."""
    found, data = [text], text.encode(errors="replace")
    for _ in range(4):
        if b"\\" not in data:
            break
        data = _ESCAPE.sub(_character, data)
        found.append(data.decode(errors="replace"))
    return found


def _character(escape: re.Match[bytes]) -> bytes:
    wide, byte, decimal, other = escape.groups()
    if wide is not None:
        return chr(int(wide, 16)).encode(errors="replace")
    if byte is not None:
        return bytes([int(byte, 16)])
    if decimal is not None:
        return bytes([int(decimal) & 0xFF])
    return _CONTROLS.get(other, other)


def _plain(text: str) -> str:
    """Without what does not matter: capitals, and what kinds of spaces there are."""
    return re.sub(r"\s+", " ", text.casefold()).strip()


def _pieces(text: str) -> Iterator[tuple[str, ...]]:
    """All that stands side by side; as tuples, which are several times as quick as slices."""
    return zip(*(islice(text, start, None) for start in range(_PIECE)), strict=False)
