"""What the package uses of asyncio and of trio alike."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, None]]


class Event(Protocol):
    """``asyncio.Event`` or ``trio.Event``."""

    def set(self) -> None: ...
    async def wait(self) -> object: ...


class Background(Protocol):
    """A task that its starter does not await at once."""

    def cancel(self) -> object:
        """Cancel it, unless it has ended."""

    def done(self) -> bool:
        """Whether it has ended."""
        raise NotImplementedError


class Runtime(ABC):
    """What runs a task: asyncio, or a run of trio."""

    cancelled_error: type[BaseException]
    """What a cancelled task gets."""

    @abstractmethod
    def event(self) -> Event:
        """Return a new event."""

    @abstractmethod
    def start(self, work: Work) -> Background:
        """Start a task."""

    @abstractmethod
    async def ended(self, task: Background) -> None:
        """Wait for the end of a task that ``start`` returned, whatever it raised."""

    @abstractmethod
    async def in_thread(self, work: Callable[[], T]) -> T:
        """Return the result of work in a thread of its own.

        The threads that a program's own work uses may all wait for this.
        """

    @abstractmethod
    async def to_end(self, work: Callable[[], T]) -> T:
        """Return the result of work in a thread, for whose end a cancelled task waits, too."""

    @abstractmethod
    def closes(self, client: ClosedAtEnd) -> None:
        """Close a client at the end of the run; it can be used in no other."""


class ClosedAtEnd(Protocol):
    """A client that is closed at the end of its run."""

    def _run_ended(self) -> None: ...


class Asyncio(Runtime):
    """The loop of asyncio, or of what replaces it, such as uvloop."""

    cancelled_error = asyncio.CancelledError

    def event(self) -> Event:
        return asyncio.Event()

    def start(self, work: Work) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work())

    async def ended(self, task: Any) -> None:
        await asyncio.wait([task])

    async def in_thread(self, work: Callable[[], T]) -> T:
        # Not the loop's executor, which would first have to import its threads.
        outcome: Future[T] = Future()

        def run() -> None:
            if outcome.set_running_or_notify_cancel():
                try:
                    outcome.set_result(work())
                except BaseException as error:
                    outcome.set_exception(error)

        # No daemon: its thread must not end during an import, or in Rust.
        threading.Thread(target=run, name="glide_scripts").start()
        return await asyncio.wrap_future(outcome)

    async def to_end(self, work: Callable[[], T]) -> T:
        working = asyncio.ensure_future(self.in_thread(work))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working])
            raise

    def closes(self, client: ClosedAtEnd) -> None:
        """A client may be used on several loops."""


ASYNCIO = Asyncio()
