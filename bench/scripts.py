"""The scripts that are called, and what each must answer."""

from __future__ import annotations

import hashlib

from bench.cells import Cell, Reply

# Larger ones are what programs hold as bytes.
_LARGEST_STR = 1 << 10

CODE = {
    Reply.BULK: "return ARGV[1]",
    Reply.INT: "return #ARGV[1]",
    Reply.ARRAY: "local t = {} for i = 1, 100 do t[i] = ARGV[1] end return t",
    Reply.MAP: """\
redis.setresp(3)
local outer = {}
for i = 1, 10 do
  local inner = {}
  for j = 1, 5 do inner['f' .. j] = ARGV[1] end
  outer['m' .. i] = {map = inner}
end
return {map = outer}""",
}


def sha1_of(code: str) -> str:
    return hashlib.sha1(code.encode()).hexdigest()


def value_of(cell: Cell) -> str | bytes:
    """The argument of every call of a cell."""
    value = "x" * cell.size
    return value if cell.size <= _LARGEST_STR else value.encode()


def answer_of(cell: Cell) -> object:
    """What `cell`'s script gives for its value, with all text as str."""
    value = "x" * cell.size
    match cell.reply:
        case Reply.BULK:
            return value
        case Reply.INT:
            return cell.size
        case Reply.ARRAY:
            return [value] * 100
        case Reply.MAP:
            return {f"m{i}": {f"f{j}": value for j in range(1, 6)} for i in range(1, 11)}


def check(reply: object, cell: Cell) -> None:
    """Raises `WrongAnswer` if it is not what the script of `cell` must give."""
    expected = answer_of(cell)
    got = as_text(reply)
    if got != ([expected] * cell.batch if cell.batch > 1 else expected):
        raise WrongAnswer(f"the client answered {str(got)[:200]}")


class WrongAnswer(Exception):
    """A client whose answers are wrong is not measured."""


def as_text(reply: object) -> object:
    """A reply with all its bytes as str."""
    match reply:
        case bytes() | bytearray():
            return reply.decode()
        case list() | tuple():
            return [as_text(each) for each in reply]
        case dict():
            return {as_text(key): as_text(value) for key, value in reply.items()}
        case _:
            return reply
