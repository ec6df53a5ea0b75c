"""The client of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar

from . import _commands
from ._base_client import BaseClient
from ._commands import Command
from ._config import GlideClusterClientConfiguration
from ._core import Script
from ._errors import ConfigurationError
from ._options import FlushMode, InfoSection
from ._reply import TOK, TEncodable, TResult
from ._routes import AllNodes, AllPrimaries, Route
from ._routing import plan
from ._url import parse_url

T = TypeVar("T")
K = TypeVar("K", bound=TEncodable)

ByNode: TypeAlias = T | dict[bytes, T]
"""One node's reply; of a route to several nodes, the replies by their ``b"host:port"``."""


class GlideClusterClient(BaseClient):
    """A client of a cluster.

    Make one with ``create`` or ``from_url``, use it from any task of any event loop, and close
    it, which ``async with`` does. Scripts and commands go to the shard that holds their keys;
    what the cluster changes, the client follows. A script without keys goes to any primary.

    Methods with a ``route`` go where GLIDE's do without one; their docstrings say where.
    """

    @classmethod
    async def create(cls, config: GlideClusterClientConfiguration) -> Self:
        """Connects to the cluster of a configuration. One reachable address of it is enough.

        Args:
            config: Nodes of the cluster, and how to talk to it.

        Raises:
            ConfigurationError: ``config`` is not a ``GlideClusterClientConfiguration``, or its
                certificates cannot be used.
            ClosingError: No node could be reached, or none knows the cluster's slots; the text
                says which and why.
        """
        if not isinstance(config, GlideClusterClientConfiguration):
            found = type(config).__name__
            raise ConfigurationError(f"config is {found}; pass a GlideClusterClientConfiguration")
        return await cls._open(config._settings())

    @classmethod
    async def from_url(cls, url: str) -> Self:
        """Connects to the cluster of a URL.

        Args:
            url: ``valkey://user:password@host1:port1,host2:port2``, with one host or several. See
                ``GlideClient.from_url`` for the rest.

        Raises:
            ConfigurationError: The URL says something that cannot be used.
            ClosingError: No node could be reached; the text says which and why.
        """
        return await cls.create(GlideClusterClientConfiguration(**parse_url(url, cluster=True)))

    async def invoke_script_route(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
        route: Route | None = None,
        *,
        timeout: int | None = None,
    ) -> ByNode[TResult]:
        """Runs a script on the node, or on each of the nodes, that a route names.

        Each node runs it once, whether or not it had it.

        Args:
            script: The script.
            keys: The keys it works on; they must be in the slot of the route. With a route to
                several nodes there must be none.
            args: Its other arguments.
            route: Where to; None means as ``invoke_script``.
            timeout: As for ``invoke_script``.

        Returns:
            What the script returns; with ``AllPrimaries`` and ``AllNodes`` a dict of what it
            returned on each node, by its ``b"host:port"``.

        Raises:
            CrossSlotError: ``keys`` are in another slot than the route's; nothing was sent.
            ScriptError: As for ``invoke_script``; of several nodes, the text names the first that
                failed, and the others may have run the script.
        """
        future, ticket = self._core.invoke_script(script, keys, args, timeout, _target(route))
        result: ByNode[TResult] = await self._reply(future, ticket)
        return result

    def _send(
        self, command: Command[Any], route: Route | None = None
    ) -> tuple[asyncio.Future[Any], int]:
        default = plan(command.words)
        return self._core.command(
            command.words,
            None,
            read_only=command.read_only,
            code=command.code,
            admin=command.admin,
            keys=default.keys,
            step=None if route else default.step,
            route=_target(route or default.route),
            gather=default.gather,
        )

    async def _routed(self, command: Command[T], route: Route | None) -> Any:
        """Sends a command by a route; several nodes' replies are decoded one by one."""
        reply = await self._reply(*self._send(command, route))
        if command.decode is None:
            return reply
        default = plan(command.words)
        several = isinstance(route or default.route, (AllNodes, AllPrimaries))
        if several and default.gather == "by_node":
            return {node: command.decode(each) for node, each in reply.items()}
        return command.decode(reply)

    async def script_load(self, script: Script | TEncodable, *, route: Route | None = None) -> str:
        """Puts a script on the nodes of ``route`` without running it; by default all primaries.

        See https://valkey.io/commands/script-load/, and ``GlideClient.script_load``.
        """
        result: str = await self._routed(_commands.script_load(script), route)
        return result

    async def script_exists(
        self, sha1s: Sequence[TEncodable], route: Route | None = None
    ) -> list[bool]:
        """Tells which scripts every node of ``route`` has; by default every primary.

        See https://valkey.io/commands/script-exists/, and ``GlideClient.script_exists``.
        """
        result: list[bool] = await self._routed(_commands.script_exists(sha1s), route)
        return result

    async def script_flush(self, mode: FlushMode | None = None, route: Route | None = None) -> TOK:
        """Removes all scripts from the nodes of ``route``; by default from all nodes.

        See https://valkey.io/commands/script-flush/.
        """
        result: TOK = await self._routed(_commands.script_flush(mode), route)
        return result

    async def script_kill(self, route: Route | None = None) -> TOK:
        """Stops the script that a node of ``route`` is running; by default on any node.

        It succeeds if one node stopped one. See https://valkey.io/commands/script-kill/, and
        ``GlideClient.script_kill``.
        """
        result: TOK = await self._routed(_commands.script_kill(), route)
        return result

    async def script_show(self, sha1: TEncodable, route: Route | None = None) -> bytes:
        """Gets the code of a script from the node of ``route``; by default from any primary.

        See https://valkey.io/commands/script-show/, and ``GlideClient.script_show``.
        """
        result: bytes = await self._routed(_commands.script_show(sha1), route)
        return result

    async def custom_command(
        self, command_args: Sequence[TEncodable], route: Route | None = None
    ) -> ByNode[TResult]:
        """Sends any command, by ``route``; by default where its keys are.

        A command on several keys each by itself, such as MGET or DEL, is split by their slots.
        See https://valkey.io/commands/, and ``GlideClient.custom_command``.
        """
        result: ByNode[TResult] = await self._routed(_commands.custom_command(command_args), route)
        return result

    async def ping(self, message: TEncodable | None = None, route: Route | None = None) -> bytes:
        """Pings the nodes of ``route``; by default all primaries.

        See https://valkey.io/commands/ping/.
        """
        result: bytes = await self._routed(_commands.ping(message), route)
        return result

    async def echo(self, message: TEncodable, route: Route | None = None) -> ByNode[bytes]:
        """Gets the message back from the nodes of ``route``; by default from any primary.

        See https://valkey.io/commands/echo/.
        """
        result: ByNode[bytes] = await self._routed(_commands.echo(message), route)
        return result

    async def info(
        self, sections: Sequence[InfoSection] | None = None, route: Route | None = None
    ) -> ByNode[bytes]:
        """Gets what the nodes of ``route`` say of themselves; by default all primaries.

        See https://valkey.io/commands/info/.
        """
        result: ByNode[bytes] = await self._routed(_commands.info(sections), route)
        return result

    async def time(self, route: Route | None = None) -> ByNode[list[bytes]]:
        """Gets the time of the nodes of ``route``; by default of any primary.

        See https://valkey.io/commands/time/.
        """
        result: ByNode[list[bytes]] = await self._routed(_commands.time(), route)
        return result

    async def dbsize(self, route: Route | None = None) -> int:
        """Counts the keys of the nodes of ``route``, all together; by default of all primaries.

        See https://valkey.io/commands/dbsize/.
        """
        result: int = await self._routed(_commands.dbsize(), route)
        return result

    async def config_get(
        self, parameters: Sequence[TEncodable], route: Route | None = None
    ) -> ByNode[dict[bytes, bytes]]:
        """Gets settings of the nodes of ``route``; by default of any primary.

        See https://valkey.io/commands/config-get/.
        """
        command = _commands.config_get(parameters)
        result: ByNode[dict[bytes, bytes]] = await self._routed(command, route)
        return result

    async def config_set(
        self, parameters_map: Mapping[K, TEncodable], route: Route | None = None
    ) -> TOK:
        """Changes settings of the nodes of ``route``; by default of all nodes.

        See https://valkey.io/commands/config-set/.
        """
        result: TOK = await self._routed(_commands.config_set(parameters_map), route)
        return result

    async def flushall(
        self, flush_mode: FlushMode | None = None, route: Route | None = None
    ) -> TOK:
        """Removes all keys of the nodes of ``route``; by default of all primaries.

        See https://valkey.io/commands/flushall/.
        """
        result: TOK = await self._routed(_commands.flushall(flush_mode), route)
        return result


def _target(route: Route | None) -> tuple[object, ...] | None:
    if route is None:
        return None
    if not isinstance(route, Route):
        raise TypeError(f"route is {type(route).__name__}; pass a Route, such as AllPrimaries()")
    return route._target()
