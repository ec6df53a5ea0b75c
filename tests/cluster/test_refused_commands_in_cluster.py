"""Clusters behind proxies that refuse one of the client's own commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
from tests.cluster.support import a_key_each
from tests.filter_proxy import OWN_COMMANDS, REFUSALS, Filter, filter_proxy, naming
from tests.waiting import until

from glide_scripts import (
    ClosingError,
    ClusterBatch,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    NodeAddress,
    PeriodicChecksManualInterval,
    ProtocolVersion,
    ReadFrom,
    Script,
)
from glide_scripts.testing import ValkeyCluster

SET = Script("return redis.call('SET', KEYS[1], ARGV[1])")
GET = Script("return redis.call('GET', KEYS[1])", read_only=True)

COMMANDS = [
    *OWN_COMMANDS,
    "READONLY",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CLUSTER NODES",
]


@asynccontextmanager
async def filtered(
    cluster: ValkeyCluster,
    refuses: Callable[[list[bytes]], bool],
    words: str | None,
    **settings: object,
) -> AsyncIterator[tuple[GlideClusterClientConfiguration, list[Filter]]]:
    """A configuration with which all nodes are reached through proxies, and these."""
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(filter_proxy(node, refuses, words))
            for node in cluster.nodes
        ]
        outer: dict[str | NodeAddress, str | NodeAddress] = {
            f"{node.host}:{node.port}": NodeAddress(node.host, proxy.port)
            for node, proxy in zip(cluster.nodes, proxies, strict=True)
        }
        seeds = [NodeAddress(*address) for address in cluster.addresses]
        config = GlideClusterClientConfiguration(
            seeds,
            address_map=outer,
            **settings,  # type: ignore[arg-type]
        )
        yield config, proxies


async def works(client: GlideClusterClient, cluster: ValkeyCluster) -> None:
    """Calls of every kind have their replies, from every shard."""
    for key in a_key_each(cluster):
        assert await client.invoke_script(SET, [key], ["value"]) == b"OK"
        await until(partial(read, client, key))
        batch = ClusterBatch(is_atomic=False).get(key)
        batch.invoke_script(Script("return {KEYS[1], 1}"), [key])
        assert await client.exec(batch, raise_on_error=True) == [b"value", [key.encode(), 1]]


async def read(client: GlideClusterClient, key: str) -> bool:
    """Whether a replica has the data that its primary got."""
    return await client.invoke_script(GET, [key]) == b"value"


@pytest.mark.needs("hostnames in a cluster")
@pytest.mark.parametrize(
    ("name", "words"),
    [(name, "forbidden by policy") for name in COMMANDS]
    # A proxy may end a connection because of SCRIPT LOAD, but only once: see the standalone tests.
    + [(name, None) for name in COMMANDS if not name.startswith("SCRIPT")],
)
async def test_a_cluster_client_does_without_any_one_command_of_its_own(
    cluster: ValkeyCluster, protocol: ProtocolVersion, name: str, words: str | None
) -> None:
    settings: dict[str, object] = {
        "protocol": protocol,
        "client_name": "a-name",
        "read_from": ReadFrom.PREFER_REPLICA,
    }
    async with (
        filtered(cluster, naming(name), words, **settings) as (config, _),
        await GlideClusterClient.create(config) as client,
    ):
        await works(client, cluster)


@pytest.mark.needs("hostnames in a cluster")
async def test_connections_end_over_cluster_slots_only_in_the_beginning(
    cluster: ValkeyCluster,
) -> None:
    often = {"periodic_checks": PeriodicChecksManualInterval(1)}
    async with (
        filtered(cluster, naming("CLUSTER SLOTS"), None, **often) as (config, proxies),
        await GlideClusterClient.create(config) as client,
    ):
        refused = sum(len(proxy.refused) for proxy in proxies)
        assert 0 < refused <= len(proxies)
        asked = count(proxies, b"SHARDS")
        await until(lambda: count(proxies, b"SHARDS") > asked)
        await works(client, cluster)
        assert sum(len(proxy.refused) for proxy in proxies) == refused


def count(proxies: list[Filter], subcommand: bytes) -> int:
    """How many CLUSTER with that subcommand have come."""
    commands = (command for proxy in proxies for command in proxy.seen)
    return sum(command[:2] == [b"CLUSTER", subcommand] for command in commands)


@pytest.mark.every_server
@pytest.mark.parametrize("words", [*REFUSALS, None])
async def test_an_error_names_what_says_where_the_slots_are(
    cluster: ValkeyCluster, protocol: ProtocolVersion, words: str | None
) -> None:
    async with filtered(cluster, naming("CLUSTER"), words, protocol=protocol) as (config, _):
        with pytest.raises(ClosingError) as raised:
            await GlideClusterClient.create(config)
    text = str(raised.value)
    assert "needs CLUSTER SLOTS or CLUSTER SHARDS" in text
    assert text.count(words or "the connection ended") >= 2
