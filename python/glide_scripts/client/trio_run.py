"""A run of trio, with the methods of an event loop that the core calls."""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint,
    current_task,
    reschedule,
    spawn_system_task,
    wait_readable,
    wait_task_rescheduled,
)

from .runtime import ClosedAtEnd, Runtime, Work

T = TypeVar("T")


class TrioRun(Runtime):
    """The run of ``trio.run``, or of a guest.

    Two system tasks stand for a loop: one waits until the core's descriptor is readable, and one
    calls what is due.
    """

    cancelled_error = trio.Cancelled
    is_trio = True
    """By which the core knows how its tasks wait."""

    def __init__(self) -> None:
        self._due: deque[tuple[Callable[..., object], tuple[object, ...], Context | None]] = deque()
        self._sleeping: Task | None = None
        self._is_over = False
        self._clients: weakref.WeakSet[ClosedAtEnd] = weakref.WeakSet()
        spawn_system_task(self._call_due, name="glide_scripts: replies")

    # Methods of a loop that the core calls

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Have a function called whenever there is something to read."""
        spawn_system_task(_read, descriptor, callback, name="glide_scripts: wake-ups")

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> None:
        """Have a function called in the next turn."""
        if self._is_over:
            raise RuntimeError("the run of trio has ended")
        self._due.append((callback, args, context))
        if self._sleeping is not None:
            reschedule(self._sleeping)
            self._sleeping = None

    def call_exception_handler(self, about: dict[str, Any]) -> None:
        """Report what a callback raised."""
        logging.getLogger("glide_scripts").error(about["message"], exc_info=about["exception"])

    def is_closed(self) -> bool:
        return self._is_over

    # Methods of a runtime that the package calls

    def event(self) -> trio.Event:
        return trio.Event()

    def start(self, work: Work) -> _SystemTask:
        return _SystemTask(work)

    async def ended(self, task: Any) -> None:
        await task.ended.wait()

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=trio.CapacityLimiter(1))

    async def to_end(self, work: Callable[[], T]) -> T:
        # The checkers see a scope that may end the call.
        scope: Any = trio.CancelScope(shield=True)
        with scope:
            return await self.in_thread(work)

    def closes(self, client: ClosedAtEnd) -> None:
        self._clients.add(client)

    async def _call_due(self) -> None:
        try:
            while True:
                for _ in range(len(self._due)):
                    callback, args, context = self._due.popleft()
                    try:
                        if context is None:
                            callback(*args)
                        else:
                            context.run(callback, *args)
                    except Exception as error:
                        message = "Exception in a callback of a reply"
                        self.call_exception_handler({"message": message, "exception": error})
                if self._due:
                    await checkpoint()
                else:
                    self._sleeping = current_task()
                    await wait_task_rescheduled(self._woken_at_end)
        finally:
            self._is_over = True
            self._due.clear()
            for client in list(self._clients):
                client._run_ended()

    def _woken_at_end(self, _: object) -> Abort:
        self._sleeping = None
        return Abort.SUCCEEDED


class _SystemTask:
    """A task that no nursery waits for."""

    def __init__(self, work: Work) -> None:
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        spawn_system_task(self._run, work)

    async def _run(self, work: Work) -> None:
        try:
            with self._scope:
                await work()
        finally:
            self.ended.set()

    def cancel(self) -> None:
        self._scope.cancel()

    def done(self) -> bool:
        return self.ended.is_set()


async def _read(descriptor: int, callback: Callable[[], object]) -> None:
    while True:
        await wait_readable(descriptor)
        callback()


_OF_RUN: trio.lowlevel.RunVar[TrioRun] = trio.lowlevel.RunVar("glide_scripts")


def current_run() -> TrioRun:
    """The run of the task that calls this."""
    try:
        return _OF_RUN.get()
    except LookupError:
        run = TrioRun()
        _OF_RUN.set(run)
        return run
