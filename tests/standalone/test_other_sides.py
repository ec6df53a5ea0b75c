"""Something else answers in place of a server: the error says what it is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from socket import create_connection

import pytest

from glide_scripts import (
    ClosingError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    NodeAddress,
    NoPermissionError,
    ProtocolVersion,
    RequestError,
    Script,
    ServerCredentials,
)
from glide_scripts.testing import ValkeyCluster, ValkeySentinel, ValkeyServer
from glide_scripts.testing._accepting import stop_accepting
from glide_scripts.testing._ports import free_port

HOST = "127.0.0.1"
ECHO = Script("return ARGV[1]")


def configuration(port: int, **settings: object) -> GlideClientConfiguration:
    return GlideClientConfiguration([NodeAddress(HOST, port)], **settings)  # type: ignore[arg-type]


async def refusal(port: int, **settings: object) -> str:
    with pytest.raises(ClosingError) as caught:
        await GlideClient.create(configuration(port, **settings))
    return str(caught.value)


@asynccontextmanager
async def answering(answer: bytes, *, ends: bool) -> AsyncIterator[int]:
    """A port that gives this answer to any request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if await reader.read(1):
                writer.write(answer)
                await writer.drain()
            if not ends:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await stop_accepting(server)


@pytest.mark.parametrize("ends", [False, True])
async def test_a_web_server_is_told(protocol: ProtocolVersion, ends: bool) -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<html>no</html>"):
        async with answering(answer, ends=ends) as port:
            text = await refusal(port, protocol=protocol)
        assert f"{HOST}:{port}: an HTTP server answers there" in text


async def test_pythons_own_web_server_is_told(protocol: ProtocolVersion, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", HOST, str(port)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            async with asyncio.timeout(30):
                while True:
                    with suppress(OSError), create_connection((HOST, port), 1):
                        break
                    await asyncio.sleep(0.02)
            assert "an HTTP server answers there" in await refusal(port, protocol=protocol)
        finally:
            server.kill()


async def test_what_speaks_otherwise_is_quoted(protocol: ProtocolVersion) -> None:
    async with answering(b"SSH-2.0-OpenSSH_9.2\r\n", ends=False) as port:
        text = await refusal(port, protocol=protocol)
    assert r'it begins with "SSH-2.0-OpenSSH_9.2\r\n"' in text


async def test_what_only_ends_connections_is_not_taken_for_a_server(
    protocol: ProtocolVersion,
) -> None:
    async with answering(b"", ends=True) as port:
        text = await refusal(port, protocol=protocol)
    assert "the server closed the connection" in text


async def test_a_server_that_is_full_says_so(
    own_server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    with own_server.connect() as connection:
        connection.command("CONFIG", "SET", "maxclients", "1")
        assert "max number of clients" in await refusal(own_server.port, protocol=protocol)


@pytest.fixture
def sentinel(server: ValkeyServer) -> Iterator[int]:
    """A Sentinel's port."""
    with ValkeySentinel(server) as sentinel:
        yield sentinel.port


async def test_a_sentinel_is_told(sentinel: int, protocol: ProtocolVersion) -> None:
    cluster = GlideClusterClientConfiguration([NodeAddress(HOST, sentinel)], protocol=protocol)
    with pytest.raises(ClosingError, match=r"a Sentinel answers there; .*SentinelConfigura"):
        await GlideClient.create(configuration(sentinel, protocol=protocol))
    with pytest.raises(ClosingError, match=r"a Sentinel answers there; .*SentinelConfigura"):
        await GlideClusterClient.create(cluster)


async def test_a_cluster_client_at_a_single_server_says_which_client_to_use(
    server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    config = GlideClusterClientConfiguration(
        [NodeAddress(server.host, server.port)], protocol=protocol
    )
    with pytest.raises(ClosingError, match="it is not a cluster: use GlideClient"):
        await GlideClusterClient.create(config)


async def test_a_standalone_client_at_a_cluster_says_which_client_to_use() -> None:
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        node = cluster.nodes[0]
        async with await GlideClient.create(configuration(node.port)) as client:
            # One of the first letters is of another node.
            calls = (client.invoke_script(ECHO, [key], ["a"]) for key in "abcdef")
            results = await asyncio.gather(*calls, return_exceptions=True)
    error = next(result for result in results if isinstance(result, RequestError))
    assert error.code == "MOVED"
    assert "a GlideClusterClient finds the right one" in str(error)


async def test_a_right_that_is_missing_has_a_class_of_its_own(server: ValkeyServer) -> None:
    server.command(
        "ACL", "SETUSER", "ann", "on", ">pw", "~a*", "+@all", "-get", "-eval", "-evalsha"
    )
    try:
        config = configuration(server.port, credentials=ServerCredentials("pw", "ann"))
        async with await GlideClient.create(config) as client:
            calls = (
                client.get("a"),
                client.set("b", "x"),
                client.invoke_script(ECHO, ["a"], ["x"]),
            )
            for call in calls:
                with pytest.raises(NoPermissionError) as caught:
                    await call
                assert isinstance(caught.value, RequestError)
                assert (caught.value.code, caught.value.may_have_executed) == ("NOPERM", False)
    finally:
        server.command("ACL", "DELUSER", "ann")
