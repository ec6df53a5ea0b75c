"""One script for many calls: sent in pipelines, with a limit of calls in flight."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from .. import checks
from .._core import Batch as Packed
from .._core import Script
from ..errors import ClosingError, CrossSlotError, RequestError
from ..failures.secret_keys import hide_keys
from ..public import show_as_public
from ..values import Call, Ids, Progress, TEncodable, TResult
from .core import AnyPending, Core
from .running import running, turn

IdOfCall: TypeAlias = Callable[[int, Any, Any], bool | TEncodable | None]

CONCURRENCY = 1000
# The number of batches in flight: while one is answered, the server works on the next.
BATCHES = 4


class ScriptReplies:
    """The replies of ``invoke_script_many``, to await or to iterate over.

    ``await replies`` returns them as a list; ``async for reply in replies`` yields them one by one.
    Use one of the two, once. To stop early, leave the loop: calls in flight are then cancelled.
    With ``aclose`` or ``contextlib.aclosing``, that is done before the next line runs.
    """

    def __init__(
        self,
        core: Core,
        script: Script,
        calls: Iterable[Call] | AsyncIterable[Call],
        *,
        in_cluster: bool,
        is_blocking: bool,
        concurrency: int | None,
        raise_on_error: bool,
        timeout: int | None,
        progress: Progress | None,
        once: Ids | None,
        once_ttl: float | None,
    ) -> None:
        """For ``invoke_script_many``."""
        checks.of_type("script", script, Script)
        kinds = Iterable if is_blocking else (Iterable, AsyncIterable)
        if isinstance(calls, (str, bytes, bytearray, memoryview)) or not isinstance(calls, kinds):
            raise checks.wrong_type("calls", calls, "an iterable of (keys, args) pairs")
        concurrency = CONCURRENCY if concurrency is None else concurrency
        checks.optional(checks.milliseconds, "timeout", timeout)
        if progress is not None and not callable(progress):
            raise checks.wrong_type("progress", progress, "a function of the number of calls done")
        checks.positive("concurrency", concurrency, "1 or more")
        checks.flag("raise_on_error", raise_on_error)
        # It does not refer to this object, so that an unreferenced one is closed at once.
        run = _Run(
            core,
            script,
            calls,
            in_cluster,
            concurrency,
            raise_on_error,
            timeout,
            progress,
            _ids(script, once, once_ttl),
            once_ttl,
        )
        self._batches = run.batches()
        self._is_taken = False
        # Iterating over it again would silently give nothing.
        self._is_over = False
        self._some: Iterator[TResult] = iter(())

    def __await__(self) -> Generator[Any, None, list[TResult]]:
        return self._all().__await__()

    @staticmethod
    def _taken() -> RuntimeError:
        return RuntimeError("the replies were taken already; call invoke_script_many() again")

    async def _all(self) -> list[TResult]:
        if self._is_taken:
            raise self._taken()
        self._is_taken = self._is_over = True
        replies: list[TResult] = []
        some: Sequence[TResult] = ()
        try:
            async with aclosing(self._batches):
                async for some in self._batches:
                    replies += some
        except BaseException:
            # Tracebacks may show local variables, and some may be secret.
            del replies, some
            raise
        return replies

    def __aiter__(self) -> Self:
        if self._is_over:
            raise self._taken()
        return self

    async def __anext__(self) -> TResult:
        while True:
            for reply in self._some:
                return reply
            self._some = iter(await self._next_batch())

    async def _next_batch(self) -> Sequence[TResult]:
        self._is_taken = True
        try:
            return await anext(self._batches)
        except BaseException:
            self._is_over = True
            raise

    async def aclose(self) -> None:
        """Stop: calls in flight are cancelled. You may stop twice."""
        self._is_taken = self._is_over = True
        self._some = iter(())
        await self._batches.aclose()


@dataclass(slots=True, repr=False)
class _Run:
    """The arguments of ``invoke_script_many``."""

    core: Core
    script: Script
    calls: Iterable[Call] | AsyncIterable[Call]
    in_cluster: bool
    concurrency: int
    raise_on_error: bool
    timeout: int | None
    progress: Progress | None
    id_of: IdOfCall
    once_ttl: float | None

    async def batches(self) -> AsyncGenerator[Sequence[TResult], None]:
        """Yield the replies, batch by batch."""
        size = max(1, self.concurrency // BATCHES)
        source = _source(self.calls, size)
        sent: deque[_Sent] = deque()
        in_flight = taken = done = 0
        calls: Sequence[Call] = ()
        replies: Sequence[TResult] = ()
        # What it ends in, once all before that is answered.
        failure: BaseException | None = None
        try:
            while True:
                while failure is None and in_flight + size <= self.concurrency:
                    calls = source.take()
                    if not calls:
                        failure = source.failure
                        break
                    batch, failure = self._packed(calls, taken)
                    taken += len(calls)
                    if len(batch):
                        sent.append(self._send(batch, calls))
                        in_flight += len(batch)
                has_room = failure is None and in_flight + size <= self.concurrency
                wants_more = has_room and not source.is_at_end
                if not sent and not wants_more:
                    break
                if not sent:
                    await source.news()
                    continue
                oldest = sent[0]
                if wants_more and not oldest.pending.done():
                    await source.news(oldest.pending)
                    if not oldest.pending.done():
                        continue
                replies, failed_at = await oldest.replies()
                sent.popleft()
                in_flight -= oldest.count
                if failed_at is not None:
                    replies = await self._explained(replies, oldest)
                    _renumber(replies, done)
                is_over = False
                if failed_at is not None and self.raise_on_error:
                    is_over, failure, replies = True, replies[failed_at], replies[:failed_at]
                if replies:
                    done += len(replies)
                    if self.progress is not None:
                        self.progress(done)
                    yield replies
                if is_over:
                    await _ended(sent)
                    break
            if failure is not None:
                raise failure
        finally:
            # Tracebacks may show local variables, and some may be secret.
            del calls, replies
            for each in sent:
                each.pending.cancel()
            await source.close()

    def _packed(self, calls: Sequence[Call], first: int) -> tuple[Packed, Exception | None]:
        """Return the calls up to the first wrong one, and that one's error."""
        batch, script = Packed(atomic=False, cluster=self.in_cluster), self.script
        for index, call in enumerate(calls, first):
            try:
                keys, args = call
            except (TypeError, ValueError):
                found = type(call).__name__
                return batch, TypeError(f"calls[{index}] is {found}, not a pair; pass (keys, args)")
            try:
                try:
                    once = self.id_of(index, keys, args)
                except Exception as error:
                    return batch, error
                batch.invoke_script(script, keys, args, None, once, self.once_ttl)
            except (TypeError, ValueError, CrossSlotError) as error:
                if isinstance(error, CrossSlotError):
                    hide_keys(error, [script])
                kinds = (TypeError, ValueError, CrossSlotError)
                kind = next(kind for kind in kinds if isinstance(error, kind))
                return batch, kind(f"calls[{index}]: {error}")
        return batch, None

    def _send(self, batch: Packed, calls: Sequence[Call]) -> _Sent:
        return _Sent(self.core.exec(batch, self.timeout), len(batch), calls)

    async def _explained(self, replies: Sequence[Any], sent: _Sent) -> list[Any]:
        """Return a batch's replies, with each error explained like a single call's."""
        # Imported with the first failure.
        from ..failures.explanation import explained  # noqa: PLC0415 - saves time at import

        if sent.failed_as_one:
            # One error stands for all of them.
            unknown: Iterator[str] = iter(())
            return [explained(replies[0], self.script, unknown, unknown)] * len(replies)
        made = []
        for reply, call in zip(replies, sent.calls, strict=False):
            if isinstance(reply, RequestError):
                # Each in a turn of the loop of its own: all may have failed.
                await turn()
                made.append(explained(reply, self.script, *_pair(call)))
            else:
                made.append(reply)
        return made


