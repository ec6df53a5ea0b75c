"""Tests of one's own scripts, on servers and with the fixtures of ``glide_scripts.testing``."""

from __future__ import annotations

import pytest

from glide_scripts import ConnectionError, GlideClient, GlideClusterClient, Script
from glide_scripts.testing import ClusterFaults, ServerFaults, ValkeyCluster, ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture(scope="session")
def valkey_server_settings() -> dict[str, object]:
    return {"config": {"maxmemory": "100mb"}}


async def test_it_adds(valkey_client: GlideClient) -> None:
    assert await valkey_client.invoke_script(ADD, ["n"], ["2"]) == 2
    assert await valkey_client.set("k", "v") == "OK"


async def test_a_lost_reply(valkey_client: GlideClient, valkey_faults: ServerFaults) -> None:
    valkey_faults.lose_replies()
    with pytest.raises(ConnectionError) as lost:
        await valkey_client.invoke_script(ADD, ["n"], ["1"])
    assert lost.value.may_have_executed


async def test_a_failover(
    valkey_cluster_client: GlideClusterClient, valkey_cluster_faults: ClusterFaults
) -> None:
    valkey_cluster_faults.failover("k")
    with valkey_cluster_faults.busy("k"):
        pass
    assert await valkey_cluster_client.get("k") is None


def by_hand() -> None:
    with ValkeyServer(config={"maxmemory": "1mb"}) as server, ValkeyCluster() as cluster:
        print(server.url, server.port, cluster.url, server.command("PING"))
        print(cluster.slot_owner(cluster.key_slot("k")).port)
