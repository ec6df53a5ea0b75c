"""What `once` costs: ``python -m bench.once``.

The CPU of the server and of the client, in microseconds a call, with 100 calls in flight on a real
server; each the least of rounds that take turns. The script is one INCR.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable

from bench.measuring import own_cpu

from glide_scripts import GlideClient, Script
from glide_scripts.testing import ValkeyServer

CALLS = 20_000
ROUNDS = 6
IN_FLIGHT = 100

SCRIPT = Script("return redis.call('INCR', KEYS[1])")

Call = Callable[[], Awaitable[object]]


def server_cpu(server: ValkeyServer) -> float:
    """Seconds of CPU that it has used."""
    about = server.command("INFO", "cpu")
    assert isinstance(about, bytes)
    fields = dict(line.split(":", 1) for line in about.decode().split("\r\n") if ":" in line)
    return float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])


async def cost(call: Call, server: ValkeyServer) -> tuple[float, float]:
    """The server's and the client's, in microseconds a call."""

    async def caller() -> None:
        for _ in range(CALLS // IN_FLIGHT):
            await call()

    server.command("FLUSHALL")
    # Its first run fills the records, for the ids that are repeated.
    await call()
    before = server_cpu(server), own_cpu()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    used = server_cpu(server) - before[0], own_cpu() - before[1]
    return used[0] / CALLS * 1e6, used[1] / CALLS * 1e6


async def main(server: ValkeyServer) -> None:
    async with await GlideClient.from_url(server.url) as client:
        ids = itertools.count()
        invoke = functools.partial(client.invoke_script, SCRIPT, ["n"])
        calls: dict[str, Call] = {
            "without once": invoke,
            "once=True": lambda: invoke(once=True),
            "a new id each": lambda: invoke(once=f"order-{next(ids)}"),
            "a repeated id": lambda: invoke(once="order"),
        }
        rounds = [
            {name: await cost(call, server) for name, call in calls.items()} for _ in range(ROUNDS)
        ]
    for name in calls:
        of_server, of_client = (min(each[name][side] for each in rounds) for side in (0, 1))
        print(f"{name}: server {of_server:.1f}, client {of_client:.1f} µs a call")


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server))
