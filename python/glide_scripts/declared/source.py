"""The text of a script: its files combined, and the place of each line.

A script is sent as its file's bytes. An included file's bytes follow the line that includes it, and
that line stays as a comment. So the text depends only on the files' bytes.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import ScriptSourceError
from .folder import Folder
from .lines import LINE_END, Place, line_starts

INCLUDE = "include"

# What may hold "--" or a quote and is no short comment; and short comments.
_TOKEN = re.compile(
    r"""
      (?:--)? \[ (?P<level>=*) \[ .*? (?: \] (?P=level) \] | \Z )  # a long comment or string
    | -- (?P<comment> [^\r\n]* )
    | " (?: \\ (?: \r\n | . ) | [^"\\\r\n] )* "?
    | ' (?: \\ (?: \r\n | . ) | [^'\\\r\n] )* '?
    """,
    re.VERBOSE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"(?P<space>\s*)@(?P<word>\w+)(?P<rest>.*)", re.DOTALL)
_QUOTED = re.compile(r'"(?P<path>[^"]+)"')


@dataclass(frozen=True, slots=True)
class Directive:
    """A comment such as ``--@key user``."""

    word: str
    rest: str
    line: int
    in_head: bool
    """Whether nothing but comments stands before it."""
    is_spaced: bool = False
    """Whether it is ``-- @key user``: a comment, and meant otherwise if that is a known word."""

    @property
    def why_spaced(self) -> str:
        """What is said of one that is spaced and known."""
        return f"-- @{self.word} is only a comment; write --@{self.word}, without a space"


@dataclass(frozen=True, slots=True)
class SourceMap:
    """The file and line of each line of a script's text."""

    files: tuple[str, ...]
    """The files' names as errors show them; the first one is the script's own."""
    lines: tuple[tuple[int, int], ...]
    """Of each line of the text, the index of its file and the line there, counted from 1."""
    included_at: tuple[Place | None, ...]
    """Of each file, the line that includes it."""
    paths: tuple[str | None, ...] = ()
    """Of each file, where it is on disk; None if it is in a zip file."""
    folder: str = ""
    """The folder of the files, as errors show it; empty for the current one."""

    def short(self, file: str) -> str:
        """A file's path below the folder."""
        return file.removeprefix(f"{self.folder}/") if self.folder else file

    def place(self, line: int) -> Place:
        """The place of a line of the text, counted from 1; of one beyond it, the last one's."""
        file, line = self.lines[min(line, len(self.lines)) - 1]
        return Place(self.files[file], line)

    def line(self, place: Place) -> int | None:
        """The line of the text that is at a place; None if there is none."""
        try:
            return self.lines.index((self.files.index(place.file), place.line)) + 1
        except ValueError:
            return None

    def chain(self, file: str) -> list[Place]:
        """The lines that include a file, the innermost first."""
        chain = []
        at = self.included_at[self.files.index(file)]
        while at is not None:
            chain.append(at)
            at = self.included_at[self.files.index(at.file)]
        return chain


@dataclass(frozen=True, slots=True)
class Source:
    """A script's text as it is sent, and the declarations of its file."""

    code: bytes
    map: SourceMap
    directives: tuple[Directive, ...]

    @property
    def file(self) -> str:
        """The script's own file."""
        return self.map.files[0]


def included(sources: Iterable[Source]) -> set[str]:
    """The files that these include, and which are so a part of them."""
    return {file for source in sources for file in source.map.files[1:]}


def _ended(code: bytes) -> bytes:
    return code if code.endswith((b"\n", b"\r")) or not code else code + b"\n"


def directives(text: str) -> Iterator[tuple[Directive, int, bool]]:
    """The comments ``--@word …`` of a text; where each ends, and whether its line is its own."""
    in_head, end_of_last = True, 0
    if text.startswith("#!"):
        end = re.search(r"[\r\n]", text)
        end_of_last = end.start() if end else len(text)
    for token in _TOKEN.finditer(text, end_of_last):
        between = text[end_of_last : token.start()]
        in_head = in_head and not between.strip() and token[0].startswith("--")
        end_of_last = token.end()
        comment = token["comment"]
        if comment is None or (found := _DIRECTIVE.match(comment)) is None:
            continue
        is_spaced = bool(found["space"])
        if is_spaced and not in_head:
            continue
        above = re.split(r"\r\n|\n\r|\n|\r", text[: token.start()])
        line, before = len(above), above[-1]
        rest = _without_remark(found["rest"])
        directive = Directive(found["word"], rest, line, in_head, is_spaced)
        yield directive, token.end(), not before.strip()


