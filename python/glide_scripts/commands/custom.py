"""Any command, as a list of words."""

from __future__ import annotations

from collections.abc import Sequence

from ..values import TEncodable, TResult
from .arguments import one_or_more
from .command import Command


def custom_command(command_args: Sequence[TEncodable]) -> Command[TResult]:
    """Send any command.

    See https://valkey.io/commands/. A command that waits for other clients, such as BLPOP, gets its
    own connection, and its timeout is added to ``request_timeout``.

    Args:
        command_args: The command's name and its arguments, each an item: ``["CLIENT", "ID"]``.

    Returns:
        The server's reply, unconverted; RESP2 and RESP3 may differ.

    Raises:
        TypeError: ``command_args`` is not a list of str or bytes.
        ValueError: ``command_args`` is empty.
        RequestError: The command would disturb other calls on the shared connection, such as
            SUBSCRIBE or SELECT.
    """
    return Command([*one_or_more("command_args", command_args)])