def _ids(script: Script, once: Ids | None, once_ttl: float | None) -> IdOfCall:
    """Return what gives each call its id, by its number, keys and arguments."""
    if once is None:
        return lambda *_: None
    if callable(once):
        given = once
        return lambda _, keys, args: given(keys, args)
    # So that a wrong id is an error of this call, and not of its first.
    Packed(atomic=False, cluster=False).invoke_script(
        script, ["", ""], ["", ""], None, once, once_ttl
    )
    if isinstance(once, bool):
        return lambda *_: once
    whole = once.encode() if isinstance(once, str) else bytes(once)
    return lambda index, *_: b"%b:%d" % (whole, index)


@dataclass(slots=True, repr=False)
class _Sent:
    """A batch in flight."""

    pending: AnyPending
    count: int
    calls: Sequence[Call]
    """What was sent, for errors to show; there may be more, after a wrong one."""
    failed_as_one: bool = False

    async def replies(self) -> tuple[list[Any], int | None]:
        """Return its replies, including errors, and the position of the first error."""
        try:
            replies, failed_at = await self.pending
        except ClosingError:
            raise
        except RequestError as error:
            # It is about each of them.
            self.failed_as_one = True
            return [error] * self.count, 0
        return replies, failed_at


def _pair(call: Call) -> tuple[object, object]:
    """Return a call's keys and arguments, as far as they can be read again."""
    if isinstance(call, (list, tuple)):
        keys, args = call
        return keys, args
    return iter(()), iter(())


def _renumber(replies: Sequence[Any], first: int) -> None:
    """Let the errors of a batch name its calls, which are those from ``first`` on."""
    for reply in replies:
        if isinstance(reply, RequestError) and reply.batch_index is not None:
            index = first + reply.batch_index
            text = str(reply).replace(f"(batch[{reply.batch_index}]: ", f"(calls[{index}]: ", 1)
            reply.args = (text, *reply.args[1:])
            reply.batch_index = index


async def _ended(sent: deque[_Sent]) -> None:
    """Wait until none of them is in flight, whatever the outcome."""
    for each in sent:
        with suppress(Exception):
            await each.pending


class _Source:
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


class _AsyncSource(_Source):
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
                # Its caller has often kept no name for it.
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


def _source(calls: Iterable[Call] | AsyncIterable[Call], size: int) -> _Source:
    return _AsyncSource(calls, size) if isinstance(calls, AsyncIterable) else _Source(calls, size)


show_as_public(globals())
