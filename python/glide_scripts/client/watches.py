"""Which task watches keys, and on which connection."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from typing import Any, TypeAlias

from .core import Core

Task: TypeAlias = asyncio.Task[Any]


class Watch:
    """A task's connection for watching keys. It is released when this is no longer referenced."""

    def __init__(self, core: Core, connection: int) -> None:
        self.connection = connection
        """The core's name for the connection."""
        self.standing: set[object] = set()
        """The calls of ``watch`` that are in force, as far as is known."""
        # A task may outlive its client, whose connections must not wait for that.
        weakref.finalize(self, _release, weakref.ref(core), connection).atexit = False


class Watches:
    """A client's watches, by task."""

    def __init__(self) -> None:
        self._of_tasks: weakref.WeakKeyDictionary[Task, Watch] = weakref.WeakKeyDictionary()
        self._connections = itertools.count(1)

    def of(self, task: Task | None) -> Watch | None:
        """The task's watch, if it has one."""
        return None if task is None else self._of_tasks.get(task)

    def begin(self, core: Core, task: Task) -> Watch:
        """The task's watch; a new one if it has none."""
        watch = self._of_tasks.get(task)
        if watch is None:
            watch = self._of_tasks[task] = Watch(core, next(self._connections))
            task.add_done_callback(self._ended)
        return watch

    def lost(self, task: Task | None, watch: Watch) -> None:
        """Give up a connection whose watches are unknown, so that no transaction uses it.

        If the task has watched more since, its transaction must fail; the core ensures that.
        """
        if task is not None and not watch.standing and self._of_tasks.get(task) is watch:
            del self._of_tasks[task]

    def _ended(self, task: Task) -> None:
        self._of_tasks.pop(task, None)


def calling_task() -> Task | None:
    """Return the running task, or None outside a task."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _release(core: weakref.ref[Core], connection: int) -> None:
    owner = core()
    if owner is not None:
        owner.release(connection)
