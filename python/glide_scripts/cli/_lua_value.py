"""What a value is in Lua, beside what the server makes of it in its answer.

The server truncates 3.7, returns `{a = 1}` as an empty list, and ends a list at its first nil. So a
piece of Lua is run as a function, and what it returns is written as Lua before it is returned.
"""

import re
from dataclasses import dataclass
from typing import Any

from .. import RequestError

SHOWN = r"""
-- Whether whoever gets the answer learns as much.
local plain = true
local seen = {}
local function quoted(text)
  local escapes = {['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t'}
  return '"' .. text:gsub('[%c"\\\128-\255]', function(each)
    return escapes[each] or ('\\%03d'):format(each:byte())
  end) .. '"'
end
local function number(value)
  if value ~= value then return 'nan' end
  if value == math.huge or value == -math.huge then return value > 0 and 'inf' or '-inf' end
  local short = ('%.14g'):format(value)
  return tonumber(short) == value and short or ('%.17g'):format(value)
end
-- The length of a table's list, and its other keys in order.
local function keys_of(value)
  local keys, length = {}, 0
  while rawget(value, length + 1) ~= nil do length = length + 1 end
  for key in next, value do
    if not (type(key) == 'number' and key % 1 == 0 and key >= 1 and key <= length) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, function(one, other) return tostring(one) < tostring(other) end)
  return length, keys
end
local function shown(value, depth)
  local kind = type(value)
  if kind == 'string' then return quoted(value) end
  if kind == 'number' then
    plain = plain and value % 1 == 0
    return number(value)
  end
  if kind == 'boolean' or kind == 'function' or kind == 'thread' then
    plain = false
    return kind == 'boolean' and tostring(value) or '<' .. kind .. '>'
  end
  if kind ~= 'table' then return tostring(value) end
  if depth == 0 and type(rawget(value, 'ok')) == 'string' then
    -- A status reply, which the answer says as it is.
    return '{ok = ' .. quoted(value.ok) .. '}'
  end
  if seen[value] or depth == 8 then
    plain = false
    return '{...}'
  end
  seen[value] = true
  local parts, length, keys = {}, keys_of(value)
  for index = 1, math.min(length, 100) do parts[index] = shown(value[index], depth + 1) end
  if length > 100 then parts[#parts + 1] = ('... %d more'):format(length - 100) end
  for index, key in ipairs(keys) do
    plain = false
    if index == 100 then
      parts[#parts + 1] = ('... %d more'):format(#keys - 99)
      break
    end
    local name = type(key) == 'string' and key:match('^[%a_][%w_]*$')
    parts[#parts + 1] = (name or '[' .. shown(key, depth + 1) .. ']')
      .. ' = ' .. shown(value[key], depth + 1)
  end
  seen[value] = nil
  return '{' .. table.concat(parts, ', ') .. '}'
end
"""
"""Lua that defines `shown(value, depth)`, which writes a value as Lua, and `keys_of(value)`."""

# On the first line, so that all lines keep their numbers.
_BEFORE = "local value = (function(...) "
_AFTER = rf"""
end)(...)
{SHOWN}
local text = shown(value, 0)
return {{text, plain and 1 or 0, value}}
"""


@dataclass(frozen=True)
class Value:
    """What a piece of Lua returned."""

    reply: Any
    """What the server answers."""
    lua: str
    """The value in Lua's words."""
    is_plain: bool
    """Whether the answer says the same."""


def with_value(text: str) -> str:
    """Return the code that runs a chunk, and also says what it returned."""
    return f"{_BEFORE}{text}{_AFTER}"


def value_of(reply: list[Any]) -> Value:
    """What code of ``with_value`` answered.

    Raises:
        RequestError: The chunk returned an error.
    """
    lua, plain, *value = reply
    answer = value[0] if value else None
    if isinstance(answer, RequestError):
        raise answer
    return Value(answer, readable(lua.decode()), bool(plain))


def lua_string(text: str) -> str:
    """Return Lua's text for a string, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def readable(text: str) -> str:
    """Return a value as `shown` writes it, with the characters that it writes byte by byte."""
    return _BYTES.sub(_characters, text)


_BYTES = re.compile(r"(?:\\(?:12[89]|1[3-9]\d|2\d\d))+")


def _characters(found: re.Match[str]) -> str:
    data = bytes(int(each) for each in found[0].split("\\")[1:])
    try:
        return data.decode()
    except UnicodeDecodeError:
        return found[0]
