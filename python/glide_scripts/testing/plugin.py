"""Fixtures for pytest, to test your scripts on real servers.

    pip install "glide-scripts[testing]" pytest-asyncio  # asyncio_mode = "auto"

    async def test_the_third_call_is_refused(valkey_client):
        replies = [await valkey_client.invoke_script(limit, ["user:1"], ["2"]) for _ in range(3)]
        assert replies == [1, 1, 0]

pytest finds them by itself; ``-p no:glide_scripts`` turns them off. They are not async fixtures, so
tests may run under pytest-asyncio (in either mode), under anyio's plugin (on asyncio and trio), or
call ``asyncio.run`` or ``trio.run`` themselves.

==============================  ====================================================================
``valkey_server``               a ``ValkeyServer``, one a session
``valkey_client``               a ``GlideClient`` of it, one a test
``valkey_sync_client``          a synchronous ``GlideClient`` of it, one a test
``valkey_faults``               ``ServerFaults`` of it: ``flush``, ``busy``, ``lose_replies``
``valkey_cluster``              a ``ValkeyCluster`` of three primaries and three replicas, one a
                                session
``valkey_cluster_client``       a ``GlideClusterClient`` of it, one a test
``valkey_sync_cluster_client``  a synchronous ``GlideClusterClient`` of it, one a test
``valkey_cluster_faults``       ``ClusterFaults`` of it: ``flush``, ``busy(key)``,
                                ``failover(key)``, ``lose_replies``
==============================  ====================================================================

With pytest-xdist, each worker has its own session. Before each test that uses a server, its data,
scripts, functions and statistics are removed. A server that a test left paused, busy or stopped is
restarted. Changes by CONFIG or ACL stay. With a ``…faults`` fixture, the test's client connects
through a proxy.

Tracebacks leave out the frames of ``glide_scripts``, so that they end at the line of the caller;
``--full-trace`` shows them.

To change the settings, override these session fixtures, which return keyword arguments:
``valkey_server_settings`` of ``ValkeyServer``, ``valkey_cluster_settings`` of ``ValkeyCluster``,
and ``valkey_client_settings`` of both clients' configurations.
"""

from __future__ import annotations

import sys

import pytest

from . import _coverage, _fixtures

_PACKAGE = __name__.partition(".")[0]
_SHOWN = ("testing", "cli")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures."""
    # Of fixtures of one name the last one counts, and the server's package brings a valkey_client,
    # too, in a plugin that may be loaded before this one or after it.
    config.pluginmanager.register(_fixtures, "glide_scripts_fixtures")
    # Only where something measures coverage.
    if "coverage" in sys.modules:
        config.pluginmanager.register(_coverage, "glide_scripts_coverage")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Hide this package's frames in tracebacks."""
    if call.excinfo is None:
        return
    for name, module in list(sys.modules.items()):
        package, *inner = name.split(".")
        if package == _PACKAGE and not (inner and inner[0] in _SHOWN):
            vars(module).setdefault("__tracebackhide__", True)