def _without_remark(rest: str) -> str:
    """Return a directive's value without its remark."""
    return re.split(r"(?:^|\s)--(?:\s|$)", rest, maxsplit=1)[0].strip()


def read(folder: Folder, path: tuple[str, ...]) -> Source:
    """Read a script's file and the files that it includes.

    Raises:
        ScriptSourceError: A file is missing or is not UTF-8, or an include is wrong.
    """
    reader = _Reader(folder)
    reader.add(path, None, ())
    source_map = SourceMap(
        tuple(reader.files),
        reader.lines(),
        tuple(reader.included_at),
        tuple(reader.paths),
        folder.shown.rstrip("/"),
    )
    return Source(bytes(reader.code), source_map, tuple(reader.own))


class _Reader:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.code = bytearray()
        self.files: list[str] = []
        self.paths: list[str | None] = []
        self.line_starts: list[list[int]] = []
        self.included_at: list[Place | None] = []
        # Where in the text each part begins, of which file it is, and where it begins there.
        self.parts: list[tuple[int, int, int]] = []
        self.own: list[Directive] = []

    def add(
        self, path: tuple[str, ...], at: Place | None, chain: tuple[tuple[str, Place], ...]
    ) -> None:
        data = self.folder.read(path, at)
        name = self.folder.name(path)
        if at is not None and data.startswith(b"#!"):
            raise ScriptSourceError(
                "an included file cannot begin with #!, which is for a script's first line",
                file=name,
                line=1,
            )
        index = len(self.files)
        self.files.append(name)
        self.paths.append(self.folder.path(path))
        self.line_starts.append(line_starts(data))
        self.included_at.append(at)
        text = data.decode()
        taken = 0
        for directive, end, own_line in directives(text):
            if not index:
                self.own.append(directive)
            if directive.word != INCLUDE:
                continue
            here = Place(name, directive.line)
            if directive.is_spaced:
                raise ScriptSourceError(directive.why_spaced, file=name, line=here.line)
            if not own_line:
                raise ScriptSourceError(
                    "--@include must be on a line of its own", file=name, line=here.line
                )
            included = self._resolve(path, directive, here)
            shown = self.folder.name(included)
            steps = (*chain, (name, here))
            for step, (file, _) in enumerate(steps):
                if file == shown:
                    links = " -> ".join([*(str(place) for _, place in steps[step:]), shown])
                    raise ScriptSourceError(
                        f"files include each other: {links}", file=name, line=here.line
                    )
            if shown in self.files:
                continue
            # Up to the end of this line.
            after = LINE_END.match(data, len(text[:end].encode()))
            stop = after.end() if after else len(data)
            self._append(index, taken, _ended(data[taken:stop]))
            taken = stop
            self.add(included, here, steps)
        rest = data[taken:]
        self._append(index, taken, rest if at is None else _ended(rest))

    def lines(self) -> tuple[tuple[int, int], ...]:
        """Of each line of the text, its file and its line there.

        By where it begins, not by counting: two files may meet within one end of a line.
        """
        lines = []
        for start in line_starts(self.code):
            # The last part that begins there: others may be empty.
            at = bisect.bisect_right(self.parts, start, key=lambda part: part[0]) - 1
            begins, file, offset = self.parts[at]
            lines.append((file, bisect.bisect(self.line_starts[file], offset + start - begins)))
        return tuple(lines)

    def _append(self, file: int, offset: int, data: bytes) -> None:
        self.parts.append((len(self.code), file, offset))
        self.code += data

    def _resolve(self, path: tuple[str, ...], directive: Directive, at: Place) -> tuple[str, ...]:
        def wrong(why: str) -> ScriptSourceError:
            return ScriptSourceError(why, file=at.file, line=at.line)

        quoted = _QUOTED.fullmatch(directive.rest)
        if quoted is None:
            raise wrong(
                '--@include takes a file in quotes: --@include "util.lua"; not '
                + rest_of(directive)
            )
        written = quoted["path"]
        if "\\" in written or "\0" in written:
            raise wrong(f'"{written}" is not a path; write folders with "/"')
        outside = wrong(f'it includes "{written}", which is {self.folder.outside}')
        if written.startswith("/"):
            raise outside
        parts = list(path[:-1])
        for part in written.split("/"):
            if part == "..":
                if parts and parts[-1] != "..":
                    parts.pop()
                elif self.folder.is_open:
                    parts.append("..")
                else:
                    raise outside
            elif part not in ("", "."):
                parts.append(part)
        return tuple(parts)


def rest_of(directive: Directive) -> str:
    """Return the text after a directive's word, for errors."""
    return repr(directive.rest) if directive.rest else "nothing"
