"""Importing what connecting needs, in a separate thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..importing import import_now
from .running import running

_imported: set[Callable[[], object]] = set()


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


def import_explanation() -> None:
    """What explains errors."""
    from ..failures import explanation  # noqa: F401, PLC0415 - in a thread, off the loop


def import_url() -> None:
    """For ``from_url``: what reads URLs, which imports ``urllib``."""
    from ..config import url  # noqa: F401, PLC0415 - in a thread, off the loop
