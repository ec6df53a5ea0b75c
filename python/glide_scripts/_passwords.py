"""Asking the application for a password, on behalf of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ._core import PasswordAnswer

# The loop holds its tasks weakly.
_asking: set[asyncio.Task[None]] = set()


def password_source(
    callback: Callable[[], Awaitable[str]],
) -> Callable[[PasswordAnswer], None]:
    """What the core calls, on the event loop, for the password of one connection."""

    def ask(answer: PasswordAnswer) -> None:
        task = asyncio.get_running_loop().create_task(_answer(callback, answer))
        _asking.add(task)
        task.add_done_callback(_asking.discard)

    return ask


async def _answer(callback: Callable[[], Awaitable[str]], answer: PasswordAnswer) -> None:
    try:
        # It may give anything, whatever its type says.
        password: object = await callback()
    except Exception as error:
        # Its text might hold what it asked with.
        answer.fail(f"password_callback raised {type(error).__name__}")
        return
    if not isinstance(password, str) or not password:
        found = "an empty str" if password == "" else type(password).__name__
        answer.fail(f"password_callback gave {found}; it must give the password as a str")
        return
    answer.give(password)
