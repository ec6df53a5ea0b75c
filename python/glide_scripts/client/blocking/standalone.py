"""The synchronous client of one server."""

from __future__ import annotations

from typing import Self

from ...config.settings import GlideClientConfiguration
from ...public import show_as_public
from .. import standalone
from ..making import with_advice
from .base import BaseClient
from .methods import blocking, run_for


class GlideClient(BaseClient):
    """A client of one server, or of a primary and its replicas, for programs without asyncio.

    Make one with ``create`` or ``from_url``, use it from any number of threads at once, and close
    it, which ``with`` does. A call blocks the thread that makes it, and no other. The methods are
    those of ``glide_scripts.GlideClient``, without ``await``.
    """

    _configuration = GlideClientConfiguration

    @classmethod
    @with_advice
    def create(cls, config: GlideClientConfiguration) -> Self:
        """Connect to the server of a configuration.

        Args:
            config: The settings, a ``GlideClientConfiguration``.

        Raises:
            ConfigurationError: A setting is wrong; the text names it.
            ClosingError: The server could not be reached; the text says why.
        """
        opening = cls._create(config)
        # It may be a URL with a password, and tracebacks may show local variables.
        del config
        return run_for(cls, opening)

    exec = blocking(standalone.GlideClient.exec)
    unwatch = blocking(standalone.GlideClient.unwatch)
    script_load = blocking(standalone.GlideClient.script_load)
    script_exists = blocking(standalone.GlideClient.script_exists)
    script_flush = blocking(standalone.GlideClient.script_flush)
    script_show = blocking(standalone.GlideClient.script_show)
    script_kill = blocking(standalone.GlideClient.script_kill)
    function_load = blocking(standalone.GlideClient.function_load)
    function_list = blocking(standalone.GlideClient.function_list)
    function_delete = blocking(standalone.GlideClient.function_delete)
    function_flush = blocking(standalone.GlideClient.function_flush)
    function_dump = blocking(standalone.GlideClient.function_dump)
    function_restore = blocking(standalone.GlideClient.function_restore)
    custom_command = blocking(standalone.GlideClient.custom_command)
    ping = blocking(standalone.GlideClient.ping)
    echo = blocking(standalone.GlideClient.echo)
    info = blocking(standalone.GlideClient.info)
    time = blocking(standalone.GlideClient.time)
    dbsize = blocking(standalone.GlideClient.dbsize)
    config_get = blocking(standalone.GlideClient.config_get)
    config_set = blocking(standalone.GlideClient.config_set)
    flushall = blocking(standalone.GlideClient.flushall)
    flushdb = blocking(standalone.GlideClient.flushdb)
    random_key = blocking(standalone.GlideClient.random_key)
    client_id = blocking(standalone.GlideClient.client_id)
    client_getname = blocking(standalone.GlideClient.client_getname)
    config_resetstat = blocking(standalone.GlideClient.config_resetstat)
    config_rewrite = blocking(standalone.GlideClient.config_rewrite)
    lastsave = blocking(standalone.GlideClient.lastsave)
    lolwut = blocking(standalone.GlideClient.lolwut)
    publish = blocking(standalone.GlideClient.publish)
    copy = blocking(standalone.GlideClient.copy)
    scan = blocking(standalone.GlideClient.scan)
    function_kill = blocking(standalone.GlideClient.function_kill)
    function_stats = blocking(standalone.GlideClient.function_stats)


show_as_public(globals(), "sync")
