"""Calls that are issued one after the other reach the server in that order, of whatever kinds."""

from __future__ import annotations

import asyncio

import pytest
from tests.conftest import Connect
from tests.kinds import KINDS, Kind, overtaken, unknown_script
from tests.waiting import until

from glide_scripts import GlideClient
from glide_scripts.testing import ValkeyServer


@pytest.mark.parametrize("first", KINDS)
async def test_nothing_overtakes_a_call_that_was_issued_before(
    client: GlideClient, first: Kind
) -> None:
    counts = {second.__name__: await overtaken(client, first, second, 10) for second in KINDS}
    assert not any(counts.values()), counts


@pytest.mark.parametrize("first", KINDS)
async def test_nothing_overtakes_the_first_call_of_a_connection(
    server: ValkeyServer, connect: Connect, first: Kind
) -> None:
    counts = {}
    for second in KINDS:
        client = await connect(server)
        counts[second.__name__] = await overtaken(client, first, second, 1)
        await client.close()
    assert not any(counts.values()), counts


async def test_nothing_overtakes_a_script_after_a_flush_of_the_same_client(
    client: GlideClient,
) -> None:
    for second in KINDS:
        assert not await overtaken(client, unknown_script, second, 1)
        await client.script_flush()
        assert not await overtaken(client, unknown_script, second, 1)


@pytest.mark.parametrize("first", [kind for kind in KINDS if "unknown" not in kind.__name__])
async def test_nothing_overtakes_a_call_that_waits_for_a_connection(
    own_server: ValkeyServer, connect: Connect, first: Kind
) -> None:
    client = await connect(own_server, request_timeout=20_000)
    own_server.stop()
    await until(lambda: next(iter(client.stats().nodes.values())).reconnects)
    calls = []
    keys = []
    for second in KINDS:
        keys.append(f"{first.__name__} {second.__name__}")
        calls.append(asyncio.ensure_future(first(client, keys[-1], "first")))
        calls.append(asyncio.ensure_future(second(client, keys[-1], "second")))
    await asyncio.sleep(0)
    own_server.start()
    await asyncio.gather(*calls)
    assert {key: await client.get(key) for key in keys} == dict.fromkeys(keys, b"second")
