"""A script with probes, so that the debugger finds the local variables of each of its frames.

The server's debugger prints the variables of the innermost function only, as text without types,
and evaluates code that sees none of them. So the script that it runs gets assignments between its
statements, on the same lines: where a function begins, and after each declaration, a closure that
returns the variables is kept. Stopped, the debugger calls these closures with the server's
``eval``.

Upvalues are limited to 60 a function in Lua 5.1, and locals to 200. A script that exceeds them only
because of the probes is debugged without.
"""

import bisect
import re
from dataclasses import dataclass, field

from tree_sitter import Node

from ..declared.lines import line_starts
from ..probes.insertion import Insertions
from ..probes.program import outermost, parsed, statements_of
from ..probes.weaving import on_one_line, woven
from ._lua_value import SHOWN, lua_string

_END = re.compile(rb"\s*end\s*(?:--.*)?\n?")
"""A line on which only a block ends."""
_OTHER_LINE_END = re.compile(rb"\r(?!\n)")
"""A line's end for Lua, and not for the parser."""
_MAX_SHOWN = 50
"""Variables of one closure."""

_LIBRARY = (
    SHOWN
    + r"""
local d, stack, refs = {top = 0, count = select}, {}, {}
d.stack = stack
-- A text with its length, as the debugger's answers hold several.
local function part(text) return #text .. ':' .. text end
function d.list()
  local parts = {}
  for index = 1, d.top do
    local frame, sites = stack[index], {}
    for site, time in pairs(frame.times) do sites[#sites + 1] = site .. '=' .. time end
    parts[index] = frame.id .. ' ' .. table.concat(sites, ',')
  end
  return '=' .. table.concat(parts, ';')
end
local function get(index, site, number)
  return (select(number, stack[index].closures[site]()))
end
local function described(name, value)
  local ref = 0
  if type(value) == 'table' then
    refs[#refs + 1] = value
    ref = #refs
  end
  return part(name) .. part(shown(value, 0)) .. part(type(value)) .. part(tostring(ref))
end
-- Of "name index site number ...".
local function each(spec)
  return spec:gmatch('(%S+) (%d+) (%d+) (%d+)')
end
function d.variables(spec)
  local parts = {}
  for name, index, site, number in each(spec) do
    parts[#parts + 1] = described(name, get(tonumber(index), tonumber(site), tonumber(number)))
  end
  return '=' .. table.concat(parts)
end
local function rest(count)
  if count <= 200 then return '' end
  return part('...') .. part((count - 200) .. ' more') .. part('') .. part('0')
end
function d.fields(ref)
  local value, parts = refs[ref], {}
  if not value then return '!there is no such table; the script has gone on since' end
  local length, keys = keys_of(value)
  for index = 1, math.min(length, 200) do
    parts[index] = described('[' .. index .. ']', value[index])
  end
  parts[#parts + 1] = rest(length)
  for index = 1, math.min(#keys, 200) do
    local key = keys[index]
    local name = type(key) == 'string' and key:match('^[%a_][%w_]*$')
    name = name or '[' .. shown(key, 0) .. ']'
    parts[#parts + 1] = described(name, value[key])
  end
  parts[#parts + 1] = rest(#keys)
  return '=' .. table.concat(parts)
end
-- Values in a row, such as those of '...'.
local function in_a_row(...)
  local texts = {}
  for index = 1, select('#', ...) do texts[index] = shown((select(index, ...)), 0) end
  return table.concat(texts, ', ')
end
local function extra(index)
  local values = (stack[index] or {}).extra or {}
  return unpack(values, 1, values.n or 0)
end
function d.extra(index)
  local text = in_a_row(extra(index))
  return '=' .. part('...') .. part(text == '' and '(none)' or text) .. part('') .. part('0')
end
local function answer(good, ...)
  if good and select('#', ...) > 1 then
    return '=' .. part('') .. part(in_a_row(...)) .. part('') .. part('0')
  end
  local value = ...
  if good then return '=' .. described('', value) end
  if type(value) == 'table' then value = value.err or shown(value, 0) end
  return '!' .. tostring(value):gsub('%c', ' ')
end
function d.eval(spec, code, frame)
  local names, values, count = {}, {}, 0
  for name, index, site, number in each(spec) do
    count = count + 1
    names[count] = name
    values[count] = get(tonumber(index), tonumber(site), tonumber(number))
  end
  -- Not as arguments: in the code, these are the function's own.
  function d.given() return unpack(values, 1, count) end
  local given = ' = getmetatable(KEYS).d.given() '
  local head = count > 0 and 'local ' .. table.concat(names, ',') .. given or ''
  local chunk, why = loadstring(head .. 'return ' .. code, '=eval')
  if not chunk then
    local other
    chunk, other = loadstring(head .. code, '=eval')
    if not chunk then return '!' .. (code:find('^%s*[%w_.%[%]]+%s*=[^=]') and other or why) end
  end
  return answer(pcall(chunk, extra(frame)))
end
function d.forget() refs = {} return '=' end
setmetatable(KEYS, {d = d})
return d
"""
)


