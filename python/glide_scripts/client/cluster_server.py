"""What a cluster's client asks the servers themselves."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from ..commands import server
from ..commands.arguments import K
from ..commands.flush_mode import FlushMode
from ..commands.routes import AllPrimaries, Route
from ..commands.server import InfoSection
from ..values import TOK, TClusterResponse, TEncodable
from .base import BaseClient
from .sending_in_cluster import ClusterSending


class ClusterServerCommands(ClusterSending, BaseClient):
    """The part of ``GlideClusterClient`` with commands about servers. Each takes a route."""

    async def ping(self, message: TEncodable | None = None, route: Route | None = None) -> bytes:
        """Ping the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/ping/.

        Args:
            message: The expected answer; None means ``PONG``.
            route: Which nodes; None means all primaries.

        Returns:
            The message, or ``b"PONG"``.

        Raises:
            TypeError: ``message`` is not str or bytes, or ``route`` is not a route.
        """
        return await self._routed(server.ping(message), route)

    async def echo(
        self, message: TEncodable, route: Route | None = None
    ) -> TClusterResponse[bytes]:
        """Return the message as the nodes of ``route`` send it back. Default: any primary.

        See https://valkey.io/commands/echo/.

        Args:
            message: The message.
            route: Which nodes; None means any primary.

        Returns:
            The message. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``message`` is not str or bytes, or ``route`` is not a route.
        """
        return await self._routed_by_node(server.echo(message), route)

    async def info(
        self, sections: Sequence[InfoSection] | None = None, route: Route | None = None
    ) -> TClusterResponse[bytes]:
        """Return information about the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/info/.

        Args:
            sections: The sections; None or an empty list means the default ones. More than one
                needs Redis 7.
            route: Which nodes; None means all primaries.

        Returns:
            Lines of text: ``# Section`` and ``name:value``. With a route to several nodes, a dict
            by ``b"host:port"``.

        Raises:
            TypeError: ``sections`` is not a list of ``InfoSection``, or ``route`` is not a route.
        """
        return await self._routed_by_node(server.info(sections), route)

    async def time(self, route: Route | None = None) -> TClusterResponse[list[bytes]]:
        """Return the time of the nodes of ``route``. Default: any primary.

        See https://valkey.io/commands/time/.

        Args:
            route: Which nodes; None means any primary.

        Returns:
            Two numbers as bytes: the seconds since 1970, and the microseconds of the current
            second. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed_by_node(server.time(), route)

    async def dbsize(self, route: Route | None = None) -> int:
        """Count the keys of all nodes of ``route`` together. Default: all primaries.

        See https://valkey.io/commands/dbsize/.

        Args:
            route: Which nodes; None means all primaries.

        Returns:
            The number of keys.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed(server.dbsize(), route)

    async def config_get(
        self, parameters: Sequence[TEncodable], route: Route | None = None
    ) -> TClusterResponse[dict[bytes, bytes]]:
        """Return settings of the nodes of ``route``. Default: any primary.

        See https://valkey.io/commands/config-get/.

        Args:
            parameters: Names or patterns such as ``"max*"``, at least one. More than one needs
                Redis 7.
            route: Which nodes; None means any primary.

        Returns:
            A dict from the name to the value of each matching setting. With a route to several
            nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``parameters`` is not a list of str or bytes, or ``route`` is not a route.
            ValueError: ``parameters`` is empty.
        """
        command = server.config_get(parameters)
        return await self._routed_by_node(command, route)

    async def config_set(
        self, parameters_map: Mapping[K, TEncodable], route: Route | None = None
    ) -> TOK:
        """Change settings of the nodes of ``route``. Default: all nodes.

        See https://valkey.io/commands/config-set/.

        Args:
            parameters_map: A dict from name to value, with at least one item. More than one needs
                Redis 7.
            route: Which nodes; None means all nodes.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``parameters_map`` is not a dict of str or bytes, or ``route`` is not a
                route.
            ValueError: ``parameters_map`` is empty.
            RequestError: A setting does not exist, or its value is wrong. No setting was changed.
        """
        return await self._routed(server.config_set(parameters_map), route)

    async def flushall(
        self, flush_mode: FlushMode | None = None, route: Route | None = None
    ) -> TOK:
        """Remove all keys from the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/flushall/.

        Args:
            flush_mode: Whether the server frees the memory before it answers; None means the
                server's setting.
            route: Which nodes; None means all primaries.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``flush_mode`` is not a ``FlushMode``, or ``route`` is not a route.
        """
        return await self._routed(server.flushall(flush_mode), route)

    async def flushdb(self, flush_mode: FlushMode | None = None, route: Route | None = None) -> TOK:
        """Remove all keys of the database from the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/flushdb/.

        Args:
            flush_mode: Whether the server frees the memory before it answers; None means the
                server's setting.
            route: Which nodes; None means all primaries.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``flush_mode`` is not a ``FlushMode``, or ``route`` is not a route.
        """
        return await self._routed(server.flushdb(flush_mode), route)

    async def random_key(self, route: Route | None = None) -> bytes | None:
        """Return a random key of the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/randomkey/.

        Args:
            route: Which nodes; None means all primaries.

        Returns:
            The key, or None if the nodes have no keys.

        Raises:
            TypeError: ``route`` is not a route.
        """
        where = AllPrimaries() if route is None else route
        reply: TClusterResponse[bytes | None] = await self._routed(server.random_key(), where)
        if not isinstance(reply, dict):
            return reply
        found = [key for key in reply.values() if key is not None]
        return random.choice(found) if found else None

    async def client_id(self, route: Route | None = None) -> TClusterResponse[int]:
        """Return the numbers that the nodes of ``route`` have given to the connections.

        Default: any primary. See https://valkey.io/commands/client-id/.

        Args:
            route: Which nodes; None means any primary.

        Returns:
            The number. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed_by_node(server.client_id(), route)

    async def client_getname(self, route: Route | None = None) -> TClusterResponse[bytes | None]:
        """Return the names of the connections to the nodes of ``route``. Default: any primary.

        See https://valkey.io/commands/client-getname/.

        Args:
            route: Which nodes; None means any primary.

        Returns:
            The name, or None if there is none. With a route to several nodes, a dict by
            ``b"host:port"``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed_by_node(server.client_getname(), route)

    async def config_resetstat(self, route: Route | None = None) -> TOK:
        """Set the counters in ``info`` of the nodes of ``route`` to zero. Default: all nodes.

        See https://valkey.io/commands/config-resetstat/.

        Args:
            route: Which nodes; None means all nodes.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed(server.config_resetstat(), route)

    async def config_rewrite(self, route: Route | None = None) -> TOK:
        """Have the nodes of ``route`` write their settings to their files. Default: all nodes.

        See https://valkey.io/commands/config-rewrite/.

        Args:
            route: Which nodes; None means all nodes.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``route`` is not a route.
            RequestError: A server was started without a file, or cannot write it.
        """
        return await self._routed(server.config_rewrite(), route)

    async def lastsave(self, route: Route | None = None) -> TClusterResponse[int]:
        """Return when the nodes of ``route`` last saved their data. Default: any primary.

        See https://valkey.io/commands/lastsave/.

        Args:
            route: Which nodes; None means any primary.

        Returns:
            The time in seconds since 1970. With a route to several nodes, a dict by
            ``b"host:port"``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed_by_node(server.lastsave(), route)

    async def lolwut(
        self,
        version: int | None = None,
        parameters: Sequence[int] | None = None,
        route: Route | None = None,
    ) -> TClusterResponse[bytes]:
        """Return the version of the nodes of ``route`` below a drawing. Default: any primary.

        See https://valkey.io/commands/lolwut/.

        Args:
            version: The version of the drawing; None means that of the server.
            parameters: What the drawing depends on; None means its defaults.
            route: Which nodes; None means any primary.

        Returns:
            The drawing, as text. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``version`` is not an int, or ``parameters`` is not a list of those, or
                ``route`` is not a route.
            ValueError: A number has more than 64 bits.
        """
        return await self._routed_by_node(server.lolwut(version, parameters), route)
