"""A run of trio, with the methods of an event loop that the core calls."""

from __future__ import annotations

import logging
import weakref
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context
from math import inf
from typing import Any, TypeVar

import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    current_trio_token,
    reschedule,
    spawn_system_task,
    wait_readable,
    wait_task_rescheduled,
)

from .._core import Pending
from .runtime import ClosedAtEnd, Runtime, Work
from .what_runs import not_in_its_run

T = TypeVar("T")


class TrioRun(Runtime):
    """The run of ``trio.run``, or of a guest.

    Two system tasks stand for a loop: one waits until the core's descriptor is readable, and one
    calls what is due.
    """

    cancelled_error = trio.Cancelled

    def __init__(self) -> None:
        self._token = current_trio_token()
        self._due: deque[tuple[Callable[..., object], tuple[object, ...], Context | None]] = deque()
        self._sleeping: Task | None = None
        self._is_over = False
        self._clients: weakref.WeakSet[ClosedAtEnd] = weakref.WeakSet()
        spawn_system_task(self._call_due, name="glide_scripts: replies")

    # What the core calls of a loop

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

    # What the core calls of trio alone

    def is_cancelled(self) -> bool:
        """Whether the task that calls this is cancelled already.

        Raises:
            RuntimeError: It is no task of this run.
        """
        try:
            if current_trio_token() is self._token:
                return trio.current_effective_deadline() == -inf
        except RuntimeError:
            pass
        raise not_in_its_run()

    @staticmethod
    def await_pending(pending: Pending) -> Generator[Any, Any, Any]:
        """Wait for a call's end, and return its reply."""
        task = current_task()
        is_waiting = True

        def ended(_: object) -> None:
            if is_waiting:
                reschedule(task)

        def abort(_: object) -> Abort:
            nonlocal is_waiting
            if not pending.cancel():
                # It has ended, and ``ended`` is about to be called.
                return Abort.FAILED
            is_waiting = False
            return Abort.SUCCEEDED

        pending.add_done_callback(ended, context=task.context)
        yield from wait_task_rescheduled(abort).__await__()
        try:
            return pending.result()
        except CancelledError:
            # It was not sent, because the task was cancelled already.
            yield from checkpoint_if_cancelled().__await__()
            raise RuntimeError("the call was cancelled before it was awaited") from None

    # What the package uses of a runtime

    def event(self) -> trio.Event:
        return trio.Event()

    def start(self, work: Work) -> _SystemTask:
        return _SystemTask(work)

    async def ended(self, task: Any) -> None:
        await task.ended.wait()

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=trio.CapacityLimiter(1))

    async def to_end(self, work: Callable[[], T]) -> T:
        with trio.CancelScope(shield=True):
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
