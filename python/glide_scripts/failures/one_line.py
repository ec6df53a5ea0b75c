"""Texts of other programs: shortened, and with control characters escaped."""

from __future__ import annotations

import re

# Control characters, ends of lines, and what changes the direction of writing.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_HIDDEN_ON_LINES = re.compile(rf"(?![\t\n]){_HIDDEN.pattern}")


def shorten(text: str, size: int) -> str:
    """The beginning of a text."""
    return text if len(text) <= size else text[:size].removesuffix("…") + "…"


def on_one_line(text: str, size: int) -> str:
    """The beginning of a text, without characters that move or hide the text around them."""
    return _HIDDEN.sub(_escaped, shorten(text, size))


def on_its_lines(text: str) -> str:
    """A text of several lines, without other characters that move or hide the text around them."""
    return _HIDDEN_ON_LINES.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
