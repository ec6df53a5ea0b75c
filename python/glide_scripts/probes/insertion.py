"""Probes in a script's text, which say in the server's log what runs.

A probe stands on the line of its statement, so that no line of an error changes. All probes write
into one table. A number that is not in it yet is written to the log, once in a run, before the
statement runs. So nothing is lost when the script fails or is killed; no key is needed; and it
works in read-only scripts, functions and transactions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..declared.lines import LINE_END
from .program import Decision, Program, Statement

MARK = "glide-scripts-probe"
LOGGED = re.compile(rb"glide-scripts-probe (\w+) (\d+)\r?$", re.MULTILINE)
"""Finds in a log which text ran, and which of its probes."""

# A number is logged when it is first set or read. It is set before a statement. It is read in
# a condition: false for a number, and true for a negative one.
_TABLE = (
    "local {name}b,{name}=0,setmetatable({{}},{{"
    "__newindex=function(t,k)rawset(t,k,1)redis.log(3,'{mark} {id} '..k)end,"
    "__index=function(t,k)rawset(t,k,k<0)redis.log(3,'{mark} {id} '..(k<0 and-k or k))"
    "return k<0 end}});"
)
# The same for a library of functions. While it is loaded, there are no metatables, and Valkey 9.1
# crashes if it writes to the log: so what runs then is logged by the first call of a function.
_FUNCTION = (
    "local {name}b,{name}t,{name}w,{name}d,{name}=0,{{}},{{}},false;function {name}(k)"
    "if {name}t[k]==nil then {name}t[k]=1 {name}w[#{name}w+1]=k<0 and-k or k "
    "if {name}d then for i=1,#{name}w do redis.log(3,'{mark} {id} '..{name}w[i])end {name}w={{}}"
    "end end return k<0 end;"
)
_LOADED = " {name}d=true "
_OF_LIBRARY = re.compile(rb"#![^\n]*\sname=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe stands for."""

    line: int
    """The line in the text."""
    outcome: int | None = None
    """The number of the outcome among the program's; None: a statement on that line."""


def with_probes(code: bytes, program: Program, id: str) -> tuple[bytes, list[Probe]]:
    """Return a text with probes, and what each of them stands for: the first one is number 1."""
    writing = _Writing(code, program, is_library=_OF_LIBRARY.match(code) is not None)
    for statement in program.statements:
        writing.statement(statement)
    for number, decision in enumerate(program.decisions):
        writing.decision(decision, 2 * number)
    return writing.text(id), writing.probes


class _Writing:
    def __init__(self, code: bytes, program: Program, *, is_library: bool) -> None:
        self._code = code
        self._end = program.end
        self._is_library = is_library
        self._name = "_probe"
        while self._name.encode() in code:
            self._name += "_"
        self.probes: list[Probe] = []
        self._inserted: list[tuple[int, str]] = []

    def statement(self, statement: Statement) -> None:
        number, node = self._number(Probe(statement.line)), statement.node
        if node.type == "elseif_statement":
            self._insert(node.children[0].end_byte, f" {self._read(number)}or")
        elif node.type == "until":
            self._insert(node.end_byte, f" {self._read(number)}or")
        else:
            self._insert(node.start_byte, f"{self._set(number)};")

    def decision(self, decision: Decision, first: int) -> None:
        node, line = decision.node, decision.outcomes[0].line
        yes, no = (self._number(Probe(line, first + index)) for index in (0, 1))
        if node.type != "for_statement":
            self._insert(node.start_byte, " (")
            self._insert(node.end_byte, f")and {self._read(-yes)}or {self._read(no)}")
            return
        begins = next(child for child in node.children if child.type == "do")
        self._insert(begins.end_byte, f" {self._set(yes)};")
        left, ended = f"{self._name}b", self._set(no)
        if decision.breaks:
            ended = f"if {left}=={no} then {left}=0 else {ended} end"
        for each in decision.breaks:
            self._insert(each.start_byte, f"{left}={no};")
        self._insert(node.end_byte, f" {ended} ")

    def text(self, id: str) -> bytes:
        """The text with all that was inserted, after its first line if that declares flags."""
        begin = 0
        if self._code.startswith(b"#!"):
            end = LINE_END.search(self._code)
            begin = end.end() if end else len(self._code)
        head = _FUNCTION if self._is_library else _TABLE
        head = head.format(name=self._name, mark=MARK, id=id)
        if self._is_library:
            self._insert(self._end, _LOADED.format(name=self._name))
        pieces, taken = [self._code[:begin], head.encode()], begin
        for at, inserted in sorted(self._inserted, key=lambda each: each[0]):
            pieces += self._code[taken:at], inserted.encode()
            taken = at
        return b"".join([*pieces, self._code[taken:]])

    def _set(self, number: int) -> str:
        return self._read(number) if self._is_library else f"{self._name}[{number}]=1"

    def _read(self, number: int) -> str:
        return f"{self._name}({number})" if self._is_library else f"{self._name}[{number}]"

    def _number(self, probe: Probe) -> int:
        self.probes.append(probe)
        return len(self.probes)

    def _insert(self, at: int, text: str) -> None:
        # The order of those at one place is that in which they come.
        self._inserted.append((at, text))
