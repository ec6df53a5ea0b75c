"""Atomic batches: all or nothing, with scripts that are never missing, and watched keys."""

from __future__ import annotations

import asyncio
import gc
import itertools
from functools import partial
from typing import Any

import pytest
from tests.conftest import Connect
from tests.repeating import repeating
from tests.waiting import until

from glide_scripts import (
    OK,
    Batch,
    BatchOptions,
    ClosingError,
    ConnectionError,
    ExecAbortError,
    GlideClient,
    ProtocolVersion,
    RequestError,
    Script,
    ScriptSyntaxError,
    ServerCredentials,
    TimeoutError,
    Transaction,
)
from glide_scripts.testing import ValkeyServer

INCREMENT = Script("return redis.call('INCR', KEYS[1])")
ENDLESS = Script("for i = 1, 1e12 do end", name="endless.lua")

_unseen = itertools.count()


def unseen(code: str) -> Script:
    """A script that no server has met."""
    return Script(f"{code} -- {next(_unseen)} of test_transactions")


# The two atomic batches of GLIDE's guide, "Send Batch Commands".


async def test_the_guide_s_transfer_between_accounts(client: GlideClient) -> None:
    options = BatchOptions(timeout=2000)
    atomic_batch = Batch(True)
    atomic_batch.set("account:source", "100")
    atomic_batch.set("account:dest", "0")
    atomic_batch.incrby("account:dest", 50)
    atomic_batch.decrby("account:source", 50)
    atomic_batch.get("account:source")
    results = await client.exec(atomic_batch, raise_on_error=True, options=options)
    assert results == ["OK", "OK", 50, 50, b"50"]


async def test_the_guide_s_counter_of_visits(client: GlideClient) -> None:
    atomic_batch = Batch(is_atomic=True)
    atomic_batch.set("user:100:visits", "1")
    atomic_batch.incrby("user:100:visits", 5)
    atomic_batch.get("user:100:visits")
    results = await client.exec(atomic_batch, raise_on_error=False)
    assert results == ["OK", 6, b"6"]


async def test_the_docstring_s_transactions(client: GlideClient) -> None:
    transaction = Batch(is_atomic=True)
    transaction.set("key", "1")
    transaction.incr("key")
    transaction.custom_command(["get", "key"])
    options = BatchOptions(timeout=1000)
    result = await client.exec(transaction, raise_on_error=False, options=options)
    assert result == [OK, 2, b"2"]


async def test_the_deprecated_transaction_works(client: GlideClient) -> None:
    with pytest.deprecated_call():
        transaction = Transaction()
    assert await client.exec(transaction.incr("n").get("n"), True) == [1, b"1"]


