"""What is said where asyncio runs no event loop."""

from __future__ import annotations

import asyncio
import sys


def check_running_loop() -> None:
    """
    Raises:
        RuntimeError: asyncio runs no event loop here.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise no_running_loop() from None


def no_running_loop() -> RuntimeError:
    """The error for a call that no event loop of asyncio can await."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return RuntimeError(
            "trio runs here, and the client needs asyncio: start the program with asyncio.run(), "
            "or with anyio.run(main, backend='asyncio')"
        )
    return RuntimeError(
        "no running event loop: call it in a coroutine that asyncio runs, as asyncio.run(main()) "
        "does"
    )
