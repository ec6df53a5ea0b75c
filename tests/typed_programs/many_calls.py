"""One script for many calls, from an iterable or an async one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from glide_scripts import GlideClient, RequestError, Script, ScriptReplies, TResult

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


def pairs() -> Iterator[tuple[list[str], list[str]]]:
    for number in range(10):
        yield [f"k{number}"], ["1"]


async def slow_pairs() -> AsyncIterator[tuple[list[bytes], None]]:
    yield [b"k"], None


async def main(client: GlideClient) -> None:
    totals: list[TResult] = await client.invoke_script_many(ADD, pairs(), concurrency=100)
    replies: ScriptReplies = client.invoke_script_many(
        ADD, slow_pairs(), raise_on_error=False, timeout=500, progress=print
    )
    async with aclosing(replies):
        async for reply in replies:
            if isinstance(reply, RequestError):
                print(reply.batch_index)
                break
    await client.invoke_script_many(ADD, [(["a"], ["1"]), (["b"], ["2"])])
    await client.invoke_script_many(ADD, (([f"k{number}"], []) for number in range(5)))
    await client.invoke_script_many(ADD, (([], args) async for _, args in slow_pairs()))
    await client.invoke_script_many(ADD, pairs() if totals else slow_pairs())
    print(totals)
