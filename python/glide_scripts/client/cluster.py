"""The client of a cluster."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Self, TypeAlias

import glide_scripts

from .._core import Script
from ..commands import custom
from ..commands.directions import target
from ..commands.routes import Route
from ..config.cluster import GlideClusterClientConfiguration
from ..errors import RequestError
from ..observing.observer import Observer
from ..public import show_as_public
from ..values import TOK, TClusterResponse, TEncodable, TResult
from .cluster_keyspace import ClusterKeyspaceCommands
from .cluster_scripting import ClusterScriptingCommands
from .cluster_server import ClusterServerCommands
from .command_methods import coroutine_function
from .making import with_advice
from .raising import raise_explained
from .standalone import GlideClient


class GlideClusterClient(ClusterScriptingCommands, ClusterKeyspaceCommands, ClusterServerCommands):
    """A client of a cluster.

    Make one with ``create`` or ``from_url``. Use it from any task of any event loop. ``async with``
    closes it. Scripts and commands go to the shard of their keys; the client follows changes of the
    cluster. A script without keys goes to any primary.

    A method with a ``route`` parameter has a default route, the same as in GLIDE. Its docstring
    names it.
    """

    @classmethod
    @with_advice
    async def create(cls, config: GlideClusterClientConfiguration) -> Self:
        """Connect to the cluster of a configuration. One reachable address is enough.

        Args:
            config: Some of the cluster's addresses, and the settings.

        Raises:
            ConfigurationError: ``config`` is not a ``GlideClusterClientConfiguration``, or its
                certificates cannot be used.
            ClosingError: No node could be reached, or none knows the cluster's slots. The text
                lists each node with the reason.
        """
        opening = cls._create(config)
        # It may be a URL with a password, and tracebacks may show local variables.
        del config
        return await opening

    @classmethod
    @with_advice
    async def from_url(cls, url: str, *, observer: Observer | None = None) -> Self:
        """Connect to the cluster of a URL.

        Args:
            url: ``valkey://user:password@host1:port1,host2:port2``, with one host or several. See
                ``GlideClient.from_url`` for the rest.
            observer: Is called for each call; see ``Observer``.

        Raises:
            ConfigurationError: The URL is wrong.
            ClosingError: No node could be reached; the text says which and why.
        """
        opening = cls._from_url(url, observer)
        # Tracebacks may show local variables.
        del url
        return await opening

    async def invoke_script_route(
        self,
        script: Script,
        args: Iterable[TEncodable] | None = None,
        route: Route | None = None,
        *,
        keys: Iterable[TEncodable] | None = None,
        timeout: int | None = None,
    ) -> TClusterResponse[TResult]:
        """Run a script on the node or nodes of a route.

        Each node runs it once. A node that lacks the script gets the code.

        Args:
            script: The script.
            args: The arguments.
            route: The nodes; None means as ``invoke_script``.
            keys: The keys; they must be in the slot of the route. A route to several nodes allows
                no keys.
            timeout: As for ``invoke_script``.

        Returns:
            What the script returns; with ``AllPrimaries`` and ``AllNodes`` a dict from each node's
            ``b"host:port"`` to what it returned there.

        Raises:
            CrossSlotError: ``keys`` are not in the slot of the route; nothing was sent.
            ScriptError: As for ``invoke_script``. With several nodes, the text names the first that
                failed; the others may have run the script.
        """
        where = target(route)
        try:
            result: TClusterResponse[TResult] = await self._core.invoke_script(
                script, keys, args, timeout, where
            )
            return result
        except RequestError as error:
            raise_explained(error, script, keys, args)
        finally:
            del keys, args

    @coroutine_function
    def exec(
        self,
        batch: glide_scripts.ClusterBatch,
        raise_on_error: bool,
        options: glide_scripts.ClusterBatchOptions | None = None,
    ) -> Coroutine[Any, Any, list[TResult] | None]:
        """Send the commands of a batch together, and return their results in a list.

        A transaction goes to the shard of its keys, which must all be in one slot; without keys, to
        any primary. A pipeline is split by node, and the parts are sent in parallel. Each of its
        commands goes where the client's method of that name sends it.

        See ``GlideClient.exec``, https://valkey.io/topics/transactions/ and
        https://valkey.io/topics/pipelining/.

        Args:
            batch: The batch. It is not changed and can be executed again.
            raise_on_error: Whether the first error in the results is raised.
            options: The options of this call.

        Returns:
            The results in the order of the commands, or None if the transaction was not executed
            because a watched key has changed.

        Raises:
            TypeError: An argument has a wrong type; nothing was sent.
            RequestError: ``options`` has a retry strategy for a transaction; nothing was sent.
            CrossSlotError: A transaction's keys are in several slots; nothing was sent.
            ExecAbortError: The server discarded the transaction; nothing was executed.
            TimeoutError: As for ``GlideClient.exec``.
            ConnectionError: As for ``GlideClient.exec``.
            ClosingError: The client is closed.
        """
        caller = self._watches.caller()
        return self._exec(batch, raise_on_error, options, caller, self._watches.of(caller))

    @coroutine_function
    def unwatch(self, route: Route | None = None) -> Coroutine[Any, Any, TOK]:
        """End the calling task's watch; see ``watch``.

        See https://valkey.io/commands/unwatch/.

        Args:
            route: Has no effect; GLIDE has this parameter.

        Returns:
            ``OK``, even if nothing was watched.

        Raises:
            TypeError: ``route`` is not a route.
        """
        target(route)
        caller = self._watches.caller()
        return self._unwatch(caller, self._watches.of(caller))

    async def custom_command(
        self, command_args: Sequence[TEncodable], route: Route | None = None
    ) -> TClusterResponse[TResult]:
        """Send any command to the nodes of ``route``. Default: the node of its keys.

        Commands on several independent keys, such as MGET or DEL, are split by slot.
        See https://valkey.io/commands/.

        Args:
            command_args: The command's name and its arguments, each an item: ``["CLIENT", "ID"]``.
            route: Which nodes; None means the node of its keys.

        Returns:
            The server's reply, unconverted; RESP2 and RESP3 may differ. With a route to several
            nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``command_args`` is not a list of str or bytes, or ``route`` is not a route.
            ValueError: ``command_args`` is empty.
            RequestError: The command would disturb other calls on the shared connection, such as
                SUBSCRIBE or SELECT.
        """
        return await self._routed_by_node(custom.custom_command(command_args), route)


TGlideClient: TypeAlias = GlideClient | GlideClusterClient
"""An asynchronous client, of a server or of a cluster."""

show_as_public(globals())
