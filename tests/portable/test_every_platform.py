"""What works on every platform, on each of its event loops.

These tests start no server where a URL is given, and need neither forks nor uvloop. On Windows CI
runs them alone, without the fixtures of the other tests:

    GLIDE_SCRIPTS_TEST_URL=valkey://localhost pytest --confcutdir=tests/portable tests/portable
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar, cast
from uuid import uuid4

import pytest
import trio

import glide_scripts.sync as blocking
from glide_scripts import Batch, ConfigurationError, GlideClient, Script, ScriptError
from glide_scripts.testing import ServerNotFound, ValkeyServer

T = TypeVar("T")
Loop = Callable[[], asyncio.AbstractEventLoop]
Main = Callable[[GlideClient], Coroutine[Any, Any, T]]

ECHO = Script("return ARGV[1]")
CALLS = 300


class WithoutReaders(asyncio.SelectorEventLoop):
    """Waits for no descriptors, as the usual loop on Windows."""

    def add_reader(self, *_: object) -> NoReturn:
        raise NotImplementedError


LOOPS: list[Loop] = [asyncio.SelectorEventLoop, WithoutReaders]
if sys.platform == "win32":
    LOOPS.append(asyncio.ProactorEventLoop)


@pytest.fixture
def key() -> str:
    """One that no other test uses, since the server may be shared."""
    return f"portable:{uuid4()}"


@pytest.fixture(params=LOOPS, ids=lambda loop: loop.__name__)
def run(request: pytest.FixtureRequest, url: str) -> Callable[[Main[Any]], Any]:
    """Run a function with a client on one kind of loop."""

    def run(main: Main[Any]) -> Any:
        async def with_client() -> Any:
            async with await GlideClient.from_url(url) as client:
                return await asyncio.wait_for(main(client), 60)

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(with_client())

    return run


async def echoes(client: GlideClient) -> bool:
    """Whether each of many calls gets its own reply."""
    words = [str(number) for number in range(CALLS)]
    calls = (client.invoke_script(ECHO, args=[word]) for word in words)
    return await asyncio.gather(*calls) == [word.encode() for word in words]


def test_each_of_many_calls_gets_its_own_reply(run: Callable[[Main[bool]], bool]) -> None:
    assert run(echoes)


def test_one_call_follows_another(run: Callable[[Main[list[Any]]], list[Any]]) -> None:
    async def main(client: GlideClient) -> list[Any]:
        return [await client.invoke_script(ECHO, args=[str(number)]) for number in range(50)]

    assert run(main) == [str(number).encode() for number in range(50)]


def test_large_values_come_back_whole(run: Callable[[Main[Any]], Any]) -> None:
    large = b"x" * 3_000_000

    async def main(client: GlideClient) -> Any:
        return await client.invoke_script(ECHO, args=[large])

    assert run(main) == large


def test_a_script_s_error_names_its_line(run: Callable[[Main[None]], None]) -> None:
    async def main(client: GlideClient) -> None:
        with pytest.raises(ScriptError) as caught:
            await client.invoke_script(Script("local a = 1\nreturn a.b.c"))
        assert caught.value.line == 2

    run(main)


def test_a_batch_gives_each_reply(run: Callable[[Main[Any]], Any], key: str) -> None:
    async def main(client: GlideClient) -> Any:
        batch = Batch(is_atomic=True).set(key, "1").incr(key).invoke_script(ECHO, args=["a"])
        return await client.exec(batch, raise_on_error=True)

    assert run(main) == ["OK", 2, b"a"]


def test_a_cancelled_call_leaves_the_connection_to_others(
    run: Callable[[Main[bool]], bool], key: str
) -> None:
    async def main(client: GlideClient) -> bool:
        waiting = asyncio.create_task(client.custom_command(["BLPOP", key, "0"]))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await echoes(client)

    assert run(main)


def test_a_client_serves_two_loops_in_turn(url: str) -> None:
    for loop in LOOPS:
        with asyncio.Runner(loop_factory=loop) as runner:
            client = runner.run(GlideClient.from_url(url))
            assert runner.run(echoes(client))
        assert asyncio.run(echoes(client))
        asyncio.run(client.close())


def test_trio_runs_many_calls(url: str) -> None:
    replies: dict[str, Any] = {}

    async def echo(client: GlideClient, word: str) -> None:
        replies[word] = await client.invoke_script(ECHO, args=[word])

    async def main() -> None:
        with trio.fail_after(60):
            async with await GlideClient.from_url(url) as client, trio.open_nursery() as nursery:
                for number in range(CALLS):
                    nursery.start_soon(echo, client, str(number))

    trio.run(main)
    assert replies == {str(number): str(number).encode() for number in range(CALLS)}


def test_threads_share_a_synchronous_client(url: str) -> None:
    with blocking.GlideClient.from_url(url) as client, ThreadPoolExecutor(8) as threads:
        words = [str(number) for number in range(CALLS)]
        replies = threads.map(lambda word: client.invoke_script(ECHO, args=[word]), words)
        assert list(replies) == [word.encode() for word in words]


INCREASE = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@blocking.typed_script(INCREASE)
def increase(counter: blocking.Key, by: int) -> int: ...


def test_what_threads_count_at_once_adds_up(url: str, key: str) -> None:
    """Also where no GIL orders the threads."""
    threads, rounds = 16, 20
    shared = blocking.Batch(is_atomic=False)
    start = threading.Barrier(threads)

    def work(client: blocking.GlideClient) -> None:
        start.wait(30)
        for number in range(rounds):
            increase(client, key, 1)
            client.exec(blocking.Batch(number % 2 == 0).invoke_script(INCREASE, [key], ["1"]), True)
            client.invoke_script_many(INCREASE, [([key], ["1"])] * 3).close()
            assert len(client.invoke_script_many(INCREASE, [([key], ["1"])] * 3)) == 3
            with pytest.raises(ScriptError):
                client.invoke_script(Script("return a.b"))
            shared.invoke_script(INCREASE, [key], ["1"])
        client.watch([f"{key}:{threading.get_ident()}"])
        assert client.exec(blocking.Batch(is_atomic=True).incr(key), True) is not None

    with blocking.GlideClient.from_url(url) as client, ThreadPoolExecutor(threads) as pool:
        for each in [pool.submit(work, client) for _ in range(threads)]:
            each.result(60)
        assert len(shared) == threads * rounds
        client.exec(shared, True)
        assert client.get(key) == b"%d" % (threads * (rounds * 6 + 1))


def test_threads_run_loops_of_their_own(url: str, key: str) -> None:
    async def main() -> None:
        async with await GlideClient.from_url(url) as client:
            for _ in range(10):
                calls = (client.invoke_script(INCREASE, [key], ["1"]) for _ in range(20))
                await asyncio.gather(*calls)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(asyncio.run, main()) for _ in range(4)]:
            each.result(60)
    with blocking.GlideClient.from_url(url) as client:
        assert client.get(key) == b"800"


HAS_GIL = """
import sys
import glide_scripts

