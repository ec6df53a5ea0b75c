"""The asynchronous clients under trio, and under anyio on trio."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio
import trio.lowlevel
import trio.testing
from tests.programs import run_program
from tests.waiting import until

from glide_scripts import (
    Batch,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    NodeAddress,
    ObservedCall,
    Observer,
    Script,
    ScriptError,
    ServerCredentials,
    sync,
)
from glide_scripts.testing import ValkeyCluster, ValkeyServer

ECHO = Script("return ARGV[1]")

Main = Callable[[GlideClient], Awaitable[Any]]


def with_client(server: ValkeyServer, main: Main, **settings: Any) -> Any:
    """Runs a function under trio, with a client of the server."""

    async def run() -> Any:
        async with await made(server, **settings) as client:
            return await main(client)

    return trio.run(run)


async def made(server: ValkeyServer, **settings: Any) -> GlideClient:
    address = NodeAddress(server.host, server.port)
    return await GlideClient.create(GlideClientConfiguration([address], **settings))


async def echoed(client: GlideClient, arg: str, replies: dict[str, Any]) -> None:
    replies[arg] = await client.invoke_script(ECHO, args=[arg])


async def all_echoed(client: GlideClient) -> bool:
    """Whether each of many calls at once gets its own reply."""
    replies: dict[str, Any] = {}
    async with trio.open_nursery() as nursery:
        for number in range(500):
            nursery.start_soon(echoed, client, str(number), replies)
    return replies == {str(number): str(number).encode() for number in range(500)}


def test_each_task_of_a_nursery_gets_its_own_reply(server: ValkeyServer) -> None:
    assert with_client(server, all_echoed)


def test_a_cluster_s_client_serves_a_nursery(valkey_cluster: ValkeyCluster) -> None:
    async def main() -> None:
        async with await GlideClusterClient.from_url(valkey_cluster.url) as client:
            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(client.incr, f"key {number}")
            assert await client.incr("key 7") == 2

    trio.run(main)


def test_a_run_in_another_thread_than_the_main_one_has_a_client(server: ValkeyServer) -> None:
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(with_client, server, all_echoed) for _ in range(2)]
        assert [run.result() for run in runs] == [True, True]


def test_an_error_of_a_script_is_explained(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        with pytest.raises(ScriptError, match=r"error\('no'\)"):
            await client.invoke_script(Script("error('no')"))

    with_client(server, main)


# Cancelling


def test_a_call_of_a_task_that_is_cancelled_already_never_goes_out(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        for _ in range(200):
            with trio.CancelScope() as scope:
                scope.cancel()
                await client.incr("counter")
            assert scope.cancelled_caught
        batch = Batch(is_atomic=False).incr("counter")
        with trio.move_on_after(0):
            await client.exec(batch, raise_on_error=True)
        assert await client.get("counter") is None

    with_client(server, main)


def test_calls_that_are_cancelled_before_they_are_written_never_go_out(
    own_server: ValkeyServer,
) -> None:
    big = "x" * 1_000_000

    async def main(client: GlideClient) -> None:
        await client.set("counter", "0")
        own_server.pause()
        async with trio.open_nursery() as ahead:
            # More than the server's and the system's buffers take while nobody reads.
            for number in range(80):
                ahead.start_soon(client.set, f"big {number}", big)
            await trio.testing.wait_all_tasks_blocked()
            async with trio.open_nursery() as behind:
                for _ in range(100):
                    behind.start_soon(client.incr, "counter")
                await trio.testing.wait_all_tasks_blocked()
                behind.cancel_scope.cancel()
            ahead.cancel_scope.cancel()
        own_server.resume()
        assert await client.get("counter") == b"0"

    with_client(own_server, main, request_timeout=30_000)


@pytest.mark.parametrize("scope", [trio.move_on_after, trio.fail_after])
def test_a_deadline_of_trio_ends_a_call(server: ValkeyServer, scope: Any) -> None:
    async def main(client: GlideClient) -> None:
        entered, is_late = scope(0.05), False
        try:
            with entered:
                await client.custom_command(["BLPOP", "nothing", "0"])
        except trio.TooSlowError:
            is_late = True
        assert is_late == (scope is trio.fail_after)
        assert await all_echoed(client)

    with_client(server, main)


def test_a_shielded_call_is_not_cancelled(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        with trio.CancelScope() as outer:
            outer.cancel()
            with trio.CancelScope(shield=True):
                assert await client.incr("counter") == 1
            await client.incr("counter")
        assert await client.get("counter") == b"1"

    with_client(server, main)


def test_an_observer_hears_of_trio_s_own_error(server: ValkeyServer) -> None:
    calls: list[ObservedCall] = []

    class Watcher(Observer):
        def call_ended(self, call: ObservedCall) -> None:
            calls.append(call)

    async def main(client: GlideClient) -> None:
        await client.get("key")
        with trio.move_on_after(0.05):
            await client.custom_command(["BLPOP", "nothing", "0"])
        with trio.move_on_after(0):
            await client.get("key")
        await until(lambda: len(calls) == 3)

    with_client(server, main, observer=Watcher())
    assert [call.error for call in calls] == [None, trio.Cancelled, trio.Cancelled]


def test_ctrl_c_ends_a_waiting_call(server: ValkeyServer) -> None:
    program = """
