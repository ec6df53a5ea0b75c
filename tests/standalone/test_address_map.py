"""Servers that are reached elsewhere than where they say."""

from __future__ import annotations

import asyncio
import pickle
import re
from functools import partial
from typing import Any

import pytest
from tests.sentinels import Service
from tests.waiting import until

import glide_scripts.sync
from glide_scripts import (
    AddressMap,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClientConfiguration,
    NodeAddress,
    ReadFrom,
    SentinelConfiguration,
)
from glide_scripts.testing import FaultProxy, ValkeyServer

INNER = NodeAddress("inner.invalid", 6379)


def at(server: ValkeyServer | FaultProxy) -> NodeAddress:
    return NodeAddress(server.host, server.port)


async def test_configured_servers_are_reached_where_the_map_has_them(server: ValkeyServer) -> None:
    maps: tuple[AddressMap, ...] = ({INNER: at(server)}, lambda _: at(server))
    for address_map in maps:
        config = GlideClientConfiguration([INNER], address_map=address_map)
        async with await GlideClient.create(config) as client:
            assert await client.set("k", "v")


async def test_what_is_not_in_the_map_is_reached_where_it_is(server: ValkeyServer) -> None:
    maps: tuple[AddressMap, ...] = ({INNER: NodeAddress("h", 1)}, lambda _: None, {})
    for address_map in maps:
        config = GlideClientConfiguration([at(server)], address_map=address_map)
        async with await GlideClient.create(config) as client:
            assert await client.set("k", "v")


def test_a_synchronous_client_calls_a_function_in_a_thread(server: ValkeyServer) -> None:
    asked = []

    def outer(address: NodeAddress) -> NodeAddress:
        asked.append(address)
        return at(server)

    config = GlideClientConfiguration([INNER], address_map=outer)
    with glide_scripts.sync.GlideClient.create(config) as client:
        assert client.set("k", "v")
    assert set(asked) == {INNER}


def test_a_synchronous_client_takes_no_async_function() -> None:
    async def outer(address: NodeAddress) -> NodeAddress:
        return address

    config = GlideClientConfiguration([INNER], address_map=outer)
    with pytest.raises(ConfigurationError, match="address_map is an async function"):
        glide_scripts.sync.GlideClient.create(config)


async def test_of_a_function_that_raises_creating_a_client_tells() -> None:
    def absent(address: NodeAddress) -> NodeAddress:
        raise LookupError(f"nobody knows {address.host}")

    config = GlideClientConfiguration([INNER], address_map=absent)
    words = "address_map raised LookupError: nobody knows inner.invalid"
    with pytest.raises(ClosingError, match=words):
        await GlideClient.create(config)


async def test_what_sentinels_name_is_reached_where_the_map_has_it() -> None:
    with Service() as service:
        first, second = service.servers
        with FaultProxy(first.host, first.port) as one, FaultProxy(second.host, second.port) as two:
            config = service.configuration(
                address_map={at(first): at(one), at(second): at(two)},
                read_from=ReadFrom.PREFER_REPLICA,
            )
            async with await GlideClient.create(config) as client:
                await client.set("k", "v")
                await client.get("k")
                assert one.open_connections
                assert two.open_connections
                await asyncio.to_thread(service.sentinels[0].failover)
                await until(lambda: is_served_by(client, second))


async def is_served_by(client: GlideClient, server: ValkeyServer) -> bool:
    return f"tcp_port:{server.port}".encode() in await client.info()


ADDRESS = NodeAddress("h", 1)


@pytest.mark.parametrize(
    ("address_map", "words"),
    [
        (5, "address_map is int; pass a dict of addresses, or a function of one"),
        ("h:1=h:2", "address_map is str"),
        ({"h": ADDRESS}, "key 1 of address_map: it has no port"),
        ({ADDRESS: "h:0"}, "value 1 of address_map: the port is not a number from 1 to 65535"),
        ({ADDRESS: "h:2", "user@h:2": "h:2"}, "key 2 of address_map: the host contains '@'"),
        ({ADDRESS: None}, "value 1 of address_map is NoneType; pass a NodeAddress or a str"),
        ({6379: ADDRESS}, "key 1 of address_map is int"),
        ({ADDRESS: "h:2", "h:1": "h:3"}, "address_map has h:1 twice"),
    ],
)
@pytest.mark.parametrize("kind", ["standalone", "cluster", "sentinel"])
def test_a_wrong_map_is_named(address_map: Any, words: str, kind: str) -> None:
    kinds: dict[str, Any] = {
        "standalone": GlideClientConfiguration,
        "cluster": GlideClusterClientConfiguration,
        "sentinel": partial(SentinelConfiguration, service_name="main"),
    }
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        kinds[kind]([ADDRESS], address_map=address_map)


def test_a_map_is_kept_as_it_was_when_the_settings_were_made() -> None:
    address_map: dict[Any, Any] = {"[::1]:1": "h:2"}
    config = GlideClientConfiguration([ADDRESS], address_map=address_map)
    address_map.clear()
    assert config.address_map == {NodeAddress("::1", 1): NodeAddress("h", 2)}
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(pickle.loads(pickle.dumps(config)))
