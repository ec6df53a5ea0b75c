"""Clients where a program asks for a protocol of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from glide_scripts import GlideClient, GlideClusterClient, Script


class Store(Protocol):
    async def get(self, key: str, /) -> bytes | None: ...

    async def set(self, key: str, value: str, /) -> object: ...

    async def exists(self, keys: Sequence[str], /) -> int: ...


class Runner(Protocol):
    async def invoke_script(self, script: Script, keys: list[str], args: list[str], /) -> Any: ...

    async def close(self) -> None: ...


@dataclass
class Service:
    store: Store
    runner: Runner

    async def visits(self, name: str) -> bytes | None:
        await self.runner.invoke_script(Script("return 1"), [name], [])
        await self.store.set(name, "1")
        return await self.store.get(name)


class InMemory:
    async def get(self, key: str, /) -> bytes | None:
        return key.encode()

    async def set(self, key: str, value: str, /) -> object:
        return value

    async def exists(self, keys: Sequence[str], /) -> int:
        return len(keys)


def services(client: GlideClient, cluster: GlideClusterClient) -> list[Service]:
    return [Service(client, client), Service(cluster, cluster), Service(InMemory(), client)]
