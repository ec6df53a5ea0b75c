"""Many calls at once of code that the server lacks: it is sent once, and each call runs once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.cluster.support import runs, stats
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import Batch, FunctionLibrary, GlideClient, Script, TimeoutError
from glide_scripts.testing import ValkeyServer

CALLS = 1000
INCR = "return redis.call('INCR', KEYS[1])"


def brought(server: ValkeyServer) -> int:
    """How often the server got code: by EVAL for a call, and by SCRIPT LOAD to keep it."""
    counts = stats(server)
    return sum(counts.get(name, (0, 0))[0] for name in ("eval", "script", "script|load"))


def requests_of(client: GlideClient) -> int:
    return sum(node.requests for node in client.stats().nodes.values())


@asynccontextmanager
async def sent_while_silent(
    server: ValkeyServer, client: GlideClient, requests: int
) -> AsyncIterator[None]:
    """Delay the server's answers until it has received all requests of a test."""
    before = requests_of(client)
    server.command("SCRIPT", "FLUSH")
    server.command("CONFIG", "RESETSTAT")
    server.pause()
    try:
        yield
        await until(lambda: requests_of(client) >= before + requests)
    finally:
        server.resume()


@pytest.mark.every_server
async def test_the_first_calls_of_a_script_send_its_code_once(
    server: ValkeyServer, client: GlideClient
) -> None:
    script = Script(INCR)
    server.command("CONFIG", "RESETSTAT")
    replies = await asyncio.gather(
        *(client.invoke_script(script, keys=["n"]) for _ in range(CALLS))
    )
    assert replies == list(range(1, CALLS + 1))
    assert brought(server) <= 2


@pytest.mark.every_server
async def test_calls_that_all_miss_a_flushed_script_send_its_code_once(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    script = Script(INCR)
    await client.invoke_script(script, keys=["n"])
    async with sent_while_silent(own_server, client, CALLS):
        calls = [
            asyncio.ensure_future(client.invoke_script(script, keys=["n"])) for _ in range(CALLS)
        ]
        await asyncio.sleep(0)
    replies = await asyncio.gather(*calls)
    assert replies == list(range(2, CALLS + 2))
    assert stats(own_server)["evalsha"] == (2 * CALLS - 1, CALLS)
    assert brought(own_server) <= 2


async def test_first_batches_at_once_load_a_script_once(
    server: ValkeyServer, client: GlideClient
) -> None:
    script = Script(INCR)
    batches = [Batch(is_atomic=False) for _ in range(100)]
    for batch in batches:
        for _ in range(10):
            batch.invoke_script(script, keys=["n"])
    server.command("CONFIG", "RESETSTAT")
    replies = await asyncio.gather(*(client.exec(batch, True) for batch in batches))
    assert [reply for of_batch in replies for reply in of_batch or []] == list(range(1, 1001))
    assert brought(server) == 1


async def test_batches_that_all_miss_a_flushed_script_send_its_code_once(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    script = Script(INCR)
    batches = [Batch(is_atomic=False) for _ in range(100)]
    for batch in batches:
        for _ in range(10):
            batch.invoke_script(script, keys=["n"])
    await client.exec(batches[0], True)
    async with sent_while_silent(own_server, client, 1000):
        calls = [asyncio.ensure_future(client.exec(batch, True)) for batch in batches]
        await asyncio.sleep(0)
    replies = await asyncio.gather(*calls)
    assert {reply for of_batch in replies for reply in of_batch or []} == set(range(11, 1011))
    assert brought(own_server) <= 2


@pytest.mark.needs("functions")
async def test_calls_that_all_miss_a_function_send_its_library_once(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    library = FunctionLibrary(
        "#!lua name=counting\nredis.register_function('count',"
        " function(keys) return redis.call('INCR', keys[1]) end)"
    )
    count = library.function("count")
    await client.fcall(count, keys=["n"])
    own_server.command("FUNCTION", "FLUSH")
    async with sent_while_silent(own_server, client, CALLS):
        calls = [asyncio.ensure_future(client.fcall(count, keys=["n"])) for _ in range(CALLS)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == list(range(2, CALLS + 2))
    assert stats(own_server)["function|load"] == (1, 0)


async def test_when_the_call_with_the_code_is_cancelled_another_one_brings_it(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    script = Script(INCR)
    await client.invoke_script(script, keys=["n"])
    async with sent_while_silent(own_server, client, 100):
        calls = [
            asyncio.ensure_future(client.invoke_script(script, keys=["n"])) for _ in range(100)
        ]
        await asyncio.sleep(0)
    # After the first answers, one call brings the code.
    await until(lambda: client.stats().evalsha_misses > 0)
    calls[0].cancel()
    replies = await asyncio.gather(*calls, return_exceptions=True)
    ran = [reply for reply in replies if isinstance(reply, int)]
    assert len(ran) >= 99
    assert runs(own_server) in (len(ran), 100)


async def test_those_that_wait_for_the_code_keep_their_own_deadlines(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    script = Script(INCR)
    own_server.pause()
    try:
        first = asyncio.ensure_future(client.invoke_script(script, keys=["n"]))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError) as late:
            await client.invoke_script(script, keys=["n"], timeout=100)
        assert not late.value.may_have_executed
        batch = Batch(is_atomic=False).invoke_script(script, keys=["n"])
        sent = asyncio.ensure_future(client.exec(batch, True))
    finally:
        own_server.resume()
    assert (await first, await sent) == (1, [2])


async def test_a_script_that_does_not_compile_gives_each_call_its_error(
    client: GlideClient,
) -> None:
    script = Script("this is not Lua")
    calls = (client.invoke_script(script, keys=[str(n)]) for n in range(100))
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error).__name__ for error in errors} == {"ScriptSyntaxError"}
    assert not any(error.may_have_executed for error in errors)  # type: ignore[union-attr]