@dataclass(eq=False)
class Variable:
    """A local variable, and where it is known, in bytes of the script."""

    name: str
    begin: int
    end: int
    function: int


@dataclass(frozen=True)
class Function:
    """A function of a script; the script itself is the first one."""

    name: str
    lines: range
    begin: int
    end: int
    body_line: int
    """The line on which its first statement begins."""
    outer: tuple[Variable, ...]
    """Variables of functions around it that it uses."""
    has_extra: bool = False
    """Whether it takes more arguments, as ``...``."""


@dataclass
class Program:
    """A script with probes."""

    code: bytes
    functions: list[Function] = field(default_factory=list)
    sites: list[list[Variable]] = field(default_factory=list)
    """The variables that each probe's closure returns, in their order."""
    line_starts: list[int] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    quiet: set[int] = field(default_factory=set)
    """Lines of which only probes are known to be run."""
    loops: set[int] = field(default_factory=set)
    """Lines with the head of a loop whose body stands further down."""

    def visible(self, function: int, line: int) -> list[Variable]:
        """The variables that a statement on a line of a function sees, the innermost first."""
        start = self.line_starts[line - 1]
        stop = self.line_starts[line] if line < len(self.line_starts) else len(self.code)
        outer = self.functions[function].outer
        found: dict[str, Variable] = {}
        for variable in reversed(self.variables):
            is_known = variable.begin < stop and variable.end > start
            # Not what this very line declares.
            is_known &= variable.begin <= start or variable.function != function
            if (is_known and variable.function == function) or variable in outer:
                found.setdefault(variable.name, variable)
        return list(found.values())

    def of_line(self, line: int) -> set[int]:
        """The functions that may run a line: the innermost, and those that it begins or ends in."""
        found: set[int] = set()
        around = [each for each in enumerate(self.functions) if line in each[1].lines]
        for number, function in sorted(around, key=lambda each: len(each[1].lines)):
            found.add(number)
            if function.lines.start < line < function.lines.stop - 1:
                break
        return found

    def is_entry(self, line: int) -> bool:
        """Whether a function begins on a line, and its statements further down."""
        return any(each.lines.start == line < each.body_line for each in self.functions[1:])


def with_probes(code: bytes, others: Insertions | None = None) -> Program | None:
    """Return a script with probes on its lines, and with others; None if it is no Lua."""
    root = parsed(code).root_node
    if root.has_error or _OTHER_LINE_END.search(code):
        return None
    return _Weaver(code, root, others).program


