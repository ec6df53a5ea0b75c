"""The Sentinels of the libraries, whose clients are of this package."""

from __future__ import annotations

from typing import Any, ClassVar

from .library import Library


class SentinelWithClients:
    """Goes before the library's Sentinel, asynchronous or synchronous."""

    _library: ClassVar[Library]
    _client: ClassVar[type[Any]]

    def master_for(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return super().master_for(service_name, *args, **self._with_class(args, kwargs))  # type: ignore[misc]

    def slave_for(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return super().slave_for(service_name, *args, **self._with_class(args, kwargs))  # type: ignore[misc]

    def replica_for(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return self.slave_for(service_name, *args, **kwargs)

    def _with_class(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with the class of the clients, unless the caller passes one."""
        return kwargs if args else {f"{self._library.package}_class": self._client} | kwargs
