"""`once` in a cluster: records are in the slot of the first key, and go where that goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.cluster.conftest import Connect

from glide_scripts import (
    AllPrimaries,
    ClusterBatch,
    CrossSlotError,
    GlideClusterClient,
    OnceConflictError,
    Script,
    SlotKeyRoute,
    SlotType,
)
from glide_scripts.testing import ValkeyCluster

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
KEYS: list[Any] = [
    "user:1",
    "{user:1}:cart",
    "",
    "{}",
    "{}a",
    "}",
    "a}b",
    "a}{b",
    "{a",
    "a{b}c{d}",
    "a{{b}}c",
    b"\xff\x00}\r\n",
    b"{\xff}",
    "{}{a}",
    "k" * 1000,
    "é",
]


@pytest.mark.every_server
async def test_whatever_the_first_key_is_its_record_is_in_its_slot(
    client: GlideClusterClient,
) -> None:
    for number, key in enumerate(KEYS):
        for once in (f"order-{number}", f"{{x}}{number}", b"}{\x00%d" % number):
            replies = [await client.invoke_script(ADD, [key], ["1"], once=once) for _ in "ab"]
            assert replies[0] == replies[1], (number, once)
    assert client.stats().answered_from_records == 3 * len(KEYS)
    assert client.stats().redirects == 0


@pytest.mark.every_server
async def test_a_script_without_keys_is_sent_where_its_record_is(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    script = Script("return #KEYS")
    for number in range(30):
        for _ in range(2):
            assert await client.invoke_script(script, once=f"order-{number}") == 0
    assert client.stats().redirects == 0
    assert client.stats().answered_from_records == 30
    assert all(node.command("DBSIZE") for node in cluster.primaries())


@pytest.mark.parametrize("is_atomic", [False, True])
@pytest.mark.every_server
async def test_batches_keep_records(client: GlideClusterClient, is_atomic: bool) -> None:
    tags = ["{t}"] if is_atomic else [f"{{t{number}}}" for number in range(20)]
    batch = ClusterBatch(is_atomic=is_atomic)
    for tag in tags:
        batch.invoke_script(ADD, [f"{tag}n", f"{tag}m"], ["1"], once="order")
        batch.invoke_script(ADD, [f"{tag}n", f"{tag}m"], ["1"], once=True)
        batch.invoke_script(ADD, [f"{tag}n", f"{tag}m"], ["2"], once="order")
    for expected in (2, 3):
        results = await client.exec(batch, raise_on_error=False)
        assert results is not None
        assert results[::3] == [1] * len(tags)
        assert results[1::3] == [expected] * len(tags)
        assert all(isinstance(each, OnceConflictError) for each in results[2::3])


@pytest.mark.every_server
async def test_many_calls_over_all_slots_run_once(client: GlideClusterClient) -> None:
    calls = [([f"n{number}"], ["1"]) for number in range(1000)]
    for _ in range(2):
        assert set(await client.invoke_script_many(ADD, calls, once="import")) == {1}


@pytest.mark.every_server
async def test_two_clients_race_with_one_id(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    clients = [await connect_cluster(cluster) for _ in "ab"]
    calls = [
        client.invoke_script(ADD, [f"n{number}"], ["1"], once="order")
        for number in range(200)
        for client in clients
    ]
    assert set(await asyncio.gather(*calls)) == {1}


async def test_a_route_is_refused_with_once(client: GlideClusterClient) -> None:
    declared = Script(ADD.code, once=True)
    for route in (AllPrimaries(), SlotKeyRoute(SlotType.PRIMARY, "n")):
        with pytest.raises(ValueError, match="once is given with route"):
            await client.invoke_script_route(declared, ["1"], route, keys=["n"])
        with pytest.raises(ValueError, match="once is given with route"):
            ClusterBatch(is_atomic=False).invoke_script_route(declared, ["1"], route, keys=["n"])
    assert await client.invoke_script_route(declared, ["1"], keys=["n"]) == 1


async def test_keys_of_several_slots_are_refused(client: GlideClusterClient) -> None:
    with pytest.raises(CrossSlotError):
        await client.invoke_script(ADD, ["a", "b"], ["1"], once="order")


async def test_calls_go_on_while_a_slot_moves(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(own_cluster, request_timeout=60_000)
    slot = own_cluster.key_slot("{t}")
    ids = [f"order-{number}" for number in range(200)]

    async def call_all() -> list[object]:
        calls = (client.invoke_script(ADD, ["{t}n"], ["1"], once=each) for each in ids)
        return await asyncio.gather(*calls)

    first = await call_all()
    owner = own_cluster.slot_owner(slot)
    other = next(node for node in own_cluster.primaries() if node.port != owner.port)
    calling = asyncio.ensure_future(call_all())
    await asyncio.to_thread(own_cluster.move_slot, slot, other)
    assert await calling == first
    assert await call_all() == first
    assert other.command("GET", "{t}n") == b"200"
