"""Clients of redis-py and valkey-py over this package's connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.transport.kinds import KINDS, Kind, closed

from glide_scripts.testing import ValkeyCluster, ValkeyServer

Connect = Callable[..., Any]


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    value: Kind = request.param
    return value


@pytest.fixture
async def connect(kind: Kind) -> AsyncIterator[Connect]:
    """Makes clients, and closes them after the test."""
    clients = []

    def connect(server: ValkeyServer | str, **options: Any) -> Any:
        url = server if isinstance(server, str) else server.url
        clients.append(kind.client(url, **options))
        return clients[-1]

    yield connect
    for client in clients:
        await closed(client)


@pytest.fixture
async def cluster_client(kind: Kind, valkey_cluster: ValkeyCluster) -> AsyncIterator[Any]:
    host, port = valkey_cluster.addresses[0]
    client = kind.cluster(host, port)
    yield client
    await closed(client)
