"""The libraries' cluster clients over this package's connections."""

from __future__ import annotations

from typing import Any

import pytest
from tests.transport.kinds import Kind, closed, done

from glide_scripts.testing import ValkeyCluster

ECHO = "return {KEYS[1], ARGV[1]}"


async def test_commands_and_scripts(kind: Kind, cluster_client: Any) -> None:
    assert isinstance(cluster_client, getattr(kind.own, f"{kind.name}Cluster"))
    script = cluster_client.register_script(ECHO)
    for key in ("a", "b", "c"):
        assert await done(cluster_client.set(key, 1)) is True
        assert await done(script([key], [1])) == [key.encode(), b"1"]
    await done(cluster_client.script_flush())
    assert await done(cluster_client.evalsha(script.sha, 1, "a", "v")) == [b"a", b"v"]
    assert await done(cluster_client.dbsize(target_nodes="primaries")) == 3
    assert await done(cluster_client.delete("a", "b", "c")) == 3


@pytest.mark.parametrize("transaction", [None, True])
async def test_pipeline_contains_scripts(cluster_client: Any, transaction: bool | None) -> None:
    script = cluster_client.register_script(ECHO)
    await done(cluster_client.script_flush())
    other = "{a}2" if transaction else "b"
    pipe = cluster_client.pipeline(transaction=transaction)
    pipe.set("a", 1).set(other, 2).incr("a")
    await done(script(["a"], ["v"], client=pipe))
    assert len(pipe) == 4
    assert await done(pipe.execute()) == [True, True, 2, [b"a", b"v"]]
    assert len(pipe) == 0


async def test_errors_of_pipelines_have_the_librarys_words(
    kind: Kind, valkey_cluster: ValkeyCluster, cluster_client: Any
) -> None:
    own = kind.cluster(*valkey_cluster.addresses[0], own=True)
    words = []
    for client in (own, cluster_client):
        pipe = client.pipeline().set("a", "text").lpush("a", 1)
        with pytest.raises(kind.exceptions.ResponseError) as caught:
            await done(pipe.execute())
        words.append(str(caught.value))
    await done(own.close() if kind.is_sync else own.aclose())
    assert words[0] == words[1]


async def test_errors_of_transactions_have_the_servers_words(
    kind: Kind, cluster_client: Any
) -> None:
    pipe = cluster_client.pipeline(transaction=True).set("a", "text").lpush("a", 1)
    with pytest.raises(kind.exceptions.ResponseError, match="caused error: WRONGTYPE"):
        await done(pipe.execute())


async def test_errors_of_pipelines_name_the_command(kind: Kind, cluster_client: Any) -> None:
    pipe = cluster_client.pipeline().set("a", "text").lpush("a", 1).set("b", 2)
    with pytest.raises(kind.exceptions.ResponseError, match=r"^Command # 2 \(LPUSH a 1\)"):
        await done(pipe.execute())
    assert await done(cluster_client.get("b")) == b"2"


async def test_keys_of_several_slots_are_the_librarys_errors(
    kind: Kind, cluster_client: Any
) -> None:
    with pytest.raises(kind.exceptions.ClusterCrossSlotError) as caught:
        await done(cluster_client.eval("return 1", 2, "a", "b"))
    name = f"{kind.name}ClusterException"
    assert isinstance(caught.value, getattr(kind.exceptions, name))
    pipe = cluster_client.pipeline(transaction=True).set("a", 1).set("b", 1)
    with pytest.raises(kind.exceptions.ClusterCrossSlotError) as caught:
        await done(pipe.execute())
    # Old versions have no such class.
    of_transaction = getattr(kind.exceptions, "CrossSlotTransactionError", Exception)
    assert isinstance(caught.value, of_transaction)


async def test_nodes_of_the_callers_choice_are_the_librarys(
    cluster_client: Any, valkey_cluster: ValkeyCluster
) -> None:
    nodes = await done(cluster_client.ping(target_nodes="primaries"))
    assert nodes is True or set(dict(nodes).values()) == {True}
    await done(cluster_client.mset_nonatomic({"a": 1, "b": 2}))
    assert await done(cluster_client.mget_nonatomic("a", "b")) == [b"1", b"2"]


async def test_closed_client_connects_again(cluster_client: Any) -> None:
    # The libraries' own clients do so too, but not always.
    await closed(cluster_client)
    for _ in range(2):
        assert await done(cluster_client.set("a", 1)) is True
        assert await done(cluster_client.pipeline().get("a").execute()) == [b"1"]
        await closed(cluster_client)
        await closed(cluster_client)


async def test_nodes_that_an_asynchronous_client_does_not_know_are_an_error(
    kind: Kind, cluster_client: Any
) -> None:
    await done(cluster_client.set("a", 1))
    if not kind.is_sync:
        error = getattr(kind.exceptions, f"{kind.name}ClusterException")
        for name, *args in (["get_primaries"], ["get_node_from_key", "a"], ["get_default_node"]):
            with pytest.raises(error, match=rf"^{name}\(\) .* await initialize\(\) before it"):
                getattr(cluster_client, name)(*args)
        await cluster_client.initialize()
    assert len(cluster_client.get_primaries()) == 3
    assert cluster_client.get_node_from_key("a") in cluster_client.get_nodes()
    assert cluster_client.get_default_node() in cluster_client.get_primaries()
