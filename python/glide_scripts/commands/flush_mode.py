"""Whether a flush frees memory before the server answers."""

from __future__ import annotations

from enum import Enum

from .. import checks
from ..public import show_as_public
from ..values import TEncodable


class FlushMode(Enum):
    """Whether a flush frees memory before the server answers."""

    ASYNC = "ASYNC"
    """Answer first, and free the memory in the background."""

    SYNC = "SYNC"
    """Free the memory first, which may take long, then answer."""


def flush_words(name: str, mode: FlushMode | None) -> list[TEncodable]:
    """The word for a mode; None for how the server is set."""
    return [] if mode is None else [checks.member(name, mode, FlushMode).value]


show_as_public(globals())
