"""Signals, such as Ctrl-C, as callbacks of the loop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def on_signals(callback: Callable[[], object], *numbers: signal.Signals) -> Iterator[None]:
    """Have a function called for each of the signals, in place of what they did before.

    The loop's own ``add_signal_handler`` does not exist on Windows.
    """
    loop = asyncio.get_running_loop()

    def received(*_: object) -> None:
        loop.call_soon_threadsafe(callback)

    before = [(number, signal.signal(number, received)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
