"""The fixtures of ``glide_scripts.testing.plugin``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from ..client.blocking.cluster import GlideClusterClient as SyncClusterClient
from ..client.blocking.standalone import GlideClient as SyncClient
from ..client.cluster import GlideClusterClient
from ..client.standalone import GlideClient
from ..config.url import configuration_of, parse_url
from ._clean import clean
from ._cluster import ValkeyCluster
from ._faults import ClusterFaults, ServerFaults
from ._server import ValkeyServer

T = TypeVar("T")

_FIXTURES = {
    *("valkey_server", "valkey_client", "valkey_faults"),
    *("valkey_cluster", "valkey_cluster_client", "valkey_cluster_faults"),
}

_STARTED = pytest.StashKey[dict[str, ValkeyServer | ValkeyCluster]]()
_CLEANED = pytest.StashKey[set[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Clean the servers that the test uses, before its fixtures."""
    for name in item.config.stash.get(_STARTED, ()):
        if name in getattr(item, "fixturenames", ()):
            _clean(item, name)


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Says what is missing where no plugin runs an async test that uses a fixture of these."""
    # The fixtures of its parameters, and then those that only these need.
    named = [*inspect.signature(pyfuncitem.obj).parameters, *pyfuncitem.fixturenames]
    ours = [name for name in named if name in _FIXTURES]
    # A plugin that runs it was asked before, and put a plain function in its place.
    if not ours or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return
    if pyfuncitem.config.pluginmanager.has_plugin("asyncio"):
        how = 'mark it with @pytest.mark.asyncio, or set asyncio_mode = "auto" in its configuration'
    else:
        how = 'pip install pytest-asyncio, and set asyncio_mode = "auto" in its configuration'
    pytest.fail(
        f"{pyfuncitem.name} is async and uses {ours[0]}, and no plugin of pytest runs it: "
        f"{how}; or mark it with @pytest.mark.anyio",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def valkey_server_settings() -> dict[str, Any]:
    """Keyword arguments for ``ValkeyServer``; override this to change them."""
    return {}


@pytest.fixture(scope="session")
def valkey_cluster_settings() -> dict[str, Any]:
    """Keyword arguments for ``ValkeyCluster``; override it to change them."""
    return {}


@pytest.fixture(scope="session")
def valkey_client_settings() -> dict[str, Any]:
    """Keyword arguments for the clients' configurations; override it to change them."""
    return {}


@pytest.fixture(scope="session")
def valkey_server(
    request: pytest.FixtureRequest, valkey_server_settings: dict[str, Any]
) -> Iterator[ValkeyServer]:
    """A server for the session, clean for each test."""
    with ValkeyServer(**valkey_server_settings) as server, _started(request, server):
        yield server


@pytest.fixture(scope="session")
def valkey_cluster(
    request: pytest.FixtureRequest, valkey_cluster_settings: dict[str, Any]
) -> Iterator[ValkeyCluster]:
    """A cluster for the session, clean for each test."""
    with ValkeyCluster(**valkey_cluster_settings) as cluster, _started(request, cluster):
        yield cluster


@pytest.fixture
def valkey_faults(valkey_server: ValkeyServer) -> Iterator[ServerFaults]:
    """Faults of ``valkey_server``, on request."""
    with ServerFaults(valkey_server) as faults:
        yield faults


@pytest.fixture
def valkey_cluster_faults(valkey_cluster: ValkeyCluster) -> Iterator[ClusterFaults]:
    """Faults of ``valkey_cluster``, on request."""
    with ClusterFaults(valkey_cluster) as faults:
        yield faults


@pytest.fixture
def valkey_client(
    request: pytest.FixtureRequest,
    valkey_server: ValkeyServer,
    valkey_client_settings: dict[str, Any],
) -> Iterator[GlideClient]:
    """A client of ``valkey_server`` for the test, on asyncio or trio."""
    config = _config(request, valkey_server, valkey_client_settings)
    client = _on_own_loop(lambda: GlideClient._create(config, any_runtime=True))
    yield client
    _on_own_loop(client.close)


@pytest.fixture
def valkey_cluster_client(
    request: pytest.FixtureRequest,
    valkey_cluster: ValkeyCluster,
    valkey_client_settings: dict[str, Any],
) -> Iterator[GlideClusterClient]:
    """A client of ``valkey_cluster`` for the test, on asyncio or trio."""
    config = _config(request, valkey_cluster, valkey_client_settings)
    client = _on_own_loop(lambda: GlideClusterClient._create(config, any_runtime=True))
    yield client
    _on_own_loop(client.close)


@pytest.fixture
def valkey_sync_client(
    request: pytest.FixtureRequest,
    valkey_server: ValkeyServer,
    valkey_client_settings: dict[str, Any],
) -> Iterator[SyncClient]:
    """A synchronous client of ``valkey_server`` for the test."""
    config = _config(request, valkey_server, valkey_client_settings)
    with SyncClient.create(config) as client:
        yield client


@pytest.fixture
def valkey_sync_cluster_client(
    request: pytest.FixtureRequest,
    valkey_cluster: ValkeyCluster,
    valkey_client_settings: dict[str, Any],
) -> Iterator[SyncClusterClient]:
    """A synchronous client of ``valkey_cluster`` for the test."""
    config = _config(request, valkey_cluster, valkey_client_settings)
    with SyncClusterClient.create(config) as client:
        yield client


@contextmanager
def _started(
    request: pytest.FixtureRequest, server: ValkeyServer | ValkeyCluster
) -> Iterator[None]:
    name = request.fixturename
    assert name is not None
    started = request.config.stash.setdefault(_STARTED, {})
    started[name] = server
    try:
        yield
    finally:
        del started[name]


def _clean(item: pytest.Item, name: str) -> None:
    """Clean a server, unless it was already cleaned for this test."""
    cleaned = item.stash.setdefault(_CLEANED, set())
    server = item.config.stash.get(_STARTED, {}).get(name)
    if server is not None and name not in cleaned:
        cleaned.add(name)
        clean(server)


def _config(
    request: pytest.FixtureRequest, server: ValkeyServer | ValkeyCluster, settings: dict[str, Any]
) -> Any:
    """The configuration of a client of a fixture's server, which is clean; with these settings."""
    cluster = isinstance(server, ValkeyCluster)
    _clean(request.node, "valkey_cluster" if cluster else "valkey_server")
    faults = "valkey_cluster_faults" if cluster else "valkey_faults"
    through = request.getfixturevalue(faults) if faults in request.fixturenames else server
    where = parse_url(through.url, cluster=cluster)
    return configuration_of({**where, **settings}, cluster=cluster)


def _on_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function, whether or not this thread has an event loop.

    The client belongs to the runtime of its first call, so it need not be made on the one of the
    test.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()
