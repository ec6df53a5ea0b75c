"""One client or several, on one event loop or several, of any kind."""

import asyncio
import inspect
import sys
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.loops import KINDS, Kind, eager_loop, run
from tests.programs import run_program

from glide_scripts import GlideClient, RequestError, Script
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")


async def wrong_replies(client: GlideClient, name: str, count: int) -> int:
    """Makes that many calls, 100 at a time."""
    wrong = 0
    for first in range(0, count, 100):
        sent = [f"{name}-{number}".encode() for number in range(first, first + 100)]
        got = await asyncio.gather(*(client.invoke_script(ECHO, args=[arg]) for arg in sent))
        wrong += sum(one != other for one, other in zip(sent, got, strict=True))
    return wrong


async def wrong_replies_to_new_client(url: str, name: str, count: int) -> int:
    async with await GlideClient.from_url(url) as client:
        return await wrong_replies(client, name, count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_of_any_kind_serves_many_calls_at_once(server: ValkeyServer, kind: Kind) -> None:
    assert run(kind, wrong_replies_to_new_client(server.url, "call", 1000)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_of_any_kind_serves_one_call_after_another_and_errors_and_cancelled_ones(
    server: ValkeyServer, kind: Kind
) -> None:
    async def main() -> None:
        async with await GlideClient.from_url(server.url) as client:
            for number in range(1, 101):
                assert await client.incr("counter") == number
                with pytest.raises(RequestError, match="wrong number of arguments"):
                    await client.custom_command(["GET"])
                task = asyncio.create_task(client.get("counter"))
                if kind is not eager_loop:  # whose tasks have begun, and may soon have their reply
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(kind, main())


@pytest.mark.parametrize("kind", KINDS)
def test_loops_in_four_threads_at_once_have_a_client_each(server: ValkeyServer, kind: Kind) -> None:
    together = threading.Barrier(4)

    def work(name: str) -> int:
        together.wait()
        return run(kind, wrong_replies_to_new_client(server.url, name, 2000))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, "abcd")) == [0, 0, 0, 0]


def test_loops_in_two_threads_at_once_share_a_client(server: ValkeyServer) -> None:
    client = asyncio.run(GlideClient.from_url(server.url))
    together = threading.Barrier(2)

    def work(name: str) -> int:
        together.wait()
        return asyncio.run(wrong_replies(client, name, 2000))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(work, "ab")) == [0, 0]
    asyncio.run(client.close())


def test_one_loop_after_another_has_a_new_client(server: ValkeyServer) -> None:
    for name in "ab":
        assert asyncio.run(wrong_replies_to_new_client(server.url, name, 200)) == 0


def test_a_client_outlives_the_loop_that_made_it(server: ValkeyServer) -> None:
    client = asyncio.run(GlideClient.from_url(server.url))
    for kind in KINDS:
        assert run(kind, wrong_replies(client, "call", 200)) == 0
    asyncio.run(client.close())


def test_without_a_running_loop_a_call_says_so(server: ValkeyServer) -> None:
    client = asyncio.run(GlideClient.from_url(server.url))
    for call in (client.get("key"), client.invoke_script(ECHO, args=["a"]), client.close()):
        with pytest.raises(RuntimeError, match="no running event loop"):
            call.send(None)
    opening = GlideClient.from_url(server.url)
    with pytest.raises(RuntimeError, match="no running event loop"):
        opening.send(None)
    assert asyncio.run(wrong_replies(client, "call", 100)) == 0
    asyncio.run(client.close())


if sys.version_info >= (3, 12):

    def test_eager_tasks_take_calls(server: ValkeyServer) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_task_factory(asyncio.eager_task_factory)
            assert await wrong_replies_to_new_client(server.url, "call", 1000) == 0

        asyncio.run(main())


def test_public_methods_are_coroutine_functions() -> None:
    methods = inspect.getmembers(GlideClient, inspect.isroutine)
    public = [method for name, method in methods if not name.startswith("_")]
    assert len(public) > 40
    others = {each.__name__ for each in public if not inspect.iscoroutinefunction(each)}
    assert others == {"bind", "invoke_script_many", "stats"}


async def test_everything_that_runs_coroutines_takes_calls(client: GlideClient) -> None:
    assert await asyncio.create_task(client.incr("counter")) == 1
    assert sorted(await asyncio.gather(client.incr("counter"), client.incr("counter"))) == [2, 3]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.incr("counter")) for _ in range(3)]
    assert sorted(task.result() for task in tasks) == [4, 5, 6]
    async with asyncio.timeout(10):
        assert await client.incr("counter") == 7
    assert await asyncio.wait_for(client.incr("counter"), 10) == 8
    assert await asyncio.shield(client.incr("counter")) == 9
    done, _ = await asyncio.wait([asyncio.create_task(client.incr("counter"))])
    assert done.pop().result() == 10


