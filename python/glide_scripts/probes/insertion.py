"""Probes in a script's text, which say in the server's log what runs.

A probe stands on the line of its statement, so that no line of an error changes. All probes write
into one table. A number that is not in it yet is written to the log, once in a run, before the
statement runs. So nothing is lost when the script fails or is killed; no key is needed; and it
works in read-only scripts, functions and transactions.

The server takes microseconds for each line of its log, so a probe stands for several statements
where one cannot run without the others: see `shared`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..commands.function_library import names_library
from .program import Decision, Program, Statement
from .shared import Shared, shared
from .variable_limits import too_many
from .weaving import begin_of_code, woven

MARK = "glide-scripts-probe"
LOGGED = re.compile(rb"glide-scripts-probe (\w+) (\d+)\r?$", re.MULTILINE)
"""Finds in a log which text ran, and which of its probes."""


@dataclass(frozen=True, slots=True)
class Form:
    """How probes are written: templates, where ``n`` is the number of one."""

    head: str
    """What comes before the first statement."""
    locals: int
    """How many local variables it has."""
    statement: str
    """Logs the number."""
    true: str
    """An expression that logs the number, and is true."""
    false: str
    last: str = ""
    """What comes after the last statement."""
    is_shared: bool = True
    """Whether one probe may stand for several statements."""


# A number is logged when it is first set or read. It is set before a statement. It is read in
# a condition: false for a number, and true for a negative one.
SCRIPT = Form(
    head=(
        "local {name}b,{name}=0,setmetatable({{}},{{"
        "__newindex=function(t,k)rawset(t,k,1)redis.log(3,'{mark} {id} '..k)end,"
        "__index=function(t,k)rawset(t,k,k<0)redis.log(3,'{mark} {id} '..(k<0 and-k or k))"
        "return k<0 end}});"
    ),
    locals=2,
    statement="{name}[{n}]=1",
    true="{name}[-{n}]",
    false="{name}[{n}]",
)
# The same for a library of functions. While it is loaded, there are no metatables, and Valkey 9.1
# crashes if it writes to the log: so what runs then is logged by the first call of a function.
LIBRARY = Form(
    head=(
        "local {name}b,{name}t,{name}w,{name}d,{name}=0,{{}},{{}},false;function {name}(k)"
        "if {name}t[k]==nil then {name}t[k]=1 {name}w[#{name}w+1]=k<0 and-k or k "
        "if {name}d then for i=1,#{name}w do redis.log(3,'{mark} {id} '..{name}w[i])end "
        "{name}w={{}}end end return k<0 end;"
    ),
    locals=5,
    statement="{name}({n})",
    true="{name}(-{n})",
    false="{name}({n})",
    last=" {name}d=true ",
)
# The same for the server's debugger, which would stop in the text's functions, but not in the
# server's.
_LOG = "{name}.set({name},{n},1) and {name}.log(3,'{mark} {id} {n}')"
DEBUGGED = Form(
    head="local {name}b,{name}=0,{{set=rawset,log=redis.log}};",
    locals=2,
    statement="if not {name}[{n}] then {name}[{n}]=1 {name}.log(3,'{mark} {id} {n}')end",
    true=f"({{name}}[{{n}}] or {_LOG} or true)",
    false=f"(not {{name}}[{{n}}] and {_LOG})",
    # The user may leave a run at any line.
    is_shared=False,
)


# Those that a function of the text may use.
_UPVALUES = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe stands for."""

    line: int
    """The line in the text."""
    outcome: int | None = None
    """The number of the outcome among the program's; None: a statement on that line."""
    others: tuple[int, ...] = ()
    """The lines of other statements that have run, or run next."""


@dataclass(frozen=True, slots=True)
class Insertions:
    """The probes of a text, and where they go."""

    head: str
    """What comes before the first statement, on its line or above."""
    pieces: list[tuple[int, str]]
    """The others with their places, in bytes of the text. Those at one place are in their order."""
    probes: list[Probe]
    """What each of them stands for: the first one is number 1."""

    def into(self, code: bytes) -> bytes:
        """Return the text with all of them."""
        return woven(code, [(begin_of_code(code), self.head), *self.pieces])


def insertions(code: bytes, program: Program, id: str, form: Form | None = None) -> Insertions:
    """Return the probes for a text.

    Args:
        code: The text.
        program: What can run in it.
        id: What the log calls it.
        form: How they are written. None means the form for the text: a script, or a library of
            functions.
    """
    form = form or _form(code)
    writing = _Writing(code, id, form, _shared(program, form))
    # What ends a loop comes before the probe of a statement that follows at once.
    for number, decision in enumerate(program.decisions):
        writing.decision(decision, 2 * number)
    for statement in program.statements:
        if statement.node.id not in writing.shared.without:
            writing.statement(statement)
    return writing.finish(program.end)


def too_many_variables(code: bytes, program: Program) -> str | None:
    """Return what a text has too many of to take probes; None if it takes them."""
    return too_many(program.root, locals=_form(code).locals, upvalues=_UPVALUES)


def _form(code: bytes) -> Form:
    return LIBRARY if names_library(code) else SCRIPT


def _shared(program: Program, form: Form) -> Shared:
    return shared(program, is_library=form is LIBRARY) if form.is_shared else Shared()


class _Writing:
    def __init__(self, code: bytes, id: str, form: Form, shared: Shared) -> None:
        self._id, self._form, self.shared = id, form, shared
        self._name = "_probe"
        while self._name.encode() in code:
            self._name += "_"
        self._probes: list[Probe] = []
        self._pieces: list[tuple[int, str]] = []

    def statement(self, statement: Statement) -> None:
        node, line = statement.node, statement.line
        number = self._number(Probe(line, others=self.shared.before(node)))
        if node.type == "elseif_statement":
            self._insert(node.children[0].end_byte, f" {self._false(number)}or")
        elif node.type == "until":
            self._insert(node.end_byte, f" {self._false(number)}or")
        else:
            self._insert(node.start_byte, f" {self._logs(number)};")

    def decision(self, decision: Decision, first: int) -> None:
        node, line = decision.node, decision.outcomes[0].line
        yes, no = (
            self._number(Probe(line, first + index, self.shared.after(node, index)))
            for index in (0, 1)
        )
        if node.type != "for_statement":
            self._insert(node.start_byte, " (")
            true = self._written(self._form.true, yes)
            self._insert(node.end_byte, f")and {true}or {self._false(no)}")
            return
        begins = next(child for child in node.children if child.type == "do")
        self._insert(begins.end_byte, f" {self._logs(yes)};")
        left, ended = f"{self._name}b", self._logs(no)
        if decision.breaks:
            ended = f"if {left}=={no} then {left}=0 else {ended} end"
        for each in decision.breaks:
            self._insert(each.start_byte, f"{left}={no};")
        self._insert(node.end_byte, f" {ended} ")

    def finish(self, end: int) -> Insertions:
        """
        Args:
            end: Where the last statement ends.
        """
        if self._form.last:
            self._insert(end, self._written(self._form.last))
        return Insertions(self._written(self._form.head), self._pieces, self._probes)

    def _logs(self, number: int) -> str:
        return self._written(self._form.statement, number)

    def _false(self, number: int) -> str:
        return self._written(self._form.false, number)

    def _written(self, template: str, number: int = 0) -> str:
        return template.format(name=self._name, mark=MARK, id=self._id, n=number)

    def _number(self, probe: Probe) -> int:
        self._probes.append(probe)
        return len(self._probes)

    def _insert(self, at: int, text: str) -> None:
        self._pieces.append((at, text))
