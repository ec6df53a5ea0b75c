"""What a debug adapter debugs, unless the editor says otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass

from ._origin import Origin


@dataclass(frozen=True)
class Launch:
    """What the command line gave."""

    origin: Origin | None
    """The script; None: the editor names its file."""
    keys: list[bytes]
    args: list[bytes]
    urls: Sequence[str] | None
    """None: a temporary server."""
    coverage: bool = False
    """Whether to report which lines and branches ran."""
