"""Commands that carry Lua code, or name it by its SHA1, while it is measured.

The server has the code with probes, under another SHA1. The program sees neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .._core import add_probes
from ..commands.arguments import as_bytes
from ..commands.command import Command
from ..values import TEncodable
from .substitutes import Substitutes
from .switch import switch

T = TypeVar("T")


_current: Substitutes | None = None


def substitutes() -> Substitutes | None:
    """Return what is sent in place of scripts and libraries; None means they are sent."""
    return _current


def substitute(substitutes: Substitutes | None) -> None:
    """Send these in place of scripts and libraries from now on; None means they are sent."""
    global _current  # noqa: PLW0603 - one for the process, as what it measures is
    _current = substitutes
    if substitutes is None:
        add_probes(None)
        switch(None)
    else:
        add_probes(substitutes.script)
        switch(partial(_probed, substitutes))


def _probed(substitutes: Substitutes, command: Command[T]) -> Command[T]:
    """Return what is sent in place of a command."""
    words, own = _replaced(command.words, substitutes)
    library = None if command.library is None else substitutes.library(command.library)
    if words is command.words and own is None and library is command.library:
        return command
    code = command.code
    if code is None and as_bytes(words[0]).upper() in (b"EVAL", b"EVAL_RO"):
        code = as_bytes(command.words[1])
    return Command(
        list(words),
        _after(command.decode, own),
        read_only=command.read_only,
        code=code,
        library=library,
    )


def _replaced(
    words: list[TEncodable], substitutes: Substitutes
) -> tuple[list[TEncodable], Callable[[Any], Any] | None]:
    """Return a command's words with code or SHA1s replaced, and what its reply becomes."""
    name = [as_bytes(word).upper() for word in words[:3]]
    first, second = name[0] if name else b"", name[1] if len(name) > 1 else b""

    def sent_hash(word: TEncodable) -> str:
        return substitutes.sent_hash(as_bytes(word).decode("latin-1").lower())

    def own_hash(reply: Any) -> Any:
        if isinstance(reply, bytes):
            return substitutes.own_hash(reply.decode("latin-1")).encode("latin-1")
        return substitutes.own_hash(reply) if isinstance(reply, str) else reply

    if first in (b"EVAL", b"EVAL_RO") and len(words) > 1:
        return [words[0], substitutes.code(as_bytes(words[1])), *words[2:]], None
    if first in (b"EVALSHA", b"EVALSHA_RO") and len(words) > 1:
        return [words[0], sent_hash(words[1]), *words[2:]], None
    if (first, second) == (b"SCRIPT", b"LOAD") and len(words) == 3:
        return [*words[:2], substitutes.code(as_bytes(words[2]))], own_hash
    if (first, second) == (b"SCRIPT", b"EXISTS"):
        return [*words[:2], *map(sent_hash, words[2:])], None
    if (first, second) == (b"SCRIPT", b"SHOW"):
        return [*words[:2], *map(sent_hash, words[2:])], substitutes.own_code
    if (first, second) == (b"FUNCTION", b"LOAD") and len(words) > 2:
        return [*words[:-1], substitutes.code(as_bytes(words[-1]))], None
    if (first, second) == (b"FUNCTION", b"LIST"):
        return words, lambda reply: _own_libraries(reply, substitutes)
    return words, None


def _own_libraries(reply: Any, substitutes: Substitutes) -> Any:
    code = b"library_code"
    for each in reply if isinstance(reply, list) else ():
        if isinstance(each, dict) and code in each:
            each[code] = substitutes.own_code(each[code])
    return reply


def _after(
    decode: Callable[[Any], T] | None, own: Callable[[Any], Any] | None
) -> Callable[[Any], T] | None:
    if own is None:
        return decode
    return lambda reply: own(reply if decode is None else decode(reply))
