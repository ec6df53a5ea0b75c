"""Removing secrets from texts that may contain a script's arguments.

Words are shown unless they hold a secret in one of these forms, whatever its capitals are:

- as it was sent, also with spaces in place of the ends of its lines, as servers put them;
- with the escapes of JSON, Python or Lua;
- a number as Lua prints it;
- a string or a number of a secret that was sent as JSON;
- the first 32 characters of a longer one: servers cut long words;
- what comes before a zero byte or CRLF: some servers send no more of what a script raises.

A secret of fewer than four characters is found as a word of its own. Other forms that a script
makes of a secret (a hash, base64, its reverse, a part) are not recognised.

The work is bounded, because an error is made on the event loop: words are shortened before they
come here, and if secrets have more than ``MAX_SIZE`` bytes or ``_MAX_FORMS`` forms, no words are
shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any

SECRET = "<secret>"
HIDDEN = "(not shown: it may contain a secret)"
CUT = "…"
"""Marks the end of words that were shortened."""

MAX_SIZE = 16 * 1024
# In a document, each string and number is one.
_MAX_FORMS = 512
# One of fewer characters has to stand alone.
_SHORT = 4
_BEGINNING = 32


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
        """Return a server's or reply's text as it may be shown.

        A secret that stands there as it was sent is replaced. Of words that hold one in another
        form, nothing is left.
        """
        if not self.are_in(words):
            return words
        if self._are_unknown or self._meanings is None:
            return HIDDEN
        text = words
        for form in self._texts:
            text = _pattern(form).sub(SECRET, text)
        return HIDDEN if self.are_in(text.replace(SECRET, " ")) else text

    def are_in(self, words: str) -> bool:
        """Whether words hold a secret."""
        if self._are_unknown:
            return True
        if not self._values or not words:
            return False
        if self._meanings is None:
            return True
        texts = [_plain(each) for each in _unescaped(words)]
        return any(_holds(text, meaning) for meaning in self._meanings for text in texts)

    @cached_property
    def _texts(self) -> list[str]:
        """The secrets as they may stand in words, the longest first: one may be part of another."""
        forms = {form for value in self._values for form in _forms(value) if form.strip()}
        return sorted(forms, key=len, reverse=True)

    @cached_property
    def _meanings(self) -> list[str] | None:
        """The forms that the words are searched for; None if there are too many."""
        forms = (form for value in self._values for form in _meanings(value))
        found = list(islice(forms, _MAX_FORMS + 1))
        if len(found) > _MAX_FORMS:
            return None
        return [plain for form in found if (plain := _plain(form))]


def _holds(text: str, meaning: str) -> bool:
    if len(meaning) < _SHORT:
        return _pattern(meaning).search(text) is not None
    if meaning[:_BEGINNING] in text:
        return True
    # Shortened text may end within the secret.
    return text.endswith(CUT) and any(
        text.endswith(meaning[:size] + CUT) for size in range(_SHORT, _BEGINNING)
    )


def _pattern(form: str) -> re.Pattern[str]:
    """A pattern that finds a form of a secret: a short one only as a whole word or number."""
    pattern = re.escape(form)
    if len(form) < _SHORT:
        before = r"(?<![^\W_])(?<!\d\.)" if form[0].isalnum() else ""
        after = r"(?![^\W_]|\.\d)" if form[-1].isalnum() else ""
        pattern = f"{before}{pattern}{after}"
    return re.compile(pattern)


def _forms(secret: object) -> Iterator[str]:
    """Return the forms of a value in a server's text or a reply's repr."""
    data = _bytes(secret)
    text = data.decode(errors="replace")
    yield text
    yield from _cut(text)
    # Servers put spaces for the ends of lines.
    yield re.sub(r"[\r\n]", " ", text)
    yield repr(text)[1:-1]
    yield repr(data)[2:-1]


def _meanings(secret: object) -> Iterator[str]:
    """A value as it was sent, and what a script may read in it: numbers, and leaves of JSON."""
    text = _bytes(secret).decode(errors="replace")
    yield text
    yield from _cut(text)
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


def _cut(text: str) -> Iterator[str]:
    """What servers send of it if a script raises it, where that is less."""
    beginning = re.split(r"\0|\r\n", text, maxsplit=1)[0]
    if beginning != text:
        yield beginning


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
    """Return a text, and its forms without the escapes of JSON, Python or Lua, also nested."""
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
    """The text without differences that do not matter: capital letters, and kinds of spaces."""
    return re.sub(r"\s+", " ", text.casefold()).strip()
