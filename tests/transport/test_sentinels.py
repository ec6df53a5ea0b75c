"""The libraries' Sentinels, whose clients have this package's connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any

import pytest
from tests.records import Records
from tests.sentinels import Service
from tests.transport.kinds import Kind, closed, done
from tests.waiting import until

from glide_scripts.testing import ValkeyServer

INCREMENT = "return redis.call('INCR', KEYS[1])"


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Service]:
    """For tests that change no roles."""
    with Service() as service:
        yield service


class Found:
    """The clients of a service."""

    def __init__(self, kind: Kind, service: Service, **options: Any) -> None:
        addresses = [(one.host, one.port) for one in service.sentinels]
        self.sentinel = kind.sentinel(addresses, **options)
        self.primary = self.sentinel.master_for(service.name)
        self.replica = self.sentinel.slave_for(service.name)

    async def close(self) -> None:
        for client in (self.primary, self.replica, *self.sentinel.sentinels):
            await closed(client)


@pytest.fixture
async def found(kind: Kind, shared_service: Service) -> AsyncIterator[Found]:
    made = Found(kind, shared_service)
    yield made
    await made.close()


def connections(server: ValkeyServer) -> set[bytes]:
    """The numbers of this package's connections to a server."""
    clients = server.command("CLIENT", "LIST")
    assert isinstance(clients, bytes)
    return {line.split()[0] for line in clients.splitlines() if b"lib-name=glide_scripts" in line}


async def test_the_primary_has_one_shared_connection(
    kind: Kind, shared_service: Service, found: Found
) -> None:
    before = connections(shared_service.primary)
    script = found.primary.register_script(INCREMENT)
    await done(found.primary.delete("count"))
    assert await done(script(["count"])) == 1
    await done(found.primary.script_flush())
    pipe = found.primary.pipeline().incr("count")
    await done(script(["count"], client=pipe))
    assert await done(pipe.execute()) == [2, 3]
    assert len(connections(shared_service.primary) - before) == 1
    assert isinstance(found.primary, getattr(kind.here, kind.name))
    assert isinstance(found.sentinel, kind.own.Sentinel)


async def test_replicas_serve_reads_and_refuse_writes(
    kind: Kind, shared_service: Service, found: Found
) -> None:
    await done(found.primary.set("key", "value"))

    async def replicated() -> bool:
        return bool(await done(found.replica.get("key")) == b"value")

    await until(replicated)
    assert connections(shared_service.replica)
    with pytest.raises(kind.exceptions.ReadOnlyError):
        await done(found.replica.set("key", "other"))
    assert (await done(found.replica.info("replication")))["role"] == "slave"
    read = found.replica.register_script("return redis.call('GET', KEYS[1])")
    assert await done(read(["key"])) == b"value"
    write = found.replica.register_script(INCREMENT)
    with pytest.raises(kind.exceptions.ResponseError):
        await done(write(["count"]))
    pipe = found.replica.pipeline(transaction=False).get("key").exists("none")
    await done(read(["key"], client=pipe))
    assert await done(pipe.execute()) == [b"value", 0, b"value"]


async def test_a_failover_is_followed(kind: Kind) -> None:
    with Service() as service:
        made = Found(kind, service)
        script = made.primary.register_script(INCREMENT)
        assert await done(script(["count"])) == 1
        await done(made.primary.wait(1, 10_000))
        before = service.primary
        await asyncio.to_thread(service.sentinels[0].failover)
        assert service.primary is not before

        async def counts() -> bool:
            try:
                return bool(await done(script(["count"])) >= 2)
            except kind.exceptions.ConnectionError:
                return False

        await until(counts)
        assert service.primary.command("GET", "count") == b"2"
        await made.close()


async def test_passwords_of_servers_and_sentinels(kind: Kind) -> None:
    with Service(password="of servers", sentinel_password="of sentinels") as service:
        made = Found(
            kind, service, password="of servers", sentinel_kwargs={"password": "of sentinels"}
        )
        assert await done(made.primary.set("key", 1)) is True
        assert connections(service.primary)
        await made.close()


async def test_a_service_that_no_sentinel_knows_is_the_librarys_error(
    kind: Kind, found: Found
) -> None:
    sub = "" if kind.is_sync else ".asyncio"
    errors = import_module(f"{kind.library}{sub}.sentinel")
    client = found.sentinel.master_for("other", socket_timeout=2)
    with pytest.raises(errors.MasterNotFoundError) as caught:
        await done(client.set("key", 1))
    assert isinstance(caught.value, kind.exceptions.ConnectionError)
    assert getattr(caught.value, "may_have_executed", None) is False
    await closed(client)
    client = found.sentinel.slave_for("other", socket_timeout=2)
    with pytest.raises(errors.SlaveNotFoundError):
        await done(client.get("key"))
    await closed(client)


async def test_a_client_of_the_librarys_own_sentinel(kind: Kind, shared_service: Service) -> None:
    addresses = [(one.host, one.port) for one in shared_service.sentinels]
    sentinel = kind.sentinel(addresses, own=True)
    kinds = {f"{kind.library}_class": getattr(kind.here, kind.name)}
    client = sentinel.master_for(shared_service.name, **kinds)
    before = connections(shared_service.primary)
    assert await done(client.register_script(INCREMENT)(["n"])) >= 1
    assert len(connections(shared_service.primary) - before) == 1
    for each in (client, *sentinel.sentinels):
        await closed(each)


async def test_a_watching_pipeline_finds_the_primary_and_keeps_the_shared_connection(
    shared_service: Service, found: Found
) -> None:
    await done(found.primary.set("watched", 1))
    before = connections(shared_service.primary)
    pipe = found.primary.pipeline()
    await done(pipe.watch("watched"))
    assert await done(pipe.get("watched")) == b"1"
    pipe.multi()
    pipe.incr("watched")
    assert await done(pipe.execute()) == [2]
    assert await done(found.primary.get("watched")) == b"2"
    assert connections(shared_service.primary) == before


async def test_what_its_sentinels_cannot_have_is_said_once(
    kind: Kind, shared_service: Service, log: Records
) -> None:
    made = Found(kind, shared_service, min_other_sentinels=1)
    assert made.primary._shared is made.primary._shared
    said = [text for text in log.all() if "min_other_sentinels" in text]
    assert len(said) == 1
    await made.close()
