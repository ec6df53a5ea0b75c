"""A server that listens on a Unix socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.waiting import timed_out, until

from glide_scripts import (
    Batch,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    NodeAddress,
    ObservedCall,
    Observer,
    ProtocolVersion,
    ReadFrom,
    Script,
    ScriptBusyError,
    UnixSocketAddress,
)
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")
PORT = "return tonumber(string.match(redis.call('INFO', 'server'), 'tcp_port:(%d+)'))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a server.sock"


@pytest.fixture
def unix_server(path: Path) -> Iterator[ValkeyServer]:
    # As its directory is not the test's, the server gets a path without a space and a link.
    short = path.parent / "s.sock"
    with ValkeyServer(config={"unixsocket": str(short)}) as server:
        os.symlink(short, path)
        yield server


@pytest.mark.every_server
async def test_a_socket_in_a_configuration_reaches_the_server(
    unix_server: ValkeyServer, path: Path, protocol: ProtocolVersion
) -> None:
    for given in (path, str(path)):
        config = GlideClientConfiguration(
            [UnixSocketAddress(given)], protocol=protocol, database_id=3
        )
        async with await GlideClient.create(config) as client:
            assert await client.invoke_script(ECHO, args=["a"]) == b"a"
            assert await client.exec(Batch(is_atomic=True).incr("n"), raise_on_error=True)
    with unix_server.connect() as connection:
        connection.command("SELECT", 3)
        assert connection.command("GET", "n") == b"2"


@pytest.mark.parametrize(
    "scheme", ["unix", "valkey+unix", "redis+unix", "valkey+socket", "redis+socket"]
)
async def test_a_socket_in_a_url_reaches_the_server(
    unix_server: ValkeyServer, path: Path, scheme: str
) -> None:
    url = f"{scheme}://{quote(str(path))}?db=2&protocol=2"
    async with await GlideClient.from_url(url) as client:
        await client.set("key", "value")
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"
    with unix_server.connect() as connection:
        connection.command("SELECT", 2)
        assert connection.command("GET", "key") == b"value"


async def test_a_password_stands_before_the_path(unix_server: ValkeyServer, path: Path) -> None:
    unix_server.command("CONFIG", "SET", "requirepass", "p@ss")
    place = quote(str(path))
    for url in (f"unix://:p%40ss@{place}", f"unix://{place}?username=default&password=p%40ss"):
        async with await GlideClient.from_url(url) as client:
            assert await client.ping() == b"PONG"


async def test_a_lost_socket_is_found_again(unix_server: ValkeyServer, path: Path) -> None:
    config = GlideClientConfiguration([UnixSocketAddress(path)], request_timeout=20_000)
    async with await GlideClient.create(config) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"
        unix_server.restart()
        assert await client.invoke_script(ECHO, args=["b"]) == b"b"


async def test_large_values_and_kills_work_over_a_socket(
    unix_server: ValkeyServer, path: Path
) -> None:
    unix_server.command("CONFIG", "SET", "lua-time-limit", "50")
    config = GlideClientConfiguration([UnixSocketAddress(path)])
    async with await GlideClient.create(config) as client:
        value = b"x" * (4 << 20)
        assert await client.invoke_script(ECHO, args=[value]) == value
        spin = Script("while true do end", read_only=True)
        await timed_out(client, spin, timeout=100, on_timeout="kill")
        async with asyncio.timeout(20):
            while True:
                with suppress(ScriptBusyError):
                    assert await client.invoke_script(ECHO, args=["a"]) == b"a"
                    break


@pytest.mark.needs("read-only forms")
async def test_a_primary_on_a_socket_may_have_replicas_elsewhere(
    unix_server: ValkeyServer, path: Path
) -> None:
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", unix_server.host, unix_server.port)
        await until(lambda: "link_status:up" in str(replica.command("INFO", "replication")))
        config = GlideClientConfiguration(
            [NodeAddress(replica.host, replica.port), UnixSocketAddress(path)],
            read_from=ReadFrom.PREFER_REPLICA,
        )
        async with await GlideClient.create(config) as client:
            assert await client.invoke_script(Script(PORT)) == unix_server.port
            assert await client.invoke_script(Script(PORT, read_only=True)) == replica.port


async def test_a_cluster_client_may_be_told_a_socket(unix_server: ValkeyServer, path: Path) -> None:
    config = GlideClusterClientConfiguration([UnixSocketAddress(path)])
    with pytest.raises(ClosingError, match=r"server\.sock: .*not a cluster: use GlideClient"):
        await GlideClusterClient.create(config)


async def test_a_socket_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ClosingError, match=r"/a server\.sock: No such file"):
        await GlideClient.create(GlideClientConfiguration([UnixSocketAddress(path)]))


class Seen(Observer):
    def __init__(self) -> None:
        self.ended: list[ObservedCall] = []

    def call_ended(self, call: ObservedCall) -> None:
        self.ended.append(call)


async def test_an_observer_and_statistics_call_a_socket_by_its_path(
    unix_server: ValkeyServer, path: Path
) -> None:
    seen = Seen()
    config = GlideClientConfiguration([UnixSocketAddress(path)], observer=seen)
    async with await GlideClient.create(config) as client:
        await client.invoke_script(ECHO, args=["a"])
        assert list(client.stats().nodes) == [str(path)]
    assert [(call.server, call.node) for call in seen.ended] == [((str(path), None),) * 2]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "path of UnixSocketAddress: it is empty"),
        ("a\0b", "path of UnixSocketAddress: it contains a zero character"),
        ("/" + 107 * "x", "path of UnixSocketAddress: it is 108 bytes long"),
        ("/" + 54 * "é", "path of UnixSocketAddress: it is 109 bytes long"),
        ("/\udcff", "path of UnixSocketAddress: it is not UTF-8"),
        (b"/s", "path of UnixSocketAddress is bytes; pass a str or a Path"),
        (None, "path of UnixSocketAddress is NoneType"),
    ],
)
def test_a_path_that_no_socket_has_is_refused(path: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        UnixSocketAddress(path)


def test_tls_over_a_socket_is_refused() -> None:
    for kind in (GlideClientConfiguration, GlideClusterClientConfiguration):
        with pytest.raises(ConfigurationError, match="use_tls is True and addresses has a Unix"):
            kind([NodeAddress("a"), UnixSocketAddress("/s")], use_tls=True)
