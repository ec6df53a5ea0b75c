"""Asking the application for a connection's password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .._core import PasswordAnswer


class PasswordSource:
    """The callback of the core for a connection's password; runs on the event loop.

    Connections that are made at the same time share one call of the application's callback.
    """

    def __init__(self, callback: Callable[[], Awaitable[str]]) -> None:
        self._callback = callback
        self._waiting: list[PasswordAnswer] = []
        self._asking: asyncio.Task[None] | None = None

    def __call__(self, answer: PasswordAnswer) -> None:
        self._waiting.append(answer)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            # It may give anything, whatever its type says.
            password: object = await self._callback()
        except BaseException as error:
            # Its text might hold what it asked with.
            self._fail(f"password_callback raised {type(error).__name__}")
            if not isinstance(error, Exception):
                raise
            return
        if not isinstance(password, str) or not password:
            found = "an empty str" if password == "" else type(password).__name__
            self._fail(f"password_callback returned {found}; it must return the password as a str")
            return
        for answer in self._taken():
            answer.give(password)

    def _fail(self, reason: str) -> None:
        for answer in self._taken():
            answer.fail(reason)

    def _taken(self) -> list[PasswordAnswer]:
        waiting, self._waiting = self._waiting, []
        return waiting
