"""The line of a Python file that holds a line of a script."""

from __future__ import annotations

import os
from functools import lru_cache

from .._core import Script
from ..declared.lines import Place, split_lines

# Bytes. Finding a script takes a time that grows with its file.
_MAX_FILE = 512 * 1024
_MAX_CODE = 64 * 1024
_QUOTES = (b"'", b'"')


def python_place(script: Script, line: int) -> Place | None:
    """The line of the ``.py`` file that made a script from a string in it, if it is there."""
    made_at = script._made_at
    if made_at is None or not made_at[0].endswith(".py"):
        return None
    code = script.code
    if len(code) > _MAX_CODE:
        return None
    file, near = made_at
    if (first := _first_line(file, near, code.rstrip())) is not None:
        return Place(file, first + line - 1)
    # Its ends of lines may be written as escapes.
    escaped = code.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    first = _first_line(file, near, escaped) if escaped != code else None
    return None if first is None else Place(file, first)


@lru_cache(maxsize=128)
def _first_line(file: str, near: int, code: bytes) -> int | None:
    """The line of a file on which a string with this text begins: the nearest to a line."""
    try:
        if os.path.getsize(file) > _MAX_FILE:
            return None
        with open(file, "rb") as opened:
            there = [each.strip() for each in split_lines(opened.read())]
    except (OSError, ValueError):
        return None
    # Without indentation, which textwrap.dedent may have removed.
    wanted = [each.strip() for each in split_lines(code)]
    if not any(wanted):
        return None
    starts = range(len(there) - len(wanted) + 1)
    found = [start + 1 for start in starts if _is_string(there, start, wanted)]
    return min(found, key=lambda number: abs(number - near), default=None)


def _is_string(there: list[bytes], start: int, wanted: list[bytes]) -> bool:
    """Whether a string begins there that has these lines, without its first and last blanks."""
    last = start + len(wanted) - 1
    if start == last:
        before, found, after = there[start].partition(wanted[0])
        if not found:
            return False
    else:
        if not there[start].endswith(wanted[0]) or not there[last].startswith(wanted[-1]):
            return False
        before = there[start].removesuffix(wanted[0])
        after = there[last].removeprefix(wanted[-1])
        if there[start + 1 : last] != wanted[1:-1]:
            return False
    above = there[start - 1].removesuffix(b"\\") if start else b""
    return (before or above).endswith(_QUOTES) and (not after or after.startswith(_QUOTES))
