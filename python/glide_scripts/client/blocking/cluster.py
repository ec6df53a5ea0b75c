"""The synchronous client of a cluster."""

from __future__ import annotations

from typing import Self, TypeAlias

from ...config.cluster import GlideClusterClientConfiguration
from ...public import show_as_public
from .. import cluster
from ..making import with_advice
from ..sending_in_cluster import ClusterSending
from .base import BaseClient
from .methods import blocking, run_for
from .standalone import GlideClient


class GlideClusterClient(ClusterSending, BaseClient):
    """A client of a cluster, for programs without asyncio.

    Make one with ``create`` or ``from_url``, use it from any number of threads at once, and close
    it, which ``with`` does. A call blocks the thread that makes it, and no other. The methods are
    those of ``glide_scripts.GlideClusterClient``, without ``await``.
    """

    @classmethod
    @with_advice
    def create(cls, config: GlideClusterClientConfiguration) -> Self:
        """Connect to the cluster of a configuration.

        Args:
            config: The settings, a ``GlideClusterClientConfiguration``.

        Raises:
            ConfigurationError: A setting is wrong; the text names it.
            ClosingError: The cluster could not be reached; the text says why.
        """
        opening = cls._create(config)
        # It may be a URL with a password, and tracebacks may show local variables.
        del config
        return run_for(cls, opening)

    invoke_script_route = blocking(cluster.GlideClusterClient.invoke_script_route)
    exec = blocking(cluster.GlideClusterClient.exec)
    unwatch = blocking(cluster.GlideClusterClient.unwatch)
    script_load = blocking(cluster.GlideClusterClient.script_load)
    script_exists = blocking(cluster.GlideClusterClient.script_exists)
    script_flush = blocking(cluster.GlideClusterClient.script_flush)
    script_kill = blocking(cluster.GlideClusterClient.script_kill)
    script_show = blocking(cluster.GlideClusterClient.script_show)
    function_load = blocking(cluster.GlideClusterClient.function_load)
    function_list = blocking(cluster.GlideClusterClient.function_list)
    function_delete = blocking(cluster.GlideClusterClient.function_delete)
    function_flush = blocking(cluster.GlideClusterClient.function_flush)
    function_kill = blocking(cluster.GlideClusterClient.function_kill)
    function_stats = blocking(cluster.GlideClusterClient.function_stats)
    function_dump = blocking(cluster.GlideClusterClient.function_dump)
    function_restore = blocking(cluster.GlideClusterClient.function_restore)
    fcall_route = blocking(cluster.GlideClusterClient.fcall_route)
    fcall_ro_route = blocking(cluster.GlideClusterClient.fcall_ro_route)
    custom_command = blocking(cluster.GlideClusterClient.custom_command)
    ping = blocking(cluster.GlideClusterClient.ping)
    echo = blocking(cluster.GlideClusterClient.echo)
    info = blocking(cluster.GlideClusterClient.info)
    time = blocking(cluster.GlideClusterClient.time)
    dbsize = blocking(cluster.GlideClusterClient.dbsize)
    config_get = blocking(cluster.GlideClusterClient.config_get)
    config_set = blocking(cluster.GlideClusterClient.config_set)
    flushall = blocking(cluster.GlideClusterClient.flushall)
    flushdb = blocking(cluster.GlideClusterClient.flushdb)
    random_key = blocking(cluster.GlideClusterClient.random_key)
    client_id = blocking(cluster.GlideClusterClient.client_id)
    client_getname = blocking(cluster.GlideClusterClient.client_getname)
    config_resetstat = blocking(cluster.GlideClusterClient.config_resetstat)
    config_rewrite = blocking(cluster.GlideClusterClient.config_rewrite)
    lastsave = blocking(cluster.GlideClusterClient.lastsave)
    lolwut = blocking(cluster.GlideClusterClient.lolwut)
    publish = blocking(cluster.GlideClusterClient.publish)
    copy = blocking(cluster.GlideClusterClient.copy)
    scan = blocking(cluster.GlideClusterClient.scan)


TGlideClient: TypeAlias = GlideClient | GlideClusterClient
"""A synchronous client, of a server or of a cluster."""

show_as_public(globals(), "sync")
