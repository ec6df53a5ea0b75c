"""The lane of a pool of the library's connections."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import Any

from ..errors import ConfigurationError
from .lane import Lane
from .library import Library
from .settings import standalone_settings

_making = Lock()


class PoolLane(Lane):
    """The lane of all clients of a pool."""

    def __init__(self, library: Library, pool: Any) -> None:
        self._kind: type = pool.connection_class
        super().__init__(library, pool.get_encoder(), pool.connection_kwargs)

    def settings(self) -> dict[str, Any]:
        is_tls = _is_tls(self._kind, self.library)
        return standalone_settings(self.options, is_tls, self.library.default_protocol)


def lane_of_pool(pool: Any, library: Library, disconnecting: Callable[[Any, Lane], Any]) -> Lane:
    """Return a pool's lane; make it if it has none.

    Args:
        pool: The pool.
        library: The library it is of.
        disconnecting: Makes the pool's method that disconnects, of which the lane has to know.
    """
    with _making:
        lane: Lane | None = getattr(pool, "_glide_lane", None)
        if lane is None:
            lane = PoolLane(library, pool)
            pool.disconnect = disconnecting(pool, lane)
            pool._glide_lane = lane
    return lane


def _is_tls(kind: type, library: Library) -> bool:
    """
    Raises:
        ConfigurationError: Connections of this class do what this package cannot know.
    """
    for module in ("asyncio.connection", "connection"):
        classes = import_module(f"{library.package}.{module}")
        if kind in (classes.Connection, classes.UnixDomainSocketConnection):
            return False
        if kind is getattr(classes, "SSLConnection", None):
            return True
    raise ConfigurationError(
        f"its pool makes connections of the class {kind.__module__}.{kind.__qualname__}; for "
        "glide_scripts' connections, pass host and port or a URL, or a pool of "
        f"{library.package}'s own connections"
    )
