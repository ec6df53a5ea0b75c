"""One script for many calls: replies in order, bounds that hold, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import itertools
import re
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from tests.conftest import Connect
from tests.repeating import repeating
from tests.waiting import until

from glide_scripts import (
    Batch,
    BatchOptions,
    ClosingError,
    GlideClient,
    RequestError,
    Script,
    ScriptError,
    ScriptReplies,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer
from glide_scripts.values import Call

ECHO = Script("return ARGV[1]")
INCREMENT = Script("return redis.call('INCR', KEYS[1])")
# Fails where its argument says so.
FRAGILE = Script(
    "redis.call('INCR', KEYS[1])\nif ARGV[1] == 'bad' then error('boom') end\nreturn ARGV[1]",
    name="fragile.lua",
)


def numbered(count: int) -> Iterator[Call]:
    return (([], [str(number)]) for number in range(count))


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def with_bad(count: int, *bad: int) -> list[Call]:
    return [(["n"], ["bad" if number in bad else str(number)]) for number in range(count)]


async def one_by_one(calls: Iterable[Call]) -> AsyncIterator[Call]:
    for call in calls:
        yield call


async def slowly(calls: Iterable[Call]) -> AsyncIterator[Call]:
    for call in calls:
        await asyncio.sleep(0)
        yield call


class Pulled:
    """Calls without end. It counts those that were taken."""

    def __init__(self, script_key: str | None = None) -> None:
        self.count = 0
        self.keys = [] if script_key is None else [script_key]

    def __iter__(self) -> Iterator[Call]:
        while True:
            self.count += 1
            yield self.keys, [str(self.count - 1)]


async def collect(replies: ScriptReplies, seen: list[Any]) -> None:
    """Takes the replies, so that those before an error are not lost."""
    async for reply in replies:
        seen.append(reply)  # noqa: PERF401 - a comprehension would lose them


@pytest.mark.parametrize("count", [0, 1, 2, 249, 250, 251, 999, 1000, 1001, 5000])
async def test_replies_come_in_the_order_of_the_calls(client: GlideClient, count: int) -> None:
    assert await client.invoke_script_many(ECHO, numbered(count)) == numbers(count)
    replies = [reply async for reply in client.invoke_script_many(ECHO, list(numbered(count)))]
    assert replies == numbers(count)
    replies = [
        reply async for reply in client.invoke_script_many(ECHO, one_by_one(numbered(count)))
    ]
    assert replies == numbers(count)
    assert await client.invoke_script_many(ECHO, slowly(numbered(count))) == numbers(count)


@pytest.mark.parametrize("concurrency", [1, 2, 3, 4, 5, 7, 100, 10_000])
async def test_any_concurrency_gives_the_same(client: GlideClient, concurrency: int) -> None:
    for calls in (numbered(300), one_by_one(numbered(300)), slowly(numbered(300))):
        replies = await client.invoke_script_many(ECHO, calls, concurrency=concurrency)
        assert replies == numbers(300)


async def test_calls_are_pairs_of_keys_and_arguments(client: GlideClient) -> None:
    script = Script("return {KEYS, ARGV}")
    calls: list[Any] = [
        (["k"], ["a"]),
        [("k", b"l"), ()],
        (None, None),
        (iter(["k"]), (bytearray(b"a"),)),
    ]
    assert await client.invoke_script_many(script, calls) == [
        [[b"k"], [b"a"]],
        [[b"k", b"l"], []],
        [[], []],
        [[b"k"], [b"a"]],
    ]


async def test_a_script_never_seen_runs_in_order(client: GlideClient) -> None:
    script = Script("return redis.call('INCR', KEYS[1]) -- of test_invoke_script_many")
    replies = await client.invoke_script_many(script, [(["n"], [])] * 5000)
    assert replies == list(range(1, 5001))


async def test_replies_can_be_asked_for_one_at_a_time(client: GlideClient) -> None:
    replies = client.invoke_script_many(ECHO, numbered(3))
    assert [await anext(replies) for _ in range(3)] == numbers(3)
    with pytest.raises(StopAsyncIteration):
        await anext(replies)
    with pytest.raises(StopAsyncIteration):
        await anext(replies)


async def test_replies_are_there_once(client: GlideClient) -> None:
    replies = client.invoke_script_many(ECHO, numbered(3))
    assert await replies == numbers(3)
    with pytest.raises(RuntimeError, match="taken already"):
        await replies
    with pytest.raises(RuntimeError, match="taken already"):
        [reply async for reply in replies]
    begun = client.invoke_script_many(ECHO, numbered(3))
    assert await anext(begun) == b"0"
    with pytest.raises(RuntimeError, match="taken already"):
        await begun
    assert [reply async for reply in begun] == [b"1", b"2"]


async def test_they_go_with_wait_for_and_gather(client: GlideClient) -> None:
    several = (client.invoke_script_many(ECHO, numbered(100)) for _ in range(5))
    assert await asyncio.gather(*several) == [numbers(100)] * 5
    replies = await asyncio.wait_for(client.invoke_script_many(ECHO, numbered(10)), 10)
    assert replies == numbers(10)


async def test_a_reply_does_not_wait_for_the_next_call(client: GlideClient) -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def calls() -> AsyncIterator[Call]:
        while True:
            yield [], [await asked.get()]

    async with aclosing(client.invoke_script_many(ECHO, calls())) as replies:
        for number in range(20):
            asked.put_nowait(str(number))
            assert await anext(replies) == b"%d" % number


class TestLimits:
    @pytest.mark.parametrize("concurrency", [1, 2, 3, 10, 1000])
    async def test_no_more_are_under_way_than_may_be(
        self, own_server: ValkeyServer, connect: Connect, concurrency: int
    ) -> None:
        client = await connect(own_server, request_timeout=30_000)
        own_server.pause()
        source = Pulled()
        async with aclosing(
            client.invoke_script_many(ECHO, source, concurrency=concurrency)
        ) as replies:
            first = asyncio.ensure_future(anext(replies))
            await until(lambda: source.count > 0)
            for _ in range(50):
                await asyncio.sleep(0)
            assert concurrency / 2 < source.count <= concurrency
            own_server.resume()
            assert await first == b"0"

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_a_slow_consumer_stops_the_sending(
        self, client: GlideClient, is_async: bool
    ) -> None:
        source = Pulled("n")
        calls: Any = one_by_one(source) if is_async else source
        async with aclosing(
            client.invoke_script_many(INCREMENT, calls, concurrency=100)
        ) as replies:
            assert await anext(replies) == 1
            ran = b""

            async def is_still() -> bool:
                nonlocal ran
                before, ran = ran, await client.get("n") or b""
                return before == ran

            await until(is_still)
            # The answered calls, and as many in flight; one more batch may have been read ahead.
            assert int(ran) <= 125
            assert source.count <= 151
            assert [await anext(replies) for _ in range(500)] == list(range(2, 502))
            await until(is_still)
            assert int(ran) <= 501 + 125

    async def test_memory_does_not_grow_with_the_calls(self, client: GlideClient) -> None:
        async def take(count: int) -> int:
            tracemalloc.start()
            async for _ in client.invoke_script_many(ECHO, numbered(count), concurrency=400):
                pass
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return peak

        few = await take(2_000)
        assert await take(40_000) < 2 * few

    async def test_progress_is_told_before_the_replies_it_counts(self, client: GlideClient) -> None:
        told: list[int] = []
        taken = 0
        calls = numbered(1010)
        async for _ in client.invoke_script_many(
            ECHO, calls, concurrency=100, progress=told.append
        ):
            taken += 1
            assert told[-1] >= taken
        assert told == sorted(set(told))
        assert told[-1] == taken == 1010
        assert len(told) == 41

    async def test_no_calls_are_no_progress(self, client: GlideClient) -> None:
        told: list[int] = []
        assert await client.invoke_script_many(ECHO, [], progress=told.append) == []
        assert told == []

    async def test_what_progress_raises_ends_it(self, client: GlideClient) -> None:
        def progress(done: int) -> None:
            raise ZeroDivisionError(done)

        with pytest.raises(ZeroDivisionError):
            await client.invoke_script_many(ECHO, Pulled(), progress=progress)
        assert await client.ping() == b"PONG"


class TestFailures:
    @pytest.mark.parametrize("at", [0, 1, 24, 25, 26, 500])
    async def test_the_first_is_raised_in_its_place(self, client: GlideClient, at: int) -> None:
        seen: list[Any] = []
        calls = with_bad(2000, at, at + 1, 1500)
        replies = client.invoke_script_many(FRAGILE, calls, concurrency=100)
        with pytest.raises(ScriptError, match="boom") as caught:
            await collect(replies, seen)
        assert seen == numbers(at)
        assert (caught.value.script, caught.value.line) == (FRAGILE, 2)
        # None of its calls is in flight any more, and few were sent.
        ran = int(await client.get("n") or 0)
        assert at < ran <= at + 200
        assert await client.ping() == b"PONG"
        assert int(await client.get("n") or 0) == ran

    async def test_once_it_is_raised_no_call_is_under_way(
        self, server: ValkeyServer, client: GlideClient, connect: Connect
    ) -> None:
        other = await connect(server)
        slow = Script(f"for i = 1, 1e5 do end {FRAGILE.code.decode()}")
        # They are so large that the server takes others' commands between them.
        calls = [(["n"], ["bad" if not n else "good", "x" * 50_000]) for n in range(1000)]
        with pytest.raises(ScriptError, match="boom"):
            await client.invoke_script_many(slow, calls, concurrency=400)
        ran = await other.get("n")
        assert await client.ping() == b"PONG"
        assert await other.get("n") == ran

    async def test_it_is_raised_also_where_the_list_is_awaited(self, client: GlideClient) -> None:
        with pytest.raises(ScriptError, match="boom"):
            await client.invoke_script_many(FRAGILE, with_bad(100, 50))

    async def test_they_stand_in_their_places_if_asked(self, client: GlideClient) -> None:
        replies: list[Any] = await client.invoke_script_many(
            FRAGILE, with_bad(3000, 0, 1234, 2999), raise_on_error=False
        )
        failed = [number for number, reply in enumerate(replies) if isinstance(reply, ScriptError)]
        assert failed == [0, 1234, 2999]
        for number in failed:
            replies[number] = b"%d" % number
        assert replies == numbers(3000)
        assert await client.get("n") == b"3000"

    async def test_a_timeout_is_that_of_a_call(
        self, own_server: ValkeyServer, connect: Connect
    ) -> None:
        # The threshold is so long that the server is never BUSY.
        own_server.command("CONFIG", "SET", "lua-time-limit", "60000")
        client = await connect(own_server)
        slow = Script("for i = 1, 1e8 do end")
        with pytest.raises(TimeoutError, match="100 ms"):
            await client.invoke_script_many(slow, [([], [])] * 4, timeout=100)
        replies = await client.invoke_script_many(
            slow, [([], [])] * 2, timeout=1, raise_on_error=False
        )
        assert [type(reply) for reply in replies] == [TimeoutError] * 2

    async def test_a_closed_client_says_so(self, client: GlideClient) -> None:
        replies = client.invoke_script_many(ECHO, Pulled(), raise_on_error=False)
        assert await anext(replies) == b"0"
        await client.close()
        with pytest.raises(ClosingError):
            async for _ in replies:
                pass
        with pytest.raises(ClosingError):
            await client.invoke_script_many(ECHO, numbered(1), raise_on_error=False)

    @pytest.mark.parametrize("raise_on_error", [True, False])
    @pytest.mark.parametrize("is_async", [True, False])
    async def test_what_the_calls_raise_comes_after_the_replies_before_it(
        self, client: GlideClient, *, raise_on_error: bool, is_async: bool
    ) -> None:
        def failing() -> Iterator[Call]:
            yield from numbered(130)
            raise ZeroDivisionError("of the calls")

        calls: Any = one_by_one(failing()) if is_async else failing()
        seen: list[Any] = []
        replies = client.invoke_script_many(
            ECHO, calls, concurrency=100, raise_on_error=raise_on_error
        )
        with pytest.raises(ZeroDivisionError, match="of the calls"):
            await collect(replies, seen)
        assert seen == numbers(130)


class TestRefused:
    @pytest.mark.parametrize(
        ("call", "text"),
        [
            (5, "calls[17] is int, not a pair; pass (keys, args)"),
            ((["k"], ["a"], 100), "calls[17] is tuple, not a pair; pass (keys, args)"),
            ("key", "calls[17] is str, not a pair; pass (keys, args)"),
            (("k", []), "calls[17]: keys is str; pass a list of str or bytes"),
            ((["k"], ["a", 1]), "calls[17]: args[1] is int; pass str or bytes"),
            (([None], []), "calls[17]: keys[0] is NoneType; pass str or bytes"),
        ],
    )
    async def test_a_wrong_call_is_named_after_the_replies_before_it(
        self, client: GlideClient, call: Any, text: str
    ) -> None:
        seen: list[Any] = []
        calls = [*numbered(17), call, *numbered(17)]
        replies = client.invoke_script_many(ECHO, calls, concurrency=10, raise_on_error=False)
        with pytest.raises(TypeError) as caught:
            await collect(replies, seen)
        assert str(caught.value) == text
        assert seen == numbers(17)

    async def test_text_that_is_no_utf_8_is_named(self, client: GlideClient) -> None:
        with pytest.raises(ValueError, match=r"^calls\[0\]: args\[0\]"):
            await client.invoke_script_many(ECHO, [([], ["\ud800"])])

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ({"script": "return 1"}, TypeError, "script is str; pass a Script"),
            ({"calls": 5}, TypeError, "calls is int; pass an iterable of (keys, args) pairs"),
            ({"calls": "abc"}, TypeError, "calls is str; pass an iterable of (keys, args) pairs"),
            ({"concurrency": 0}, ValueError, "concurrency is 0; pass 1 or more"),
            ({"concurrency": 1.5}, TypeError, "concurrency is float; pass int"),
            ({"concurrency": True}, TypeError, "concurrency is bool; pass int"),
            (
                {"timeout": 0},
                ValueError,
                "timeout is 0; pass milliseconds, more than 0 and at most",
            ),
            ({"timeout": "1"}, TypeError, "timeout is str; pass milliseconds as an int"),
            ({"timeout": 0.5}, TypeError, "timeout is float; pass milliseconds as an int: 500 for"),
            ({"raise_on_error": None}, TypeError, "raise_on_error is NoneType; pass bool"),
            ({"progress": 5}, TypeError, "progress is int; pass a function of the number of calls"),
        ],
        ids=str,
    )
    def test_other_arguments_are_named_at_once(
        self, arguments: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        from glide_scripts.client.base import BaseClient

        class Unconnected(BaseClient):
            def __init__(self) -> None:
                self._core: Any = None

        usual: dict[str, Any] = {"script": ECHO, "calls": []}
        with pytest.raises(error) as caught:
            Unconnected().invoke_script_many(**usual | arguments)
        assert str(caught.value).startswith(text)


class TestStoppedEarly:
    @pytest.mark.parametrize("is_async", [True, False])
    async def test_leaving_the_loop_leaves_nothing_behind(
        self, client: GlideClient, is_async: bool
    ) -> None:
        tasks = asyncio.all_tasks()
        source = Pulled("n")
        calls: Any = one_by_one(source) if is_async else source
        async for reply in client.invoke_script_many(INCREMENT, calls):
            if reply == 1500:
                break
        await until(lambda: asyncio.all_tasks() == tasks)
        ran = int(await client.get("n") or 0)
        assert 1500 <= ran <= 1500 + 1250
        assert await client.ping() == b"PONG"
        assert int(await client.get("n") or 0) == ran
        gc.collect()

    async def test_closing_it_ends_it_at_once(self, client: GlideClient) -> None:
        tasks = asyncio.all_tasks()
        replies = client.invoke_script_many(ECHO, one_by_one(Pulled()))
        assert await anext(replies) == b"0"
        await replies.aclose()
        await replies.aclose()
        assert asyncio.all_tasks() == tasks
        with pytest.raises(StopAsyncIteration):
            await anext(replies)

    async def test_closing_what_never_began_is_harmless(self, client: GlideClient) -> None:
        source = Pulled()
        replies = client.invoke_script_many(ECHO, source)
        await replies.aclose()
        with pytest.raises(RuntimeError, match="taken already"):
            await replies
        assert source.count == 0

    @pytest.mark.parametrize("turns", [0, 1, 2, 5, 20])
    async def test_cancelling_it_leaves_nothing_behind(
        self, client: GlideClient, turns: int
    ) -> None:
        tasks = asyncio.all_tasks()
        for calls in (Pulled(), one_by_one(Pulled())):
            running = asyncio.ensure_future(client.invoke_script_many(ECHO, calls))
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert asyncio.all_tasks() == tasks
        assert await client.invoke_script_many(ECHO, numbered(10)) == numbers(10)

    async def test_what_was_under_way_counts_no_more(
        self, own_server: ValkeyServer, connect: Connect
    ) -> None:
        client = await connect(own_server, inflight_requests_limit=4)
        own_server.pause()
        source = Pulled()
        running = asyncio.ensure_future(client.invoke_script_many(ECHO, source))
        await until(lambda: source.count >= 1000)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        async def is_taken() -> bool:
            try:
                await client.invoke_script(ECHO, args=["a"], timeout=10)
            except TimeoutError:
                return True
            except RequestError:
                return False
            return True

        await until(is_taken, within=2)
        own_server.resume()

    async def test_what_was_not_written_never_is(
        self, own_server: ValkeyServer, connect: Connect
    ) -> None:
        client = await connect(own_server)

        async def is_down() -> bool:
            options = BatchOptions(timeout=50)
            results: Any = await client.exec(Batch(False).ping(), False, options)
            (result,) = results
            return isinstance(result, TimeoutError) and not result.may_have_executed

        await client.set("n", "0")
        own_server.stop()
        await until(is_down)
        source = Pulled("n")
        running = asyncio.ensure_future(client.invoke_script_many(INCREMENT, source))
        await until(lambda: source.count >= 1000)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.to_thread(own_server.start)
        await until(client.ping)
        assert await client.invoke_script(INCREMENT, ["n"]) == 1
        assert await client.invoke_script(INCREMENT, ["n"]) == 2


async def test_scripts_that_keep_vanishing_run_once_each(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    flusher = await connect(server)
    async with repeating(flusher.script_flush, pause=0.001):
        replies: list[Any] = await client.invoke_script_many(INCREMENT, [(["n"], [])] * 20_000)
    assert sorted(replies) == list(range(1, 20_001))
    stats = server.command("INFO", "errorstats")
    assert isinstance(stats, bytes)
    assert re.search(rb"errorstat_NOSCRIPT:count=\d+", stats), "the scripts were always there"


async def test_a_limit_of_requests_counts_batches(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, inflight_requests_limit=4)
    assert await client.invoke_script_many(ECHO, numbered(5000)) == numbers(5000)
    tight = await connect(own_server, inflight_requests_limit=1)
    own_server.pause()
    running = asyncio.ensure_future(tight.invoke_script_many(ECHO, numbered(5000)))
    for _ in itertools.repeat(None, 20):
        await asyncio.sleep(0)
    own_server.resume()
    with pytest.raises(RequestError, match="inflight_requests_limit"):
        await running


@pytest.mark.parametrize("raise_on_error", [True, False])
async def test_an_error_names_the_call(client: GlideClient, raise_on_error: bool) -> None:
    script = Script("if ARGV[1] == '703' then error('boom') end return 1")
    calls: list[tuple[list[str], list[str]]] = [([], [str(number)]) for number in range(1000)]
    replies = client.invoke_script_many(
        script, calls, concurrency=200, raise_on_error=raise_on_error
    )
    if raise_on_error:
        with pytest.raises(ScriptError) as caught:
            await replies
        error = caught.value
    else:
        error = (await replies)[703]  # type: ignore[assignment]
    assert isinstance(error, ScriptError)
    assert "(calls[703]: EVALSHA)" in str(error)
    assert error.batch_index == 703
