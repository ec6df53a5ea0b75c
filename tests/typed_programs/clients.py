"""One server: configuration, commands, scripts, errors and a client of one's own around it."""

from __future__ import annotations

import asyncio
from typing import Self

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    ConfigurationError,
    ExpireOptions,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    NoScriptError,
    OnlyIfEqual,
    Script,
    ScriptBusyError,
    ScriptKilledError,
    ScriptSyntaxError,
    ServerCredentials,
    TimeoutError,
    TResult,
    UpdateOptions,
)

LIMIT = Script("return redis.call('INCR', KEYS[1])", name="limit", idempotent=False)


class Store:
    """Keeps a client, as an application does."""

    def __init__(self, client: GlideClient) -> None:
        self._client = client

    @classmethod
    async def connect(cls, host: str) -> Self:
        config = GlideClientConfiguration(
            [NodeAddress(host)],
            credentials=ServerCredentials("secret"),
            request_timeout=500,
            database_id=1,
            advanced_config=AdvancedGlideClientConfiguration(connection_timeout=100),
        )
        return cls(await GlideClient.create(config))

    async def count(self, user: str) -> int:
        reply: TResult = await self._client.invoke_script(
            LIMIT, keys=[user], args=[], timeout=100, on_timeout="leave"
        )
        assert isinstance(reply, int)
        return reply

    async def close(self) -> None:
        await self._client.close()


async def commands(client: GlideClient) -> None:
    value: bytes | None = await client.get("k")
    values: list[bytes | None] = await client.mget(["a", b"b"])
    count: int = await client.incrby("n", 2)
    fields: dict[bytes, bytes] = await client.hgetall("h")
    members: set[bytes] = await client.smembers("s")
    score: float | None = await client.zscore("z", "m")
    print(value, values, count, fields, members, score, await client.ttl("k"))
    await client.expire("k", 10, ExpireOptions.HasNoExpiry)
    await client.zadd("z", {"m": 1.5}, update_condition=UpdateOptions.GREATER_THAN)
    await client.set("k", "v", OnlyIfEqual("w"))
    await client.lpush("l", ["a", "b"])
    print(await client.config_get(["port"]), await client.info(), await client.time())
    print(await client.update_connection_password("new", immediate_auth=True) == "OK")
    print(await client.eval("return 1", ["k"]), await client.evalsha(LIMIT.hash))


async def careful(store: Store) -> int:
    try:
        async with asyncio.timeout(1):
            return await store.count("u1")
    except TimeoutError as error:
        return 0 if error.may_have_executed else -1
    except (ScriptBusyError, ScriptKilledError, ScriptSyntaxError, NoScriptError) as error:
        print(error.script, error.source_line)
        return -2
    except ConfigurationError as error:
        print(error.name())
        return -3
