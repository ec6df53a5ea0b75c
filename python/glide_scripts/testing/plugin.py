"""Fixtures for pytest, to test scripts of one's own on real servers.

    pip install "glide-scripts[testing]" pytest-asyncio  # asyncio_mode = "auto"

    async def test_the_third_call_is_refused(valkey_client):
        replies = [await valkey_client.invoke_script(limit, ["user:1"], ["2"]) for _ in range(3)]
        assert replies == [1, 1, 0]

pytest finds them by itself, unless it is told ``-p no:glide_scripts``. They are no async fixtures,
so that tests may run under pytest-asyncio (in either mode), under anyio's plugin (on asyncio), or
call ``asyncio.run`` themselves.

=========================  =======================================================================
``valkey_server``          a ``ValkeyServer``, one a session
``valkey_client``          a ``GlideClient`` of it, one a test
``valkey_faults``          ``ServerFaults`` of it: ``flush``, ``busy``, ``lose_replies``
``valkey_cluster``         a ``ValkeyCluster`` of three primaries and three replicas, one a session
``valkey_cluster_client``  a ``GlideClusterClient`` of it, one a test
``valkey_cluster_faults``  ``ClusterFaults`` of it: ``flush``, ``busy(key)``, ``failover(key)``,
                           ``lose_replies``
=========================  =======================================================================

A session of pytest-xdist is a worker's. Before each test that uses a server, all data, scripts,
functions and statistics are removed from it, and a server that a test left paused, busy or ended is
brought back; what a test changed by CONFIG or ACL stays. With a ``…faults`` fixture, the client of
the test connects through its proxy.

To set them up otherwise, override these session fixtures, which return keyword arguments:
``valkey_server_settings`` of ``ValkeyServer``, ``valkey_cluster_settings`` of ``ValkeyCluster``,
and ``valkey_client_settings`` of both clients' configurations.
"""

from __future__ import annotations

import pytest

from . import _fixtures


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Registers the fixtures."""
    # Of fixtures of one name the last one counts, and the server's package brings a valkey_client,
    # too, in a plugin that may be loaded before this one or after it.
    config.pluginmanager.register(_fixtures, "glide_scripts_fixtures")
