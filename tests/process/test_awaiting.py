"""How tasks wait for replies: each is stepped when its reply comes, as the loop allows."""

import asyncio
import contextlib
import contextvars
import gc
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.loops import KINDS, Kind, run
from tests.waiting import block_until

from glide_scripts import GlideClient, RequestError, Script, ScriptError
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")
FAIL = Script("return redis.error_reply('ERR it failed')")

Body = Callable[[GlideClient], Awaitable[Any]]


def with_client(kind: Kind, server: ValkeyServer, body: Body) -> Any:
    async def main() -> Any:
        async with await GlideClient.from_url(server.url) as client:
            return await body(client)

    return run(kind, main())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 3, 300])
def test_a_task_is_current_and_has_its_context_after_its_reply(
    server: ValkeyServer, kind: Kind, count: int
) -> None:
    name: contextvars.ContextVar[int] = contextvars.ContextVar("name")

    async def caller(client: GlideClient, number: int) -> None:
        name.set(number)
        for _ in range(5):
            assert await client.invoke_script(ECHO, args=[str(number)]) == str(number).encode()
            assert name.get() == number
            task = asyncio.current_task()
            assert task is not None
            assert task.get_name() == f"caller {number}"

    async def body(client: GlideClient) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(caller(client, number), name=f"caller {number}")

    with_client(kind, server, body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_loop_within_a_step_leaves_the_other_replies(
    server: ValkeyServer, kind: Kind, stop: type[BaseException]
) -> None:
    loop = kind()
    try:
        client = loop.run_until_complete(GlideClient.from_url(server.url))

        async def caller(number: int) -> object:
            reply = await client.invoke_script(ECHO, args=[str(number)])
            if number == 3:
                raise stop
            return reply

        callers = [loop.create_task(caller(number)) for number in range(100)]
        with pytest.raises(stop):
            loop.run_forever()
        others = [task for number, task in enumerate(callers) if number != 3]
        replies = loop.run_until_complete(asyncio.wait_for(asyncio.gather(*others), 10))
        assert replies == [str(number).encode() for number in range(100) if number != 3]
        assert isinstance(callers[3].exception(), stop)
        loop.run_until_complete(client.close())
    finally:
        loop.close()


class LoopWithinItself(asyncio.SelectorEventLoop):
    """Allows a callback to run it, as loops do that programs in notebooks patch."""

    _ready: deque[asyncio.Handle]

    def _run_once(self) -> None:
        loop: Any = self
        loop._process_events(loop._selector.select(0 if self._ready else None))
        for _ in range(len(self._ready)):
            # A callback may have run others.
            if self._ready:
                loop._ready.popleft()._run()


@pytest.mark.parametrize("count", [1, 2, 4, 200])
def test_a_step_may_run_the_loop_within_itself(server: ValkeyServer, count: int) -> None:
    def run_within(loop: Any, awaited: asyncio.Future[object]) -> object:
        outer = asyncio.current_task()
        assert outer is not None
        asyncio._leave_task(loop, outer)
        try:
            while not awaited.done():
                loop._run_once()
        finally:
            asyncio._enter_task(loop, outer)
        return awaited.result()

    async def body(client: GlideClient) -> None:
        loop = asyncio.get_running_loop()

        async def call(number: int) -> object:
            return await client.invoke_script(ECHO, args=[str(number)])

        async def caller(number: int, others: list[asyncio.Task[object]]) -> object:
            reply = await call(number)
            if number == 0:
                # Wait for the rest of the burst that this reply came in, and for a new call.
                for other in others:
                    run_within(loop, other)
                assert run_within(loop, loop.create_task(call(7))) == b"7"
            return reply

        others: list[asyncio.Task[object]] = []
        first = loop.create_task(caller(0, others))
        others += [loop.create_task(caller(number, [])) for number in range(1, count)]
        replies = await asyncio.gather(first, *others)
        assert replies == [str(number).encode() for number in range(count)]

    with_client(LoopWithinItself, server, body)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_are_cancelled_by_the_tasks_that_others_step(
    server: ValkeyServer, kind: Kind
) -> None:
    async def body(client: GlideClient) -> None:
        callers: list[asyncio.Task[object]] = []

        async def call(number: int) -> object:
            reply = await client.invoke_script(ECHO, args=[str(number)])
            if number % 2 == 0:
                callers[number + 1].cancel("enough")
            return reply

        callers += [asyncio.create_task(call(number)) for number in range(200)]
        ends = await asyncio.gather(*callers, return_exceptions=True)
        for number, end in enumerate(ends):
            if number % 2 == 0:
                assert end == str(number).encode()
            else:
                # The reply may have come before the cancellation.
                assert isinstance(end, asyncio.CancelledError) or end == str(number).encode()
        assert any(isinstance(end, asyncio.CancelledError) for end in ends)
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"

    with_client(kind, server, body)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_call_leaves_no_cycle_that_holds_its_task(
    server: ValkeyServer, kind: Kind
) -> None:
    class Mark:
        pass

    async def body(client: GlideClient) -> None:
        async def caller() -> None:
            mark = Mark()
            marks.append(weakref.ref(mark))
            with pytest.raises(ScriptError, match="it failed"):
                await client.invoke_script(FAIL)

        marks: list[weakref.ref[Mark]] = []
        await caller()
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await asyncio.create_task(caller())
            assert [mark() for mark in marks] == [None] * 11
        finally:
            gc.enable()

    with_client(kind, server, body)


@pytest.mark.parametrize("kind", KINDS)
def test_deadlines_and_shields_of_asyncio_hold(server: ValkeyServer, kind: Kind) -> None:
    async def body(client: GlideClient) -> None:
        assert await asyncio.wait_for(client.invoke_script(ECHO, args=["a"]), 5) == b"a"
        shielded = asyncio.ensure_future(client.invoke_script(ECHO, args=["b"]))
        assert await asyncio.shield(shielded) == b"b"
        first, *rest = [
            asyncio.ensure_future(client.invoke_script(ECHO, args=["c"])) for _ in range(3)
        ]
        done, pending = await asyncio.wait([first, *rest])
        assert {task.result() for task in done} == {b"c"}
        assert not pending
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.custom_command(["BLPOP", "nothing", "0"]), 0.05)

    with_client(kind, server, body)


