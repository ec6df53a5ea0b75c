"""One script for many calls: sent in pipelines, with a limit of calls in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, NoReturn, Self, TypeAlias

from .. import checks
from .._core import Batch as Packed
from .._core import Script
from ..errors import ClosingError, CrossSlotError, RequestError
from ..failures.secret_keys import hide_keys
from ..public import show_as_public
from ..values import Call, Ids, Progress, TEncodable, TResult
from .call_source import call_source
from .core import AnyPending, Core
from .running import turn

IdOfCall: TypeAlias = Callable[[int, Any, Any], bool | TEncodable | None]

CONCURRENCY = 1000
# The number of batches in flight: while one is answered, the server works on the next.
BATCHES = 4


class ScriptReplies:
    """The replies of ``invoke_script_many``, to await or to iterate over.

    ``await replies`` returns them as a list; ``async for reply in replies`` yields them one by one.
    Use one of the two, once. To stop early, leave the loop: calls in flight are then cancelled.
    ``aclose`` and ``contextlib.aclosing`` also wait until they are.
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

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "the replies are neither pickled nor copied; await them, and use the list of replies"
        )

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
        source = call_source(self.calls, size)
        sent: deque[_Sent] = deque()
        in_flight = taken = done = 0
        calls: Sequence[Call] = ()
        replies: Sequence[TResult] = ()
        # The error of `calls`, raised when all replies before it have arrived.
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
        call: Any = None
        keys: Any = None
        args: Any = None
        try:
            for index, call in enumerate(calls, first):
                try:
                    keys, args = call
                except (TypeError, ValueError):
                    found = type(call).__name__
                    why = f"calls[{index}] is {found}, not a pair; pass (keys, args)"
                    return batch, TypeError(why)
                try:
                    once = self.id_of(index, keys, args)
                except Exception as error:
                    return batch, error
                try:
                    batch.invoke_script(script, keys, args, None, once, self.once_ttl)
                except (TypeError, ValueError, CrossSlotError) as error:
                    if isinstance(error, CrossSlotError):
                        hide_keys(error, [script])
                    kinds = (TypeError, ValueError, CrossSlotError)
                    kind = next(kind for kind in kinds if isinstance(error, kind))
                    return batch, kind(f"calls[{index}]: {error}")
            return batch, None
        finally:
            # The traceback of what `once` raised has this frame.
            del calls, call, keys, args

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
                # One error per turn of the loop, because all may have failed.
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
        return _id_by(once)
    # So that a wrong id is an error of this call, and not of its first.
    Packed(atomic=False, cluster=False).invoke_script(
        script, ["", ""], ["", ""], None, once, once_ttl
    )
    if isinstance(once, bool):
        return lambda *_: once
    whole = once.encode() if isinstance(once, str) else bytes(once)
    return lambda index, *_: b"%b:%d" % (whole, index)


def _id_by(given: Callable[[Any, Any], bool | TEncodable | None]) -> IdOfCall:
    def id_of(_: int, keys: Any, args: Any) -> bool | TEncodable | None:
        try:
            return given(keys, args)
        finally:
            # Tracebacks may show local variables, and some may be secret.
            del keys, args

    return id_of


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
            # The error applies to each of them.
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


show_as_public(globals())
