"""Putting pieces of code into a text, whose lines stay as they are."""

from __future__ import annotations

from collections.abc import Iterable

from ..declared.lines import LINE_END


def begin_of_code(code: bytes) -> int:
    """Return where the code begins: its first line may declare flags."""
    if not code.startswith(b"#!"):
        return 0
    end = LINE_END.search(code)
    return end.end() if end else len(code)


def on_one_line(lua: str) -> str:
    """Return Lua on one line, without the lines that are comments."""
    lines = (line.strip() for line in lua.splitlines())
    return " ".join(line for line in lines if not line.startswith("--"))


def woven(code: bytes, pieces: Iterable[tuple[int, str]]) -> bytes:
    """Return a text with pieces put in.

    Args:
        code: The text.
        pieces: Each with its place, in bytes of the text. Those at one place stay in their order.
    """
    parts: list[bytes] = []
    taken = 0
    for at, piece in sorted(pieces, key=lambda each: each[0]):
        parts += code[taken:at], piece.encode()
        taken = at
    return b"".join([*parts, code[taken:]])
