"""The place where a script failed: the file's line, and the lines around it."""

from __future__ import annotations

import os
import re

from .._core import Script
from ..declared.lines import Place, split_lines
from ..declared.script import DeclaredScript
from ..declared.source import SourceMap
from ..errors import RequestError, ScriptError
from .one_line import on_one_line
from .python_place import python_place

_AROUND = 2
_MAX_LINE = 160
# Size of the largest script whose lines are shown, in bytes: finding a line takes longer the later
# it comes.
_MAX_CODE = 256 * 1024


def locate(error: ScriptError, script: Script) -> None:
    """Find the file's line for a line of the sent text."""
    source_map = _map_of(script)
    if source_map is None:
        return
    error.file = source_map.files[0]
    if error.line is not None:
        lines = _lines(script)
        sent = min(error.line, len(lines)) if lines else error.line
        place = source_map.place(sent)
        error.file, error.line = place.file, place.line
        if lines:
            error.source_line = lines[sent - 1].decode(errors="replace")


def _lines(script: Script) -> list[bytes]:
    """The lines of a script; none of a large one."""
    code = script.code
    return split_lines(code) if len(code) <= _MAX_CODE else []


def sent_line(sent: int, script: Script) -> str:
    """Return a line of the sent text, without the end of a long line; "" if it is not at hand."""
    lines = _lines(script)
    return lines[sent - 1][:_MAX_LINE].decode(errors="replace") if 0 < sent <= len(lines) else ""


def _map_of(script: Script) -> SourceMap | None:
    return script._source_map if isinstance(script, DeclaredScript) else None


def leading_place(error: ScriptError, script: Script, sent: int) -> str:
    """The place in short, for the beginning of an error's text.

    A file's path begins below the folder of its library. Of a script in a string it is the line of
    the Python file, if that is there.

    Args:
        error: The error, whose line is the file's.
        script: The script.
        sent: The line of the script's text as it was sent.
    """
    source_map = _map_of(script)
    if source_map is not None:
        return f"{source_map.short(error.file or source_map.files[0])}:{error.line}"
    if (place := python_place(script, sent)) is not None:
        return f"{os.path.basename(place.file)}:{place.line}"
    return f"{script.name or f'script {script.hash[:8]}'}:{sent}"


def shown_place(error: RequestError, script: Script) -> str:
    name = script.name or f"script {script.hash[:8]}"
    line = error.line if isinstance(error, ScriptError) else None
    source_map = _map_of(script)
    file = error.file if isinstance(error, ScriptError) else None
    if file is None and source_map is not None:
        file = source_map.files[0]
    if file is None:
        return name if line is None else f"{name}, line {line}"
    place = file if line is None else f"{file}:{line}"
    chain = source_map.chain(file) if source_map is not None and line is not None else []
    included = "".join(f", included at {at}" for at in chain)
    return f"{place}, in {name}{included}"


def snippet_of(line: int, file: str | None, script: Script, words: str) -> list[str]:
    """Return the line with the lines around it in the same file."""
    source_map = _map_of(script)
    lines = _lines(script)
    shown_lines: list[tuple[int, str]] = []
    for number in range(line - _AROUND, line + _AROUND + 1):
        sent: int | None = number
        if source_map is not None and file is not None:
            sent = source_map.line(Place(file, number)) if number > 0 else None
        if sent is None or not 1 <= sent <= len(lines):
            continue
        # No character has more than 4 bytes.
        start = lines[sent - 1][: 4 * (_MAX_LINE + 1)]
        text = start.decode(errors="backslashreplace").expandtabs(4).rstrip()
        shown_lines.append((number, on_one_line(text, _MAX_LINE)))
    while shown_lines and shown_lines[-1][0] > line and not shown_lines[-1][1]:
        shown_lines.pop()
    while shown_lines and shown_lines[0][0] < line and not shown_lines[0][1]:
        shown_lines.pop(0)
    if not any(number == line for number, _ in shown_lines):
        return []
    width = len(str(shown_lines[-1][0]))
    gutter = " " * (width + 2) + "|"
    snippet = [gutter]
    for number, text in shown_lines:
        snippet.append(f" {number:>{width}} | {text}".rstrip())
        if number == line and (mark := _mark(text, words)):
            snippet.append(f"{gutter} {mark}")
    return [*snippet, gutter]


_NAMED = re.compile(
    r"(?:local|global|field|upvalue|method|variable|near|by '\w+'\))"
    r" '(?P<name>[^']*|')'"
)


# Server texts about a command of the script, and a one-line call of such a command.
_COMMAND = re.compile(
    r"^(?:Operation against|command not allowed|You can't write)|-?(?<![A-Z])[A-Z]{3,}+ |"
    r"ommand called from|Redis command|calling command|non local key"
)
_CALL = re.compile(r"redis\.p?call\((?:[^()'\"]|'[^']*'|\"[^\"]*\"|\([^()]*\))*\)")


def _mark(text: str, words: str) -> str:
    """Return carets under the part that the error is about, or under the whole line."""
    whole = text.strip()
    if not whole:
        return ""
    start, length = text.index(whole[0]), len(whole)
    named = _NAMED.search(words)
    if named is not None and named["name"] not in ("", "?") and len(named["name"]) <= len(text):
        name = re.escape(named["name"])
        bounded = rf"(?<!\w){name}(?!\w)" if named["name"].isidentifier() else name
        found = list(re.finditer(bounded, text))
        if len(found) == 1:
            start, length = found[0].start(), len(found[0][0])
    elif _COMMAND.search(words) and len(calls := list(_CALL.finditer(text))) == 1:
        start, length = calls[0].start(), len(calls[0][0])
    return " " * start + "^" * length


def place_of(line: int, script: Script) -> str:
    """Return the place of a line that the server names."""
    source_map = _map_of(script)
    return f"line {line}" if source_map is None else str(source_map.place(line))


def with_places(words: str, script: Script) -> str:
    """Replace the lines of the sent text that Lua names for an open block by their places."""

    def place(opened: re.Match[str]) -> str:
        return f"{opened[1]}{place_of(int(opened[2]), script)})"

    return re.sub(r"(\(to close '[^']+' at )line (\d{1,9})\)", place, words)
