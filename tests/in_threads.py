"""The synchronous clients with the interface of the asynchronous ones, so that a test runs on both.

Calls are made in threads. What is watched belongs to a thread, so each task has one for that.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from glide_scripts import sync
from glide_scripts.observing.client import Client

SYNCHRONOUS: dict[str, Any] = {
    "GlideClient": sync.GlideClient,
    "GlideClusterClient": sync.GlideClusterClient,
}

OF_ONE_THREAD = {"watch", "unwatch", "exec"}

_any_thread = ThreadPoolExecutor(64)
_threads: weakref.WeakKeyDictionary[asyncio.Task[Any], ThreadPoolExecutor]
_threads = weakref.WeakKeyDictionary()


def thread_of_task() -> ThreadPoolExecutor:
    """The thread in which the task that asks watches keys."""
    task = asyncio.current_task()
    assert task is not None
    if task not in _threads:
        _threads[task] = thread = ThreadPoolExecutor(1)
        task.add_done_callback(lambda _: thread.shutdown(wait=False))
    return _threads[task]


# Not a coroutine function: the task counts that calls it, as it does for the asynchronous clients.
def in_thread(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
    return _in(thread_of_task(), partial(work, *args, **kwargs))


async def _in(thread: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


class InThreads(Client):
    """A synchronous client whose methods are awaited."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    async def create(cls, kind: str, config: Any) -> InThreads:
        return cls(await in_thread(SYNCHRONOUS[kind].create, config))

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattribute__(name)
        attribute = getattr(self._client, name)
        if name == "stats" or not inspect.ismethod(attribute):
            return attribute
        if name == "invoke_script_many":
            return lambda *args, **kwargs: Replies(attribute(*args, **kwargs))
        if name in OF_ONE_THREAD:
            return partial(in_thread, attribute)
        return lambda *args, **kwargs: _in(_any_thread, partial(attribute, *args, **kwargs))

    def _run(self, calling: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        return calling

    async def _observed_call(self, call: Any) -> Any:
        return await in_thread(self._client._run, self._client._observed_call(call))

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
    """The replies to many calls of a synchronous client, to be awaited or iterated over."""

    def __init__(self, replies: sync.ScriptReplies) -> None:
        self._replies = replies

    def __await__(self) -> Generator[Any, None, Any]:
        return in_thread(list, self._replies).__await__()

    def __aiter__(self) -> Replies:
        return self

    async def __anext__(self) -> Any:
        end = object()
        reply = await in_thread(next, self._replies, end)
        if reply is end:
            raise StopAsyncIteration
        return reply

    async def aclose(self) -> None:
        await in_thread(self._replies.close)