@pytest.mark.parametrize("name", ["resolve", "poll", "wake_io_thread"])
@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_an_interrupt_at_any_moment_leaves_a_loop_that_serves(
    server: ValkeyServer, name: str, count: int, is_forgotten: bool
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    class Interrupted(asyncio.SelectorEventLoop):
        interrupts = 0

        def call_soon(  # type: ignore[override]
            self, callback: Any, *args: Any, **settings: Any
        ) -> asyncio.Handle:
            if self.interrupts and getattr(callback, "__name__", "") == name:
                self.interrupts -= 1
                if is_forgotten:
                    # The interrupt is raised after the loop took the callback from its queue.
                    return super().call_soon(interrupt)
                interrupt()
            return super().call_soon(callback, *args, **settings)

    loop = Interrupted()
    try:
        client = loop.run_until_complete(GlideClient.from_url(server.url))

        async def call(number: int) -> object:
            return await client.invoke_script(ECHO, args=[str(number)], timeout=20_000)

        async def calls() -> list[object]:
            return await asyncio.gather(*(call(number) for number in range(count)))

        for _ in range(20):
            loop.interrupts = 1
            interrupted = [loop.create_task(call(number)) for number in range(count)]
            with contextlib.suppress(KeyboardInterrupt):
                loop.run_until_complete(asyncio.wait(interrupted))
            loop.interrupts = 0
            # If the tasks had ended, asyncio's own call to stop the loop is still in its queue.
            loop.call_soon(loop.stop)
            loop.run_forever()
            # The thread that interrupts it takes a while to continue.
            time.sleep(0.03)
            # The interrupted calls go on, and must not affect the next ones.
            replies = loop.run_until_complete(asyncio.wait_for(calls(), 10))
            assert replies == [str(number).encode() for number in range(count)]
            loop.run_until_complete(asyncio.wait(interrupted))
            for number, task in enumerate(interrupted):
                if task.exception() is None:
                    assert task.result() == str(number).encode()
        loop.run_until_complete(client.close())
    finally:
        loop.close()


def test_a_call_does_not_wait_for_the_steps_of_others(server: ValkeyServer) -> None:
    async def body(client: GlideClient) -> None:
        async def caller(number: int) -> bool:
            await client.invoke_script(ECHO, args=[str(number)])
            if number == 15:
                # It is sent at the end of the burst, unless the burst takes long.
                call = client._core.command(["INCR", "n"], None)
                time.sleep(0.01)
                await call
            if number == 17:
                deadline = time.monotonic() + 10
                while server.command("GET", "n") is None and time.monotonic() < deadline:
                    time.sleep(0.001)
                return server.command("GET", "n") is not None
            return True

        callers = [asyncio.create_task(caller(number)) for number in range(20)]
        # They are made in one turn of the loop, and sent at the latest in the next.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # All replies come, in one burst.
        block_until(lambda: client.stats().calls >= len(callers))
        assert all(await asyncio.gather(*callers))

    with_client(asyncio.SelectorEventLoop, server, body)


@pytest.mark.parametrize("count", [3, 40])
def test_a_call_that_waited_for_the_loop_too_long_is_not_executed(
    server: ValkeyServer, count: int
) -> None:
    script = Script("return redis.call('INCR', KEYS[1])")

    async def body(client: GlideClient) -> None:
        calls = [
            asyncio.create_task(client.invoke_script(script, keys=["n"], timeout=200))
            for _ in range(count)
        ]
        await asyncio.sleep(0)
        # Any work that keeps the loop busy.
        time.sleep(0.5)
        ends = await asyncio.gather(*calls, return_exceptions=True)
        counted = server.command("GET", "n")
        executed = int(counted) if isinstance(counted, bytes) else 0
        certainly_not = [
            isinstance(end, RequestError) and not end.may_have_executed for end in ends
        ]
        assert executed <= count - sum(certainly_not)
        # No call was sent after its deadline: its caller would get an unknown outcome.
        assert not any(isinstance(end, RequestError) and end.may_have_executed for end in ends)

    with_client(asyncio.SelectorEventLoop, server, body)


def test_threads_with_loops_of_their_own_come_and_go(server: ValkeyServer) -> None:
    failures: list[BaseException] = []

    async def once() -> None:
        async with await GlideClient.from_url(server.url) as client:
            assert await client.invoke_script(ECHO, args=["a"]) == b"a"

    def work() -> None:
        try:
            for _ in range(30):
                asyncio.run(once())
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
