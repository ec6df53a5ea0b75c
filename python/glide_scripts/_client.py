"""The client of one server."""

from __future__ import annotations

from typing import Self

from . import _commands
from ._base_client import BaseClient, method_of
from ._config import GlideClientConfiguration
from ._errors import ConfigurationError
from ._url import parse_url


class GlideClient(BaseClient):
    """A client of one server, or of a primary and its replicas.

    Make one with ``create`` or ``from_url``, use it from any task of any event loop, and close
    it, which ``async with`` does. Every method that takes keys or values takes str (sent as
    UTF-8), bytes, bytearray or memoryview; replies are bytes.
    """

    @classmethod
    async def create(cls, config: GlideClientConfiguration) -> Self:
        """Connects to the server of a configuration.

        Args:
            config: Where the server is, and how to talk to it.

        Raises:
            ConfigurationError: ``config`` is not a ``GlideClientConfiguration``, or its
                certificates cannot be used.
            ClosingError: No server could be reached, or none of them is a primary; the text says
                which and why.
        """
        if not isinstance(config, GlideClientConfiguration):
            found = type(config).__name__
            raise ConfigurationError(f"config is {found}; pass a GlideClientConfiguration")
        return await cls._open(config._settings())

    @classmethod
    async def from_url(cls, url: str) -> Self:
        """Connects to the server of a URL.

        Args:
            url: ``valkey://user:password@host:port/database``. ``redis://`` is the same, and
                ``valkeys://`` and ``rediss://`` use TLS. All but the host may be left out.
                ``?protocol=2``, ``?client_name=…`` and ``?timeout=…`` (milliseconds) are known.

        Raises:
            ConfigurationError: The URL says something that cannot be used.
            ClosingError: The server could not be reached; the text says why.
        """
        return await cls.create(GlideClientConfiguration(**parse_url(url, cluster=False)))

    script_load = method_of(_commands.script_load)
    script_exists = method_of(_commands.script_exists)
    script_flush = method_of(_commands.script_flush)
    script_show = method_of(_commands.script_show)
    script_kill = method_of(_commands.script_kill)
    custom_command = method_of(_commands.custom_command)

    ping = method_of(_commands.ping)
    echo = method_of(_commands.echo)
    info = method_of(_commands.info)
    time = method_of(_commands.time)
    dbsize = method_of(_commands.dbsize)
    config_get = method_of(_commands.config_get)
    config_set = method_of(_commands.config_set)
    flushall = method_of(_commands.flushall)
