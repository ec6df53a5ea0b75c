"""Waiting for a condition, with a time limit."""

import time
from collections.abc import Callable

_INTERVAL = 0.01


def wait_until(missing: Callable[[], str | None], *, timeout: float) -> None:
    """Ask `missing` until it names nothing.

    Raises `TimeoutError` with what was missing last when `timeout` seconds have passed.
    """
    deadline = time.monotonic() + timeout
    while (reason := missing()) is not None:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"after {timeout:g} s: {reason}")
        time.sleep(_INTERVAL)
