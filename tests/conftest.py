"""Servers and clients for the tests. One body runs on every protocol."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from tests.records import Records

from glide_scripts import (
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
)
from glide_scripts.testing import ValkeyServer

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background ignores Ctrl-C, and so would the programs that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

Connect = Callable[..., Awaitable[GlideClient]]


@pytest.fixture(scope="session")
def valkey_server_settings() -> dict[str, object]:
    """Those of the server that the package's own plugin for pytest starts."""
    return {"config": {"enable-debug-command": "yes"}}


@pytest.fixture
def server(valkey_server: ValkeyServer) -> ValkeyServer:
    """The session's server, without data, scripts, functions and statistics."""
    return valkey_server


@pytest.fixture
def own_server() -> Iterator[ValkeyServer]:
    """A server that a test may kill, stop, or set up anew."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Records]:
    """All that the client says while the test runs."""
    with caplog.at_level(logging.DEBUG, logger="glide_scripts"):
        yield Records(caplog)


@pytest.fixture(params=[ProtocolVersion.RESP3, ProtocolVersion.RESP2], ids=["resp3", "resp2"])
def protocol(request: pytest.FixtureRequest) -> ProtocolVersion:
    value: ProtocolVersion = request.param
    return value


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients of a server, with further settings, and closes them after the test."""
    clients: list[GlideClient] = []

    async def connect(server: ValkeyServer, **settings: object) -> GlideClient:
        addresses = [NodeAddress(server.host, server.port)]
        config = GlideClientConfiguration(addresses, **settings)  # type: ignore[arg-type]
        client = await GlideClient.create(config)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.close()


@pytest.fixture
async def client(server: ValkeyServer, protocol: ProtocolVersion, connect: Connect) -> GlideClient:
    """A client of the shared server, once for each protocol."""
    return await connect(server, protocol=protocol)