import trio

async def main():
    async with await GlideClient.from_url(URL) as client, trio.open_nursery() as nursery:
        nursery.start_soon(interrupt, client)
        await client.custom_command(["BLPOP", "nothing", "0"])

async def interrupt(client):
    while b"cmd=blpop" not in await client.custom_command(["CLIENT", "LIST"]):
        pass
    signal.raise_signal(signal.SIGINT)
    await trio.sleep_forever()

try:
    trio.run(main)
except* KeyboardInterrupt:
    print("interrupted")
"""
    assert run_program(program, server.url) == "interrupted\n"


# Watches, many calls and callbacks


def test_a_watch_belongs_to_a_task(server: ValkeyServer) -> None:
    change = Batch(is_atomic=True).set("key", "changed")

    async def other(client: GlideClient) -> None:
        assert await client.exec(change, raise_on_error=True) is not None

    async def main(client: GlideClient) -> None:
        await client.watch(["key"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other, client)
        assert await client.exec(change, raise_on_error=True) is None
        await client.watch(["key"])
        await client.unwatch()
        await client.set("key", "again")
        assert await client.exec(change, raise_on_error=True) is not None

    with_client(server, main)


def test_a_watch_ends_with_its_task(server: ValkeyServer) -> None:
    async def watching(client: GlideClient) -> None:
        await client.watch(["key"])

    async def main(client: GlideClient) -> None:
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watching, client)
        gc.collect()
        assert not list(client._watches._of_owners)

    with_client(server, main)


async def numbered(count: int) -> AsyncGenerator[tuple[list[str], list[str]], None]:
    for number in range(count):
        await trio.lowlevel.checkpoint()
        yield [], [str(number)]


def test_many_calls_come_from_an_async_iterable(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        expected = [str(number).encode() for number in range(1000)]
        assert await client.invoke_script_many(ECHO, numbered(1000), concurrency=50) == expected
        calls: Any = numbered(1000)
        replies = client.invoke_script_many(ECHO, calls, concurrency=50)
        async with aclosing(replies):
            async for reply in replies:
                if reply == b"100":
                    break
        # trio warns of a generator that nobody closed.
        assert calls.ag_frame is None
        assert await all_echoed(client)

    with_client(server, main)


def test_what_an_async_iterable_raises_comes_after_the_replies_before_it(
    server: ValkeyServer,
) -> None:
    async def failing() -> AsyncIterator[tuple[list[str], list[str]]]:
        async for call in numbered(10):
            yield call
        raise LookupError("no more")

    async def main(client: GlideClient) -> None:
        replies = client.invoke_script_many(ECHO, failing())
        assert [await anext(replies) for _ in range(10)] == [b"%d" % each for each in range(10)]
        with pytest.raises(LookupError, match="no more"):
            await anext(replies)

    with_client(server, main)


def test_many_calls_are_cancelled(server: ValkeyServer) -> None:
    async def endless() -> AsyncIterator[tuple[list[str], list[str]]]:
        while True:
            await trio.lowlevel.checkpoint()
            yield [], ["a"]

    async def main(client: GlideClient) -> None:
        with trio.move_on_after(0.1) as scope:
            await client.invoke_script_many(ECHO, endless(), concurrency=100)
        assert scope.cancelled_caught
        assert await all_echoed(client)

    with_client(server, main)


def test_callbacks_may_await_what_trio_has(own_server: ValkeyServer) -> None:
    asked: list[NodeAddress] = []

    async def password() -> str:
        await trio.lowlevel.checkpoint()
        return "secret"

    async def mapped(address: NodeAddress) -> NodeAddress:
        await trio.lowlevel.checkpoint()
        asked.append(address)
        return NodeAddress(own_server.host, own_server.port)

    async def set_password(client: GlideClient) -> None:
        await client.config_set({"requirepass": "secret"})

    async def main() -> None:
        config = GlideClientConfiguration(
            [NodeAddress("elsewhere", 1)],
            credentials=ServerCredentials(password_callback=password),
            address_map=mapped,
        )
        async with await GlideClient.create(config) as client:
            assert await all_echoed(client)

    with_client(own_server, set_password)
    trio.run(main)
    assert asked


def test_a_server_for_tests_starts_under_trio() -> None:
    async def main() -> None:
        async with ValkeyServer() as server, await made(server) as client:
            assert await client.ping() == b"PONG"

    trio.run(main)


# anyio and guests


def test_a_task_group_of_anyio_runs_on_trio(server: ValkeyServer) -> None:
    async def main() -> None:
        async with await GlideClient.from_url(server.url) as client:
            async with anyio.create_task_group() as group:
                for _ in range(50):
                    group.start_soon(client.incr, "counter")
            with anyio.move_on_after(0.05) as scope:
                await client.custom_command(["BLPOP", "nothing", "0"])
            assert scope.cancelled_caught
            get = partial(anyio.from_thread.run, client.get, "counter")
            assert await anyio.to_thread.run_sync(get) == b"50"

    anyio.run(main, backend="trio")


def test_trio_may_be_a_guest_of_asyncio(server: ValkeyServer) -> None:
    async def in_trio() -> bool:
        async with await GlideClient.from_url(server.url) as client:
            return await all_echoed(client)

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[bool] = loop.create_future()
        trio.lowlevel.start_guest_run(
            in_trio,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda result: ended.set_result(result.unwrap()),
        )
        async with await GlideClient.from_url(server.url) as client:
            while not ended.done():
                await client.incr("counter")
        return await ended

    assert asyncio.run(main())


# Closing


def test_a_client_in_a_cancelled_scope_is_closed_to_the_end(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        with trio.CancelScope() as scope:
            async with await made(server) as other:
                scope.deadline = trio.current_time() + 0.05
                await other.custom_command(["BLPOP", "nothing", "0"])
        assert scope.cancelled_caught
        await only_connection(client)
        with trio.CancelScope() as scope:
            scope.cancel()
            with trio.CancelScope(shield=True):
                other = await made(server)
            await other.close()
            with trio.CancelScope(shield=True):
                await only_connection(client)

    with_client(server, main)


def test_closing_in_a_cancelled_scope_hides_no_error(server: ValkeyServer) -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            async with await made(server):
                scope.cancel()
                raise LookupError("of the program")

    with pytest.raises(LookupError):
        trio.run(main)


async def only_connection(client: GlideClient) -> None:
    """Waits until the server has noticed the end of all other connections."""

    async def is_alone() -> bool:
        listed: Any = await client.custom_command(["CLIENT", "LIST"])
        return len(listed.splitlines()) == 1

    await until(is_alone)


# The end of a run, and other runtimes


def left_open(client: Any) -> None:
    """Looks for the warning of a client that nobody closed, and has it given once."""
    with pytest.warns(ResourceWarning, match="was never closed"):
        client.__del__()
    client._was_left_open = False


@pytest.mark.parametrize("is_made_before", [False, True])
def test_a_client_that_was_left_open_is_closed_with_its_run(
    server: ValkeyServer, is_made_before: bool
) -> None:
    if is_made_before:
        config = GlideClientConfiguration(
            [NodeAddress(server.host, server.port)], lazy_connect=True
        )
        client = GlideClient(config)
        trio.run(client.ping)
    else:
        client = trio.run(made, server)
    with sync.GlideClient.from_url(server.url) as other:
        ends = threading.Event()
        for _ in range(3000):
            clients: Any = other.custom_command(["CLIENT", "LIST"])
            if len(clients.splitlines()) == 1:
                break
            ends.wait(0.01)
        else:
            raise AssertionError("it keeps its connection")
    left_open(client)


def test_runs_leave_no_descriptors_behind(server: ValkeyServer) -> None:
    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))

    with_client(server, all_echoed)
    before = descriptors()
    for _ in range(5):
        with_client(server, all_echoed)
    assert descriptors() <= before


def test_a_client_belongs_to_one_run_of_trio(server: ValkeyServer) -> None:
    client = trio.run(made, server)

    async def call() -> None:
        with pytest.raises(RuntimeError, match="made under another run of trio"):
            await client.get("key")
        await client.close()

    trio.run(call)
    left_open(client)


def test_a_client_of_a_run_in_another_thread_says_whose_it_is(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        async def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="made under another run of trio"):
                await client.get("key")

        await trio.to_thread.run_sync(trio.run, elsewhere)

    with_client(server, main)


def test_asyncio_is_told_that_a_client_was_made_under_trio(server: ValkeyServer) -> None:
    async def main(client: GlideClient) -> None:
        async def call() -> None:
            with pytest.raises(RuntimeError, match="made under trio, and asyncio runs here"):
                await client.invoke_script(ECHO)

        await trio.to_thread.run_sync(asyncio.run, call())

    with_client(server, main)


def test_trio_is_told_that_a_client_was_made_under_asyncio(server: ValkeyServer) -> None:
    client = asyncio.run(made(server))

    async def call() -> None:
        with pytest.raises(RuntimeError, match="made under asyncio, and trio runs here"):
            await client.invoke_script(ECHO)
        await client.close()

    trio.run(call)


def test_a_synchronous_client_warns_once_that_it_blocks_trio(server: ValkeyServer) -> None:
    async def main() -> None:
        with pytest.warns(RuntimeWarning, match="use the asynchronous glide_scripts.GlideClient"):
            client.get("key")
        # Warnings are errors here.
        client.get("key")

    with sync.GlideClient.from_url(server.url) as client:
        trio.run(main)


def test_a_program_on_asyncio_does_not_import_trio(server: ValkeyServer) -> None:
    program = """
async def main():
    async with await GlideClient.from_url(URL) as client:
        await client.invoke_script_many(Script("return 1"), [([], [])] * 10)

asyncio.run(main())
print("trio" in sys.modules)
"""
    assert run_program(program, server.url) == "False\n"