class _Weaver:
    def __init__(self, code: bytes, root: Node, others: Insertions | None) -> None:
        self._insertions: list[tuple[int, int, str]] = []
        self._code = code
        self._library, self._frame = "__d", "__f"
        """The probes' variables, by names that the script does not have."""
        while self._library.encode() in code or self._frame.encode() in code:
            self._library, self._frame = f"{self._library}_", f"{self._frame}_"
        self.program = program = Program(code)
        program.line_starts = starts = line_starts(code)
        first = next((each.start_byte for each in statements_of(root)), len(code))
        lines = range(1, len(starts) + 1)
        program.functions.append(Function("top level", lines, 0, len(code), self._line(first), ()))
        library = lua_string("\n" * (self._line(first) - 1) + _ON_ONE_LINE)
        loaded = f"local {self._library} = loadstring({library}, '=debugger')() "
        self._insert(first, loaded, order=0)
        self._insert(first, self._enter(0), order=1)
        self._block(root, 0, len(code), [])
        if others is not None:
            self._insert(first, others.head, order=0)
            for at, piece in others.pieces:
                self._insert(at, piece, order=4)
        ordered = sorted(self._insertions, key=lambda each: each[:2])
        program.code = woven(code, [(at, inserted) for at, _, inserted in ordered])

    def _line(self, at: int) -> int:
        return bisect.bisect(self.program.line_starts, at)

    def _insert(self, at: int, text: str, *, order: int = 5) -> None:
        self._insertions.append((at, order, text))

    def _enter(self, function: int, *, has_extra: bool = False) -> str:
        """What begins a function. It calls none of Lua, whose lines the server would count."""
        library, frame = self._library, self._frame
        extra = f", extra = {{n = {library}.count('#', ...), ...}}" if has_extra else ""
        return (
            f"local {frame} = {{index = {library}.top + 1, count = 0, times = {{}}, "
            f"closures = {{}}, id = {function}{extra}}} {library}.top = {frame}.index "
            f"{library}.stack[{frame}.index] = {frame}; "
        )

    def _site(self, at: int, function: int, scope: list[Variable]) -> str:
        own = [each for each in scope if each.function == function]
        known = {each.name: each for each in [*self.program.functions[function].outer, *own]}
        shown = list(known.values())[-_MAX_SHOWN:]
        self.program.sites.append(shown)
        names = ", ".join(each.name for each in shown)
        site = len(self.program.sites) - 1
        ends = "" if self._code[at:].lstrip()[:1] == b";" else ";"
        frame = self._frame
        return (
            f" {frame}.count = {frame}.count + 1 {frame}.times[{site}] = {frame}.count"
            f" {frame}.closures[{site}] = function() return {names} end{ends} "
        )

    def _declare(self, name: str, begin: int, end: int, function: int) -> Variable:
        variable = Variable(name, begin, end, function)
        self.program.variables.append(variable)
        return variable

    def _block(self, block: Node, function: int, end: int, scope: list[Variable]) -> None:
        scope = list(scope)
        for node in statements_of(block):
            self._statement(node, function, end, scope)

    def _statement(self, node: Node, function: int, end: int, scope: list[Variable]) -> None:
        kind = node.type
        is_function = kind == "function_declaration"
        if not is_function:
            top = f"{self._frame}.index{' - 1' if _is_left_by(node, scope) else ''}"
            self._insert(node.start_byte, f" {self._library}.top = {top}; ", order=3)
        if kind == "variable_declaration":
            self._nested(node, function, scope)
            found = map(_text, _names(next(outermost(node, "variable_list"), None)))
            scope.extend(self._declare(name, node.end_byte, end, function) for name in found)
            self._after(node, function, scope)
            if node.end_point.row != node.start_point.row:
                self.program.quiet.add(node.end_point.row + 1)
        elif is_function:
            if node.end_point.row != node.start_point.row:
                self.program.quiet.add(node.start_point.row + 1)
            name = node.child_by_field_name("name")
            is_local = node.children[0].type == "local" and name is not None
            if is_local and name is not None:
                scope.append(self._declare(_text(name), name.start_byte, end, function))
            self._function(node, _text(name) if name else "?", function, scope)
            if is_local:
                self._after(node, function, scope)
        elif kind == "for_statement":
            clause = node.child_by_field_name("clause")
            body = node.child_by_field_name("body")
            inner = list(scope)
            if clause is not None:
                self._nested(clause, function, scope)
                names = (
                    [n for n in [clause.child_by_field_name("name")] if n is not None]
                    if clause.type == "for_numeric_clause"
                    else [n for each in clause.named_children[:1] for n in each.named_children]
                )
                do = next(each for each in node.children if each.type == "do")
                at, stop = do.end_byte, node.end_byte
                inner.extend(self._declare(_text(name), at, stop, function) for name in names)
                self._insert(do.end_byte, self._site(do.end_byte, function, inner), order=2)
            if body is not None:
                if body.start_point.row > node.start_point.row:
                    self.program.loops.add(node.start_point.row + 1)
                    self._end_of_loop(node.end_point.row + 1)
                self._block(body, function, node.end_byte, inner)
        else:
            self._nested(node, function, scope)

    def _end_of_loop(self, line: int) -> None:
        start, *following = self.program.line_starts[line - 1 : line + 1]
        if _END.fullmatch(self._code[start : following[0] if following else None]):
            self.program.quiet.add(line)

    def _after(self, node: Node, function: int, scope: list[Variable]) -> None:
        self._insert(node.end_byte, self._site(node.end_byte, function, scope), order=2)

    def _nested(self, node: Node, function: int, scope: list[Variable]) -> None:
        """Weave the blocks and functions within a statement."""
        for each in outermost(node, "function_definition", "block"):
            if each.type == "block":
                self._block(each, function, each.end_byte, scope)
            else:
                self._function(each, _name_of(each), function, scope)

    def _function(self, node: Node, name: str, around: int, scope: list[Variable]) -> None:
        parameters = node.child_by_field_name("parameters")
        body = node.child_by_field_name("body")
        if parameters is None:
            return
        used = {each.text for each in outermost(body, "identifier")} if body is not None else set()
        outer = {each.name: each for each in scope if each.name.encode() in used}
        first = next(iter(statements_of(body)), node)
        number = len(self.program.functions)
        lines = range(node.start_point.row + 1, node.end_point.row + 2)
        self.program.functions.append(
            Function(
                name,
                lines,
                node.start_byte,
                node.end_byte,
                first.start_point.row + 1,
                tuple(outer.values()),
                has_extra := any(each.type == "vararg_expression" for each in parameters.children),
            )
        )
        at = parameters.end_byte
        names = [_text(each) for each in _names(parameters)]
        declared_name = node.child_by_field_name("name")
        if declared_name is not None and declared_name.type == "method_index_expression":
            names.insert(0, "self")
        inner = [*scope, *(self._declare(each, at, node.end_byte, number) for each in names)]
        self._insert(at, f" {self._enter(number, has_extra=has_extra)}", order=1)
        self._insert(at, self._site(at, number, inner), order=2)
        if body is not None:
            self._block(body, number, node.end_byte, inner)


