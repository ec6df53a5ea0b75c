"""The same work over both transports: the library's connections, and this package's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from tests.transport.kinds import Kind, closed, done
from tests.transport.outcomes import outcome


class BaseSide:
    """Makes clients of one transport, and keeps them until they are closed."""

    def __init__(self, kind: Kind, *, own: bool) -> None:
        self.kind, self.own = kind, own
        self.clients: list[Any] = []

    def keep(self, client: Any) -> Any:
        self.clients.append(client)
        return client

    def class_of(self, name: str) -> Any:
        return getattr(self.kind.own if self.own else self.kind.here, name)


S = TypeVar("S", bound=BaseSide)


@asynccontextmanager
async def both(make: Callable[[bool], S]) -> AsyncIterator[tuple[S, S]]:
    """The library's side and this package's. Their clients are closed at the end."""
    made = make(True), make(False)
    yield made
    for side in made:
        for client in side.clients:
            await closed(client)


async def different(
    habits: Mapping[str, Callable[[S], Awaitable[Any]]],
    sides: tuple[S, S],
    clean: Callable[[], Any],
) -> dict[str, list[Any]]:
    """Return what ends differently on the two sides, each on an empty server."""
    found = {}
    for name, act in habits.items():
        results = []
        for side in sides:
            await done(clean())
            results.append(await outcome(act, side))
        if results[0] != results[1]:
            found[name] = results
    return found
