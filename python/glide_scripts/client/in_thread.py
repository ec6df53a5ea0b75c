"""Running slow work in a separate thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from .running_loop import check_running_loop

T = TypeVar("T")

_imported: set[Callable[[], object]] = set()


async def imported(do_import: Callable[[], object]) -> None:
    """Run a function that imports a module; from then on the same import takes no time.

    Args:
        do_import: The function, defined once in its module.
    """
    check_running_loop()
    if do_import not in _imported:
        await in_thread(do_import)
        # Not before: `sys.modules` has a module from the beginning of its import on.
        _imported.add(do_import)


def import_url() -> None:
    """For ``from_url``: what reads URLs, which imports ``urllib``."""
    from ..config import url  # noqa: F401, PLC0415 - in a thread, off the loop


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Start work in a thread, and return an awaitable of its result.

    The loop's executor would first have to import its threads, and a program may have filled it
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
