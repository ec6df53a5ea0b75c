"""The client of a cluster."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar

import glide_scripts

from .. import checks
from .._core import Pending, Script
from ..commands import custom, functions, scripting, server
from ..commands.command import Command
from ..commands.directions import directions, target
from ..commands.flush_mode import FlushMode
from ..commands.function_library import Function, FunctionLibrary
from ..commands.functions import FunctionRestorePolicy
from ..commands.routes import Route
from ..commands.server import InfoSection
from ..config.cluster import GlideClusterClientConfiguration
from ..config.configuration_errors import configuration_errors
from ..config.terms import URL_TERMS
from ..errors import RequestError
from ..observing.observer import Observer
from ..public import show_as_public
from ..values import TOK, TEncodable, TResult
from .base import BaseClient, raise_explained
from .in_thread import import_url, imported
from .watches import calling_task

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

    _in_cluster = True

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
        with configuration_errors():
            checks.of_type("config", config, GlideClusterClientConfiguration)
        return await cls._open(config._settings())

    @classmethod
    async def from_url(cls, url: str, *, observer: Observer | None = None) -> Self:
        """Connects to the cluster of a URL.

        Args:
            url: ``valkey://user:password@host1:port1,host2:port2``, with one host or several. See
                ``GlideClient.from_url`` for the rest.
            observer: What is told of each call; see ``Observer``.

        Raises:
            ConfigurationError: The URL says something that cannot be used.
            ClosingError: No node could be reached; the text says which and why.
        """
        await imported(import_url)
        from ..config.url import parse_url  # noqa: PLC0415 - saves time at import

        settings = parse_url(url, cluster=True)
        # Tracebacks may show what functions hold.
        del url
        config = GlideClusterClientConfiguration(**settings, observer=observer)
        return await cls._open(config._settings() | {"terms": tuple(URL_TERMS.items())})

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
        where = target(route)
        try:
            result: ByNode[TResult] = await self._core.invoke_script(
                script, keys, args, timeout, where
            )
            return result
        except RequestError as error:
            raise_explained(error, script, keys, args)
        finally:
            del keys, args

    def exec(
        self,
        batch: glide_scripts.ClusterBatch,
        raise_on_error: bool,
        options: glide_scripts.ClusterBatchOptions | None = None,
    ) -> Coroutine[Any, Any, list[TResult] | None]:
        """Sends the commands of a batch together, and gets their results in one list.

        A transaction goes to the shard that holds its keys, which must all be in one slot; without
        keys, to any primary. A pipeline is split by nodes, whose parts go out side by side; each
        of its commands goes where the client's method sends it.

        See ``GlideClient.exec``, https://valkey.io/topics/transactions/ and
        https://valkey.io/topics/pipelining/.

        Args:
            batch: The batch; it stays as it is and can be executed again.
            raise_on_error: Whether the first error among the results is raised.
            options: The options of this call.

        Returns:
            The results in the order of the commands; or None: the transaction was not executed,
            because a key changed that this task watches.

        Raises:
            TypeError: An argument is of a wrong type; nothing was sent.
            RequestError: ``options`` has a retry strategy for a transaction; nothing was sent.
            CrossSlotError: A transaction's keys are in several slots; nothing was sent.
            ExecAbortError: The server discarded the transaction; nothing was executed.
            TimeoutError: As for ``GlideClient.exec``.
            ConnectionError: As for ``GlideClient.exec``.
            ClosingError: The client is closed.
        """
        task = calling_task()
        return self._exec(batch, raise_on_error, options, task, self._watches.of(task))

    def unwatch(self, route: Route | None = None) -> Coroutine[Any, Any, TOK]:
        """Ends what the task that calls it watches; see ``watch``.

        See https://valkey.io/commands/unwatch/.

        Args:
            route: Is there for GLIDE's sake: a watch ends where it is.

        Returns:
            ``OK``, also if nothing was watched.

        Raises:
            TypeError: ``route`` is not a route.
        """
        target(route)
        task = calling_task()
        return self._unwatch(task, self._watches.of(task))

    def _send(self, command: Command[Any]) -> Pending:
        return self._core.command(
            command.words, None, **command.settings(), **directions(command.words, None)
        )

    async def script_load(self, script: Script | TEncodable, *, route: Route | None = None) -> str:
        """Puts a script on the nodes of ``route`` without running it; by default all primaries.

        See https://valkey.io/commands/script-load/, and ``GlideClient.script_load``.
        """
        result: str = await self._routed(scripting.script_load(script), route)
        return result

    async def script_exists(
        self, sha1s: Sequence[TEncodable], route: Route | None = None
    ) -> list[bool]:
        """Tells which scripts every node of ``route`` has; by default every primary.

        See https://valkey.io/commands/script-exists/, and ``GlideClient.script_exists``.
        """
        result: list[bool] = await self._routed(scripting.script_exists(sha1s), route)
        return result

    async def script_flush(self, mode: FlushMode | None = None, route: Route | None = None) -> TOK:
        """Removes all scripts from the nodes of ``route``; by default from all nodes.

        See https://valkey.io/commands/script-flush/.
        """
        result: TOK = await self._routed(scripting.script_flush(mode), route)
        return result

    async def script_kill(self, route: Route | None = None) -> TOK:
        """Stops the script that a node of ``route`` is running; by default on any node.

        It succeeds if one node stopped one. See https://valkey.io/commands/script-kill/, and
        ``GlideClient.script_kill``.
        """
        result: TOK = await self._routed(scripting.script_kill(), route)
        return result

    async def script_show(self, sha1: TEncodable, route: Route | None = None) -> bytes:
        """Gets the code of a script from the node of ``route``; by default from any primary.

        See https://valkey.io/commands/script-show/, and ``GlideClient.script_show``.
        """
        result: bytes = await self._routed(scripting.script_show(sha1), route)
        return result

    async def function_load(
        self,
        library_code: FunctionLibrary | TEncodable,
        replace: bool = False,
        route: Route | None = None,
    ) -> bytes:
        """Puts a library of functions on the nodes of ``route``; by default all primaries.

        See https://valkey.io/commands/function-load/, and ``GlideClient.function_load``.
        """
        command = functions.function_load(library_code, replace)
        result: bytes = await self._routed(command, route)
        return result

    async def function_list(
        self,
        library_name_pattern: TEncodable | None = None,
        with_code: bool = False,
        route: Route | None = None,
    ) -> ByNode[list[dict[bytes, Any]]]:
        """Tells which libraries the nodes of ``route`` have; by default any primary.

        See https://valkey.io/commands/function-list/, and ``GlideClient.function_list``.
        """
        command = functions.function_list(library_name_pattern, with_code)
        result: ByNode[list[dict[bytes, Any]]] = await self._routed(command, route)
        return result

    async def function_delete(self, library_name: TEncodable, route: Route | None = None) -> TOK:
        """Removes a library from the nodes of ``route``; by default from all primaries.

        See https://valkey.io/commands/function-delete/, and ``GlideClient.function_delete``.
        """
        result: TOK = await self._routed(functions.function_delete(library_name), route)
        return result

    async def function_flush(
        self, mode: FlushMode | None = None, route: Route | None = None
    ) -> TOK:
        """Removes all libraries from the nodes of ``route``; by default from all primaries.

        See https://valkey.io/commands/function-flush/, and ``GlideClient.function_flush``.
        """
        result: TOK = await self._routed(functions.function_flush(mode), route)
        return result

    async def function_kill(self, route: Route | None = None) -> TOK:
        """Stops the function that a node of ``route`` is running; by default on any node.

        It succeeds if one node stopped one. See https://valkey.io/commands/function-kill/, and
        ``GlideClient.function_kill``.
        """
        result: TOK = await self._routed(functions.function_kill(), route)
        return result

    async def function_stats(self, route: Route | None = None) -> ByNode[dict[bytes, Any]]:
        """Tells which function the nodes of ``route`` are running; by default all nodes.

        See https://valkey.io/commands/function-stats/, and ``GlideClient.function_stats``.
        """
        result: ByNode[dict[bytes, Any]] = await self._routed(self._function_stats(), route)
        return result

    async def function_dump(self, route: Route | None = None) -> ByNode[bytes]:
        """Gets all libraries of the nodes of ``route``; by default of any primary.

        See https://valkey.io/commands/function-dump/, and ``GlideClient.function_dump``.
        """
        result: ByNode[bytes] = await self._routed(functions.function_dump(), route)
        return result

    async def function_restore(
        self,
        payload: TEncodable,
        policy: FunctionRestorePolicy | None = None,
        route: Route | None = None,
    ) -> TOK:
        """Puts dumped libraries on the nodes of ``route``; by default on all primaries.

        See https://valkey.io/commands/function-restore/, and ``GlideClient.function_restore``.
        """
        result: TOK = await self._routed(functions.function_restore(payload, policy), route)
        return result

    async def fcall_route(
        self,
        function: TEncodable | Function,
        arguments: Sequence[TEncodable] | None = None,
        route: Route | None = None,
    ) -> ByNode[TResult]:
        """Calls a function without keys on the nodes of ``route``; by default on any primary.

        See https://valkey.io/commands/fcall/, and ``GlideClient.fcall``.
        """
        command = functions.fcall(function, None, arguments)
        result: ByNode[TResult] = await self._routed(command, route)
        return result

    async def fcall_ro_route(
        self,
        function: TEncodable | Function,
        arguments: Sequence[TEncodable] | None = None,
        route: Route | None = None,
    ) -> ByNode[TResult]:
        """Calls a function without keys that only reads on the nodes of ``route``.

        By default on any node that ``read_from`` allows. See
        https://valkey.io/commands/fcall_ro/, and ``GlideClient.fcall_ro``.
        """
        command = functions.fcall_ro(function, None, arguments)
        result: ByNode[TResult] = await self._routed(command, route)
        return result

    async def custom_command(
        self, command_args: Sequence[TEncodable], route: Route | None = None
    ) -> ByNode[TResult]:
        """Sends any command, by ``route``; by default where its keys are.

        A command on several keys each by itself, such as MGET or DEL, is split by their slots.
        See https://valkey.io/commands/, and ``GlideClient.custom_command``.
        """
        result: ByNode[TResult] = await self._routed(custom.custom_command(command_args), route)
        return result

    async def ping(self, message: TEncodable | None = None, route: Route | None = None) -> bytes:
        """Pings the nodes of ``route``; by default all primaries.

        See https://valkey.io/commands/ping/.
        """
        result: bytes = await self._routed(server.ping(message), route)
        return result

    async def echo(self, message: TEncodable, route: Route | None = None) -> ByNode[bytes]:
        """Gets the message back from the nodes of ``route``; by default from any primary.

        See https://valkey.io/commands/echo/.
        """
        result: ByNode[bytes] = await self._routed(server.echo(message), route)
        return result

    async def info(
        self, sections: Sequence[InfoSection] | None = None, route: Route | None = None
    ) -> ByNode[bytes]:
        """Gets what the nodes of ``route`` say of themselves; by default all primaries.

        See https://valkey.io/commands/info/.
        """
        result: ByNode[bytes] = await self._routed(server.info(sections), route)
        return result

    async def time(self, route: Route | None = None) -> ByNode[list[bytes]]:
        """Gets the time of the nodes of ``route``; by default of any primary.

        See https://valkey.io/commands/time/.
        """
        result: ByNode[list[bytes]] = await self._routed(server.time(), route)
        return result

    async def dbsize(self, route: Route | None = None) -> int:
        """Counts the keys of the nodes of ``route``, all together; by default of all primaries.

        See https://valkey.io/commands/dbsize/.
        """
        result: int = await self._routed(server.dbsize(), route)
        return result

    async def config_get(
        self, parameters: Sequence[TEncodable], route: Route | None = None
    ) -> ByNode[dict[bytes, bytes]]:
        """Gets settings of the nodes of ``route``; by default of any primary.

        See https://valkey.io/commands/config-get/.
        """
        command = server.config_get(parameters)
        result: ByNode[dict[bytes, bytes]] = await self._routed(command, route)
        return result

    async def config_set(
        self, parameters_map: Mapping[K, TEncodable], route: Route | None = None
    ) -> TOK:
        """Changes settings of the nodes of ``route``; by default of all nodes.

        See https://valkey.io/commands/config-set/.
        """
        result: TOK = await self._routed(server.config_set(parameters_map), route)
        return result

    async def flushall(
        self, flush_mode: FlushMode | None = None, route: Route | None = None
    ) -> TOK:
        """Removes all keys of the nodes of ``route``; by default of all primaries.

        See https://valkey.io/commands/flushall/.
        """
        result: TOK = await self._routed(server.flushall(flush_mode), route)
        return result


show_as_public(globals())
