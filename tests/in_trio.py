"""The clients under trio with the interface of those on asyncio, so that a test runs on both.

A test's body runs on asyncio, and its calls are made by tasks of trio in another thread. What is
watched belongs to a task, so each task of asyncio has one of trio for that.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Self

import outcome
import trio

from glide_scripts.observing.client import Client

Work = Callable[[], Awaitable[Any]]

OF_ONE_TASK = {"watch", "unwatch", "exec"}


class TrioThread:
    """A run of trio in a thread, whose tasks do what asyncio waits for."""

    def __init__(self) -> None:
        self._started: Future[tuple[trio.lowlevel.TrioToken, trio.Nursery]] = Future()
        self._thread = threading.Thread(target=trio.run, args=[self._main])
        self._of_tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], trio.MemorySendChannel[Any]]
        self._of_tasks = weakref.WeakKeyDictionary()

    def __enter__(self) -> Self:
        self._thread.start()
        self._token, self._nursery = self._started.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._token.run_sync_soon(self._nursery.cancel_scope.cancel)
        self._thread.join()

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self._started.set_result((trio.lowlevel.current_trio_token(), nursery))
            await trio.sleep_forever()

    async def do(self, work: Work) -> Any:
        """Does work in a task of its own."""
        return await self._done(work, self._nursery.start_soon)

    # Not a coroutine function: the task counts that calls it, as it does for the clients.
    def do_in_task(self, work: Work) -> Coroutine[Any, Any, Any]:
        """Does work in the task of trio that belongs to the task of asyncio which asks."""
        task = asyncio.current_task()
        assert task is not None
        if task not in self._of_tasks:
            self._of_tasks[task], works = trio.open_memory_channel[Any](100)
            self._token.run_sync_soon(self._nursery.start_soon, _do_all, works)
            ends = self._of_tasks[task]
            task.add_done_callback(lambda _: self._soon(ends.close))
        return self._done(work, self._of_tasks[task].send_nowait)

    async def _done(self, work: Work, start: Callable[[Work], object]) -> Any:
        loop, scope = asyncio.get_running_loop(), trio.CancelScope()
        answer: asyncio.Future[Any] = loop.create_future()

        def give(result: outcome.Outcome[Any]) -> None:
            if not answer.done():
                answer.set_result(result)

        async def run() -> None:
            result: outcome.Outcome[Any] = outcome.Error(asyncio.CancelledError())
            try:
                with scope:
                    result = await outcome.acapture(work)
            finally:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(give, result)

        self._soon(partial(start, run))
        try:
            result = await answer
        except asyncio.CancelledError:
            self._soon(scope.cancel)
            raise
        return result.unwrap()

    def _soon(self, function: Callable[[], object]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(function)


async def _do_all(works: trio.MemoryReceiveChannel[Work]) -> None:
    async for work in works:
        await work()


class InTrio(Client):
    """A client under trio whose methods are awaited on asyncio."""

    def __init__(self, trio_thread: TrioThread, client: Any) -> None:
        self._trio = trio_thread
        self._client = client

    @classmethod
    async def create(cls, trio_thread: TrioThread, kind: Any, config: Any) -> InTrio:
        return cls(trio_thread, await trio_thread.do(partial(kind.create, config)))

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattribute__(name)
        attribute = getattr(self._client, name)
        if name == "stats" or not inspect.ismethod(attribute):
            return attribute
        if name == "invoke_script_many":
            return lambda *args, **kwargs: Replies(self._trio, attribute(*args, **kwargs))
        do = self._trio.do_in_task if name in OF_ONE_TASK else self._trio.do
        return lambda *args, **kwargs: do(partial(attribute, *args, **kwargs))

    def _run(self, calling: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        return calling

    async def _observed_call(self, call: Any) -> Any:
        return await self._trio.do(partial(self._client._observed_call, call))

    @property
    def _is_observed(self) -> Any:  # type: ignore[override]
        return self._client._is_observed

    @property
    def _reply_type_errors(self) -> Any:
        return self._client._reply_type_errors

    @_reply_type_errors.setter
    def _reply_type_errors(self, number: int) -> None:
        self._client._reply_type_errors = number

    def __repr__(self) -> str:
        return repr(self._client)


class Replies:
    """The replies to many calls of a client under trio, to be awaited or iterated over."""

    def __init__(self, trio_thread: TrioThread, replies: Any) -> None:
        self._trio = trio_thread
        self._replies = replies

    def __await__(self) -> Generator[Any, None, Any]:
        return self._trio.do(self._replies._all).__await__()

    def __aiter__(self) -> Replies:
        return self

    async def __anext__(self) -> Any:
        return await self._trio.do(self._replies.__anext__)

    async def aclose(self) -> None:
        await self._trio.do(self._replies.aclose)
