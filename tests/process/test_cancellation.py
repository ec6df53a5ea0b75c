"""Cancelled calls: they run at most once, disturb no other, and leave nothing behind."""

import asyncio
import random
import socket
from typing import Any

import pytest
from tests.programs import run_program
from tests.waiting import until

from glide_scripts import (
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    Script,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")
INCREMENT = Script("return redis.call('INCR', KEYS[1])")


def increments(client: GlideClient, count: int) -> list[asyncio.Task[Any]]:
    calls = (client.invoke_script(INCREMENT, ["counter"], timeout=30_000) for _ in range(count))
    return [asyncio.create_task(call) for call in calls]


async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_cancelled_call_runs_at_most_once(client: GlideClient, turns: int) -> None:
    tasks = increments(client, 200)
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    kept = results[1::2]
    assert all(isinstance(result, int) for result in kept)
    assert len(set(kept)) == 100
    ran = int(await client.get("counter") or 0)
    assert max(result for result in kept if isinstance(result, int)) <= ran <= 200


async def test_what_was_sent_before_it_was_cancelled_answers_nobody_else(
    own_server: ValkeyServer,
) -> None:
    async with await GlideClient.from_url(own_server.url) as client:
        own_server.pause()
        tasks = increments(client, 100)
        await asyncio.sleep(0)
        await cancel(tasks)
        echoes = [
            asyncio.create_task(client.invoke_script(ECHO, args=[str(number)]))
            for number in range(100)
        ]
        await asyncio.sleep(0)
        own_server.resume()
        assert await asyncio.gather(*echoes) == [b"%d" % number for number in range(100)]
        assert int(await client.get("counter") or 0) <= 100


async def test_ten_thousand_calls_half_of_them_cancelled_get_their_own_replies(
    client: GlideClient,
) -> None:
    chance, loop = random.Random(7), asyncio.get_running_loop()
    tasks = [
        asyncio.create_task(client.invoke_script(ECHO, args=[str(number)]))
        for number in range(10_000)
    ]
    victims = set(chance.sample(range(10_000), 5_000))
    for number in victims:
        loop.call_later(chance.random() * 0.3, tasks[number].cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for number, result in enumerate(results):
        was_cancelled = number in victims and isinstance(result, asyncio.CancelledError)
        assert was_cancelled or result == b"%d" % number


async def test_calls_cancelled_while_their_script_is_missing_disturb_no_other(
    client: GlideClient,
) -> None:
    for turn in range(20):
        await client.script_flush()
        script = Script(f"return {{ARGV[1], {turn}}}")
        tasks = [
            asyncio.create_task(client.invoke_script(script, args=[str(number)]))
            for number in range(100)
        ]
        for _ in range(turn % 5):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[1::2] == [[b"%d" % number, turn] for number in range(1, 100, 2)]


async def lazy_client(server: ValkeyServer, port: int) -> GlideClient:
    config = GlideClientConfiguration([NodeAddress(server.host, port)], lazy_connect=True)
    return await GlideClient.create(config)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_calls_cancelled_at_once_before_there_is_a_connection_never_run(
    own_server: ValkeyServer, turns: int
) -> None:
    port = own_server.port
    own_server.kill()
    async with await lazy_client(own_server, port) as client:
        tasks = increments(client, 100)
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancel(tasks[::2])
        await asyncio.to_thread(own_server.restart)
        assert sorted(await asyncio.gather(*tasks[1::2])) == list(range(1, 51))
        assert await client.get("counter") == b"50"


async def test_a_call_cancelled_the_moment_it_was_made_never_runs(
    own_server: ValkeyServer,
) -> None:
    port = own_server.port
    own_server.kill()
    async with await lazy_client(own_server, port) as client:
        for _ in range(200):
            [task] = increments(client, 1)
            await asyncio.sleep(0)
            await cancel([task])
        await asyncio.to_thread(own_server.restart)
        [kept] = increments(client, 1)
        assert await kept == 1
        assert await client.get("counter") == b"1"


async def test_calls_cancelled_while_the_client_connects_never_run(
    own_server: ValkeyServer,
) -> None:
    port = own_server.port
    own_server.kill()
    with socket.create_server((own_server.host, port)) as listening:
        listening.setblocking(False)
        client = await lazy_client(own_server, port)
        tasks = increments(client, 100)
        connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        await cancel(tasks[::2])
        connection.close()
    await asyncio.to_thread(own_server.restart)
    assert sorted(await asyncio.gather(*tasks[1::2])) == list(range(1, 51))
    assert await client.get("counter") == b"50"
    await client.close()


async def test_calls_cancelled_while_the_connection_is_lost_never_run(
    own_server: ValkeyServer,
) -> None:
    async with await GlideClient.from_url(own_server.url) as client:
        own_server.kill()

        async def is_down() -> bool:
            try:
                await client.invoke_script(ECHO, args=["a"], timeout=20)
            except TimeoutError as error:
                return not error.may_have_executed
            except ConnectionError:
                return False
            return False

        await until(is_down)
        tasks = increments(client, 100)
        await asyncio.sleep(0)
        await cancel(tasks[::2])
        await asyncio.to_thread(own_server.restart)
        assert sorted(await asyncio.gather(*tasks[1::2])) == list(range(1, 51))
        assert await client.get("counter") == b"50"


async def test_a_client_cancelled_while_it_connects_leaves_no_connection(
    own_server: ValkeyServer,
) -> None:
    for turns in range(5):
        task = asyncio.create_task(GlideClient.from_url(own_server.url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            await task.result().close()

    def none_is_left() -> bool:
        clients = own_server.command("CLIENT", "LIST")
        return isinstance(clients, bytes) and b"lib-name=glide_scripts" not in clients

    await until(none_is_left)


def test_a_client_cancelled_while_it_connects_complains_of_nothing(server: ValkeyServer) -> None:
    program = """
import socket

async def main():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        client = GlideClient.from_url(f"valkey://127.0.0.1:{listening.getsockname()[1]}")
        creating = asyncio.create_task(client)
        connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        creating.cancel()
        await asyncio.gather(creating, return_exceptions=True)
        connection.close()
    # When a later client of the same I/O thread has ended, this one has ended, too.
    for _ in range(20):
        async with await GlideClient.from_url(URL) as client:
            await client.ping()

asyncio.run(main())
gc.collect()
"""
    run_program(program, server.url)


def test_a_storm_of_cancelled_calls_leaves_memory_where_it_was(server: ValkeyServer) -> None:
    program = """
import ctypes

FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]

libc = ctypes.CDLL(None)
if hasattr(libc, "mallinfo2"):
    libc.mallinfo2.restype = Mallinfo

# Not the resident memory: it grows by fragmentation, also with asyncio alone.
def in_use():
    gc.collect()
    native = libc.mallinfo2() if hasattr(libc, "mallinfo2") else Mallinfo()
    return (native.uordblks + native.hblkhd) / 2**20, sys.getallocatedblocks()

async def storm(client):
    call = client.invoke_script
    tasks = [asyncio.create_task(call(ECHO, args=[str(number)])) for number in range(50_000)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert await call(ECHO, args=["after"], timeout=60_000) == b"after"

async def main():
    async with await GlideClient.from_url(URL) as client:
        for _ in range(2):
            await storm(client)
        megabytes, blocks = in_use()
        for _ in range(3):
            await storm(client)
        megabytes_after, blocks_after = in_use()
        assert megabytes_after - megabytes < 10, f"{megabytes:.1f} MB became {megabytes_after:.1f}"
        assert blocks_after - blocks < 10_000, f"{blocks} objects became {blocks_after}"

asyncio.run(main())
"""
    run_program(program, server.url)