# The server counts the lines of this text, too, and redis.debug() would say such a line. So it has
# the number of the line with the first statement.
_ON_ONE_LINE = on_one_line(_LIBRARY)


def _is_left_by(node: Node, scope: list[Variable]) -> bool:
    """Whether a statement is a tail call, so that the called function takes this one's place.

    Not one of a function of Lua's own, such as ``pcall``, which calls others from here. Not one
    whose arguments have calls, which see this function, or lines on which the debugger stops.
    """
    if node.start_point.row != node.end_point.row:
        return False
    values = [value for each in node.named_children for value in each.named_children]
    if node.type != "return_statement" or [each.type for each in values] != ["function_call"]:
        return False
    called, arguments = (values[0].child_by_field_name(each) for each in ("name", "arguments"))
    if called is None or arguments is None:
        return False
    if any(next(outermost(each, "function_call"), None) for each in (called, arguments)):
        return False
    root = next(outermost(called, "identifier"), None)
    return root is not None and _text(root) in {each.name for each in scope}


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _names(node: Node | None) -> list[Node]:
    """The names in a list of variables or parameters."""
    return [] if node is None else [n for n in node.named_children if n.type == "identifier"]


def _name_of(function: Node) -> str:
    """The name that a function without one is assigned to, or passed to."""
    parent = function.parent
    if parent is not None and parent.type == "field":
        name = parent.child_by_field_name("name")
        return _text(name) if name is not None else "function"
    return "function"