async def test_timeouts_of_asyncio_end_a_call(own_server: ValkeyServer) -> None:
    async with await GlideClient.from_url(own_server.url) as client:
        own_server.pause()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get("key")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("key"), 0.05)
        own_server.resume()
        assert await client.ping() == b"PONG"


async def test_a_shielded_call_goes_on_when_its_caller_is_cancelled(client: GlideClient) -> None:
    call = asyncio.create_task(client.incr("counter"))

    async def caller() -> None:
        await asyncio.shield(call)

    calling = asyncio.create_task(caller())
    await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert await call == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_may_run_another_loop_between_two_calls(server: ValkeyServer, kind: Kind) -> None:
    async def main() -> None:
        async with await GlideClient.from_url(server.url) as client:

            async def caller(name: str) -> list[bytes]:
                replies = [await client.echo(name)]
                this_loop, other_loop = asyncio.get_running_loop(), asyncio.new_event_loop()
                task = asyncio.current_task()
                assert task is not None
                # As programs do that must run one within the other.
                asyncio.tasks._leave_task(this_loop, task)
                asyncio._set_running_loop(None)
                try:
                    calls = (client.echo(f"{name} within, {number}") for number in range(2))
                    replies += other_loop.run_until_complete(asyncio.wait_for(in_order(*calls), 10))
                finally:
                    asyncio._set_running_loop(this_loop)
                    asyncio.tasks._enter_task(this_loop, task)
                    other_loop.close()
                return [*replies, await client.echo(f"{name} again")]

            async def in_order(*calls: Awaitable[bytes]) -> list[bytes]:
                return [await call for call in calls]

            got = await asyncio.wait_for(asyncio.gather(caller("a"), caller("b")), 20)
            assert list(got) == [
                [f"{name}{part}".encode() for part in ("", " within, 0", " within, 1", " again")]
                for name in "ab"
            ]

    run(kind, main())


ABANDONED = """
class LoopWithoutReaders(asyncio.SelectorEventLoop):
    def add_reader(self, *_):
        raise NotImplementedError

def abandon(loop, client):
    async def main():
        tasks = [asyncio.create_task(client.incr("counter")) for _ in range(20)]
        for task in tasks:
            task._log_destroy_pending = False  # asyncio's own complaint about such a program
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    loop.close()

client = asyncio.run(GlideClient.from_url(URL))
"""


@pytest.mark.parametrize(
    "kind", ["asyncio.new_event_loop()", "uvloop.new_event_loop()", "LoopWithoutReaders()"]
)
def test_a_loop_closed_with_calls_under_way_hurts_nobody(server: ValkeyServer, kind: str) -> None:
    program = f"""
import uvloop
abandon({kind}, client)

async def main():
    async with client:
        return await client.get("counter")

print(asyncio.run(main()))
"""
    assert run_program(ABANDONED + program, server.url) == "b'20'\n"


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_loops_that_end_leave_no_descriptor(server: ValkeyServer) -> None:
    program = """
client = asyncio.run(GlideClient.from_url(URL))
before = count("/proc/self/fd")
for _ in range(100):
    asyncio.run(client.ping())
gc.collect()
asyncio.run(client.ping())
assert count("/proc/self/fd") <= before, count("/proc/self/fd") - before

def work():
    asyncio.run(client.ping())

for _ in range(100):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
gc.collect()
asyncio.run(client.ping())
assert count("/proc/self/fd") <= before, count("/proc/self/fd") - before
asyncio.run(client.close())
"""
    run_program(program, server.url)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_loops_closed_with_calls_under_way_leave_no_descriptor(server: ValkeyServer) -> None:
    program = """
before = count("/proc/self/fd")
for _ in range(50):
    abandon(asyncio.new_event_loop(), client)
asyncio.run(client.close())
gc.collect()
after = count("/proc/self/fd")
assert after <= before + 2, f"{before} became {after}"
"""
    run_program(ABANDONED + program, server.url)


def test_debug_mode_has_nothing_to_complain_about(server: ValkeyServer) -> None:
    program = """
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60
    async with await GlideClient.from_url(URL) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"
        tasks = [asyncio.create_task(client.invoke_script(ECHO, args=["a"])) for _ in range(200)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert replies[1::2] == [b"a"] * 100

asyncio.run(main())
threads = [threading.Thread(target=asyncio.run, args=[main()]) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    run_program(program, server.url, "-X", "dev", "-W", "error", PYTHONASYNCIODEBUG="1")
