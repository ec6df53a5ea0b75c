"""Evaluating Lua on a server, piece by piece."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .. import (
    GlideClient,
    GlideClusterClient,
    NotBusyError,
    RequestError,
    Script,
    TypedScript,
    UnkillableError,
)
from ..declared.lines import Place, split_lines
from ._lua_value import Value, value_of, with_value
from ._signals import on_signals

# It only compiles, so that nothing runs before it is known how much there is. The last line ends,
# so that a string that is not closed is an error and not a piece that goes on.
_COMPILE = Script(
    """\
local expression, why = loadstring('return ' .. ARGV[1] .. '\\n', '=lua')
if expression then return 'expression' end
local chunk, other = loadstring(ARGV[1] .. '\\n', '=lua')
if chunk then return 'chunk' end
local eof = "near '<eof>'"
if why:sub(-#eof) == eof or other:sub(-#eof) == eof then return 'unfinished' end
return 'wrong'
""",
    name="compile",
    read_only=True,
)
# What stands in the tables that scripts see; names that begin with "_" are Lua's own.
_NAMES = Script(
    """\
local names = {}
for name, value in pairs(_G) do
  names[#names + 1] = name
  if type(value) == 'table' and value ~= _G then
    for member in pairs(value) do
      names[#names + 1] = name .. '.' .. tostring(member)
    end
  end
end
return names
""",
    name="names",
    read_only=True,
)
_COMPILE_TIMEOUT = 5000  # milliseconds
_UNKILLABLE = "the script has written, so it cannot be killed; Ctrl-C again leaves it"


class LeftAloneError(Exception):
    """A script that continues without anyone waiting for it."""


class Piece(Enum):
    """The kind of a piece of Lua."""

    EXPRESSION = b"expression"
    CHUNK = b"chunk"
    UNFINISHED = b"unfinished"
    WRONG = b"wrong"


@dataclass(frozen=True)
class Known:
    """The names for completion."""

    commands: Sequence[str]
    names: Sequence[str]


class Evaluator:
    """Evaluates Lua on a server or a cluster, with KEYS and ARGV."""

    def __init__(
        self,
        client: GlideClient | GlideClusterClient,
        keys: Sequence[str] = (),
        args: Sequence[str] = (),
    ) -> None:
        self._client = client
        self.keys, self.args = list(keys), list(args)
        self._loaded: dict[str, Script] = {}

    async def piece(self, text: str) -> Piece:
        """What a text is, without running it."""
        args = [os.fsencode(text)]
        reply = await self._client.invoke_script(_COMPILE, args=args, timeout=_COMPILE_TIMEOUT)
        return Piece(reply)

    async def value(self, text: str) -> Value:
        """Return the value of an expression or a chunk as it is in Lua, too.

        Raises:
            LeftAloneError, ScriptError, RequestError: As for `evaluate`.
        """
        piece = await self.piece(text)
        if piece not in (Piece.EXPRESSION, Piece.CHUNK):
            # It raises what is wrong.
            return Value(await self.evaluate(text), "nil", is_plain=True)
        chunk = f"return {text}" if piece is Piece.EXPRESSION else text
        return value_of(await self._run_piece(with_value(chunk)))

    async def evaluate(self, text: str) -> Any:
        """Return the server's answer to an expression or a chunk.

        Ctrl-C kills the script, if it has not written.

        Raises:
            LeftAloneError: Ctrl-C was pressed twice.
            ScriptError: The script failed or was killed; `message` has the words.
            RequestError: The server refused it, or was lost.
        """
        if await self.piece(text) is Piece.EXPRESSION:
            text = f"return {text}"
        return await self._run_piece(text)

    async def _run_piece(self, text: str) -> Any:
        # Not invoke_script: each piece is run once, and no server has to keep it.
        code = self._before + os.fsencode(text)
        return await self._reply_to(self._client.eval(code, *self._keys_and_args()))

    async def run(self, script: Script) -> Any:
        """Return the server's answer to a whole script."""
        return await self._reply_to(self._client.invoke_script(script, *self._keys_and_args()))

    def _keys_and_args(self) -> tuple[list[bytes], list[bytes]]:
        return [os.fsencode(key) for key in self.keys], [os.fsencode(arg) for arg in self.args]

    async def _reply_to(self, awaitable: Awaitable[Any]) -> Any:
        call = asyncio.ensure_future(awaitable)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            return await self._killed(call)

    async def load(self, script: Script) -> bool:
        """Keep a file's functions and variables for what follows, if it does not end in a return.

        Returns:
            Whether it is kept: what returns is to be run.
        """
        code = os.fsdecode(script.code)
        if await self.piece(f"{code}\nreturn nil") is not Piece.CHUNK:
            return False
        self._loaded[script.name or ""] = script
        return True

    def place(self, line: int) -> Place | int:
        """Where a line is that the server names: in a file that was loaded, or in the piece."""
        for script in self._loaded.values():
            count = len(split_lines(script.code))
            if line <= count:
                source_map = script._source_map if isinstance(script, TypedScript) else None
                return source_map.place(line) if source_map else Place(script.name or "", line)
            line -= count
        return line

    @property
    def _before(self) -> bytes:
        """The files that were loaded, each on lines of its own."""
        return b"".join(script.code + b"\n" for script in self._loaded.values())

    async def known(self) -> Known:
        """The server's commands, and the names that its scripts see; none if it does not say."""
        try:
            commands: Any = await self._client.custom_command(["COMMAND"])
            names: Any = await self._client.invoke_script(_NAMES)
        except RequestError:
            return Known((), ())
        return Known(
            sorted(command[0].decode().upper() for command in commands),
            sorted(name.decode() for name in names if not name.startswith(b"_")),
        )

    async def _killed(self, call: asyncio.Future[Any]) -> Any:
        """What a call ends with whose script is killed."""
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        try:
            # The runner's own handler would stop in the middle of the loop.
            with on_signals(task.cancel, signal.SIGINT):
                await self._kill()
                return await call
        except asyncio.CancelledError:
            raise LeftAloneError from None

    async def _kill(self) -> None:
        try:
            await self._client.script_kill()
        except NotBusyError:
            # It ended meanwhile.
            pass
        except UnkillableError:
            print(f"\n{_UNKILLABLE}", flush=True)