async def test_nothing_comes_between_its_commands(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    other = await connect(server)
    transaction = Batch(True).get("n")
    for _ in range(50):
        transaction.incr("n")
    async with repeating(partial(other.incr, "n"), pause=0):
        for _ in range(50):
            results: Any = await client.exec(transaction, True)
            first = int(results[0] or 0)
            assert results[1:] == list(range(first + 1, first + 51))


class TestScriptsIn:
    @pytest.mark.every_server
    async def test_never_seen_ones_run_in_their_order(self, client: GlideClient) -> None:
        append = unseen("return redis.call('APPEND', KEYS[1], ARGV[1])")
        read = unseen("return redis.call('GET', KEYS[1])")
        transaction = Batch(True).set("k", "a").invoke_script(append, ["k"], ["b"]).get("k")
        transaction.invoke_script(read, ["k"]).invoke_script(append, ["k"], ["c"]).get("k")
        assert await client.exec(transaction, True) == [OK, 2, b"ab", b"ab", 3, b"abc"]
        assert await client.exec(transaction, True) == [OK, 2, b"ab", b"ab", 3, b"abc"]

    @pytest.mark.every_server
    async def test_a_flush_inside_takes_nothing_away(self, client: GlideClient) -> None:
        transaction = Batch(True)
        for _ in range(5):
            transaction.invoke_script(INCREMENT, ["n"]).script_flush()
        expected: list[Any] = [value for number in range(1, 6) for value in (number, OK)]
        assert await client.exec(transaction, True) == expected

    async def test_one_that_does_not_compile_fails_alone(self, client: GlideClient) -> None:
        broken = unseen("return return")
        transaction = Batch(True).incr("a").invoke_script(broken, ["a"]).incr("b")
        results: Any = await client.exec(transaction, raise_on_error=False)
        assert [results[0], results[2]] == [1, 1]
        assert isinstance(results[1], ScriptSyntaxError)
        assert "batch[1]" in str(results[1])

    @pytest.mark.every_server
    async def test_between_flushes_none_is_ever_missing_and_all_are_whole(
        self, server: ValkeyServer, client: GlideClient, connect: Connect
    ) -> None:
        flusher = await connect(server)
        async with repeating(flusher.script_flush, pause=0.001):
            scripts = [unseen("return redis.call('INCR', KEYS[1])") for _ in range(4)]
            for number in range(1, 501):
                script = scripts[number % 4]
                transaction = Batch(True).incr("a").invoke_script(script, ["b"])
                assert await client.exec(transaction, True) == [number, number]
                assert await client.mget(["a", "b"]) == [b"%d" % number] * 2
        assert await client.mget(["a", "b"]) == [b"500", b"500"]

    async def test_between_flushes_many_tasks_get_whole_transactions(
        self, server: ValkeyServer, client: GlideClient, connect: Connect
    ) -> None:
        flusher = await connect(server)
        script = unseen("return redis.call('INCR', KEYS[1])")

        async def task() -> None:
            transaction = Batch(True).incr("a").invoke_script(script, ["b"]).get("b")
            for _ in range(50):
                results: Any = await client.exec(transaction, True)
                assert results[0] == results[1] == int(results[2])

        async with repeating(flusher.script_flush, pause=0.001):
            await asyncio.gather(*(task() for _ in range(20)))
        assert await client.mget(["a", "b"]) == [b"1000", b"1000"]


@pytest.mark.every_server
async def test_a_command_that_the_server_does_not_know_discards_it(client: GlideClient) -> None:
    transaction = Batch(True).incr("a").custom_command(["NOSUCHCOMMAND"]).incr("a")
    for raise_on_error in (True, False):
        with pytest.raises(ExecAbortError, match="NOSUCHCOMMAND") as caught:
            await client.exec(transaction, raise_on_error)
        assert not caught.value.may_have_executed
    assert await client.get("a") is None
    assert await client.exec(Batch(True).incr("a"), True) == [1]


@pytest.mark.parametrize("right", ["multi", "exec"])
async def test_a_user_who_may_have_none_executes_nothing(
    own_server: ValkeyServer, connect: Connect, right: str
) -> None:
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", f"-{right}")
    client = await connect(own_server, credentials=ServerCredentials("pw", "app"))
    batch = Batch(is_atomic=True).set("a", "1").invoke_script(INCREMENT, ["b"])
    for _ in range(2):
        with pytest.raises(RequestError, match=r"NOPERM|no permissions") as caught:
            await client.exec(batch, raise_on_error=True)
        assert not caught.value.may_have_executed
    with pytest.raises(RequestError, match=r"NOPERM|no permissions"):
        await _watched(client, batch)
    assert await client.exists(["a", "b"]) == 0


async def _watched(client: GlideClient, batch: Batch) -> object:
    await client.watch(["a"])
    return await client.exec(batch, raise_on_error=True)


@pytest.mark.every_server
async def test_a_user_without_the_right_to_load_has_scripts_in_batches(
    own_server: ValkeyServer, connect: Connect
) -> None:
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-script")
    client = await connect(own_server, credentials=ServerCredentials("pw", "app"))
    append = Script("return redis.call('RPUSH', KEYS[1], ARGV[1])")
    for turn in range(3):
        for is_atomic in (True, False):
            batch = Batch(is_atomic).delete(["k"]).invoke_script(append, ["k"], ["1"])
            batch.lrange("k", 0, -1).invoke_script(append, ["k"], ["2"])
            results = await client.exec(batch, raise_on_error=True)
            assert results is not None
            # Until the client knows that it cannot load the script, it may run late in a pipeline.
            if is_atomic or turn > 0:
                assert results[1:] == [1, [b"1"], 2]
        own_server.command("SCRIPT", "FLUSH")


async def test_one_under_way_on_a_lost_connection_may_have_run(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client, other = await connect(own_server), await connect(own_server)
    await other.config_set({"lua-time-limit": "1"})

    async def is_busy() -> bool:
        try:
            await other.ping()
        except RequestError as error:
            return error.code == "BUSY"
        return False

    transaction = Batch(True).incr("n").invoke_script(ENDLESS)
    running = asyncio.ensure_future(client.exec(transaction, raise_on_error=False))
    await until(is_busy)
    own_server.kill()
    await asyncio.to_thread(own_server.restart)
    with pytest.raises(ConnectionError) as caught:
        await running
    assert caught.value.may_have_executed
    assert await client.exec(Batch(True).incr("n"), True) == [1]


async def test_a_timeout_in_one_is_raised_and_its_results_disturb_nobody(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    slow = Script("for i = 1, 1e8 do end return 'slow'")
    transaction = Batch(True).invoke_script(slow).incr("n")
    for raise_on_error in (True, False):
        with pytest.raises(TimeoutError, match="50 ms") as caught:
            await client.exec(transaction, raise_on_error, BatchOptions(timeout=50))
        assert caught.value.may_have_executed
    patient = BatchOptions(timeout=60_000)
    assert await client.exec(Batch(True).echo("mine").get("n"), True, patient) == [b"mine", b"2"]


async def test_a_script_is_there_however_many_others_are_evaluated(client: GlideClient) -> None:
    script = unseen("return 'here'")
    batch = Batch(is_atomic=True).invoke_script(script)
    for number in range(600):
        batch.eval(f"return {number}")
    results = await client.exec(batch.invoke_script(script), raise_on_error=True)
    assert results is not None
    assert (results[0], results[-1]) == (b"here", b"here")


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.needs("read-only forms")
async def test_a_user_with_evalsha_alone_runs_what_others_have_loaded(
    own_server: ValkeyServer, connect: Connect, is_atomic: bool
) -> None:
    rights = ["+@all", "-eval", "-eval_ro", "-script"]
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", *rights)
    own_server.command("SCRIPT", "LOAD", INCREMENT.code)
    client = await connect(own_server, credentials=ServerCredentials("pw", "app"))
    batch = Batch(is_atomic).invoke_script(INCREMENT, ["n"]).invoke_script(INCREMENT, ["n"])
    for turn in range(3):
        assert await client.exec(batch, True) == [2 * turn + 1, 2 * turn + 2]
    assert await client.invoke_script(INCREMENT, keys=["n"]) == 7


class TestWatch:
    @pytest.mark.every_server
    async def test_a_changed_key_keeps_the_transaction_from_running(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        transaction = Batch(True).set("k", "mine").invoke_script(INCREMENT, ["n"])
        assert await client.watch(["k"]) is OK
        server.command("SET", "k", "theirs")
        assert await client.exec(transaction, True) is None
        assert await client.mget(["k", "n"]) == [b"theirs", None]
        # The watch is over.
        assert await client.exec(transaction, True) == [OK, 1]

    async def test_the_client_s_own_change_counts_too(self, client: GlideClient) -> None:
        await client.watch(["k"])
        await client.set("k", "changed")
        assert await client.exec(Batch(True).get("k"), raise_on_error=False) is None

    @pytest.mark.every_server
    async def test_an_unchanged_key_lets_it_run(self, client: GlideClient) -> None:
        await client.set("k", "1")
        await client.watch(["k", b"other"])
        assert await client.get("k") == b"1"
        assert await client.exec(Batch(True).incr("k"), True) == [2]

    async def test_keys_add_up(self, server: ValkeyServer, client: GlideClient) -> None:
        for changed in ("a", "b"):
            await client.watch(["a"])
            await client.watch(["b"])
            server.command("INCR", changed)
            assert await client.exec(Batch(True).ping(), True) is None

    async def test_calls_at_once_add_up(self, server: ValkeyServer, client: GlideClient) -> None:
        for _ in range(5):
            await asyncio.gather(client.watch(["a"]), client.watch(["b"]), client.watch(["c"]))
            server.command("SET", "a", "changed")
            assert await client.exec(Batch(is_atomic=True).set("x", "1"), True) is None

    async def test_its_connection_goes_back_when_it_ends(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        everybody = asyncio.Barrier(60)

        async def transact() -> None:
            await client.watch(["a"])
            await client.exec(Batch(is_atomic=True).get("a"), True)
            # The task goes on, and watches nothing.
            await everybody.wait()

        def connections() -> int:
            listed = server.command("CLIENT", "LIST")
            assert isinstance(listed, bytes)
            return len(listed.splitlines())

        before = connections()
        await asyncio.gather(*(transact() for _ in range(60)))
        await until(lambda: connections() <= before + 8)

    async def test_unwatch_ends_it(self, server: ValkeyServer, client: GlideClient) -> None:
        assert await client.unwatch() is OK
        await client.watch(["k"])
        server.command("SET", "k", "theirs")
        assert await client.unwatch() is OK
        assert await client.exec(Batch(True).get("k"), True) == [b"theirs"]

    async def test_it_can_begin_again(self, server: ValkeyServer, client: GlideClient) -> None:
        for _ in range(3):
            await client.watch(["k"])
            server.command("INCR", "k")
            assert await client.exec(Batch(True).ping(), True) is None
            await client.watch(["k"])
            assert await client.exec(Batch(True).ping(), True) == [b"PONG"]

    async def test_a_pipeline_does_not_touch_it(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        await client.watch(["k"])
        assert await client.exec(Batch(False).set("k", "changed"), True) == [OK]
        assert await client.exec(Batch(False), True) == []
        assert await client.exec(Batch(True).ping(), True) is None

    async def test_an_empty_transaction_ends_it(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        await client.watch(["k"])
        server.command("SET", "k", "theirs")
        assert await client.exec(Batch(True), True) == []
        assert await client.exec(Batch(True).ping(), True) == [b"PONG"]

    async def test_what_was_refused_leaves_it_in_force(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        wrong: Any = "batch"
        await client.watch(["k"])
        server.command("SET", "k", "theirs")
        with pytest.raises(TypeError):
            await client.exec(wrong, True)
        with pytest.raises(TypeError):
            await client.watch(wrong)
        assert await client.exec(Batch(True).ping(), True) is None

    async def test_a_discarded_transaction_ends_it(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        await client.watch(["k"])
        with pytest.raises(ExecAbortError):
            await client.exec(Batch(True).custom_command(["NOSUCHCOMMAND"]), True)
        server.command("SET", "k", "theirs")
        assert await client.exec(Batch(True).ping(), True) == [b"PONG"]

    @pytest.mark.needs("client details")
    async def test_every_task_has_its_own(self, server: ValkeyServer, client: GlideClient) -> None:
        both, changed = asyncio.Barrier(2), asyncio.Event()

        async def task(key: str) -> object:
            await client.watch([key])
            await both.wait()
            await changed.wait()
            return await client.exec(Batch(True).echo(key), True)

        first, second = asyncio.create_task(task("a")), asyncio.create_task(task("b"))
        await until(lambda: watching(server) == 2)
        server.command("SET", "a", "theirs")
        assert await client.exec(Batch(True).ping(), True) == [b"PONG"]
        changed.set()
        assert await first is None
        assert await second == [b"b"]

    async def test_tasks_that_compete_lose_no_update(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        async def task() -> int:
            tries, done = 0, 0
            while done < 20:
                tries += 1
                await client.watch(["n"])
                value = int(await client.get("n") or 0)
                transaction = Batch(True).set("n", str(value + 1))
                done += await client.exec(transaction, True) is not None
            return tries

        tries = await asyncio.gather(*(task() for _ in range(5)))
        assert await client.get("n") == b"100"
        assert sum(tries) > 100, "they never met"

    async def test_wait_for_and_tasks_of_one_call_watch_for_their_caller(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        await asyncio.wait_for(client.watch(["k"]), 10)
        server.command("SET", "k", "theirs")
        call = asyncio.create_task(client.exec(Batch(True).ping(), True))
        assert await call is None
        await asyncio.create_task(client.watch(["k"]))
        server.command("SET", "k", "again")
        await asyncio.wait_for(client.unwatch(), 10)
        assert await asyncio.wait_for(client.exec(Batch(True).ping(), True), 10) == [b"PONG"]

    async def test_a_lost_connection_is_a_changed_key(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        await client.watch(["k"])
        await client.ping()
        server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        # The read was repeated on a new connection, so the client knows that the old ones are lost.
        assert await client.get("k") is None
        assert await client.exec(Batch(True).set("k", "v"), True) is None
        assert await client.get("k") is None
        await client.watch(["k"])
        assert await client.exec(Batch(True).set("k", "v"), True) == [OK]

    @pytest.mark.parametrize("turns", [0, 1, 2, 5])
    async def test_a_cancelled_watch_does_not_meet_the_next_transaction(
        self, server: ValkeyServer, client: GlideClient, turns: int
    ) -> None:
        call = asyncio.ensure_future(client.watch(["k"]))
        for _ in range(turns):
            await asyncio.sleep(0)
        # The watch may have been set before the cancellation, and then it counts.
        expected = [b"PONG"] if call.cancel() else None
        await asyncio.wait([call])
        server.command("SET", "k", "theirs")
        assert await client.exec(Batch(True).ping(), True) == expected

    @pytest.mark.parametrize("turns", [0, 1, 2, 5])
    async def test_a_cancelled_transaction_leaves_no_watch(
        self, server: ValkeyServer, client: GlideClient, turns: int
    ) -> None:
        await client.watch(["k"])
        call = asyncio.ensure_future(client.exec(Batch(True).incr("n"), True))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        server.command("SET", "k", "theirs")
        # If it was cancelled before it began, the watch is still in force.
        after = await client.exec(Batch(True).ping(), True)
        assert after == [b"PONG"] or (turns == 0 and after is None)
        assert await client.exec(Batch(True).echo("next"), True) == [b"next"]

    async def test_a_watch_that_fails_does_not_undo_an_earlier_one(
        self, own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
    ) -> None:
        client = await connect(own_server, protocol=protocol, request_timeout=1000)
        await client.watch(["a"])
        own_server.pause()
        with pytest.raises(TimeoutError):
            await client.watch(["b"])
        own_server.resume()
        own_server.command("SET", "a", "theirs")
        assert await client.exec(Batch(True).set("a", "mine"), True) is None
        assert await client.get("a") == b"theirs"
        assert await client.exec(Batch(True).set("a", "mine"), True) == [OK]

    async def test_the_connection_is_used_again_by_others(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        async def task() -> None:
            await client.watch(["k"])

        await client.ping()
        connections, tasks = clients(server), []
        for _ in range(20):
            # A task that is done counts, even if something still refers to it.
            tasks.append(asyncio.create_task(task()))
            await tasks[-1]
            await until(lambda: not client._watches._of_owners)
        assert clients(server) <= connections + 2
        server.command("SET", "k", "theirs")
        # Nothing of what those tasks watched is left.
        await client.watch(["other"])
        assert await client.exec(Batch(True).ping(), True) == [b"PONG"]

    async def test_a_task_that_is_thrown_away_leaves_no_watch(self, client: GlideClient) -> None:
        async def task() -> None:
            await client.watch(["k"])
            await asyncio.Event().wait()

        running = asyncio.create_task(task())
        await until(lambda: len(client._watches._of_owners) == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        del running
        gc.collect()
        await until(lambda: not client._watches._of_owners)

    async def test_a_wrong_key_is_named(self, client: GlideClient) -> None:
        wrong: Any
        for wrong, error, text in [
            ("k", TypeError, "keys is str; pass a list of str or bytes"),
            (["k", 1], TypeError, "keys[1] is int; pass str or bytes"),
            ([], ValueError, "keys is empty; pass at least one"),
            (None, TypeError, "keys is NoneType; pass a list of str or bytes"),
        ]:
            with pytest.raises(error) as caught:
                await client.watch(wrong)
            assert str(caught.value) == text
        assert await client.exec(Batch(True).ping(), True) == [b"PONG"]

    async def test_a_closed_client_says_so(self, client: GlideClient) -> None:
        await client.watch(["k"])
        await client.close()
        with pytest.raises(ClosingError):
            await client.exec(Batch(True).ping(), True)
        with pytest.raises(ClosingError):
            await client.watch(["k"])


def clients(server: ValkeyServer) -> int:
    """How many connections of clients the server has."""
    reply = server.command("CLIENT", "LIST")
    assert isinstance(reply, bytes)
    return reply.count(b"lib-name=glide_scripts")


def watching(server: ValkeyServer) -> int:
    """How many connections watch keys."""
    reply = server.command("CLIENT", "LIST")
    assert isinstance(reply, bytes)
    return sum(b" watch=0" not in line for line in reply.splitlines())


def test_a_watch_made_outside_of_a_task_is_of_the_task_that_runs_it(server: ValkeyServer) -> None:
    async def connected() -> GlideClient:
        return await GlideClient.from_url(server.url)

    async def closing(client: GlideClient) -> object:
        server.command("SET", "k", "theirs")
        try:
            return await client.exec(Batch(True).ping(), True)
        finally:
            await client.close()

    with asyncio.Runner() as runner:
        client = runner.run(connected())
        assert runner.run(client.watch(["k"])) is OK
        # That task is done, and its watch with it.
        assert runner.run(closing(client)) == [b"PONG"]


@pytest.mark.every_server
async def test_a_server_without_exec_leaves_no_connection_inside_a_transaction(
    connect: Connect,
) -> None:
    with ValkeyServer(config={"rename-command": 'EXEC ""'}) as server:
        client = await connect(server)
        calls = [client.exec(Batch(True).set("k", "1"), True), client.get("k"), client.incr("n")]
        refused, *others = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(refused, RequestError)
        assert "unknown command" in str(refused)
        assert not refused.may_have_executed
        assert others == [None, 1]
        with pytest.raises(RequestError, match=r"unknown command .EXEC") as caught:
            await client.watch(["k"])
        assert not caught.value.may_have_executed
        read_only = Script("return #KEYS", read_only=True)
        assert await client.invoke_script(read_only, ["k"], on_timeout="kill") == 1


@pytest.mark.every_server
async def test_a_watched_transaction_with_the_first_read_only_script_can_be_tried_again(
    own_server: ValkeyServer, connect: Connect
) -> None:
    """Redis 6.2 has no read-only forms, and refuses the first one."""
    client = await connect(own_server)
    read_only = Script("return redis.call('GET', KEYS[1])", read_only=True)
    replies = None
    for _ in range(2):
        await client.watch(["k"])
        batch = Batch(True).set("k", "1").invoke_script(read_only, ["k"])
        replies = replies or await client.exec(batch, raise_on_error=True)
    assert replies == [OK, b"1"]