print(getattr(sys, "_is_gil_enabled", lambda: True)())
"""


def test_a_free_threaded_python_leaves_its_gil_off() -> None:
    command = [sys.executable, "-W", "error", "-c", HAS_GIL]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert printed == f"{not sysconfig.get_config_var('Py_GIL_DISABLED')}\n"


def test_ctrl_c_ends_a_waiting_synchronous_call(url: str, key: str) -> None:
    with blocking.GlideClient.from_url(url) as client, blocking.GlideClient.from_url(url) as other:

        def interrupt_the_call() -> None:
            info = none = b"blocked_clients:0\r\n"
            while none in info:
                info = cast("bytes", other.custom_command(["INFO", "clients"]))
            signal.raise_signal(signal.SIGINT)

        interrupting = threading.Thread(target=interrupt_the_call)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            client.custom_command(["BLPOP", key, "60"])
        interrupting.join()
        assert client.invoke_script(ECHO, args=["again"]) == b"again"


# The end of a program does not wait for a daemon thread. What is registered before the import runs
# after the import's own function has ended the calls.
AT_EXIT = """
import asyncio, atexit, sys, threading

atexit.register(lambda: waiting.join(30))
import glide_scripts.sync as blocking
from glide_scripts import GlideClient

url, key = sys.argv[1:]
client = blocking.GlideClient.from_url(f"{url}?client_name={key}")

def wait():
    try:
        client.custom_command(["BLPOP", key, "60"])
    except blocking.ClosingError as error:
        print(error)

waiting = threading.Thread(target=wait, daemon=True)
waiting.start()

async def main():
    client = await GlideClient.from_url(url)
    asyncio.get_running_loop().create_task(client.custom_command(["BLPOP", key, "60"]))
    await client.ping()

def waits(connection):
    return f" name={key} " in connection and " cmd=blpop " in connection

asyncio.run(main())
while not any(map(waits, client.custom_command(["CLIENT", "LIST"]).decode().splitlines())):
    pass
print("the end", flush=True)
"""


def test_a_program_ends_while_calls_wait(url: str, key: str) -> None:
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", AT_EXIT, url, key]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "the end\nthe program ended while the call was in flight\n"


LATE_CALLS = """
import atexit, sys

def call(where):
    try:
        print(where, client.invoke_script(blocking.Script("return ARGV[1]"), args=["a reply"]))
    except RuntimeError as error:
        print(where, error)

class Kept:
    def __del__(self):
        call("deleted:")

atexit.register(call, "registered before the import:")
import glide_scripts.sync as blocking

client = blocking.GlideClient.from_url(sys.argv[1])
atexit.register(call, "registered after it:")
kept = Kept()
"""


def test_calls_at_the_end_of_a_program_get_a_reply_or_an_error(url: str) -> None:
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", LATE_CALLS, url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "registered after it: b'a reply'",
        "registered before the import: the interpreter is ending",
        "deleted: the interpreter is ending",
    ]


def test_windows_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(
        ConfigurationError, match=r"Windows has no Unix sockets; pass a host and a port"
    ):
        blocking.GlideClient.from_url("unix:///run/valkey.sock")
    with pytest.raises(ServerNotFound, match=r"servers cannot be started on Windows"):
        ValkeyServer().start()
