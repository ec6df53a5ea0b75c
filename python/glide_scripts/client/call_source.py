"""The calls that ``invoke_script_many`` sends, taken from its caller a number at a time."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable

from ..values import Call
from .core import AnyPending
from .running import running


def call_source(calls: Iterable[Call] | AsyncIterable[Call], size: int) -> CallSource:
    """Return what gives the calls, at most ``size`` at once."""
    if isinstance(calls, AsyncIterable):
        return AsyncCallSource(calls, size)
    return CallSource(calls, size)


class CallSource:
    """Calls from an iterable, a number at a time."""

    def __init__(self, calls: Iterable[Call], size: int) -> None:
        self._iterator = iter(calls)
        self._size = size
        self.failure: BaseException | None = None
        """What the iterable raised; it comes after the calls before it."""
        self.is_at_end = False

    def take(self) -> list[Call]:
        """Return the next calls that are available now."""
        calls: list[Call] = []
        try:
            for call in itertools.islice(self._iterator, self._size):
                calls.append(call)  # noqa: PERF402 - those before an exception must be kept
        except Exception as error:
            self.failure = _without_this_frame(error)
        self.is_at_end = len(calls) < self._size
        return calls

    async def news(self, or_end_of: AnyPending | None = None) -> None:
        """Wait until there is a call to take, or the end is known, or a batch has ended."""
        raise AssertionError("an iterable is not awaited")

    async def close(self) -> None:
        """Take no further calls."""


class AsyncCallSource(CallSource):
    """Calls from an async iterable, which one task reads with a limit ahead."""

    def __init__(self, calls: AsyncIterable[Call], size: int) -> None:
        super().__init__((), size)
        self._calls = calls
        self._read: list[Call] = []
        self._runtime = running()
        self._has_news = self._runtime.event()
        self._has_room = self._runtime.event()
        self._reader = self._runtime.start(self._read_all)

    async def _read_all(self) -> None:
        calls: AsyncIterator[Call] | None = None
        try:
            calls = aiter(self._calls)
            async for call in calls:
                self._read.append(call)
                self._has_news.set()
                if len(self._read) >= self._size:
                    self._has_room = self._runtime.event()
                    await self._has_room.wait()
        except BaseException as error:
            self.failure = _without_this_frame(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self.is_at_end = True
            self._has_news.set()
            if isinstance(calls, AsyncGenerator):
                # The caller often has no variable for it.
                await calls.aclose()

    def take(self) -> list[Call]:
        calls, self._read = self._read, []
        self._has_room.set()
        return calls

    async def news(self, or_end_of: AnyPending | None = None) -> None:
        if self._read or self.is_at_end:
            return
        self._has_news = news = self._runtime.event()
        if or_end_of is not None:
            or_end_of.add_done_callback(lambda _: news.set())
        await news.wait()

    async def close(self) -> None:
        self._reader.cancel()
        await self._runtime.ended(self._reader)


def _without_this_frame(error: BaseException) -> BaseException:
    """An error without the frame that caught it, which holds calls: some may be secret."""
    caught = error.__traceback__
    return error if caught is None else error.with_traceback(caught.tb_next)
