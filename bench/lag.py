"""How long other tasks of an event loop wait while calls stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.pacing import ticking

EVERY_SECS = 1e-3


@contextmanager
def measured_lags() -> Iterator[list[float]]:
    """A list of the seconds that a due callback had to wait for the loop.

    Something is due every millisecond. Each of those that passed while the loop was busy counts, so
    a long wait counts once for each tick that it delays.
    """
    lags: list[float] = []
    clock = time.perf_counter
    due = clock() + EVERY_SECS

    def tick() -> None:
        nonlocal due
        now = clock()
        while due <= now:
            lags.append(now - due)
            due += EVERY_SECS

    with ticking(tick, EVERY_SECS):
        yield lags
