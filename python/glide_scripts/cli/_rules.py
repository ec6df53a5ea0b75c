"""The warnings of ``glide-scripts check``: mistakes in scripts that compile."""

from __future__ import annotations

import bisect
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tree_sitter import Node

from ..declared.lines import line_starts
from ._expressions import SERVER, integer_of, is_command, operator_of
from ._findings import Finding
from ._globals import GLOBALS, MEMBERS
from ._lua import Program, arguments, parse, text_of
from ._precision import lost_precision
from ._scripts import Unit

_ALLOW = re.compile(rb"--.*\bglide-scripts: allow ([\w-]+(?:[, ]+[\w-]+)*)")

# What leaves a call without its record.
_AGAINST_ONCE = {
    "SELECT": "leads away from the database in which the record is kept",
    "SWAPDB": "may exchange the database in which the record is kept",
    "FLUSHALL": "deletes the records of all other calls",
    "FLUSHDB": "deletes the records of all other calls",
}


class CommandInfo(NamedTuple):
    """A server's information about a command and its arguments."""

    is_known: bool
    writes: bool
    keys: list[bytes]
    """Those of the words that are keys."""
    arity: int = 0
    """How many words it takes; if negative, at least so many; 0 if that is not known."""


Ask = Callable[[Sequence[Sequence[bytes]]], Awaitable[list[CommandInfo]]]
"""Asks a server about commands, given as their words."""


async def findings(unit: Unit, ask: Ask) -> list[Finding]:
    """Return the warnings for a script or library that compiles."""
    rules = _Rules(unit)
    found = [
        *rules.missing_shebang(),
        *rules.once_in_vain(),
        *rules.undeclared_globals(),
        *rules.unknown_members(),
        *rules.lost_precision(),
    ]
    commands = list(rules.commands())
    asked = [words for command in commands for words in command.variants()]
    about = iter(await ask(asked) if asked else [])
    for command in commands:
        each = [next(about) for _ in command.variants()]
        found += rules.undeclared_keys(command, {key for info in each for key in info.keys})
        if not each[0].is_known:
            found += rules.unknown_command(command)
        found += rules.wrong_arity(command, each[0].arity)
        if any(info.writes for info in each):
            found += rules.write_in_read_only(command)
        found += rules.not_for_once(command)
    if unit.library is None:
        found += rules.unused("KEYS")
        found += rules.unused("ARGV")
    return rules.without_allowed(found)


@dataclass(frozen=True)
class _Command:
    """A call of a command that is named in it."""

    call: Node
    arguments: list[Node]
    words: list[bytes]
    """The words of the arguments; markers for those that are known only when the script runs."""

    @property
    def name(self) -> str:
        """The command's name."""
        return self.words[0].decode("utf-8", "replace").upper()

    def variants(self) -> list[list[bytes]]:
        """What its words may be: the last argument may give several, as ``unpack(…)`` does."""
        if self.arguments[-1].type not in ("function_call", "vararg_expression"):
            return [self.words]
        return [self.words + [b"\0"] * more for more in range(3)]


