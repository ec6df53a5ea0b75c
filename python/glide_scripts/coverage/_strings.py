"""Strings of Lua in Python source: literals, those joined of several, and templates with values.

A template is an f-string, or a string to which ``%``, ``format``, ``replace`` or ``+`` gives
values. The values are known only where it is sent, and the rest of its text is here.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

from ..declared.lines import split_lines

_VALUE = "\0"
"""Stands for a value in a text."""
_PERCENT = re.compile(r"%(?:(%)|(?:\(\w+\))?[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[sdrfgixX])")
_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
_ALONE = re.compile(rf"(^[ \t]*){_VALUE}(?=[ \t]*$)", re.MULTILINE)
# Texts that are tried in place of a value, alone on its line or not, until the whole is Lua.
_FILLERS = (("", "x"), ("", "0"), ("x", "x"), ("", ""))


@dataclass(frozen=True)
class Literal:
    """A string in a Python file, whose text may have values in it."""

    text: str
    """With ``_VALUE`` for each value."""
    places: tuple[int, ...]
    """The file's line of each line of the text."""

    @property
    def is_template(self) -> bool:
        return _VALUE in self.text

    def filled(self) -> Iterator[bytes]:
        """Return the text with something for its values: what is tried until it is Lua."""
        for alone, within in _FILLERS if self.is_template else _FILLERS[:1]:
            text = _ALONE.sub(rf"\g<1>{alone}", self.text)
            yield text.replace(_VALUE, within).encode(errors="replace")

    def places_in(self, sent: bytes) -> tuple[int, ...] | None:
        """Return the file's line of each line of a text that was sent; None if it is another.

        It may have been dedented and stripped.
        """
        before, own = _stripped(self.text)
        given_before, given = _stripped(sent.decode(errors="replace"))
        first, *parts = own.split(_VALUE)
        if not given.startswith(first):
            return None
        line, at = before, len(first)
        places = [self.places[line]] * (given_before + 1)

        def add(part: str) -> None:
            nonlocal line
            for _ in range(part.count("\n")):
                line += 1
                places.append(self.places[line])

        add(first)
        for number, part in enumerate(parts, 1):
            is_last = number == len(parts)
            found = len(given) - len(part) if is_last else given.find(part, at)
            if found < at or not given.startswith(part, found):
                return None
            # All lines of a value are where it is put in.
            places += [self.places[line]] * given.count("\n", at, found)
            add(part)
            at = found + len(part)
        return tuple(places) if at == len(given) else None


def _stripped(text: str) -> tuple[int, str]:
    """How many lines are empty at the beginning; and the text without them and indentation."""
    text = _INDENTATION.sub("", text)
    return text[: len(text) - len(text.lstrip())].count("\n"), text.strip()


def literals(source: bytes) -> Iterator[Literal]:
    """Return the strings of several lines in a Python file."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    lines = source.decode(errors="replace").splitlines()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        text = _text(node) if isinstance(node, ast.expr) else None
        if text is None:
            pending += ast.iter_child_nodes(node)
            continue
        if isinstance(node, ast.expr) and node.end_lineno != node.lineno:
            yield Literal(text, tuple(_places(text, node, lines)))
        # A value may have a string in it, too.
        pending += [each for each in ast.walk(node) if isinstance(each, ast.FormattedValue)]


def _text(node: ast.expr) -> str | None:
    """A string with its values left open; None for another expression."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.Constant(value=bytes() as value):
            return value.decode(errors="replace")
        case ast.JoinedStr():
            parts = (_text(each) for each in node.values)
            return "".join(_VALUE if part is None else part for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            texts = _text(left), _text(right)
            return (
                None
                if texts == (None, None)
                else "".join(_VALUE if each is None else each for each in texts)
            )
        case ast.BinOp(left=left, op=ast.Mod()) if (text := _text(left)) is not None:
            return _PERCENT.sub(lambda found: found[1] or _VALUE, text)
        case ast.Call(func=ast.Attribute(value=inner, attr="format")):
            return _formatted(_text(inner))
        case ast.Call(
            func=ast.Attribute(value=inner, attr="replace"),
            args=[ast.Constant(value=str() as old), _],
        ) if old and (text := _text(inner)) is not None:
            return text.replace(old, _VALUE)
    return None


def _formatted(text: str | None) -> str | None:
    try:
        parts = list(string.Formatter().parse(text or ""))
    except ValueError:
        return text
    filled = "".join(part + ("" if name is None else _VALUE) for part, name, _, _ in parts)
    return None if text is None else filled


def _places(text: str, node: ast.expr, lines: list[str]) -> Iterator[int]:
    """The file's line of each of a string's lines, which may be of several literals."""
    at, end = node.lineno, node.end_lineno or node.lineno
    for line in split_lines(text.encode(errors="replace")):
        pieces = line.decode(errors="replace").split(_VALUE)
        shown = max((each.strip() for each in pieces), key=len)
        found = next((n for n in range(at, end + 1) if _has(lines[n - 1], shown)), None)
        yield at if found is None else found
        if found is not None and shown:
            at = min(found + 1, end)
        elif not shown:
            at = min(at + 1, end)


def _has(line: str, shown: str) -> bool:
    # In templates, braces and per cent signs are doubled.
    return shown in line or shown in re.sub(r"([{}%])\1", r"\1", line)
