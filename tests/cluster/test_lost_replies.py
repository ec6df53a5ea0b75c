"""Connections that break after the server ran a script and before its reply came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import a_key_each, in_thread, key_on, load, reset_stats, runs
from tests.waiting import until

from glide_scripts import (
    AllPrimaries,
    BatchRetryStrategy,
    ClusterBatch,
    ClusterBatchOptions,
    ConnectionError,
    RequestError,
    Script,
)
from glide_scripts.testing import FaultProxy, ValkeyCluster

pytestmark = pytest.mark.needs("hostnames in a cluster")

HOST = "127.0.0.2"
INCR = Script("return redis.call('INCR', KEYS[1])")
IDEMPOTENT = Script("return redis.call('INCR', KEYS[1]) -- again", idempotent=True)
READ_ONLY = Script("return redis.call('GET', KEYS[1])", read_only=True)
LOADED = (INCR, IDEMPOTENT, READ_ONLY)


@pytest.fixture(scope="module")
def announced() -> Iterator[ValkeyCluster]:
    """A cluster that sends its clients to the proxies."""
    config = {
        "cluster-announce-hostname": HOST,
        "cluster-preferred-endpoint-type": "hostname",
    }
    with ValkeyCluster(primaries=3, replicas=0, config=config) as cluster:
        yield cluster


@pytest.fixture
def proxies(announced: ValkeyCluster) -> Iterator[list[FaultProxy]]:
    """A proxy for each node, at the address that the node gives to clients.

    The scripts are loaded, the counters at 0.
    """
    for node in announced.nodes:
        node.command("FLUSHALL")
        node.command("SCRIPT", "FLUSH")
        for script in LOADED:
            node.command("SCRIPT", "LOAD", script.code)
    reset_stats(announced.nodes)
    with ExitStack() as started:
        yield [
            started.enter_context(
                FaultProxy(node.host, node.port, listen_host=HOST, listen_port=node.port)
            )
            for node in announced.nodes
        ]


def seeds(cluster: ValkeyCluster) -> list[tuple[str, int]]:
    return [(HOST, node.port) for node in cluster.nodes]


async def test_the_client_goes_through_the_proxies(
    announced: ValkeyCluster, proxies: list[FaultProxy], connect_cluster: Connect
) -> None:
    client = await connect_cluster(announced.addresses)
    replies = await client.invoke_script_route(Script("return 1"), route=AllPrimaries())
    assert replies == {f"{HOST}:{node.port}".encode(): 1 for node in announced.nodes}


@pytest.mark.parametrize("cached", [True, False])
async def test_a_script_whose_reply_is_lost_is_not_run_again(
    announced: ValkeyCluster, proxies: list[FaultProxy], connect_cluster: Connect, cached: bool
) -> None:
    client = await connect_cluster(seeds(announced))
    key = key_on(announced, announced.nodes[0])
    if not cached:
        # Its EVALSHA is answered; the reply to its EVAL is lost.
        announced.nodes[0].command("SCRIPT", "FLUSH")
    for number in range(1, 6):
        proxies[0].drop_replies()
        with pytest.raises(ConnectionError) as caught:
            await client.invoke_script(INCR, keys=[key])
        assert caught.value.may_have_executed is True
        assert announced.nodes[0].command("GET", key) == b"%d" % number
        # The server has the script now, but only by EVAL: the connection for SCRIPT LOAD was lost.
        if not cached:
            announced.nodes[0].command("SCRIPT", "FLUSH")
    assert await client.invoke_script(INCR, keys=[key]) == 6


@pytest.mark.parametrize("dropped", [1, 3])
@pytest.mark.parametrize("script", [IDEMPOTENT, READ_ONLY], ids=["idempotent", "read only"])
async def test_a_script_that_may_run_again_does_so_and_succeeds(
    announced: ValkeyCluster,
    proxies: list[FaultProxy],
    connect_cluster: Connect,
    script: Script,
    dropped: int,
) -> None:
    client = await connect_cluster(seeds(announced))
    node = announced.nodes[0]
    proxies[0].drop_replies(dropped)
    reply = await client.invoke_script(script, keys=[key_on(announced, node)])
    assert reply == (dropped + 1 if script is IDEMPOTENT else None)
    assert runs(node) == dropped + 1


async def test_a_loss_on_one_of_several_nodes_runs_the_script_nowhere_twice(
    announced: ValkeyCluster, proxies: list[FaultProxy], connect_cluster: Connect
) -> None:
    client = await connect_cluster(seeds(announced))
    script = Script("return 'once'")
    for node in announced.nodes:
        node.command("SCRIPT", "LOAD", script.code)
    reset_stats(announced.nodes)
    proxies[1].drop_replies()
    with pytest.raises(RequestError, match=f"^{HOST}:{proxies[1].port}: ") as caught:
        await client.invoke_script_route(script, route=AllPrimaries())
    assert caught.value.may_have_executed is True
    assert [runs(node) for node in announced.nodes] == [1, 1, 1]


@pytest.mark.parametrize("script", [INCR, IDEMPOTENT], ids=["plain", "idempotent"])
async def test_under_load_and_with_a_slot_that_moves_nothing_runs_more_often_than_it_may(
    announced: ValkeyCluster, proxies: list[FaultProxy], connect_cluster: Connect, script: Script
) -> None:
    client = await connect_cluster(seeds(announced))
    moved = key_on(announced, announced.nodes[0], "moved")
    slot = announced.key_slot(moved)
    # Callers that are not cancelled keep every proxy busy.
    keys = [moved, *a_key_each(announced)]
    async with load(client, keys, script, callers=4) as work:
        for turn in range(6):
            for proxy in proxies:
                proxy.drop_replies()
            await in_thread(announced.move_slot, slot, announced.nodes[(turn + 1) % 3])
            await until(lambda: all(proxy.counts["dropped"] for proxy in proxies))
            for proxy in proxies:
                proxy.counts.clear()
            for key in keys:
                await until(work.progress(key))
    if script is IDEMPOTENT:
        assert work.all_errors == []
    else:
        assert work.all_errors
        assert all(getattr(error, "may_have_executed", False) for error in work.all_errors)
        await work.check(exact=False)
    for key in keys:
        assert int(await client.get(key) or 0) >= work.acknowledged[key]


async def test_in_a_batch_a_lost_reply_marks_its_nodes_commands_and_no_others(
    announced: ValkeyCluster, proxies: list[FaultProxy], connect_cluster: Connect
) -> None:
    client = await connect_cluster(seeds(announced))
    keys = a_key_each(announced)
    await client.delete(keys)
    batch = ClusterBatch(is_atomic=False)
    for key in keys:
        batch.invoke_script(INCR, [key])
    assert await client.exec(batch, True) == [1, 1, 1]
    proxies[1].drop_replies()
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    assert (results[0], results[2]) == (2, 2)
    assert isinstance(results[1], ConnectionError)
    assert results[1].may_have_executed
    assert await client.mget(keys) == [b"2", b"2", b"2"]

    proxies[1].drop_replies()
    atomic = ClusterBatch(is_atomic=True).invoke_script(INCR, [keys[1]]).get(keys[1])
    with pytest.raises(ConnectionError) as caught:
        await client.exec(atomic, raise_on_error=False)
    assert caught.value.may_have_executed
    assert await client.get(keys[1]) == b"3"


async def test_who_asks_for_it_has_lost_commands_sent_again(
    announced: ValkeyCluster, proxies: list[FaultProxy], connect_cluster: Connect
) -> None:
    client = await connect_cluster(seeds(announced))
    keys = a_key_each(announced)
    await client.delete(keys)
    batch = ClusterBatch(is_atomic=False)
    for key in keys:
        batch.invoke_script(INCR, [key])
    assert await client.exec(batch, True) == [1, 1, 1]
    proxies[1].drop_replies()
    strategy = BatchRetryStrategy(retry_server_error=True, retry_connection_error=True)
    options = ClusterBatchOptions(retry_strategy=strategy)
    assert await client.exec(batch, True, options) == [2, 3, 2]
    with pytest.raises(RequestError, match="retry_strategy"):
        await client.exec(ClusterBatch(is_atomic=True).ping(), True, options)
