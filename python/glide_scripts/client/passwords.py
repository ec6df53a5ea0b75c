"""Asking the application for a connection's password."""

from __future__ import annotations

import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from .._core import PasswordAnswer
from .callbacks import in_daemon, refuse_async
from .running import running
from .runtime import Background


def source(callback: Callable[[], Any], is_blocking: bool) -> BasePasswordSource:
    """Return the core's callback for the passwords of a client's connections.

    Raises:
        ConfigurationError: The client is synchronous and the callback is an async function.
    """
    if not is_blocking:
        return PasswordSource(callback)
    refuse_async("password_callback", callback, "the password")
    return BlockingPasswordSource(callback)


class BasePasswordSource(ABC):
    """The callback of the core for a connection's password.

    Connections that are made at the same time share one call of the application's callback.
    """

    def __init__(self, callback: Callable[[], Any]) -> None:
        self._callback = callback
        self._waiting: list[PasswordAnswer] = []

    @abstractmethod
    def __call__(self, answer: PasswordAnswer) -> None:
        """Has the callback asked for the answer."""

    @abstractmethod
    def close(self) -> None:
        """Stop asking."""

    def _answer(self, password: object) -> None:
        """Gives what the callback gave, which may be anything, whatever its type says."""
        if not isinstance(password, str) or not password:
            found = "an empty str" if password == "" else type(password).__name__
            self._fail(f"password_callback returned {found}; it must return the password as a str")
            return
        for answer in self._taken():
            answer.give(password)

    def _raised(self, error: BaseException) -> None:
        # Its text might contain what the callback asked with.
        self._fail(f"password_callback raised {type(error).__name__}")

    def _fail(self, reason: str) -> None:
        for answer in self._taken():
            answer.fail(reason)

    def _taken(self) -> list[PasswordAnswer]:
        waiting, self._waiting = self._waiting, []
        return waiting


class PasswordSource(BasePasswordSource):
    """Is called where its client's calls are awaited, and awaits the callback there."""

    _asking: Background | None = None

    def __call__(self, answer: PasswordAnswer) -> None:
        self._waiting.append(answer)
        if self._asking is None or self._asking.done():
            self._asking = running().start(self._ask)

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            password = await self._callback()
        except BaseException as error:
            self._raised(error)
            if not isinstance(error, Exception):
                raise
            return
        self._answer(password)


class BlockingPasswordSource(BasePasswordSource):
    """Is called in any thread, and asks in one of its own: no other has to wait for it."""

    def __init__(self, callback: Callable[[], Any]) -> None:
        super().__init__(callback)
        self._lock = threading.Lock()
        self._is_asking = False

    def __call__(self, answer: PasswordAnswer) -> None:
        with self._lock:
            self._waiting.append(answer)
            if self._is_asking:
                return
            self._is_asking = True
        in_daemon(self._ask, self._raised)

    def close(self) -> None:
        """A callback that is running goes on; its answer is dropped."""

    def _ask(self) -> None:
        try:
            password: object = self._callback()
        except BaseException as error:
            self._raised(error)
        else:
            if inspect.iscoroutine(password):
                password.close()
            self._answer(password)

    def _taken(self) -> list[PasswordAnswer]:
        with self._lock:
            self._is_asking = False
            return super()._taken()
