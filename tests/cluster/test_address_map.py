"""A cluster whose nodes name each other by addresses that cannot be reached from here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.cluster.support import INCR, key_on

from glide_scripts import (
    AdvancedGlideClusterClientConfiguration,
    AllNodes,
    ByAddressRoute,
    GlideClusterClient,
    NodeAddress,
    ReadFrom,
    TimeoutError,
)
from glide_scripts.testing import ValkeyCluster

Connect = Callable[..., Awaitable[GlideClusterClient]]
# No such name is known anywhere: RFC 2606.
INNER = "inner.invalid"

pytestmark = pytest.mark.needs("hostnames in a cluster")


@pytest.fixture(scope="module")
def inner_cluster() -> Iterator[ValkeyCluster]:
    """Its nodes name each other by a name that cannot be resolved here."""
    config = {
        "cluster-announce-hostname": INNER,
        "cluster-preferred-endpoint-type": "hostname",
    }
    with ValkeyCluster(primaries=3, replicas=1, config=config) as cluster:
        yield cluster


def outer(address: NodeAddress) -> NodeAddress:
    assert address.host == INNER
    return NodeAddress("127.0.0.1", address.port)


async def outer_later(address: NodeAddress) -> str:
    await asyncio.sleep(0)
    return f"127.0.0.1:{outer(address).port}"


def table(cluster: ValkeyCluster) -> dict[str | NodeAddress, str | NodeAddress]:
    """An address map in each form that it may have."""
    return {
        NodeAddress(INNER, port) if index % 2 else f"{INNER}:{port}": NodeAddress(host, port)
        if index % 3
        else f"{host}:{port}"
        for index, (host, port) in enumerate(cluster.addresses)
    }


@pytest.mark.parametrize("kind", ["dict", "function", "async function"])
@pytest.mark.parametrize("read_from", [ReadFrom.PRIMARY, ReadFrom.PREFER_REPLICA])
async def test_every_node_is_reached_where_the_map_has_it(
    inner_cluster: ValkeyCluster, connect_cluster: Connect, kind: str, read_from: ReadFrom
) -> None:
    maps: dict[str, Any] = {
        "dict": table(inner_cluster),
        "function": outer,
        "async function": outer_later,
    }
    client = await connect_cluster(inner_cluster, address_map=maps[kind], read_from=read_from)
    for node in inner_cluster.primaries():
        key = key_on(inner_cluster, node)
        await client.set(key, "1")
        assert await client.invoke_script(INCR, keys=[key]) == 2
        await client.get(key)
    names = {f"{INNER}:{node.port}".encode() for node in inner_cluster.nodes}
    assert set(await client.info(route=AllNodes())) == names


async def test_a_redirect_leads_where_the_map_has_it(
    inner_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(inner_cluster, address_map=outer)
    source, target, *_ = inner_cluster.primaries()
    key = key_on(inner_cluster, source)
    await client.set(key, "1")
    inner_cluster.move_slot(inner_cluster.key_slot(key), target)
    assert await client.invoke_script(INCR, keys=[key]) == 2
    assert client.stats().redirects == 1


async def test_a_node_goes_by_its_own_address(
    inner_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(inner_cluster, address_map=table(inner_cluster))
    node = inner_cluster.primaries()[0]
    info = await client.info(route=ByAddressRoute(INNER, node.port))
    assert f"tcp_port:{node.port}".encode() in info


@pytest.mark.parametrize("from_seeds", [False, True])
async def test_a_function_is_not_asked_for_configured_addresses(
    inner_cluster: ValkeyCluster, connect_cluster: Connect, from_seeds: bool
) -> None:
    asked: list[NodeAddress] = []

    def outer_noted(address: NodeAddress) -> NodeAddress:
        asked.append(address)
        return NodeAddress("127.0.0.1", address.port)

    advanced = AdvancedGlideClusterClientConfiguration(
        refresh_topology_from_initial_nodes=from_seeds
    )
    client = await connect_cluster(inner_cluster, address_map=outer_noted, advanced_config=advanced)
    for node in inner_cluster.primaries():
        await client.set(key_on(inner_cluster, node), "1")
    assert {address.host for address in asked} == {INNER}


async def test_a_dict_may_have_configured_addresses(
    inner_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    seeds = [(INNER, port) for _, port in inner_cluster.addresses]
    client = await connect_cluster(seeds, address_map=table(inner_cluster))
    assert await client.set("k", "v")


def absent(address: NodeAddress) -> NodeAddress:
    raise KeyError(address.host)


@pytest.mark.parametrize(
    ("address_map", "words"),
    [
        (absent, f"address_map raised KeyError: '{INNER}'"),
        (lambda _: 5, "address_map returned int; it must return a NodeAddress"),
        (lambda _: "nowhere", "address_map returned a str that is no address: it has no port"),
        (lambda _: "127.0.0.1:1", r"refused.*\(address_map: it is at 127.0.0.1:1\)"),
    ],
)
async def test_what_is_wrong_with_a_function_reaches_the_caller_in_time(
    inner_cluster: ValkeyCluster, connect_cluster: Connect, address_map: Any, words: str
) -> None:
    client = await connect_cluster(inner_cluster, address_map=address_map, request_timeout=500)
    with pytest.raises(TimeoutError, match=words) as raised:
        await client.set("k", "v")
    assert not raised.value.may_have_executed


async def test_a_function_that_does_not_answer_holds_nothing_up(
    inner_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    async def never(_: NodeAddress) -> None:
        await asyncio.get_running_loop().create_future()

    advanced = AdvancedGlideClusterClientConfiguration(connection_timeout=200)
    client = await connect_cluster(
        inner_cluster, address_map=never, request_timeout=500, advanced_config=advanced
    )
    with pytest.raises(TimeoutError, match="address_map has not answered within 200 ms"):
        await client.set("k", "v")
