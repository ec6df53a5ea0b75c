"""Which task or thread watches keys, and on which connection."""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from .bound import HasCore
from .what_runs import is_trio

if TYPE_CHECKING:
    import trio

Owner: TypeAlias = "asyncio.Task[Any] | trio.lowlevel.Task | threading.Thread"
"""Who watches: what it watches concerns no other's transactions."""


class Watch:
    """An owner's connection for watching keys. It is released when it is no longer referenced."""

    def __init__(self, client: HasCore, connection: int) -> None:
        self.connection = connection
        """The core's name for the connection."""
        self.standing: set[object] = set()
        """The calls of ``watch`` that are in force, as far as is known."""
        # The owner may live longer than its client, and must not keep the connections open.
        weakref.finalize(self, _release, weakref.ref(client), connection).atexit = False


class Watches(ABC):
    """A client's watches, by task or thread."""

    def __init__(self) -> None:
        self._of_owners: weakref.WeakKeyDictionary[Owner, Watch] = weakref.WeakKeyDictionary()
        self._connections = itertools.count(1)

    @abstractmethod
    def caller(self) -> Owner | None:
        """Who calls this, or None outside of tasks."""

    @abstractmethod
    def _began(self, owner: Owner) -> None:
        """Sees to it that the watch ends with its owner."""

    def of(self, owner: Owner | None) -> Watch | None:
        """The owner's watch, if it has one."""
        return None if owner is None else self._of_owners.get(owner)

    def begin(self, client: HasCore, owner: Owner) -> Watch:
        """The owner's watch; a new one if it has none."""
        watch = self._of_owners.get(owner)
        if watch is None:
            watch = self._of_owners[owner] = Watch(client, next(self._connections))
            self._began(owner)
        return watch

    def lost(self, owner: Owner | None, watch: Watch) -> None:
        """Give up a connection whose watches are unknown, so that no transaction uses it.

        If the owner has watched more since, its transaction must fail; the core ensures that.
        """
        if owner is not None and not watch.standing and self._of_owners.get(owner) is watch:
            del self._of_owners[owner]

    def _ended(self, owner: Owner) -> None:
        self._of_owners.pop(owner, None)


class TaskWatches(Watches):
    """The watches of tasks."""

    def caller(self) -> asyncio.Task[Any] | trio.lowlevel.Task | None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if task is None and is_trio():
            import trio  # noqa: PLC0415 - trio is optional

            return trio.lowlevel.current_task()
        return task

    def _began(self, owner: Any) -> None:
        # trio does not report the end of a task, but drops the task's object then.
        if hasattr(owner, "add_done_callback"):
            owner.add_done_callback(self._ended)


class ThreadWatches(Watches):
    """The watches of threads."""

    def caller(self) -> threading.Thread:
        return threading.current_thread()

    def _began(self, owner: Any) -> None:
        # Python does not report the end of a thread, and a program may keep the thread's object.
        # `keyrefs` returns a list, because watches of other threads come and go meanwhile.
        for reference in self._of_owners.keyrefs():
            other: Any = reference()
            if other is not None and other is not owner and not other.is_alive():
                self._ended(other)


def _release(client: weakref.ref[HasCore], connection: int) -> None:
    owner = client()
    if owner is not None:
        owner._core.release(connection)
