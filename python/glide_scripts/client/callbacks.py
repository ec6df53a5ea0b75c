"""What the application's callbacks for the core have in common."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError


def refuse_async(setting: str, callback: Callable[..., object], returns: str) -> None:
    """Refuse an async function as the setting of a synchronous client.

    Args:
        setting: The setting's name.
        callback: Its value.
        returns: What a plain function returns there.

    Raises:
        ConfigurationError: ``callback`` is an async function.
    """
    if inspect.iscoroutinefunction(callback):
        raise ConfigurationError(
            f"{setting} is an async function, and the client is synchronous; "
            f"pass a plain function that returns {returns}"
        )


def in_daemon(ask: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
    """Ask a callback in a thread of its own, for which the end of the program does not wait.

    Args:
        ask: Asks it.
        failed: Is called if there can be no further thread.
    """
    thread = threading.Thread(target=ask, name="glide_scripts", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        failed(error)
        return
    if _threads_are_greenlets():
        # It runs in this thread, which the core has for this question alone, and ends with it.
        thread.join()


def _threads_are_greenlets() -> bool:
    """Whether gevent has put greenlets in the place of threads."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
