"""A leader board, sessions and a small cache, with plain commands."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from glide_scripts import (
    OK,
    Batch,
    ExpireOptions,
    ExpirySet,
    ExpiryType,
    FlushMode,
    GlideClient,
    InfBound,
    Limit,
    RangeByIndex,
    RangeByScore,
    ScoreBoundary,
    Script,
    TGlideClient,
    TResult,
    UpdateOptions,
)
from glide_scripts.testing import ValkeyServer


class Sessions:
    def __init__(self, client: TGlideClient, seconds: int) -> None:
        self.client = client
        self.expiry = ExpirySet(ExpiryType.SEC, seconds)

    async def save(self, name: str, data: dict[str, Any]) -> bool:
        text = json.dumps(data)
        return await self.client.set(f"session:{name}", text, expiry=self.expiry) == "OK"

    async def load(self, name: str) -> dict[str, Any] | None:
        text = await self.client.get(f"session:{name}")
        return None if text is None else cast(dict[str, Any], json.loads(text))


class Board:
    def __init__(self, client: GlideClient) -> None:
        self.client = client

    async def score(self, player: str, points: float) -> None:
        better = UpdateOptions.GREATER_THAN
        await self.client.zadd("board", {player: points}, update_condition=better)

    async def top(self, number: int) -> list[tuple[str, float]]:
        best = RangeByIndex(0, number - 1)
        found = await self.client.zrange_withscores("board", best, reverse=True)
        return [(name.decode(), score) for name, score in found.items()]

    async def above(self, points: float) -> list[bytes]:
        query = RangeByScore(ScoreBoundary(points), InfBound.POS_INF, Limit(0, 10))
        return await self.client.zrange("board", query)


def both(batch: Batch) -> None:
    batch.set("x", "1")


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        sessions, board = Sessions(client, 60), Board(client)
        print(await sessions.save("a", {"n": 1}))
        print(await sessions.load("a"), await sessions.load("b"))
        await asyncio.gather(*(board.score(name, n) for n, name in enumerate("abc")))
        print(await board.top(2), await board.above(1))
        batch = Batch(is_atomic=True)
        both(batch)
        batch.get("x").hset("h", {"f": "v"}).hgetall("h").sadd("s", ["1", "2"]).smembers("s")
        results: list[TResult] | None = await client.exec(batch, raise_on_error=True)
        assert results is not None
        match results:
            case [first, bytes(value), int(added), dict(fields), *rest]:
                print(first is OK, value, added, fields, len(rest))
            case _:
                print("else")
        reply = await client.invoke_script(Script("return {1, 'a', {2}, false}"))
        match reply:
            case [int(one), bytes(text), [int(two)], None]:
                print(one + two, text)
            case _:
                print("other", reply)
        print(await client.expire("x", 10, ExpireOptions.NewExpiryGreaterThanCurrent))
        print(await client.ttl("x"))
        print(await client.flushall(FlushMode.SYNC) is OK, await client.exists(["x"]))
        length: int = await client.strlen("none")
        moved: bytes | None = await client.getdel("none")
        items: list[bytes] | None = await client.lpop_count("none", 2)
        print(length, moved, items, await client.type("x"))


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
# prints: True
# prints: {'n': 1} None
# prints: [('c', 2.0), ('b', 1.0)] [b'b', b'c']
# prints: True b'1' 1 {b'f': b'v'} 2
# prints: 3 b'a'
# prints: False
# prints: -1
# prints: True 0
# prints: 0 None None b'none'
