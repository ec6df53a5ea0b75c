"""Work that would hold the event loop too long, done in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")

_imported: set[str] = set()


async def imported(module: str) -> None:
    """Imports a module of this package; once that is done, ``from .module import`` takes no time.

    Args:
        module: Its name within the package.
    """
    if module not in _imported:
        await in_thread(lambda: import_module(f".{module}", __package__))
        # Not before: `sys.modules` has a module from the beginning of its import on.
        _imported.add(module)


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Starts work in a thread, and gives what is awaited for its outcome.

    The loop's executor would have to import its threads first, and a program may have filled it
    with work that waits for this.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        if outcome.set_running_or_notify_cancel():
            try:
                outcome.set_result(work())
            except BaseException as error:
                outcome.set_exception(error)

    # No daemon: its thread must not end in the midst of an import, or of Rust.
    threading.Thread(target=run, name="glide_scripts").start()
    return asyncio.wrap_future(outcome)
