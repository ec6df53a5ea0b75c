"""What a typed call costs beside a plain ``invoke_script``: ``python bench/typed.py``.

Two figures, in microseconds a call, each the least of many rounds that take turns: on a client that
answers at once, which leaves nothing but the typed call itself; and the CPU of this process, with
100 calls in flight on a real server.

And what arguments and replies of JSON cost, beside ``json.dumps`` and ``json.loads`` of the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
import timeit
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from glide_scripts import GlideClient, Json, Key, Script, TypedScript, typed_script
from glide_scripts.client.base import BaseClient
from glide_scripts.testing import ValkeyServer

CALLS = 5_000
ROUNDS = 30
IN_FLIGHT = 100

PLAIN = Script("return 1")


@typed_script(PLAIN)
def rate_limit(user: Key, limit: int, window: int) -> int:
    raise NotImplementedError


@dataclass
class Order:
    sku: str
    count: int
    price: float
    tags: list[str]


@typed_script(PLAIN)
def of_order(value: Order) -> Order:
    raise NotImplementedError


@typed_script(PLAIN)
def of_dict(value: dict[str, int]) -> Json[dict[str, int]]:
    raise NotImplementedError


@typed_script(PLAIN)
def of_list(value: Json[list[int]]) -> Json[list[int]]:
    raise NotImplementedError


JSON: list[tuple[str, TypedScript[..., Any], Any]] = [
    ("a dataclass of four fields", of_order, Order("sku-7", 3, 9.5, ["new", "red"])),
    ("a dict[str, int] of 10", of_dict, {f"name{index}": index for index in range(10)}),
    ("a list[int] of 10", of_list, list(range(10))),
    ("a list[int] of 1000", of_list, list(range(1000))),
]


class Silent(BaseClient):
    """A client that answers at once."""

    def __init__(self) -> None:
        pass

    async def invoke_script(self, *_: Any, **__: Any) -> Any:
        return 1


Call = Callable[[Any], Awaitable[object]]


async def plain(client: Any) -> object:
    return await client.invoke_script(PLAIN, ["u1"], ["10", "60"])


async def typed(client: Any) -> object:
    return await rate_limit(client, user="u1", limit=10, window=60)


async def one_by_one(call: Call, client: Any) -> float:
    start = time.process_time()
    for _ in range(CALLS):
        await call(client)
    return (time.process_time() - start) / CALLS * 1e6


async def in_flight(call: Call, client: Any) -> float:
    async def caller() -> None:
        for _ in range(CALLS // IN_FLIGHT):
            await call(client)

    start = time.process_time()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return (time.process_time() - start) / CALLS * 1e6


async def compare(name: str, measure: Callable[[Call, Any], Awaitable[float]], client: Any) -> None:
    rounds = [(await measure(plain, client), await measure(typed, client)) for _ in range(ROUNDS)]
    least = [min(each) for each in zip(*rounds, strict=True)]
    added = least[1] - least[0]
    print(f"{name}: plain {least[0]:.2f}, typed {least[1]:.2f}, added {added:.2f} µs a call")


def least(call: Callable[[], object]) -> float:
    """In microseconds."""
    calls = CALLS // 5
    return min(timeit.repeat(call, repeat=ROUNDS, number=calls)) / calls * 1e6


def compare_json(name: str, script: TypedScript[..., Any], value: Any) -> None:
    plain = dataclasses.asdict(value) if isinstance(value, Order) else value
    text = json.dumps(plain).encode()
    assert script.decode(text) == value
    assert json.loads(str(script.pack(value)[1][0])) == plain
    written = least(lambda: json.dumps(plain)), least(lambda: script.pack(value))
    read = least(lambda: json.loads(text)), least(lambda: script.decode(text))
    print(
        f"{name}: dumps {written[0]:.2f}, sent {written[1]:.2f}; "
        f"loads {read[0]:.2f}, read {read[1]:.2f} µs"
    )


async def main(url: str) -> None:
    silent: Any = Silent()
    await compare("the call alone", one_by_one, silent)
    for each in JSON:
        compare_json(*each)
    async with await GlideClient.from_url(url) as client:
        await compare(f"CPU with {IN_FLIGHT} in flight", in_flight, client)


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
