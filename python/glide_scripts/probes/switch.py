"""Whether commands are measured. Clients import this module, and the rest only while they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..commands.command import Command

_probed: Callable[[Command[Any]], Command[Any]] | None = None


def probed(command: Command[Any]) -> Command[Any]:
    """Return what is sent in place of a command: the same, unless Lua code is measured."""
    return command if _probed is None else _probed(command)


def switch(probed: Callable[[Command[Any]], Command[Any]] | None) -> None:
    """Send what a function returns in place of each command; with None, the command itself."""
    global _probed  # noqa: PLW0603 - one for the process, as what it measures is
    _probed = probed
