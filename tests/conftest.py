"""Servers and clients for the tests. One body runs on every protocol."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.loops import Kind, factories
from tests.records import Records
from tests.runtimes import LOOP, Runtime, is_needed, loops, runtime_of, runtimes
from tests.servers.debian import debian_program
from tests.servers.table import CAPABILITIES, this_server

from glide_scripts import (
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
)
from glide_scripts.testing import ServerNotFound, ValkeyServer

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background job ignores Ctrl-C, and so would the programs that it starts and the tests
    # interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# An example takes longer on a busy machine.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

Connect = Callable[..., Awaitable[GlideClient]]
_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--loops",
        default="asyncio",
        help="the event loops of the asynchronous tests: asyncio, uvloop, eager, with commas",
    )


def pytest_configure(config: pytest.Config) -> None:
    factories(config.getoption("loops"))
    config.addinivalue_line(
        "markers", "needs(*capabilities): what the server must have, of tests/servers/table.py"
    )
    config.addinivalue_line(
        "markers", "every_server: make test runs it on the other servers of the table, too"
    )
    config.addinivalue_line(
        "markers", "needs_program(*names): what else it starts, of tests/servers/debian.py"
    )
    try:
        this_server()
    except (LookupError, ServerNotFound) as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that need what the server lacks.

    The pages of the documentation take the longest. They come first, so that at the end no process
    waits for the last of them.
    """
    left_out = config.stash.setdefault(_LEFT_OUT, Counter())
    kept: list[pytest.Item] = []
    deselected: list[pytest.Item] = []
    for item in items:
        if not is_needed(item):
            continue
        needed = {name for mark in item.iter_markers("needs") for name in mark.args}
        if unknown := needed - CAPABILITIES.keys():
            raise pytest.UsageError(f"{item.nodeid} needs {unknown}, which the table does not have")
        lacking = {CAPABILITIES[name] for name in needed & this_server().lacks}
        lacking = {f"{this_server().version} lacks {name}" for name in lacking}
        lacking |= _missing_programs(item)
        left_out.update(lacking)
        (deselected if lacking else kept).append(item)
    if deselected:
        config.hook.pytest_deselected(items=deselected)
    items[:] = sorted(kept, key=lambda item: item.path.name != "test_docs.py")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for name, tests in config.stash.get(_LEFT_OUT, Counter()).items():
        terminalreporter.write_line(f"{tests} left out, since {name}")


def _missing_programs(item: pytest.Item) -> set[str]:
    missing = set()
    for mark in item.iter_markers("needs_program"):
        for name in mark.args:
            try:
                debian_program(name)
            except ServerNotFound as error:
                missing.add(str(error))
    return missing


@pytest.fixture(scope="session")
def valkey_server_settings() -> dict[str, object]:
    """The options of the server that the package's plugin for pytest starts."""
    return {"config": this_server().debug_config}


@pytest.fixture
def server(valkey_server: ValkeyServer) -> ValkeyServer:
    """The session's server, without data, scripts, functions and statistics."""
    return valkey_server


@pytest.fixture
def own_server() -> Iterator[ValkeyServer]:
    """A server of the test's own, which it may kill, stop or configure."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Records]:
    """All log records of the client while the test runs."""
    with caplog.at_level(logging.DEBUG, logger="glide_scripts"):
        yield Records(caplog)


@pytest.fixture(params=[ProtocolVersion.RESP3, ProtocolVersion.RESP2], ids=["resp3", "resp2"])
def protocol(request: pytest.FixtureRequest) -> ProtocolVersion:
    value: ProtocolVersion = request.param
    return value


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = runtimes(metafunc.module.__name__, metafunc.function.__name__)
    if "runtime" in metafunc.fixturenames and len(names) > 1:
        metafunc.parametrize("runtime", names, indirect=True)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Kind]:
    """The loops that a test's body runs on."""
    module: Any = item.getparent(pytest.Module)
    return loops(module.obj.__name__, config.getoption("loops"))


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """What the clients of a test run on."""
    with runtime_of(getattr(request, "param", LOOP)) as runtime:
        yield runtime


@pytest.fixture
async def connect(runtime: Runtime) -> AsyncIterator[Connect]:
    """Makes clients of a server, with further settings, and closes them after the test."""
    clients: list[GlideClient] = []

    async def connect(server: ValkeyServer, **settings: object) -> GlideClient:
        addresses = [NodeAddress(server.host, server.port)]
        config = GlideClientConfiguration(addresses, **settings)  # type: ignore[arg-type]
        client: GlideClient = await runtime.made(GlideClient, config)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.close()


@pytest.fixture
async def client(server: ValkeyServer, protocol: ProtocolVersion, connect: Connect) -> GlideClient:
    """A client of the shared server, once for each protocol."""
    return await connect(server, protocol=protocol)
