"""A burst of replies leaves the event loop time for other callbacks."""

from __future__ import annotations

import asyncio
import time

from tests.waiting import block_until

from glide_scripts import GlideClient, Script

CALLS = 100
WORK_SECS = 0.002


async def test_callbacks_of_others_get_turns_within_a_burst_of_replies(client: GlideClient) -> None:
    script = Script("return 1")
    await client.invoke_script(script)
    turns = 0
    turns_at: list[int] = []
    loop = asyncio.get_running_loop()

    def tick() -> None:
        nonlocal turns
        turns += 1
        if len(turns_at) < CALLS:
            loop.call_soon(tick)

    async def call() -> None:
        await client.invoke_script(script)
        turns_at.append(turns)
        ends = time.perf_counter() + WORK_SECS
        while time.perf_counter() < ends:
            pass

    tick()
    before = client.stats().latency.count
    tasks = [asyncio.create_task(call()) for _ in range(CALLS)]
    # The tasks run in the next turn, and the I/O thread is woken at its end.
    for _ in range(3):
        await asyncio.sleep(0)
    block_until(lambda: client.stats().latency.count >= before + CALLS)
    await asyncio.gather(*tasks)
    # Each task works for longer than the replies' share of a turn.
    assert turns_at[-1] - turns_at[0] >= CALLS // 2
