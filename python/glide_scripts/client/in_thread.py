"""Importing what connecting needs: in a separate thread, and never while the process forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial

from .running import running

_imported: set[Callable[[], object]] = set()
# The child of a fork has only the thread that forked: it would wait forever for a module whose
# import another thread had begun.
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


async def imported(do_import: Callable[[], object]) -> None:
    """Run a function that imports a module; from then on the same import takes no time.

    Args:
        do_import: The function, defined once in its module.
    """
    runtime = running()
    if do_import not in _imported:
        await runtime.in_thread(partial(import_now, do_import))
        # Only afterwards: `sys.modules` has a module as soon as its import begins.
        _imported.add(do_import)


def import_now(do_import: Callable[[], object]) -> None:
    """Run a function that imports a module, in this thread."""
    with _importing:
        do_import()


def import_explanation() -> None:
    """What explains errors."""
    from ..failures import explanation  # noqa: F401, PLC0415 - in a thread, off the loop


def import_url() -> None:
    """For ``from_url``: what reads URLs, which imports ``urllib``."""
    from ..config import url  # noqa: F401, PLC0415 - in a thread, off the loop
