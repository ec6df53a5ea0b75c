"""Any command, given in its words."""

from __future__ import annotations

from collections.abc import Sequence

from ..values import TEncodable, TResult
from .arguments import one_or_more
from .command import Command


def custom_command(command_args: Sequence[TEncodable]) -> Command[TResult]:
    """Sends any command.

    See https://valkey.io/commands/. One that waits for others, such as BLPOP, has a connection of
    its own, and its own time on top of ``request_timeout``.

    Args:
        command_args: The command's name and its arguments, each an item: ``["CLIENT", "ID"]``.

    Returns:
        What the server answers, as it comes; RESP2 and RESP3 may differ.

    Raises:
        TypeError: ``command_args`` is not a list of str or bytes.
        ValueError: ``command_args`` is empty.
        RequestError: It would disturb other calls on the shared connection, as SUBSCRIBE or SELECT.
    """
    return Command([*one_or_more("command_args", command_args)])