class _Rules:
    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._program: Program = parse(unit.code)
        self._line_starts = line_starts(unit.code)
        self._read_only = (
            "--@readonly"
            if unit.declarations.read_only
            else "no-writes"
            if re.search(rb"\bflags=[\w,-]*\bno-writes\b", unit.first_line)
            else None
        )

    # Commands

    def commands(self) -> Iterator[_Command]:
        for call in self._program.calls:
            callee, given = call.child_by_field_name("name"), arguments(call)
            if callee is None or not given or not is_command(self._program, callee):
                continue
            if (name := text_of(given[0])) is None:
                continue
            words = [name]
            for position, node in enumerate(given[1:]):
                text = node.text if node.type == "number" else text_of(node)
                words.append(b"\0%d" % position if text is None else text)
            yield _Command(call, given, words)

    def undeclared_keys(self, command: _Command, keys: set[bytes]) -> Iterator[Finding]:
        for node, word in zip(command.arguments[1:], command.words[1:], strict=True):
            if word in keys and (origin := self._origin(node)):
                why = f"the key of {command.name} is {origin}; pass it as one of KEYS"
                yield self._finding(node, "undeclared-key", why)

    def _origin(self, node: Node) -> str | None:
        """What a key is if it is none of KEYS; None if that is unknown."""
        for value in self._program.values(node):
            if value.type == "string":
                return "a string of the script"
            if value.type == "binary_expression" and operator_of(value) == "..":
                return "built from strings"
            if value.type == "function_call":
                callee = value.child_by_field_name("name")
                if callee is None:
                    continue
                if self._program.is_field(
                    callee, (b"string",), (b"format",)
                ) or self._program.is_field(callee, (b"table",), (b"concat",)):
                    return "built from strings"
                if self._program.is_global(callee, b"unpack") and any(
                    self._program.is_global(each, b"ARGV")
                    for given in arguments(value)[:1]
                    for each in self._program.values(given)
                ):
                    return "one of ARGV"
            if value.type == "bracket_index_expression" and self._program.is_global(
                value.child_by_field_name("table"), b"ARGV"
            ):
                return "one of ARGV"
        return None

    def unknown_command(self, command: _Command) -> Iterator[Finding]:
        # A module's command has a dot in its name, and the module may be elsewhere.
        if "." not in command.name:
            why = f"the server has no command {command.name}"
            yield self._finding(command.arguments[0], "unknown-command", why)

    def wrong_arity(self, command: _Command, arity: int) -> Iterator[Finding]:
        given = len(command.words)
        is_open = len(command.variants()) > 1
        if not arity or is_open or given == arity or (arity < 0 and given >= -arity):
            return
        least = "at least " if arity < 0 else ""
        wanted = abs(arity) - 1
        plural = "" if wanted == 1 else "s"
        why = f"{command.name} takes {least}{wanted} argument{plural}, not {given - 1}"
        yield self._finding(command.call, "wrong-arity", why)

    def write_in_read_only(self, command: _Command) -> Iterator[Finding]:
        if declared := self._read_only or self._flag_of_function(command.call):
            why = f"{command.name} writes, but {declared} declares it read-only"
            yield self._finding(command.call, "write-in-read-only", why)

    def not_for_once(self, command: _Command) -> Iterator[Finding]:
        if self._unit.declarations.once and command.name in _AGAINST_ONCE:
            why = f"{command.name} {_AGAINST_ONCE[command.name]}, in a script with --@once"
            yield self._finding(command.call, "not-for-once", why)

    def _flag_of_function(self, call: Node) -> str | None:
        """The flag of the library's function that a call is in."""
        for start, end in self._read_only_functions():
            if start <= call.start_byte < end:
                return "no-writes"
        return None

    def _read_only_functions(self) -> Iterator[tuple[int, int]]:
        for register in self._program.calls:
            callee, given = register.child_by_field_name("name"), arguments(register)
            if (
                callee is None
                or not self._program.is_field(callee, SERVER, (b"register_function",))
                or not given
                or given[0].type != "table_constructor"
            ):
                continue
            fields = {
                name.text: value
                for each in given[0].named_children
                if (name := each.child_by_field_name("name"))
                and (value := each.child_by_field_name("value"))
            }
            flags, callback = fields.get(b"flags"), fields.get(b"callback")
            if flags and callback and re.search(rb"['\"]no-writes['\"]", flags.text or b""):
                for function in self._program.values(callback):
                    yield function.start_byte, function.end_byte

    # Others

    def missing_shebang(self) -> Iterator[Finding]:
        if not self._unit.first_line and not self._unit.may_be_part:
            yield self._at(
                0,
                "missing-shebang",
                "there is no #! line, so servers run it in compatibility mode; begin it with #!lua",
            )

    def once_in_vain(self) -> Iterator[Finding]:
        if not self._unit.declarations.once:
            return
        if self._unit.library is not None:
            why = "functions cannot have --@once; use a script"
        elif self._read_only is not None:
            why = f"{self._read_only} declares a read-only script, but --@once writes a record"
        else:
            return
        line = next(each.line for each in self._unit.source.directives if each.word == "once")
        yield Finding(self._unit.file, line, 1, "not-for-once", why)

    def undeclared_globals(self) -> Iterator[Finding]:
        written: set[bytes | None] = set()
        for node in self._program.writes:
            if node.text not in written:
                written.add(node.text)
                name = _shown(node)
                why = f"{name} is a global, which servers refuse to assign; write local {name}"
                yield self._finding(node, "undeclared-global", why)
        known = GLOBALS if self._unit.library is None else GLOBALS - {b"KEYS", b"ARGV"}
        seen = set(written)
        for node in self._program.reads:
            if node.text not in known and node.text not in seen:
                seen.add(node.text)
                why = f"{_shown(node)} is not declared, and servers have no such global"
                yield self._finding(node, "undeclared-global", why)

    def unknown_members(self) -> Iterator[Finding]:
        for node in self._program.fields:
            table, name = node.child_by_field_name("table"), node.child_by_field_name("field")
            if table is None or name is None or not self._program.is_global(table, *MEMBERS):
                continue
            has = MEMBERS[table.text or b""]
            if name.text not in has:
                why = f"{_shown(node)} is not among what servers have in {_shown(table)}"
                yield self._finding(node, "undeclared-global", why)

    def unused(self, table: Literal["KEYS", "ARGV"]) -> Iterator[Finding]:
        used: dict[int, Node] = {}
        is_counted = False
        for node in self._program.reads:
            if node.text != table.encode():
                continue
            parent = node.parent
            if parent is not None and parent.type == "unary_expression":
                is_counted = True
                continue
            index = parent.child_by_field_name("field") if parent is not None else None
            position = integer_of(index) if index is not None and index != node else None
            if position is None:
                # All of it is given to something, or walked through.
                return
            used.setdefault(position, node)
        code, what = ("unused-key", "key") if table == "KEYS" else ("unused-arg", "argument")
        signature = self._unit.declarations.signature
        if signature.declared:
            words = ("key", "keys") if table == "KEYS" else ("arg",)
            declared = signature.keys if table == "KEYS" else signature.args
            lines = [each.line for each in self._unit.source.directives if each.word in words]
            for position, (parameter, line) in enumerate(zip(declared, lines, strict=True), 1):
                if parameter.many:
                    is_used = is_counted or any(each >= position for each in used)
                else:
                    is_used = position in used
                # It is the id of its call.
                is_used = is_used or parameter.name == self._unit.declarations.once
                if not is_used:
                    why = f"the {what} {parameter.name} is never used; it is {table}[{position}]"
                    yield Finding(self._unit.file, line, 1, code, why)
        elif used:
            last = max(used)
            for position in range(1, last):
                if position not in used:
                    why = f"{table}[{position}] is never used, but {table}[{last}] is"
                    yield self._finding(used[last], code, why)

    def lost_precision(self) -> Iterator[Finding]:
        for node, why in lost_precision(self._program, is_library=self._unit.library is not None):
            yield self._finding(node, "lost-precision", why)

    # Places

    def without_allowed(self, found: list[Finding]) -> list[Finding]:
        """Those that no comment on their line allows."""
        allowed = set()
        for comment in self._program.comments:
            if match := _ALLOW.search(comment.text or b""):
                at = self._at(comment.start_byte, "", "")
                allowed |= {(at.file, at.line, c.decode()) for c in re.split(rb"[, ]+", match[1])}
        return [each for each in found if (each.file, each.line, each.code) not in allowed]

    def _finding(self, node: Node, code: str, message: str) -> Finding:
        return self._at(node.start_byte, code, message)

    def _at(self, offset: int, code: str, message: str) -> Finding:
        # Not the tree's own lines: it knows only one of Lua's ends of a line.
        line = bisect.bisect_right(self._line_starts, offset)
        before = self._unit.code[self._line_starts[line - 1] : offset]
        place = self._unit.source.map.place(line)
        column = len(before.decode("utf-8", "replace")) + 1
        return Finding(place.file, place.line, column, code, message)


def _shown(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
