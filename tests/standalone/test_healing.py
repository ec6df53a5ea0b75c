"""Scripts that keep vanishing from the server while they are called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.conftest import Connect
from tests.repeating import repeating

from glide_scripts import GlideClient, InfoSection, NoScriptError, Script
from glide_scripts.testing import ValkeyServer

pytestmark = pytest.mark.every_server

CALLERS, CALLS = 64, 100


@asynccontextmanager
async def flushing(client: GlideClient) -> AsyncIterator[None]:
    """Flushes all scripts every millisecond."""
    async with repeating(client.script_flush, pause=0.001):
        yield
    stats = await client.info([InfoSection.ERROR_STATS])
    missing = re.search(rb"errorstat_NOSCRIPT:count=(\d+)", stats)
    assert missing, "the scripts were always there"
    assert int(missing[1]) > 1, "the scripts were missing only at first"


@pytest.fixture
async def flusher(server: ValkeyServer, connect: Connect) -> GlideClient:
    return await connect(server)


@pytest.mark.parametrize("idempotent", [False, True])
async def test_no_call_fails_and_none_runs_twice(
    client: GlideClient, flusher: GlideClient, idempotent: bool
) -> None:
    script = Script("return redis.call('INCR', KEYS[1])", idempotent=idempotent)

    async def caller() -> list[object]:
        return [await client.invoke_script(script, keys=["n"]) for _ in range(CALLS)]

    async with flushing(flusher):
        replies = await asyncio.gather(*(caller() for _ in range(CALLERS)))
    total = CALLERS * CALLS
    assert await client.get("n") == b"%d" % total
    assert {reply for of_caller in replies for reply in of_caller} == set(range(1, total + 1))


async def test_every_caller_of_many_scripts_gets_its_own_reply(
    client: GlideClient, flusher: GlideClient
) -> None:
    scripts = [Script(f"return {{{i}, ARGV[1]}}", read_only=i % 2 == 0) for i in range(CALLERS)]

    async def caller(i: int) -> None:
        for call in range(CALLS):
            argument = f"{i}-{call}"
            reply = await client.invoke_script(scripts[i], args=[argument])
            assert reply == [i, argument.encode()]

    async with flushing(flusher):
        await asyncio.gather(*(caller(i) for i in range(CALLERS)))


@pytest.mark.needs("script flags")
async def test_read_only_scripts_heal_too(client: GlideClient, flusher: GlideClient) -> None:
    await client.set("k", "v")
    script = Script("#!lua flags=no-writes\nreturn {redis.call('GET', KEYS[1]), ARGV[1]}")

    async def caller(i: int) -> None:
        for _ in range(CALLS):
            reply = await client.invoke_script(script, keys=["k"], args=[str(i)])
            assert reply == [b"v", b"%d" % i]

    async with flushing(flusher):
        await asyncio.gather(*(caller(i) for i in range(CALLERS)))


async def test_a_released_script_runs_or_says_that_it_did_not(
    client: GlideClient, flusher: GlideClient
) -> None:
    code = "return redis.call('INCR', KEYS[1])"
    released, owner = Script(code), Script(code)
    released.__del__()
    ran = 0

    async def caller() -> None:
        nonlocal ran
        for call in range(CALLS):
            if call % 10 == 0:
                await client.invoke_script(owner, keys=["n"])
                ran += 1
            try:
                await client.invoke_script(released, keys=["n"])
            except NoScriptError as error:
                ran += error.may_have_executed
            else:
                ran += 1

    async with flushing(flusher):
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    assert await client.get("n") == b"%d" % ran
