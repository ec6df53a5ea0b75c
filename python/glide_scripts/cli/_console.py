"""What is printed with styles: when, and in which colours.

``--color`` decides, else NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE in the environment, else whether
it is a terminal, as for uv and ruff. The colours are the terminal's own, which its user can read on
its background; nothing is dim.
"""

import os
import re
import sys
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, TextIO

from rich.console import Console


class Color(StrEnum):
    """When to use colours."""

    auto = "auto"
    always = "always"
    never = "never"


color: ContextVar[Color] = ContextVar("color", default=Color.auto)
"""What the command line says."""

# In the text of an error: what is left of the place and of the script's lines, and notes.
_FRAME = re.compile(
    r"(?P<frame>  -->| *(?:\d+ )?\|)(?P<carets> +\^+$)?|(?P<equals>   =)(?P<label> \w+:)"
)
_STYLES = {"bold": "1", "error": "1;31", "warning": "1;33", "code": "36"}


def has_color(stream: TextIO) -> bool:
    """Whether what is written to a stream has colours."""
    match color.get():
        case Color.always:
            return True
        case Color.never:
            return False
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def painted(text: str, style: str, stream: TextIO) -> str:
    """A text in a style of `_STYLES`, where a stream has colours."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_color(stream) else text


def painted_error(text: str, stream: TextIO) -> str:
    """The text of an error, in which the place, the lines and the carets differ by their styles."""
    if not has_color(stream):
        return text
    first, *rest = text.split("\n")
    return "\n".join([first, *(_painted_line(line, stream) for line in rest)])


def _painted_line(line: str, stream: TextIO) -> str:
    found = _FRAME.match(line)
    if found is None:
        return line
    styles = {"frame": "code", "carets": "error", "equals": "code", "label": "bold"}
    parts = (painted(found[name], styles[name], stream) for name in styles if found[name])
    return "".join([*parts, line[found.end() :]])


class Output(Console):
    """A console that raises an error when its reader has left, like ``print``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            # The 16 colours of the terminal's own palette.
            color_system="standard" if has_color(sys.stdout) else None,
            force_terminal=sys.stdout.isatty(),
            no_color=False,
            **settings,
        )

    def on_broken_pipe(self) -> None:
        """Without ending the process with exit code 1."""
        raise BrokenPipeError
