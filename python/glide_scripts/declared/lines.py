"""Lines of scripts, counted as Lua counts them, and their places in files."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The ends of lines, as Lua counts them.
LINE_END = re.compile(rb"\r\n|\n\r|\n|\r")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def split_lines(code: bytes) -> list[bytes]:
    """Return the lines of a text without line ends, split as Lua splits them."""
    # The second takes ten times as long.
    return code.split(b"\n") if b"\r" not in code else LINE_END.split(code)


def line_starts(code: bytes | bytearray) -> list[int]:
    """Return the start of each line of a text, split as Lua splits them."""
    return [0, *(end.end() for end in LINE_END.finditer(code))]
