"""Replies that are lost on the libraries' own connections: what was sent is not sent again."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.transport.conftest import Connect
from tests.transport.kinds import Kind, closed, done

from glide_scripts.testing import ClusterFaults, ServerFaults, ValkeyServer


@pytest.fixture
def client(kind: Kind, valkey_faults: ServerFaults, connect: Connect) -> Any:
    return connect(valkey_faults.url, retry=kind.retries(3))


@pytest.fixture(autouse=True)
async def filled(server: ValkeyServer) -> None:
    server.command("SET", "counter", "0")
    server.command("RPUSH", "jobs", "first", "second", "third")


def count(pipeline: Any) -> None:
    pipeline.multi()
    pipeline.incr("counter")


async def test_a_job_is_popped_once(
    kind: Kind, client: Any, valkey_faults: ServerFaults, server: ValkeyServer
) -> None:
    valkey_faults.lose_replies(matching="BLPOP")
    with pytest.raises(kind.exceptions.ConnectionError) as caught:
        await done(client.blpop("jobs", timeout=5))
    assert caught.value.may_have_executed is True
    assert server.command("LRANGE", "jobs", "0", "-1") == [b"second", b"third"]
    assert (await done(client.blpop("jobs", timeout=5)))[1] == b"second"


async def test_a_watched_transaction_runs_once(
    kind: Kind, client: Any, valkey_faults: ServerFaults, server: ValkeyServer
) -> None:
    valkey_faults.lose_replies(matching="EXEC")
    with pytest.raises(kind.exceptions.ConnectionError) as caught:
        await done(client.transaction(count, "watched"))
    assert caught.value.may_have_executed is True
    assert server.command("GET", "counter") == b"1"
    assert await done(client.transaction(count, "watched")) == [2]


async def test_a_command_while_keys_are_watched_runs_once(
    kind: Kind, client: Any, valkey_faults: ServerFaults, server: ValkeyServer
) -> None:
    pipeline = client.pipeline()
    await done(pipeline.watch("watched"))
    valkey_faults.lose_replies(matching="INCR")
    with pytest.raises(kind.exceptions.ConnectionError) as caught:
        await done(pipeline.incr("counter"))
    assert caught.value.may_have_executed is True
    await done(pipeline.reset())
    assert server.command("GET", "counter") == b"1"


async def test_a_conflict_is_a_watch_error_as_before(
    kind: Kind, client: Any, server: ValkeyServer
) -> None:
    pipeline = client.pipeline()
    await done(pipeline.watch("counter"))
    server.command("SET", "counter", "5")
    pipeline.multi()
    pipeline.incr("counter")
    with pytest.raises(kind.exceptions.WatchError):
        await done(pipeline.execute())
    assert server.command("GET", "counter") == b"5"


async def test_a_watching_pipeline_works_under_the_librarys_name(
    kind: Kind, server: ValkeyServer
) -> None:
    with import_module(f"glide_scripts.{kind.library}").install():
        client = kind.client(server.url, own=True)
        try:
            replies = await done(client.transaction(count, "watched"))
        finally:
            await closed(client)
    assert replies == [1]


async def test_a_job_of_a_cluster_is_popped_once(
    kind: Kind, valkey_cluster_faults: ClusterFaults
) -> None:
    address = urlsplit(valkey_cluster_faults.url.partition(",")[0])
    client = kind.cluster(str(address.hostname), address.port or 0)
    try:
        await done(client.rpush("jobs", "first", "second", "third"))
        valkey_cluster_faults.lose_replies(matching="BLPOP")
        with pytest.raises(kind.exceptions.ConnectionError) as caught:
            await done(client.blpop("jobs", timeout=5))
        assert caught.value.may_have_executed is True
        assert await done(client.lrange("jobs", 0, -1)) == [b"second", b"third"]
        assert (await done(client.blpop("jobs", timeout=5)))[1] == b"second"
    finally:
        await closed(client)
