"""Hiding secret keys in the core's error about keys in several slots."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._core import Script
from ..declared.script import DeclaredScript
from ..errors import CrossSlotError


def hide_keys(error: CrossSlotError, scripts: Iterable[Script], *, of_batch: bool = False) -> None:
    """Remove the keys from an error's text if some of them are secret.

    Args:
        error: The core's error, which is changed.
        scripts: The scripts whose keys the text may show.
        of_batch: Whether it is an atomic batch, which has all of them, that was refused.
    """
    secret = [s for s in scripts if isinstance(s, DeclaredScript) and s._has_secret_keys]
    if not secret:
        return
    if of_batch:
        help_ = re.search(r"; give the keys a common hash tag.*", str(error))
        error.args = (
            "CROSSSLOT (CrossSlot): an atomic batch must stay in one slot, and the keys of this "
            "one are in several; they are not shown because some are secret"
            + (help_[0] if help_ is not None and '"' not in help_[0] else ""),
        )
        return
    names = ", ".join(each.name for each in secret[0]._signature.keys)
    error.args = (
        f"CROSSSLOT (CrossSlot): the keys ({names}) are in several slots, and not shown because "
        "some are secret; the keys of one call must be in one slot: give them a common hash tag, "
        "whose part in braces alone is hashed",
    )
