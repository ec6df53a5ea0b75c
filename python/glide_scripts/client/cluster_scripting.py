"""What a cluster's client does with the scripts and functions that its nodes keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._core import Script
from ..commands import functions, scripting
from ..commands.flush_mode import FlushMode
from ..commands.function_library import Function, FunctionLibrary
from ..commands.functions import FunctionRestorePolicy
from ..commands.routes import Route
from ..values import TOK, TClusterResponse, TEncodable, TResult
from .base import BaseClient
from .sending_in_cluster import ClusterSending


class ClusterScriptingCommands(ClusterSending, BaseClient):
    """The part of ``GlideClusterClient`` for loaded scripts and function libraries."""

    async def script_load(self, script: Script | TEncodable, *, route: Route | None = None) -> str:
        """Load a script on the nodes of ``route`` without running it. Default: all primaries.

        See https://valkey.io/commands/script-load/.

        Args:
            script: The script, or its code.
            route: Which nodes; None means all primaries.

        Returns:
            The SHA1 of its code, 40 hexadecimal digits, for ``evalsha``.

        Raises:
            TypeError: ``script`` is not a ``Script``, str or bytes, or ``route`` is not a route.
            ScriptSyntaxError: It does not compile.
        """
        return await self._routed(scripting.script_load(script), route)

    async def script_exists(
        self, sha1s: Sequence[TEncodable], route: Route | None = None
    ) -> list[bool]:
        """Check which scripts all nodes of ``route`` have. Default: all primaries.

        See https://valkey.io/commands/script-exists/.

        Args:
            sha1s: The SHA1s of the scripts' code, at least one.
            route: Which nodes; None means all primaries.

        Returns:
            A list in the order of ``sha1s``: whether all these nodes have the script.

        Raises:
            TypeError: ``sha1s`` is not a list of str or bytes, or ``route`` is not a route.
            ValueError: ``sha1s`` is empty.
        """
        return await self._routed(scripting.script_exists(sha1s), route)

    async def script_flush(self, mode: FlushMode | None = None, route: Route | None = None) -> TOK:
        """Remove all scripts from the nodes of ``route``. Default: all nodes.

        See https://valkey.io/commands/script-flush/.

        Args:
            mode: Whether the server frees the memory before it answers; None means the server's
                setting.
            route: Which nodes; None means all nodes.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``mode`` is not a ``FlushMode``, or ``route`` is not a route.
        """
        return await self._routed(scripting.script_flush(mode), route)

    async def script_kill(self, route: Route | None = None) -> TOK:
        """Stop the script that a node of ``route`` is running. Default: all nodes.

        It succeeds if at least one node stopped a script. See
        https://valkey.io/commands/script-kill/.

        Args:
            route: Which nodes; None means all nodes.

        Returns:
            ``OK``: the script was stopped; its caller gets ``ScriptKilledError``.

        Raises:
            TypeError: ``route`` is not a route.
            NotBusyError: No script is running.
            UnkillableError: The script has already written.
        """
        return await self._routed(scripting.script_kill(), route)

    async def script_show(self, sha1: TEncodable, route: Route | None = None) -> bytes:
        """Return the code of a script from the node of ``route``. Default: any primary.

        See https://valkey.io/commands/script-show/.

        Args:
            sha1: The SHA1 of the script's code, 40 hexadecimal digits.
            route: Which nodes; None means any primary.

        Returns:
            The code.

        Raises:
            TypeError: ``sha1`` is not str or bytes, or ``route`` is not a route.
            NoScriptError: The server does not have the script.
        """
        return await self._routed(scripting.script_show(sha1), route)

    async def function_load(
        self,
        library_code: FunctionLibrary | TEncodable,
        replace: bool = False,
        route: Route | None = None,
    ) -> bytes:
        """Load a library of functions on the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/function-load/.

        Args:
            library_code: The library, or its code.
            replace: Whether to replace a library of the same name.
            route: Which nodes; None means all primaries.

        Returns:
            The library's name.

        Raises:
            TypeError: ``library_code`` is not a ``FunctionLibrary``, str or bytes, or ``replace``
                is not a bool, or ``route`` is not a route.
            ScriptSyntaxError: It does not compile.
            ScriptError: The server already has a library of that name, or another one with a
                function of the same name.
        """
        command = functions.function_load(library_code, replace)
        return await self._routed(command, route)

    async def function_list(
        self,
        library_name_pattern: TEncodable | None = None,
        with_code: bool = False,
        route: Route | None = None,
    ) -> TClusterResponse[list[dict[bytes, Any]]]:
        """List the libraries of the nodes of ``route``. Default: any primary.

        See https://valkey.io/commands/function-list/.

        Args:
            library_name_pattern: Only the libraries whose names match, such as ``"my*"``; None
                means all.
            with_code: Whether to return their code, too.
            route: Which nodes; None means any primary.

        Returns:
            A dict for each library: ``b"library_name"``, ``b"engine"``, ``b"functions"`` and, with
            ``with_code``, ``b"library_code"``. The functions are a list of dicts: ``b"name"``,
            ``b"description"``, which may be None, and ``b"flags"``, a set. With a route to several
            nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``library_name_pattern`` is not str or bytes, or ``with_code`` is not a bool,
                or ``route`` is not a route.
        """
        command = functions.function_list(library_name_pattern, with_code)
        return await self._routed_by_node(command, route)

    async def function_delete(self, library_name: TEncodable, route: Route | None = None) -> TOK:
        """Remove a library from the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/function-delete/.

        Args:
            library_name: The library's name.
            route: Which nodes; None means all primaries.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``library_name`` is not str or bytes, or ``route`` is not a route.
            RequestError: The server has no such library.
        """
        return await self._routed(functions.function_delete(library_name), route)

    async def function_flush(
        self, mode: FlushMode | None = None, route: Route | None = None
    ) -> TOK:
        """Remove all libraries from the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/function-flush/.

        Args:
            mode: Whether the server frees the memory before it answers; None means the server's
                setting.
            route: Which nodes; None means all primaries.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``mode`` is not a ``FlushMode``, or ``route`` is not a route.
        """
        return await self._routed(functions.function_flush(mode), route)

    async def function_kill(self, route: Route | None = None) -> TOK:
        """Stop the function that a node of ``route`` is running. Default: all nodes.

        It succeeds if at least one node stopped a function. See
        https://valkey.io/commands/function-kill/.

        Args:
            route: Which nodes; None means all nodes.

        Returns:
            ``OK``: the function was stopped; its caller gets ``ScriptKilledError``.

        Raises:
            TypeError: ``route`` is not a route.
            NotBusyError: No function is running.
            UnkillableError: The function has already written.
        """
        return await self._routed(functions.function_kill(), route)

    async def function_stats(
        self, route: Route | None = None
    ) -> TClusterResponse[dict[bytes, Any]]:
        """Return the function that each node of ``route`` is running. Default: all nodes.

        See https://valkey.io/commands/function-stats/.

        Args:
            route: Which nodes; None means all nodes.

        Returns:
            A dict: ``b"running_script"`` is None, or a dict of ``b"name"``, ``b"command"`` and
            ``b"duration_ms"``; ``b"engines"`` maps each engine to a dict of ``b"libraries_count"``
            and ``b"functions_count"``. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed_by_node(functions.function_stats(), route)

    async def function_dump(self, route: Route | None = None) -> TClusterResponse[bytes]:
        """Dump all libraries of the nodes of ``route``. Default: any primary.

        See https://valkey.io/commands/function-dump/.

        Args:
            route: Which nodes; None means any primary.

        Returns:
            The libraries. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``route`` is not a route.
        """
        return await self._routed_by_node(functions.function_dump(), route)

    async def function_restore(
        self,
        payload: TEncodable,
        policy: FunctionRestorePolicy | None = None,
        route: Route | None = None,
    ) -> TOK:
        """Restore dumped libraries on the nodes of ``route``. Default: all primaries.

        See https://valkey.io/commands/function-restore/.

        Args:
            payload: The result of ``function_dump``.
            policy: What to do with the libraries that the server has; None means ``APPEND``.
            route: Which nodes; None means all primaries.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``payload`` is not str or bytes, or ``policy`` is not a
                ``FunctionRestorePolicy``, or ``route`` is not a route.
            RequestError: The payload is damaged, or the server has a library or function of the
                same name. Nothing was restored.
        """
        return await self._routed(functions.function_restore(payload, policy), route)

    async def fcall_route(
        self,
        function: TEncodable | Function,
        arguments: Sequence[TEncodable] | None = None,
        route: Route | None = None,
    ) -> TClusterResponse[TResult]:
        """Call a function without keys on the nodes of ``route``. Default: any primary.

        See https://valkey.io/commands/fcall/.

        Args:
            function: The function's name, or a ``Function`` of a ``FunctionLibrary``. The library
                of a ``Function`` is loaded if the server lacks it. A read-only ``Function`` is
                called with FCALL_RO.
            arguments: The arguments: the function's second parameter.
            route: Which nodes; None means any primary.

        Returns:
            What the function returns. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``function`` is not a ``Function``, str or bytes, or ``arguments`` is not a
                list of str or bytes, or ``route`` is not a route.
            ScriptError: The function does not exist, or it failed.
        """
        command = functions.fcall(function, None, arguments)
        return await self._routed_by_node(command, route)

    async def fcall_ro_route(
        self,
        function: TEncodable | Function,
        arguments: Sequence[TEncodable] | None = None,
        route: Route | None = None,
    ) -> TClusterResponse[TResult]:
        """Call a read-only function without keys on the nodes of ``route``.

        Default: any node that ``read_from`` allows. See
        https://valkey.io/commands/fcall_ro/.

        Args:
            function: The function's name, or the ``Function`` of a ``FunctionLibrary``. It must be
                registered with the flag ``no-writes``.
            arguments: The arguments: the function's second parameter.
            route: Which nodes; None means any node that ``read_from`` allows.

        Returns:
            What the function returns. With a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``function`` is not a ``Function``, str or bytes, or ``arguments`` is not a
                list of str or bytes, or ``route`` is not a route.
            ScriptError: The function does not exist, is not registered as ``no-writes``, or failed.
        """
        command = functions.fcall_ro(function, None, arguments)
        return await self._routed_by_node(command, route)
