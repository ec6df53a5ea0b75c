"""Importing later than at the start, never while the process forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# The child of a fork has only the thread that forked: it would wait forever for a module whose
# import another thread had begun.
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


def import_now(do_import: Callable[[], T]) -> T:
    """Run a function that imports a module, in this thread, and return its result."""
    with _importing:
        return do_import()
