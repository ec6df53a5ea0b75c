"""The shared client of a pool of the library's connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Any

from ..config.settings import ReadFrom
from ..errors import ConfigurationError
from .library import Library
from .placement import name_rule
from .settings import sentinel_settings, standalone_settings
from .shared_client import SharedClient, shared_client_of

_KINDS = {
    "Connection": False,
    "UnixDomainSocketConnection": False,
    "SSLConnection": True,
    "SentinelManagedConnection": False,
    "SentinelManagedSSLConnection": True,
}
"""The library's classes of connections, and whether they use TLS."""


class SharedPoolClient(SharedClient):
    """The shared client of all clients of a pool."""

    def __init__(self, library: Library, pool: Any) -> None:
        self._kind: type = pool.connection_class
        super().__init__(library, pool.get_encoder(), pool.connection_kwargs)

    def settings(self) -> dict[str, Any]:
        is_tls = _is_tls(self._kind, self.library)
        unknown = self.options.keys() - _options_of(self._kind)
        if unknown:
            raise ConfigurationError(f"they have no option {min(unknown)!r}")
        return standalone_settings(self.options, is_tls, self.library)


class SharedSentinelClient(SharedPoolClient):
    """The shared client of a service's primary, which the library's Sentinel finds."""

    _read_from = ReadFrom.PRIMARY
    _not_found = "MasterNotFoundError"

    def __init__(self, library: Library, pool: Any) -> None:
        self._service, self._sentinel = pool.service_name, pool.sentinel_manager
        super().__init__(library, pool)
        module = import_module(self._kind.__module__)
        self.no_server = getattr(module, self._not_found, self.no_server)

    def settings(self) -> dict[str, Any]:
        of_sentinels = [each.connection_pool for each in self._sentinel.sentinels]
        return sentinel_settings(
            self.options,
            _is_tls(self._kind, self.library),
            self.library,
            self._service,
            self._sentinel,
            _is_tls(of_sentinels[0].connection_class, self.library),
            self._read_from,
        )


class SharedReplicaClient(SharedSentinelClient):
    """The shared client of a service's replicas. The library's own connections carry all but reads.

    Those connections lead to a replica, too, which refuses writes.
    """

    only_reads = True
    _read_from = ReadFrom.PREFER_REPLICA
    _not_found = "SlaveNotFoundError"

    def carries(self, args: tuple[Any, ...]) -> bool:
        return name_rule(args[0]).is_read and super().carries(args)

    def issue(self, args: tuple[Any, ...], timeout: float | None = None) -> Any:
        return super().issue(args, timeout) if name_rule(args[0]).is_read else None

    def batch(self, commands: list[tuple[Any, ...]], is_atomic: bool) -> None:
        return None


def shared_client_of_pool(
    pool: Any, library: Library, disconnecting: Callable[[Any, SharedClient], Any]
) -> SharedClient:
    """Return a pool's shared client; make it if it has none.

    Args:
        pool: The pool.
        library: The library it is of.
        disconnecting: Makes the pool's method that disconnects, which also closes the client.
    """
    kind: type[SharedPoolClient] = SharedPoolClient
    if hasattr(pool, "sentinel_manager"):
        kind = SharedSentinelClient if pool.is_master else SharedReplicaClient
    shared, is_new = shared_client_of(pool, lambda: kind(library, pool))
    if is_new:
        pool.disconnect = disconnecting(pool, shared)
    return shared


@cache
def _options_of(kind: type) -> set[str]:
    """Return the options of the library's connections, which refuse others."""
    makers = [vars(each)["__init__"] for each in kind.__mro__ if "__init__" in vars(each)]
    return {name for maker in makers for name in signature(maker).parameters}


def _is_tls(kind: type, library: Library) -> bool:
    """
    Raises:
        ConfigurationError: Connections of this class do what this package cannot know.
    """
    package = library.package
    modules = {
        f"{package}{part}.{module}"
        for part in ("", ".asyncio")
        for module in ("connection", "sentinel")
    }
    if kind.__module__ not in modules or kind.__name__ not in _KINDS:
        raise ConfigurationError(
            f"its pool makes connections of the class {kind.__module__}.{kind.__qualname__}; for "
            "glide_scripts' connections, pass host and port or a URL, or a pool of "
            f"{package}'s own connections"
        )
    return _KINDS[kind.__name__]
