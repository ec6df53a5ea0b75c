"""Timers in a script's text: what runs how often, and for how long.

The text keeps its lines. Instead of the script's own reply, it returns a tree of what ran:
functions, their lines, and the commands and functions that these call.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import FunctionLibrary
from ..declared.lines import line_starts
from ..probes.program import program
from ..probes.weaving import begin_of_code, on_one_line, woven

if TYPE_CHECKING:
    from tree_sitter import Node

# A node of the tree counts how often it began (n), and sums up its own seconds (t). Its other
# fields are the nodes below it: by the line, by the function's number (below 0), or by the command.
# Time is that of the server's processor: the server's clock stands still within a script. `line`
# begins a line, `enter` and `leave` a function of the script, and `timed` makes what calls a
# command.
#
# No line may pay for the tree. So garbage is collected before each call, and the nodes are made
# before it. Collecting comes first: memory that becomes free is given back a thousand allocations
# later, which took 15 microseconds of the line that happened to run then. When a node gets its
# place, the clock is read again after that: some tables grow then.
#
# All of this leaves the processor's caches to other code, and so did measuring each timer 400
# times: a script of 2 microseconds was shown with 20. So the nodes are few, a timer is measured 30
# times, and before the script come some timers, and calls that the server refuses for lack of a
# command's name.
_BASE = r"""
  local root = {n = 1, t = 0}
  local current, since, began = root, 0, 0
  local spare, left = {}, 0
  local function fill(count)
    for number = 1, count do spare[number] = {n = 0, t = 0, up = false} end
    left = count
  end
  local function begin()
    began = clock()
    current, since = root, began
  end
  local function child(node, key)
    local made = spare[left] or {n = 0, t = 0, up = false}
    left = left - 1
    node[key] = made
    return made, clock()
  end
  local function line(node, number)
    local now = clock()
    current.t = current.t + (now - since)
    local found = node[number]
    if not found then found, now = child(node, number) end
    found.n = found.n + 1
    current, since = found, now
    return false
  end
  local function enter(number)
    local now = clock()
    current.t = current.t + (now - since)
    local found = current[number]
    if not found then found, now = child(current, number) end
    found.n = found.n + 1
    found.up = current
    current, since = found, now
    return found
  end
  local function back(node, ...)
    local now = clock()
    current.t = current.t + (now - since)
    current, since = node, now
    return ...
  end
  local function leave(node, ...)
    return back(node.up, ...)
  end
  local function timed(call)
    return function(...)
      local at, now = current, clock()
      at.t = at.t + (now - since)
      local name = string.upper(tostring((...)))
      local found = at[name]
      if not found then found, now = child(at, name) end
      found.n = found.n + 1
      current, since = found, now
      return back(at, call(...))
    end
  end
  local function cost(of)
    local scratch = {n = 0, t = 0, up = false}
    current = scratch
    local start = clock()
    for number = 1, 30 do of(scratch) end
    return (clock() - start) / 30
  end
  local function empty() end
  local nothing = timed(empty)
  local function prepare(api)
    collectgarbage()
    fill(NODES)
    for number = 1, 3 do
      line(root, number)
      enter(-number)
      api.pcall()
    end
    root = {n = 1, t = 0}
  end
  local function finish(is_done, value)
    local failed, failed_at = not is_done and current, 0
    back(root)
    local total = clock() - began
    local pieces, stack, depth = {}, {root}, {0}
    local keys, own = {'0'}, {n = true, t = true, up = true}
    while #stack > 0 do
      local node, level = table.remove(stack), table.remove(depth)
      local key = table.remove(keys)
      pieces[#pieces + 1] = string.format('%d %d %.3f %s', level, node.n, node.t * 1e6, key)
      if node == failed then failed_at = #pieces end
      for name, each in pairs(node) do
        if not own[name] then
          stack[#stack + 1], depth[#depth + 1] = each, level + 1
          keys[#keys + 1] = tostring(name):gsub('%c', '?')
        end
      end
    end
    local of_line = cost(function(node) line(node, 1) end) - cost(function() end)
    local of_call = cost(function() nothing('X') end) - cost(function() empty('X') end)
    local returned = type(value) == 'table' and rawget(value, 'err')
    local why = ''
    if not is_done or type(returned) == 'string' then
      is_done, why = false, tostring(returned or value)
    end
    return {
      is_done and 1 or 0, why, failed_at, string.format('%.3f', total * 1e6),
      string.format('%.4f', of_line * 1e6), string.format('%.4f', of_call * 1e6),
      table.concat(pieces, '\n')
    }
  end
"""
_SCRIPT = rf"""
local NAMEline, NAMEenter, NAMEleave, redis, server, NAMEend, NAMEroot, NAMEbegin = (function()
  local clock = os.clock
  {_BASE}
  local function with_timers(api)
    return setmetatable({{call = timed(api.call), pcall = timed(api.pcall)}}, {{__index = api}})
  end
  local has_server, api = pcall(function() return server end)
  local timed_redis, timed_server = with_timers(redis), has_server and api and with_timers(api)
  prepare(timed_redis)
  return line, enter, leave, timed_redis, timed_server, finish, root, begin
end)()
"""
# While a library is loaded, there is nothing but what registers functions and writes to the log.
# The names are those of what else there is.
_LIBRARY = rf"""
local NAMEline, NAMEenter, NAMEleave, redis, server = (function()
  local clock, is_ready = function() return 0 end, false
  {_BASE}
  local api = {{log = redis.log, LOG_DEBUG = redis.LOG_DEBUG, LOG_VERBOSE = redis.LOG_VERBOSE,
    LOG_NOTICE = redis.LOG_NOTICE, LOG_WARNING = redis.LOG_WARNING,
    REDIS_VERSION = redis.REDIS_VERSION, REDIS_VERSION_NUM = redis.REDIS_VERSION_NUM}}
  api.call = timed(function(...) return redis.call(...) end)
  api.pcall = timed(function(...) return redis.pcall(...) end)
  local function begin_function()
    if not is_ready then
      clock, is_ready = os.clock, true
      setmetatable(api, {{__index = redis}})
    end
    prepare(api)
    begin()
  end
  function api.register_function(name, callback)
    local given = name
    if callback then given = {{function_name = name, callback = callback}} end
    local own = given.callback
    given.function_name = given.function_name .. 'SUFFIX'
    given.callback = function(keys, args)
      begin_function()
      return finish(pcall(own, keys, args))
    end
    return redis.register_function(given)
  end
  return line, enter, leave, api, api
end)()
"""
_NAME = re.compile(rb"(\sname=\w+)", re.IGNORECASE)


_FUNCTIONS = ("function_definition", "function_declaration")


@dataclass(frozen=True)
class Timed:
    """A script's text with timers."""

    code: bytes
    functions: tuple[tuple[str, int], ...]
    """The name and the line of each function in it, by its number from 1."""
    without: bytes = b""
    """The text without timers in it: it only returns how long all of it took."""


def with_timers(code: bytes) -> Timed | None:
    """Return a script's text with timers; None if it does not parse."""
    writing = _timed(code, lambda _: True)
    if writing is None:
        return None
    name = writing.name
    head = f" return {name}end(pcall(function({name}f,...) {name}begin() "
    tail = f"\nend, {name}root))"
    return Timed(
        writing.written(_SCRIPT, head, tail),
        tuple(writing.functions),
        writing.written(_SCRIPT, head, tail, is_timed=False),
    )


def library_with_timers(library: FunctionLibrary, suffix: str) -> Timed | None:
    """Return a library's text with timers; None if it does not parse.

    Args:
        library: The library.
        suffix: What its name and those of its functions get at their ends; without timers, with
            an underscore after it.
    """
    code = library.code
    # The other statements run while it is loaded.
    writing = _timed(code, _is_in_function)
    if writing is None:
        return None

    def text(suffix: str, *, is_timed: bool) -> bytes:
        timers = _LIBRARY.replace("SUFFIX", suffix)
        written = writing.written(timers, is_timed=is_timed)
        return _NAME.sub(rb"\1" + suffix.encode(), written, count=1)

    return Timed(
        text(suffix, is_timed=True),
        tuple(writing.functions),
        text(f"{suffix}_", is_timed=False),
    )


def _timed(code: bytes, chosen: Callable[[Node], bool]) -> _Writing | None:
    """Put timers before the chosen statements and into functions; None if it does not parse."""
    found = program(code)
    if found is None:
        return None
    writing = _Writing(code, _free_name(code))
    for each in found.statements:
        if chosen(each.node):
            writing.statement(each.node)
    writing.returns(found.root)
    return writing


def _free_name(code: bytes) -> str:
    name = "_timer"
    while name.encode() in code:
        name += "_"
    return name


def _is_in_function(node: Node) -> bool:
    around = node.parent
    while around is not None and around.type not in _FUNCTIONS:
        around = around.parent
    return around is not None


class _Writing:
    def __init__(self, code: bytes, name: str) -> None:
        self._code, self.name = code, name
        self._starts = line_starts(code)
        self._inserted: list[tuple[int, str]] = []
        self.functions: list[tuple[str, int]] = []

    def written(
        self, timers: str, head: str = "", tail: str = "", *, is_timed: bool = True
    ) -> bytes:
        """
        Args:
            timers: What the others call.
            head: What comes after that.
            tail: What comes last.
            is_timed: Whether there are timers between head and tail.
        """
        code = self._code
        # A line has a node for each function that leads to it, and so does each of its commands.
        nodes = min(2 * len(self._inserted) + 10, 500)
        named = timers.replace("NODES", str(nodes)).replace("NAME", self.name)
        inner = self._inserted if is_timed else []
        first = (begin_of_code(code), on_one_line(named) + head)
        return woven(code, [first, *inner, (len(code), tail)])

    def statement(self, node: Node) -> None:
        line = f"{self.name}line({self.name}f,{self._line(node)})"
        if node.type in ("elseif_statement", "while_statement"):
            # With each time that its condition is looked at.
            self._insert(node.children[0].end_byte, f" {line}or ")
        elif node.type == "until":
            self._insert(node.end_byte, f" {line}or ")
        else:
            self._insert(node.start_byte, f" {line};")

    def returns(self, root: Node) -> None:
        """Have each function of the script say when it begins and when it ends."""
        # Each with whether it is in a function.
        pending = [(root, False)]
        while pending:
            node, within = pending.pop()
            if node.type in _FUNCTIONS:
                self._function(node)
                within = True
            elif node.type == "return_statement" and within:
                self._return(node)
            pending += [(child, within) for child in reversed(node.named_children)]

    def _return(self, node: Node) -> None:
        leave = f" {self.name}leave({self.name}f"
        if node.named_children:
            self._insert(node.children[0].end_byte, f"{leave}, ")
            self._insert(node.named_children[-1].end_byte, ")")
        else:
            self._insert(node.children[0].end_byte, f"{leave}) ")

    def _function(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        line = self._line(node)
        shown = name.text.decode(errors="replace") if name and name.text else f"function:{line}"
        self.functions.append((shown, line))
        parameters, body = (node.child_by_field_name(each) for each in ("parameters", "body"))
        assert parameters is not None
        number = len(self.functions)
        enter = f" local {self.name}f={self.name}enter(-{number});"
        self._insert(parameters.end_byte, enter)
        last = [each for each in _children(body) if each.type != "comment"][-1:]
        if not last or last[0].type != "return_statement":
            self._insert(node.children[-1].start_byte, f" {self.name}leave({self.name}f) ")

    def _line(self, node: Node) -> int:
        return bisect.bisect(self._starts, node.start_byte)

    def _insert(self, at: int, text: str) -> None:
        self._inserted.append((at, text))


def _children(block: Node | None) -> Iterator[Node]:
    yield from () if block is None else block.named_children
