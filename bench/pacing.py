"""Calls that are due at a fixed rate, whether or not earlier ones have ended."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

# Finer ticks would be more often than a loop turns.
_TICK_SECS = 50e-6

Call = Callable[[str, str | bytes], Awaitable[object]]


async def at_fixed_rate(
    call: Call, value: str | bytes, rate: float, secs: float, in_flight: int
) -> list[float]:
    """Make `rate` calls a second for `secs` seconds.

    Returns how long each took, in seconds, from when it was due. If `in_flight` calls are already
    in flight, a due call begins when one of them ends.
    """
    clock = time.perf_counter
    due = Due(rate, int(rate * secs))
    times: list[float] = []
    tasks: set[asyncio.Task[None]] = set()
    ended_all = asyncio.get_running_loop().create_future()
    started = clock()

    async def one(number: int, due_at: float) -> None:
        await call(f"k{number}", value)
        times.append(clock() - started - due_at)

    def begin() -> None:
        while len(tasks) < in_flight and (next_due := due.next(clock() - started)) is not None:
            number = len(tasks)
            task = asyncio.create_task(one(number, next_due))
            tasks.add(task)
            task.add_done_callback(ended)

    def ended(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        begin()
        if ended_all.done():
            return
        if error := task.exception():
            ended_all.set_exception(error)
        elif due.is_over and not tasks:
            ended_all.set_result(None)

    with ticking(begin):
        await ended_all
    return times


class Due:
    """When each of a number of calls is due, in seconds from the beginning."""

    def __init__(self, rate: float, calls: int) -> None:
        self._rate = rate
        self._calls = calls
        self._begun = 0

    def next(self, now: float) -> float | None:
        """Return when the next call was due, and count it as begun; None if it is not due yet."""
        due_at = self._begun / self._rate
        if self.is_over or due_at > now:
            return None
        self._begun += 1
        return due_at

    @property
    def is_over(self) -> bool:
        return self._begun >= self._calls


@contextmanager
def ticking(on_tick: Callable[[], None], secs: float = _TICK_SECS) -> Iterator[None]:
    """Calls `on_tick` on the loop again and again, every `secs` seconds.

    The timers of asyncio and uvloop round to milliseconds, which is longer than calls take. On
    Linux, a timerfd is precise enough.
    """
    loop = asyncio.get_running_loop()
    if sys.platform != "linux":
        handle = loop.call_soon(lambda: None)

        def again() -> None:
            nonlocal handle
            handle = loop.call_later(secs, again)
            on_tick()

        again()
        try:
            yield
        finally:
            handle.cancel()
        return
    timer = _timer_file(secs)

    def expired() -> None:
        os.read(timer, 8)
        on_tick()

    loop.add_reader(timer, expired)
    try:
        yield
    finally:
        loop.remove_reader(timer)
        os.close(timer)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Interval(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


def _timer_file(secs: float) -> int:
    """Python 3.13 has this as `os.timerfd_create`."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    nanoseconds = int(secs * 1e9)
    interval = _Interval(_Timespec(0, nanoseconds), _Timespec(0, nanoseconds))
    if timer < 0 or libc.timerfd_settime(timer, 0, ctypes.byref(interval), None):
        raise OSError(ctypes.get_errno(), "no timer")
    return timer
