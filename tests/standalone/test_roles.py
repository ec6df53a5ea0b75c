"""Servers that change roles: the client leaves a primary that has become a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from tests.filter_proxy import filter_proxy
from tests.servers.table import has
from tests.tunnel import tunnel
from tests.waiting import until

from glide_scripts import (
    Batch,
    FunctionLibrary,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ReadFrom,
    RequestError,
    Script,
    ScriptError,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

PLAIN = Script("return redis.call('INCR', KEYS[1])")
FLAGGED = Script("#!lua\nreturn redis.call('INCR', KEYS[1])")
LIBRARY = FunctionLibrary(
    "#!lua name=roles\n"
    "redis.register_function('bump', function(keys) return redis.call('INCR', keys[1]) end)"
)

Work = Callable[[GlideClient], Awaitable[object]]


async def _exec(client: GlideClient, is_atomic: bool, add: Callable[[Batch], object]) -> object:
    batch = Batch(is_atomic)
    add(batch)
    return await client.exec(batch, True)


async def _command(client: GlideClient, words: list[str | bytes]) -> object:
    return await client.custom_command(words)


WORK: dict[str, Work] = {
    "command": lambda client: client.set("k", "v"),
    "script": lambda client: client.invoke_script(PLAIN, keys=["n"]),
    "flagged script": lambda client: client.invoke_script(FLAGGED, keys=["n"]),
    "function": lambda client: client.fcall("bump", keys=["n"]),
    "pipeline of commands": lambda client: _exec(client, False, lambda batch: batch.set("k", "v")),
    "pipeline of scripts": lambda client: _exec(
        client, False, lambda batch: batch.invoke_script(PLAIN, ["n"])
    ),
    "pipeline of flagged scripts": lambda client: _exec(
        client, False, lambda batch: batch.invoke_script(FLAGGED, ["n"])
    ),
    "pipeline of functions": lambda client: _exec(
        client, False, lambda batch: batch.fcall("bump", ["n"])
    ),
    "transaction of commands": lambda client: _exec(
        client, True, lambda batch: batch.set("k", "v")
    ),
    "transaction of scripts": lambda client: _exec(
        client, True, lambda batch: batch.invoke_script(PLAIN, ["n"])
    ),
    "transaction of scripts and reads": lambda client: _exec(
        client, True, lambda batch: batch.get("k").invoke_script(PLAIN, ["n"]).get("n")
    ),
    "transaction of flagged scripts": lambda client: _exec(
        client, True, lambda batch: batch.invoke_script(FLAGGED, ["n"])
    ),
    "transaction of functions": lambda client: _exec(
        client, True, lambda batch: batch.fcall("bump", ["n"])
    ),
}
if not has("functions"):
    WORK = {kind: work for kind, work in WORK.items() if "function" not in kind}
if not has("script flags"):
    WORK = {kind: work for kind, work in WORK.items() if "flagged" not in kind}


def replicate(replica: ValkeyServer, primary: ValkeyServer) -> None:
    replica.command("REPLICAOF", primary.host, str(primary.port))


@pytest.fixture
def pair() -> Iterator[tuple[ValkeyServer, ValkeyServer]]:
    """A primary and its replica, up to date and with the library."""
    with ValkeyServer() as primary, ValkeyServer() as replica:
        for server in (primary, replica):
            server.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        if has("functions"):
            primary.command("FUNCTION", "LOAD", LIBRARY.code)
        replicate(replica, primary)
        yield primary, replica


async def swap(primary: ValkeyServer, replica: ValkeyServer) -> None:
    """The replica becomes the primary, and the primary its replica."""

    def is_linked() -> bool:
        info = replica.command("INFO", "replication")
        assert isinstance(info, bytes)
        return b"master_link_status:up" in info

    await until(is_linked)
    replica.command("REPLICAOF", "NO", "ONE")
    replicate(primary, replica)


async def client_at(*ports: int, **settings: object) -> GlideClient:
    addresses = [NodeAddress("127.0.0.1", port) for port in ports]
    config = GlideClientConfiguration(addresses, **{"request_timeout": 5000, **settings})  # type: ignore[arg-type]
    return await GlideClient.create(config)


@pytest.mark.parametrize("kind", WORK)
async def test_behind_one_address_the_new_primary_is_found(
    pair: tuple[ValkeyServer, ValkeyServer], kind: str
) -> None:
    primary, replica = pair
    async with tunnel(primary) as way, await client_at(way.port) as client:
        await WORK[kind](client)
        await swap(primary, replica)
        way.leads_to = replica
        for _ in range(5):
            await WORK[kind](client)
        # Its first connection, and one more.
        assert way.made == 2


@pytest.mark.every_server
@pytest.mark.parametrize("in_pipeline", [False, True])
async def test_a_command_that_waits_waits_at_the_new_primary(
    pair: tuple[ValkeyServer, ValkeyServer], in_pipeline: bool
) -> None:
    primary, replica = pair
    async with await client_at(primary.port, replica.port) as client:
        words: list[str | bytes] = ["BLPOP", "queue", "30"]
        if in_pipeline:
            popping = asyncio.ensure_future(
                _exec(client, False, lambda batch: batch.custom_command(words))
            )
        else:
            popping = asyncio.ensure_future(_command(client, words))

        def is_waiting_at(server: ValkeyServer) -> bool:
            info = server.command("INFO", "clients")
            assert isinstance(info, bytes)
            return b"blocked_clients:1" in info

        await until(lambda: is_waiting_at(primary))
        await swap(primary, replica)
        await until(lambda: is_waiting_at(replica))
        await client.custom_command(["RPUSH", "queue", "item"])
        popped = [b"queue", b"item"]
        assert await popping == ([popped] if in_pipeline else popped)


@pytest.mark.every_server
async def test_wait_is_not_repeated_where_its_connection_wrote_nothing(
    pair: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = pair
    async with await client_at(primary.port, replica.port) as client:
        batch = Batch(is_atomic=False).set("k", "v").custom_command(["WAIT", "5", "20000"])
        waiting = asyncio.ensure_future(client.exec(batch, raise_on_error=False))

        def is_waiting() -> bool:
            info = primary.command("INFO", "clients")
            assert isinstance(info, bytes)
            return b"blocked_clients:1" in info

        await until(is_waiting)
        await swap(primary, replica)
        replies = await waiting
        assert replies is not None
        assert isinstance(replies[1], RequestError)


@pytest.mark.parametrize("kind", WORK)
async def test_of_two_addresses_the_new_primary_is_found(
    pair: tuple[ValkeyServer, ValkeyServer], kind: str
) -> None:
    primary, replica = pair
    async with await client_at(primary.port, replica.port) as client:
        await WORK[kind](client)
        await swap(primary, replica)
        for _ in range(5):
            await WORK[kind](client)


PASSING_ON = Script("return redis.pcall('INCR', KEYS[1])")
RELAYS: dict[str, Work] = {
    "script": lambda client: client.invoke_script(PASSING_ON, keys=["n"]),
    "words of its own around": lambda client: client.invoke_script(
        Script(
            "local reply = redis.pcall('INCR', KEYS[1])\n"
            "if type(reply) == 'number' then return reply end\n"
            "return redis.error_reply('MINE it failed: ' .. reply.err)"
        ),
        keys=["n"],
    ),
    "pipeline": lambda client: _exec(
        client, False, lambda batch: batch.invoke_script(PASSING_ON, ["n"])
    ),
    "transaction": lambda client: _exec(
        client, True, lambda batch: batch.invoke_script(PASSING_ON, ["n"])
    ),
}


@pytest.mark.parametrize("kind", RELAYS)
@pytest.mark.parametrize("addresses", [1, 2])
@pytest.mark.every_server
async def test_a_replica_is_left_though_a_script_passes_its_refusal_on(
    pair: tuple[ValkeyServer, ValkeyServer], kind: str, addresses: int
) -> None:
    primary, replica = pair

    async def works(client: GlideClient) -> bool:
        try:
            await RELAYS[kind](client)
        except ScriptError as error:
            outcomes.append(error.may_have_executed)
            return False
        return True

    outcomes: list[bool] = []
    async with tunnel(primary) as way:
        ports = (way.port,) if addresses == 1 else (primary.port, replica.port)
        async with await client_at(*ports) as client:
            await RELAYS[kind](client)
            await swap(primary, replica)
            way.leads_to = replica
            await until(lambda: works(client))
            # What has run is not sent again.
            assert outcomes
            assert all(outcomes)


async def test_a_script_that_makes_up_a_replica_s_words_changes_no_connection(
    own_server: ValkeyServer,
) -> None:
    say = Script(
        'return redis.error_reply("READONLY You can\'t write against a read only replica.")'
    )
    async with tunnel(own_server) as way, await client_at(way.port) as client:
        for _ in range(20):
            with pytest.raises(ScriptError):
                await client.invoke_script(say)
        assert await client.ping() == b"PONG"
        assert way.made == 1


async def test_many_calls_that_meet_a_replica_make_one_new_connection(
    pair: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = pair
    async with tunnel(primary) as way, await client_at(way.port) as client:
        await client.set("k", "v")
        await swap(primary, replica)
        way.leads_to = replica
        kinds = [work for kind, work in WORK.items() if not kind.startswith("transaction")]
        await asyncio.gather(*(work(client) for work in kinds for _ in range(100)))
        assert way.made == 2


async def test_an_address_that_leads_to_a_replica_for_a_while_is_tried_with_pauses(
    pair: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = pair
    async with tunnel(primary) as way, await client_at(way.port) as client:
        await client.set("k", "v")
        await swap(primary, replica)
        writing = asyncio.gather(*(client.set(f"k{i}", "v") for i in range(100)))
        begun = asyncio.get_running_loop().time()
        await until(lambda: way.made >= 5)
        # One connection for each round trip would be hundreds.
        assert asyncio.get_running_loop().time() - begun > 0.2
        way.leads_to = replica
        await writing


async def test_no_connection_to_a_replica_that_nobody_reads_stays_open(
    pair: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = pair

    def clients(of: ValkeyServer) -> int:
        listed = of.command("CLIENT", "LIST", "TYPE", "NORMAL")
        assert isinstance(listed, bytes)
        # Minus the connection that asks.
        return len(listed.splitlines()) - 1

    before = clients(replica)
    async with await client_at(primary.port, replica.port) as client:
        await client.set("k", "v")
        await until(lambda: clients(replica) <= before)
        await swap(primary, replica)
        await client.set("k", "v")
        await until(lambda: clients(primary) == 0)


async def test_replicas_that_are_read_stay_connected_over_a_swap(
    pair: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = pair
    read_from = ReadFrom.PREFER_REPLICA
    async with await client_at(primary.port, replica.port, read_from=read_from) as client:
        await client.set("k", "1")
        await swap(primary, replica)
        await client.set("k", "2")

        async def reads_it() -> bool:
            return await client.get("k") == b"2"

        await until(reads_it)
        assert set(client.stats().nodes) == {f"127.0.0.1:{s.port}" for s in (primary, replica)}


async def _watched(client: GlideClient) -> object:
    await client.watch(["n"])
    return await WORK["transaction of scripts"](client)


@pytest.mark.parametrize(
    "work",
    [
        WORK["script"],
        WORK["pipeline of scripts"],
        WORK["transaction of scripts"],
        _watched,
        lambda client: client.watch(["n"]),
    ],
    ids=["script", "pipeline", "transaction", "watched transaction", "watch"],
)
async def test_a_stalled_primary_is_left_for_the_one_that_took_its_place(
    pair: tuple[ValkeyServer, ValkeyServer], work: Work
) -> None:
    primary, replica = pair
    async with await client_at(primary.port, replica.port, request_timeout=200) as client:
        await work(client)
        primary.pause()
        replica.command("REPLICAOF", "NO", "ONE")

        async def succeeds() -> bool:
            try:
                return await work(client) is not None
            except TimeoutError:
                return False

        try:
            await until(succeeds, 5)
        finally:
            primary.resume()


@pytest.mark.every_server
@pytest.mark.parametrize("kind", ["script", "pipeline of scripts", "transaction of scripts"])
async def test_a_script_waits_for_a_replica_that_has_lost_its_primary(
    own_server: ValkeyServer, kind: str
) -> None:
    """Also if it is promoted between a call and the question whether it has refused that itself.

    Redis 6.2 refuses a script when it queues it, so there is no such question.
    """
    own_server.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    own_server.command("REPLICAOF", "127.0.0.1", "1")
    seen: list[list[bytes]] = []

    def refuses(command: list[bytes]) -> bool:
        seen.append(command[:2])
        if seen.count([b"EVAL", b"return 1"]) == 2 or seen.count([b"EXEC"]) == 4:
            own_server.command("REPLICAOF", "NO", "ONE")
        return False

    async with (
        filter_proxy(own_server, refuses, None) as filtering,
        await client_at(filtering.port) as client,
    ):
        assert await WORK[kind](client) in (1, [1])


@pytest.mark.every_server
@pytest.mark.parametrize("kind", ["script", "pipeline of scripts", "transaction of scripts"])
async def test_a_script_that_begins_while_a_server_refuses_calls_waits_with_them(
    own_server: ValkeyServer, kind: str
) -> None:
    """Also if the server is promoted between it and the next question."""
    own_server.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    own_server.command("REPLICAOF", "127.0.0.1", "1")
    seen: list[bytes] = []

    def refuses(command: list[bytes]) -> bool:
        if b"n" in command:
            is_question = command[1] in (b"0" * 40, b"return 1")
            if is_question and b"script" in seen:
                own_server.command("REPLICAOF", "NO", "ONE")
            seen.append(b"question" if is_question else b"script")
        seen.append(command[0])
        return False

    async with (
        filter_proxy(own_server, refuses, None) as filtering,
        await client_at(filtering.port) as client,
    ):
        waiting = asyncio.create_task(client.get("k"))
        await until(lambda: seen.count(b"GET") > 1)
        assert await WORK[kind](client) in (1, [1])
        assert await waiting is None


@pytest.mark.needs("script flags")
@pytest.mark.parametrize("reads", [True, False])
async def test_a_transaction_that_was_refused_to_its_deadline_says_whether_some_of_it_ran(
    own_server: ValkeyServer, reads: bool
) -> None:
    own_server.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    own_server.command("REPLICAOF", "127.0.0.1", "1")
    batch = Batch(is_atomic=True)
    if reads:
        code = "#!lua flags=allow-stale,no-writes\nreturn 'runs on such a server'"
        batch.invoke_script(Script(code, read_only=True))
    batch.invoke_script(PLAIN, ["n"])
    async with await client_at(own_server.port, request_timeout=500) as client:
        with pytest.raises(TimeoutError, match="MASTERDOWN") as caught:
            await client.exec(batch, raise_on_error=True)
    assert caught.value.may_have_executed == reads
    assert ("may have been executed" in str(caught.value)) == reads
