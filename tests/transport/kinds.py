"""The libraries and kinds of clients that the tests of the transport run on."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any

LIBRARIES = ("redis", "valkey")


@dataclass(frozen=True)
class Kind:
    """A library, and whether its client is synchronous."""

    library: str
    is_sync: bool

    @property
    def own(self) -> Any:
        """The library's own module with the classes of this kind."""
        return import_module(self.library if self.is_sync else f"{self.library}.asyncio")

    @property
    def here(self) -> Any:
        """This package's module with them."""
        sub = ".sync" if self.is_sync else ""
        return import_module(f"glide_scripts.{self.library}{sub}")

    @property
    def exceptions(self) -> Any:
        return import_module(f"{self.library}.exceptions")

    @property
    def name(self) -> str:
        return self.library.capitalize()

    def client(self, url: str, *, own: bool = False, **options: Any) -> Any:
        """A client of this package, or of the library."""
        scheme = url.replace("valkey://", f"{self.library}://")
        return getattr(self.own if own else self.here, self.name).from_url(scheme, **options)

    def cluster(self, host: str, port: int, *, own: bool = False, **options: Any) -> Any:
        module = self.own if own else self.here
        return getattr(module, f"{self.name}Cluster")(host=host, port=port, **options)

    def sentinel(
        self, addresses: list[tuple[str, int]], *, own: bool = False, **options: Any
    ) -> Any:
        return (self.own if own else self.here).Sentinel(addresses, **options)

    def retries(self, count: int) -> Any:
        """The library's object for so many repeats without a wait."""
        sub = "" if self.is_sync else ".asyncio"
        backoff = import_module(f"{self.library}.backoff").NoBackoff()
        return import_module(f"{self.library}{sub}.retry").Retry(backoff, count)

    def __str__(self) -> str:
        return f"{self.library}-{'sync' if self.is_sync else 'asyncio'}"


KINDS = [Kind(library, is_sync) for library in LIBRARIES for is_sync in (False, True)]


async def done(value: Any) -> Any:
    """Return a method's result, awaited if the client is asynchronous."""
    return await value if inspect.isawaitable(value) else value


async def closed(client: Any) -> None:
    await done((getattr(client, "aclose", None) or client.close)())
