"""Cases that a real cluster does not produce on demand, with a scripted cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.fake_cluster import (
    LAST_SLOT,
    FakeNode,
    Words,
    array,
    bulk,
    error,
    integer,
    node,
    slots,
)
from tests.waiting import until

from glide_scripts import (
    AllPrimaries,
    ByAddressRoute,
    ClosingError,
    ClusterBatch,
    GlideClusterClient,
    RequestError,
    Script,
    TimeoutError,
)
from glide_scripts.testing import ValkeyCluster

ONE = Script("return 1")
KEY = "key"
SLOT = ValkeyCluster.key_slot(KEY)


@pytest.fixture
async def fake() -> AsyncIterator[FakeNode]:
    async with FakeNode().listening() as fake:
        yield fake


@pytest.fixture
async def other() -> AsyncIterator[FakeNode]:
    """A second node, which the first one does not list."""
    async with FakeNode().listening() as other:
        other.script = lambda _: integer(2)
        yield other


async def call(client: GlideClusterClient, timeout: int = 5000) -> object:
    return await client.invoke_script(ONE, keys=[KEY], timeout=timeout)


async def test_a_scripted_node_serves(fake: FakeNode, connect_cluster: Connect) -> None:
    client = await connect_cluster([fake.address])
    assert await call(client) == 1


# Redirects


@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
async def test_a_redirect_to_a_node_that_no_map_has_is_followed(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect, kind: str
) -> None:
    fake.script = lambda _: error(f"{kind} {SLOT} {other.host}:{other.port}")
    client = await connect_cluster([fake.address])
    assert [await call(client) for _ in range(20)] == [2] * 20
    assert other.count("ASKING") == (20 if kind == "ASK" else 0)
    assert other.count("EVALSHA", "EVAL") == 20


async def test_asking_comes_again_before_the_code_of_a_script_that_the_node_lacks(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect
) -> None:
    def script(words: Words) -> bytes:
        asked = other.received[-2][0] == b"ASKING"
        if not asked:
            return error(f"MOVED {SLOT} {fake.host}:{fake.port}")
        missing = words[0] == b"EVALSHA"
        return error("NOSCRIPT No matching script.") if missing else integer(2)

    fake.script = lambda _: error(f"ASK {SLOT} {other.host}:{other.port}")
    other.script = script
    client = await connect_cluster([fake.address])
    assert await call(client) == 2
    names = [words[0] for words in other.received if words[0] in (b"ASKING", b"EVALSHA", b"EVAL")]
    assert names == [b"ASKING", b"EVALSHA", b"ASKING", b"EVAL"]


@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
async def test_an_empty_host_in_a_redirect_means_the_host_that_answered(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect, kind: str
) -> None:
    """So says the cluster specification; servers do it with an unknown endpoint."""
    fake.script = lambda _: error(f"{kind} {SLOT} :{other.port}")
    client = await connect_cluster([fake.address])
    assert await call(client, timeout=1000) == 2


async def failure_between_attempts(client: GlideClusterClient) -> tuple[RequestError, int]:
    """Return the error of a call that is tried until its deadline, and the number of calls made.

    On a busy machine the deadline may pass during an attempt, which may then have been executed.
    """
    for tries in range(1, 21):
        with pytest.raises(RequestError) as caught:
            await asyncio.wait_for(call(client, timeout=500), 10)
        if not caught.value.may_have_executed:
            return caught.value, tries
    raise AssertionError("20 calls ended while they were in flight")


@pytest.mark.parametrize(
    "target", ["here", "there and back", "a closed port", "no such host", "?", "port 0"]
)
@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
async def test_redirects_that_lead_nowhere_end_in_an_error_within_the_deadline(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect, kind: str, target: str
) -> None:
    to = {
        "here": f"{fake.host}:{fake.port}",
        "there and back": f"{other.host}:{other.port}",
        "a closed port": "127.0.0.1:1",
        "no such host": "no-such-host.invalid:6379",
        "?": f"?:{other.port}",
        "port 0": "127.0.0.1:0",
    }[target]
    fake.script = lambda _: error(f"{kind} {SLOT} {to}")
    other.script = lambda _: error(f"MOVED {SLOT} {fake.host}:{fake.port}")
    client = await connect_cluster([fake.address])
    failure, tries = await failure_between_attempts(client)
    assert any(part in str(failure) for part in (kind, "MOVED", "connection"))
    assert len(fake.received) + len(other.received) < 1000 * tries
    fake.script = lambda _: integer(1)
    assert await call(client) == 1


@pytest.mark.parametrize(
    "text",
    [
        "MOVED",
        "MOVED 1",
        f"MOVED {SLOT}",
        f"MOVED {SLOT} nothing",
        f"MOVED {SLOT} 127.0.0.1:port",
        f"MOVED {SLOT} 127.0.0.1:99999",
        "MOVED 99999 127.0.0.1:1",
        "MOVED -1 127.0.0.1:1",
        "ASK",
        "ASK a b",
    ],
)
async def test_a_redirect_that_makes_no_sense_is_the_callers_error(
    fake: FakeNode, connect_cluster: Connect, text: str
) -> None:
    fake.script = lambda _: error(text)
    client = await connect_cluster([fake.address])
    with pytest.raises(RequestError, match=text.split(" ", maxsplit=1)[0]) as caught:
        await call(client, timeout=500)
    assert caught.value.code == text.split(" ", maxsplit=1)[0]
    assert len(fake.received) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "CLUSTERDOWN Hash slot not served",
        "LOADING Valkey is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "READONLY You can't write against a read only replica. script: on @user_script:1.",
        "READONLY Can not run script with write flag on readonly replica",
    ],
)
async def test_what_passes_by_itself_is_waited_for_without_spinning(
    fake: FakeNode, connect_cluster: Connect, text: str
) -> None:
    fake.script = lambda _: error(text)
    client = await connect_cluster([fake.address])
    failure, tries = await failure_between_attempts(client)
    assert isinstance(failure, TimeoutError)
    assert text.split(" ", maxsplit=1)[0] in str(failure)
    assert fake.count("EVALSHA", "EVAL") < 100 * tries
    assert fake.count("CLUSTER") < 100 * tries

    left = 5

    def later(_: Words) -> bytes:
        nonlocal left
        left -= 1
        return error(text) if left > 0 else integer(1)

    fake.script = later
    assert await call(client) == 1


# Maps


GARBAGE = {
    "an error": error("ERR This instance has cluster support disabled"),
    "no list": integer(1),
    "nothing": array(),
    "nil": b"*-1\r\n",
    "half a range": array(array(integer(0), integer(LAST_SLOT))),
    "no port": array(array(integer(0), integer(LAST_SLOT), array(bulk("127.0.0.1")))),
    "a port too large": array(slots(node("127.0.0.1", 70_000))),
    "a negative port": array(slots(node("127.0.0.1", -1))),
    "a slot too large": array(slots(node("127.0.0.1", 1), last=LAST_SLOT + 1)),
    "a range backwards": array(slots(node("127.0.0.1", 1), first=9, last=3)),
    "words for slots": array(array(bulk("0"), bulk("x"), node("127.0.0.1", 1))),
    "a host of bytes": array(slots(array(bulk(b"\xff\xfe"), integer(1), bulk("id")))),
    "not RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_without_a_map_that_makes_sense_no_client_is_made(
    fake: FakeNode, connect_cluster: Connect, garbage: bytes
) -> None:
    fake.map = lambda _: garbage
    with pytest.raises(ClosingError, match=f"could not connect.*{fake.host}:{fake.port}"):
        await asyncio.wait_for(connect_cluster([fake.address]), 10)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_a_client_goes_on_with_the_map_it_has(
    fake: FakeNode, connect_cluster: Connect, garbage: bytes
) -> None:
    client = await connect_cluster([fake.address])
    # Bytes that are not RESP end the connection, and a call in flight on it may be sent again.
    again = Script("return 1", idempotent=True)
    fake.map = lambda _: garbage
    asked = fake.count("CLUSTER")
    fake.script = lambda _: error("CLUSTERDOWN The cluster is down")
    with pytest.raises(TimeoutError):
        await client.invoke_script(again, keys=[KEY], timeout=200)
    assert fake.count("CLUSTER") > asked
    fake.script = lambda _: integer(1)
    assert await client.invoke_script(again, keys=[KEY]) == 1


async def test_a_seed_that_makes_no_sense_leaves_it_to_the_others(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect
) -> None:
    fake.map = lambda _: array(slots(node("127.0.0.1", 70_000)))
    client = await connect_cluster([fake.address, other.address])
    assert await call(client) == 2


async def test_a_seed_that_never_tells_its_map_ends_the_creation_in_an_error(
    fake: FakeNode, connect_cluster: Connect
) -> None:
    fake.map = lambda _: None
    with pytest.raises(ClosingError, match=f"{fake.host}:{fake.port}"):
        await asyncio.wait_for(connect_cluster([fake.address]), 15)


async def test_a_seed_that_never_tells_its_map_leaves_it_to_the_others(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect
) -> None:
    fake.map = lambda _: None
    client = await connect_cluster([fake.address, other.address])
    assert await call(client) == 2


async def test_many_seeds_that_never_tell_their_map_leave_it_to_the_last(
    other: FakeNode, connect_cluster: Connect
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        hung = [await stack.enter_async_context(FakeNode().listening()) for _ in range(5)]
        for node in hung:
            node.map = lambda _: None
        seeds = [*(node.address for node in hung), other.address]
        assert await call(await asyncio.wait_for(connect_cluster(seeds), 30)) == 2


async def test_a_slot_that_no_node_has_is_waited_for_until_the_deadline(
    fake: FakeNode, connect_cluster: Connect
) -> None:
    fake.map = lambda _: array(slots(node(fake.host, fake.port), first=SLOT + 1))
    client = await connect_cluster([fake.address])
    with pytest.raises(TimeoutError, match=r"no node|slot") as caught:
        await call(client, timeout=300)
    assert caught.value.may_have_executed is False
    assert fake.count("CLUSTER") < 100
    waiting = asyncio.create_task(call(client))
    fake.map = lambda _: array(slots(node(fake.host, fake.port)))
    assert await waiting == 1


# Addresses


@pytest.mark.parametrize(
    "host",
    ["", None, "127.0.0.1", "localhost", "?"],
    ids=["empty", "nil", "IPv4", "name", "unknown"],
)
async def test_a_node_is_reached_by_each_form_of_its_address(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect, host: str | None
) -> None:
    about = ["ip", other.host] if host == "?" else []
    fake.map = lambda _: array(slots(node(host, other.port, *about)))
    client = await connect_cluster([fake.address])
    assert await call(client) == 2
    name = b"localhost" if host == "localhost" else b"127.0.0.1"
    reply = await client.invoke_script_route(ONE, route=AllPrimaries())
    assert reply == {b"%b:%d" % (name, other.port): 2}


async def test_port_0_means_the_port_that_was_asked(
    fake: FakeNode, connect_cluster: Connect
) -> None:
    fake.map = lambda _: array(slots(node(fake.host, 0)))
    client = await connect_cluster([fake.address])
    assert await call(client) == 1


async def test_ipv6_addresses_work_everywhere(connect_cluster: Connect) -> None:
    async with contextlib.AsyncExitStack() as stack:
        try:
            first, second = [
                await stack.enter_async_context(FakeNode().listening("::1")) for _ in range(2)
            ]
        except OSError:
            pytest.skip("there is no IPv6 here")
        first.map = lambda _: array(
            slots(node("::1", first.port), last=SLOT),
            slots(node("::1", second.port), first=SLOT + 1),
        )
        second.script = lambda _: integer(2)
        client = await connect_cluster([("::1", first.port)])
        assert await call(client) == 1
        names = {b"[::1]:%d" % first.port: 1, b"[::1]:%d" % second.port: 2}
        assert await client.invoke_script_route(ONE, route=AllPrimaries()) == names
        for route in (ByAddressRoute("::1", second.port), ByAddressRoute(f"[::1]:{second.port}")):
            assert await client.invoke_script_route(ONE, route=route) == 2
        for host in ("::1", "[::1]"):
            first.script = lambda _, host=host: error(f"ASK {SLOT} {host}:{second.port}")  # type: ignore[misc]
            assert await call(client) == 2


# Changes


async def test_a_map_that_is_learned_closes_the_connections_of_nodes_that_left(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect
) -> None:
    client = await connect_cluster([fake.address])
    assert await call(client) == 1
    fake.map = lambda _: array(slots(node(other.host, other.port)))
    fake.script = lambda _: error(f"MOVED {SLOT} {other.host}:{other.port}")
    other.map = fake.map
    assert await call(client) == 2
    await until(lambda: not fake.connections)
    assert await call(client) == 2


async def test_a_node_that_left_answers_what_it_was_sent(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect
) -> None:
    answer = asyncio.Event()

    async def slow(_: Words) -> bytes:
        await answer.wait()
        return integer(11)

    other.map = fake.map
    client = await connect_cluster([fake.address, other.address])
    fake.script = slow
    waiting = asyncio.create_task(call(client))
    await until(lambda: fake.count("EVALSHA") == 1)
    other.map = lambda _: array(slots(node(other.host, other.port)))
    # This makes the client read the map again.
    with pytest.raises(RequestError, match="no node of the cluster"):
        await client.invoke_script_route(ONE, route=ByAddressRoute("192.0.2.1", 1))
    assert await call(client) == 2
    answer.set()
    assert await waiting == 11
    await until(lambda: not fake.connections)


async def test_a_lost_connection_is_made_again(fake: FakeNode, connect_cluster: Connect) -> None:
    client = await connect_cluster([fake.address])
    for _ in range(5):
        old = fake.connections
        fake.drop_connections()
        # The client may open the next connection before the server notices that this one is closed.
        await until(lambda old=old: old.isdisjoint(fake.connections))  # type: ignore[misc]
        await until(lambda: fake.connections)
        assert await call(client) == 1


async def test_a_map_that_says_nothing_new_leaves_the_order_of_what_waits_for_a_connection(
    fake: FakeNode, other: FakeNode, connect_cluster: Connect
) -> None:
    greets = asyncio.Event()

    async def greeting(_: Words) -> bytes:
        await greets.wait()
        return b"%1\r\n" + bulk("proto") + integer(3)

    other.greeting = greeting
    fake.map = other.map = lambda _: array(
        slots(node(other.host, other.port), first=SLOT, last=SLOT),
        slots(node(fake.host, fake.port), last=SLOT - 1),
        slots(node(fake.host, fake.port), first=SLOT + 1),
    )
    client = await connect_cluster([fake.address])
    pipeline = ClusterBatch(is_atomic=False)
    pipeline.set(KEY, "pipeline")
    first = asyncio.create_task(client.exec(pipeline, raise_on_error=True))
    await until(lambda: client.stats().pending_bytes > 0)
    # This makes the client read the map again.
    with pytest.raises(RequestError, match="no node of the cluster"):
        await client.invoke_script_route(ONE, route=ByAddressRoute("192.0.2.1", 1))
    second = asyncio.create_task(client.set(KEY, "single"))
    await asyncio.sleep(0)
    greets.set()
    await asyncio.gather(first, second)
    assert [words[2] for words in other.received if words[0] == b"SET"] == [b"pipeline", b"single"]


# Closing


@pytest.mark.parametrize("in_parts", [False, True])
async def test_a_call_to_several_nodes_that_was_not_sent_says_so_when_the_client_is_closed(
    connect_cluster: Connect, in_parts: bool
) -> None:
    async with FakeNode().listening() as fake:
        client = await connect_cluster([fake.address])
        assert await call(client) == 1
    await until(lambda: next(iter(client.stats().nodes.values())).reconnects)
    unsent: asyncio.Future[object]
    if in_parts:
        unsent = asyncio.ensure_future(client.mset({"a": "1", "b": "2"}))
    else:
        unsent = asyncio.ensure_future(client.invoke_script_route(ONE, route=AllPrimaries()))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(ClosingError) as caught:
        await unsent
    assert not caught.value.may_have_executed


async def test_a_call_to_several_nodes_of_which_one_got_it_says_so_when_the_client_is_closed(
    connect_cluster: Connect, fake: FakeNode
) -> None:
    fake.map = lambda _: array(
        slots(node(fake.host, fake.port), last=99), slots(node("127.0.0.1", 1), first=100)
    )
    fake.script = lambda _: None
    client = await connect_cluster([fake.address])
    sent = asyncio.ensure_future(client.invoke_script_route(ONE, route=AllPrimaries()))
    await until(lambda: fake.count("EVALSHA"))
    await client.close()
    with pytest.raises(ClosingError) as caught:
        await sent
    assert caught.value.may_have_executed
