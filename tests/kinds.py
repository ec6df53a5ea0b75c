"""One call of every kind. Each sets a key, which shows the order in which they reach a server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from tests.servers.table import has

from glide_scripts import (
    AllPrimaries,
    Batch,
    ClusterBatch,
    FunctionLibrary,
    GlideClient,
    GlideClusterClient,
    Script,
)

Client = GlideClient | GlideClusterClient
Kind = Callable[[Any, str, str], Coroutine[Any, Any, object]]

SET = "return redis.call('SET', KEYS[1], ARGV[1])"
KNOWN = Script(SET)
ON_EACH_NODE = Script("return redis.pcall('SET', ARGV[1], ARGV[2]) and 1")
LIBRARY = FunctionLibrary(
    "#!lua name=kinds\n"
    "redis.register_function('kinds_set', function(keys, args)"
    " return redis.call('SET', keys[1], args[1]) end)\n"
)


def batch_of(client: Client, is_atomic: bool) -> Any:
    batch_type = Batch if isinstance(client, GlideClient) else ClusterBatch
    return batch_type(is_atomic=is_atomic)


def unknown() -> Script:
    """A script that no server has seen."""
    return Script(f"{SET} -- {uuid.uuid4()}")


async def plain(client: Client, key: str, value: str) -> object:
    return await client.set(key, value)


async def custom(client: Client, key: str, value: str) -> object:
    return await client.custom_command(["SET", key, value])


async def script(client: Client, key: str, value: str) -> object:
    return await client.invoke_script(KNOWN, [key], [value])


async def unknown_script(client: Client, key: str, value: str) -> object:
    return await client.invoke_script(unknown(), [key], [value])


async def function(client: Client, key: str, value: str) -> object:
    return await client.fcall(LIBRARY.function("kinds_set"), [key], [value])


async def pipeline(client: Client, key: str, value: str) -> object:
    batch = batch_of(client, False).set(key, "before").set(key, value)
    return await client.exec(batch, raise_on_error=True)


async def pipeline_of_scripts(client: Client, key: str, value: str) -> object:
    batch = batch_of(client, False).invoke_script(unknown(), [key], [value])
    return await client.exec(batch, raise_on_error=True)


async def transaction(client: Client, key: str, value: str) -> object:
    return await client.exec(batch_of(client, True).set(key, value), raise_on_error=True)


async def transaction_of_scripts(client: Client, key: str, value: str) -> object:
    batch = batch_of(client, True).invoke_script(unknown(), [key], [value])
    return await client.exec(batch, raise_on_error=True)


async def several_slots(client: Client, key: str, value: str) -> object:
    return await client.mset({key: value, "another": "0", "one more": "0"})


async def every_primary(client: GlideClusterClient, key: str, value: str) -> object:
    route = AllPrimaries()
    return await client.invoke_script_route(ON_EACH_NODE, args=[key, value], route=route)


KINDS: list[Kind] = [
    plain,
    custom,
    script,
    unknown_script,
    function,
    pipeline,
    pipeline_of_scripts,
    transaction,
    transaction_of_scripts,
    several_slots,
]
if not has("functions"):
    KINDS.remove(function)


async def overtaken(client: Client, first: Kind, second: Kind, times: int) -> int:
    """Issues both kinds without awaiting the first; returns how often the second ran first."""
    count = 0
    for number in range(times):
        key = f"{first.__name__} {second.__name__} {number}"
        await asyncio.gather(first(client, key, "first"), second(client, key, "second"))
        count += await client.get(key) != b"second"
    return count
