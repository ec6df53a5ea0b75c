"""Pools that the caller makes, and what becomes of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.programs import run_program
from tests.transport.kinds import LIBRARIES, Kind, closed, done

from glide_scripts.testing import ValkeyServer

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


def connections(server: ValkeyServer) -> int:
    """How many of this package's connections a server has."""
    clients = server.command("CLIENT", "LIST")
    assert isinstance(clients, bytes)
    return clients.count(b"lib-name=glide_scripts")


def pool_of(kind: Kind, server: ValkeyServer, **options: Any) -> Any:
    sub = "" if kind.is_sync else ".asyncio"
    pool = import_module(f"{kind.library}{sub}.connection").ConnectionPool
    return pool(host=server.host, port=server.port, **options)


async def test_clients_of_a_pool_share_its_connection(kind: Kind, own_server: ValkeyServer) -> None:
    pool = pool_of(kind, own_server)
    clients = [getattr(kind.here, kind.name)(connection_pool=pool) for _ in range(3)]
    for number, client in enumerate(clients, 1):
        assert await done(client.register_script(ADD)(["n"], [1])) == number
    assert connections(own_server) == 1
    await done(pool.disconnect())
    assert await done(clients[0].get("n")) == b"3"
    for client in clients:
        await closed(client)
    await done(pool.disconnect())


async def test_idle_connections_end_without_the_shared_one(
    kind: Kind, own_server: ValkeyServer
) -> None:
    pool = pool_of(kind, own_server)
    client = getattr(kind.here, kind.name)(connection_pool=pool)
    assert await done(client.set("key", 1)) is True
    before = own_server.command("CLIENT", "LIST")
    await done(pool.disconnect(inuse_connections=False))
    assert await done(client.get("key")) == b"1"
    assert isinstance(before, bytes)
    (ours,) = [line for line in before.splitlines() if b"lib-name=glide_scripts" in line]
    after = own_server.command("CLIENT", "LIST")
    assert isinstance(after, bytes)
    assert ours.split()[0] in after
    await closed(client)
    await done(pool.disconnect())


async def test_unix_sockets(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with ValkeyServer(config={"unixsocket": str(path)}) as server:
        clients = [
            getattr(kind.here, kind.name).from_url(f"unix://{path}?db=2"),
            getattr(kind.here, kind.name)(unix_socket_path=str(path), db=2),
        ]
        for number, client in enumerate(clients, 1):
            assert await done(client.register_script(ADD)(["n"], [1])) == number
            assert connections(server) == 1
            await closed(client)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_synchronous_pool_that_nobody_has_closes_without_a_warning(
    library: str, server: ValkeyServer
) -> None:
    name = library.capitalize()
    out = run_program(
        f"""
warnings.simplefilter("error")
import {library}
from glide_scripts.{library}.sync import {name}
host, port = URL.removeprefix("valkey://").split(":")

def call():
    pool = {library}.ConnectionPool(host=host, port=int(port))
    client = {name}(connection_pool=pool)
    print(client.ping(), {name}(host=host, port=int(port)).ping())
    return client

call()
gc.collect()
client = call()
""",
        server.url,
    )
    assert out == "True True\nTrue True\n"


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_asynchronous_client_that_nobody_closed_says_whose_it_is(
    library: str, server: ValkeyServer
) -> None:
    name = library.capitalize()
    out = run_program(
        f"""
from glide_scripts.{library} import {name}
host, port = URL.removeprefix("valkey://").split(":")

async def main():
    await {name}(host=host, port=int(port)).ping()
    gc.collect()

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    asyncio.run(main())
    gc.collect()
    print(*(each.message for each in caught if "glide_scripts" in str(each.message)))
        """,
        server.url,
    )
    assert out == (
        f"a client of glide_scripts.{library} was never closed; "
        "use async with, or await its aclose()\n"
    )
