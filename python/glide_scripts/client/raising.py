"""Raising a script's error with all that is known about the call."""

from __future__ import annotations

from typing import NoReturn

from .._core import Script
from ..errors import CrossSlotError, RequestError
from ..failures.secret_keys import hide_keys


def raise_explained(error: RequestError, script: Script, keys: object, args: object) -> NoReturn:
    """Raise a script's error with all that is known about its call, except for secrets."""
    if isinstance(error, CrossSlotError):
        hide_keys(error, [script])
        better: RequestError = error
    else:
        from ..failures.explanation import explained  # noqa: PLC0415 - saves time at import

        better = explained(error, script, keys, args)
    try:
        raise better from better.__cause__
    finally:
        # The traceback holds this frame: with the errors in it, it would hold itself.
        del error, better, keys, args
