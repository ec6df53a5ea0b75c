"""What runs here, and what is said where that is nothing or the wrong thing."""

from __future__ import annotations

import asyncio
import sys


def is_trio() -> bool:
    """Whether a task of trio calls this."""
    trio = sys.modules.get("trio")
    lowlevel = getattr(trio, "lowlevel", None)
    if lowlevel is None or not lowlevel.in_trio_task():
        return False
    try:
        # A task of trio may run a loop of asyncio within its step. As a guest of asyncio, trio
        # runs in no task of it.
        return asyncio.current_task() is None
    except RuntimeError:
        return True


def is_asyncio() -> bool:
    """Whether a loop of asyncio runs on this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def no_running_loop() -> RuntimeError:
    """The error for a call that no event loop can await."""
    if is_trio():
        return RuntimeError(
            "the client was made under asyncio, and trio runs here; make another one here, with "
            "create() or from_url()"
        )
    return RuntimeError(
        "no running event loop: call it in a coroutine that asyncio or trio runs, as "
        "asyncio.run(main()) or trio.run(main) does"
    )


def not_in_its_run() -> RuntimeError:
    """The error for a call outside of the run of trio to which its client belongs."""
    if is_trio():
        where = "another run of trio, and a client belongs to one run"
    elif is_asyncio():
        where = "trio, and asyncio runs here"
    else:
        return no_running_loop()
    return RuntimeError(
        f"the client was made under {where}; make another one here, with create() or from_url()"
    )
