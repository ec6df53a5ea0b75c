"""Clients that are made at module level, before any event loop runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from typing import Any

import pytest

import glide_scripts.sync
from glide_scripts import (
    AdvancedGlideClientConfiguration,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    NodeAddress,
    ObservedCall,
    Observer,
    Script,
    ServerCredentials,
    TimeoutError,
    TlsAdvancedConfiguration,
)
from glide_scripts.testing import ValkeyCluster, ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


def lazy(server: ValkeyServer, **settings: Any) -> GlideClientConfiguration:
    address = NodeAddress(server.host, server.port)
    return GlideClientConfiguration([address], lazy_connect=True, **settings)


def connections(server: ValkeyServer) -> int:
    info = server.command("INFO", "clients")
    assert isinstance(info, bytes)
    (line,) = [each for each in info.splitlines() if each.startswith(b"connected_clients:")]
    return int(line.partition(b":")[2])


PROGRAM = """
import asyncio, sys
from glide_scripts import GlideClient, GlideClientConfiguration, NodeAddress, Script

config = GlideClientConfiguration([NodeAddress(sys.argv[1], int(sys.argv[2]))], lazy_connect=True)
client = GlideClient(config)
script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def handle():
    print(client, await client.invoke_script(script, ["n"], ["5"]))


async def last():
    await handle()
    await client.close()


for main in (handle, handle, last):
    asyncio.run(main())
print(client)
"""


def test_a_program_makes_a_client_at_module_level(server: ValkeyServer) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, server.host, str(server.port)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "<GlideClient open> 5",
        "<GlideClient open> 10",
        "<GlideClient open> 15",
        "<GlideClient closed>",
    ]


def test_it_connects_with_its_first_call(own_server: ValkeyServer) -> None:
    before = connections(own_server)
    client = GlideClient(lazy(own_server))
    assert connections(own_server) == before
    assert client.config.lazy_connect

    async def main() -> None:
        assert await client.invoke_script(ADD, ["n"], ["5"]) == 5
        assert connections(own_server) > before
        await client.close()
        with pytest.raises(ClosingError):
            await client.get("k")

    asyncio.run(main())


async def test_it_may_be_made_in_a_loop_too(server: ValkeyServer) -> None:
    async with GlideClient(lazy(server)) as client:
        assert await client.set("k", "v") == "OK"
        assert await client.get("k") == b"v"


# Python warns of every fork in a process with threads.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_connects_again(server: ValkeyServer) -> None:
    opened: list[int] = []

    class Seen(Observer):
        def client_opened(self, _: Any) -> None:
            opened.append(os.getpid())

    client = GlideClient(lazy(server, observer=Seen()))
    add = client.bind(ADD)
    assert asyncio.run(add(["n"], ["1"])) == 1
    process = os.fork()
    if process == 0:
        try:
            assert asyncio.run(add(["n"], ["1"])) == 2
            assert opened[1:] == [os.getpid()]
            asyncio.run(client.close())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert asyncio.run(add(["n"], ["1"])) == 3
    asyncio.run(client.close())


def test_a_server_that_is_not_there_is_an_error_of_the_first_call(own_server: ValkeyServer) -> None:
    config = lazy(own_server, request_timeout=300)
    own_server.stop()
    client = GlideClient(config)

    async def main() -> None:
        with pytest.raises(TimeoutError, match="refused") as caught:
            await client.get("k")
        assert not caught.value.may_have_executed
        await client.close()

    asyncio.run(main())


def test_a_client_of_a_cluster_is_made_likewise(valkey_cluster: ValkeyCluster) -> None:
    addresses = [NodeAddress(*address) for address in valkey_cluster.addresses]
    client = GlideClusterClient(GlideClusterClientConfiguration(addresses, lazy_connect=True))

    async def main() -> None:
        assert await client.invoke_script(ADD, ["n"], ["5"]) == 5
        await client.close()

    asyncio.run(main())


def test_the_synchronous_client_is_made_likewise(server: ValkeyServer) -> None:
    with glide_scripts.sync.GlideClient(lazy(server)) as client:
        assert client.invoke_script(ADD, ["n"], ["5"]) == 5


def test_an_observer_sees_its_calls(server: ValkeyServer) -> None:
    operations: list[str] = []

    class Seen(Observer):
        def call_ended(self, call: ObservedCall) -> None:
            operations.append(call.operation)

    client = GlideClient(lazy(server, observer=Seen()))

    async def main() -> None:
        await client.get("k")
        await client.close()

    asyncio.run(main())
    assert operations == ["GET"]


def test_an_observer_may_use_a_client_as_soon_as_it_hears_of_it(server: ValkeyServer) -> None:
    calls: list[int] = []

    class Seen(Observer):
        def client_opened(self, client: Any) -> None:
            calls.append(client.stats().calls)

    with glide_scripts.sync.GlideClient(lazy(server, observer=Seen())) as client:
        assert client.ping() == b"PONG"
    assert calls == [0]


def test_a_client_that_was_never_used_needs_no_closing(server: ValkeyServer) -> None:
    client: Any = GlideClient(lazy(server))
    assert repr(client) == "<GlideClient open>"
    # Warnings are errors here.
    client.__del__()


def password() -> str:
    return "hunter2"


def test_what_is_asked_on_a_loop_needs_one(server: ValkeyServer) -> None:
    for name, settings in (
        ("password_callback", {"credentials": ServerCredentials(password_callback=password)}),
        ("address_map", {"address_map": lambda address: address}),
    ):
        with pytest.raises(ConfigurationError, match=f"^{name} is called on the event loop on"):
            GlideClient(lazy(server, **settings))


async def test_in_a_loop_it_is_asked_there(own_server: ValkeyServer) -> None:
    asked: list[NodeAddress] = []

    def address_map(address: NodeAddress) -> None:
        asked.append(address)

    async with GlideClient(lazy(own_server, address_map=address_map)) as client:
        await client.get("k")
    assert asked


def test_certificates_are_read_at_once(tmp_path: Any) -> None:
    tls = TlsAdvancedConfiguration(root_pem_cacerts=str(tmp_path / "none.pem"))
    advanced = AdvancedGlideClientConfiguration(tls_config=tls)
    config = GlideClientConfiguration(
        [NodeAddress()], use_tls=True, lazy_connect=True, advanced_config=advanced
    )
    with pytest.raises(ConfigurationError, match=r"none\.pem"):
        GlideClient(config)


async def test_certificates_are_not_read_on_a_loop() -> None:
    config = GlideClientConfiguration([NodeAddress()], use_tls=True, lazy_connect=True)
    with pytest.raises(RuntimeError, match=r"await GlideClient\.create\(config\)"):
        GlideClient(config)


@pytest.mark.parametrize("kind", [GlideClient, GlideClusterClient])
def test_without_lazy_connect_it_says_what_to_do(kind: Any) -> None:
    config = GlideClientConfiguration([NodeAddress()])
    with pytest.raises(TypeError, match=r"GlideCl\w+\(config\) and lazy_connect=True in config"):
        kind(config)


def test_the_other_client_s_configuration_is_refused() -> None:
    config: Any = GlideClientConfiguration([NodeAddress()], lazy_connect=True)
    with pytest.raises(ConfigurationError, match="pass a GlideClusterClientConfiguration"):
        GlideClusterClient(config)
