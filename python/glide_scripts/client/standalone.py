"""The client of one server."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Self

import glide_scripts

from ..commands import custom, functions, keys, scanning, scripting, server
from ..config.settings import GlideClientConfiguration
from ..observing.observer import Observer
from ..public import show_as_public
from ..values import TOK, TResult
from .base import BaseClient
from .command_methods import coroutine_function, method_of
from .making import with_advice


class GlideClient(BaseClient):
    """A client of one server, or of a primary and its replicas.

    Make one with ``create`` or ``from_url``. Use it from any task of any event loop. ``async with``
    closes it. Keys and values are str (sent as UTF-8), bytes, bytearray or memoryview. Replies are
    bytes.
    """

    _configuration = GlideClientConfiguration

    @classmethod
    @with_advice
    async def create(cls, config: GlideClientConfiguration) -> Self:
        """Connect to the server of a configuration.

        Args:
            config: The address and the settings: a ``GlideClientConfiguration``, or a
                ``SentinelConfiguration``, which is one, too.

        Raises:
            ConfigurationError: ``config`` is not a ``GlideClientConfiguration``, or its
                certificates cannot be used.
            AuthenticationError: The server refused the user or the password.
            ClosingError: No server could be reached, or none of them is a primary. The text lists
                each server with the reason.
        """
        opening = cls._create(config)
        # It may be a URL with a password, and tracebacks may show local variables.
        del config
        return await opening

    @classmethod
    @with_advice
    async def from_url(cls, url: str, *, observer: Observer | None = None) -> Self:
        """Connect to the server of a URL.

        Args:
            url: ``valkey://user:password@host:port/database``. ``redis://`` is the same, and
                ``valkeys://`` and ``rediss://`` use TLS; ``unix:///path`` is a Unix socket.
                Everything except the host is optional. Every setting can follow after ``?``, under
                its own or redis-py's name, such as ``protocol=2``, ``timeout=250`` (milliseconds)
                and ``ssl_ca_certs=ca.pem``.
                ``valkey+sentinel://user:password@host:26379,host2:26379/service/database`` names
                Sentinels, see ``SentinelConfiguration``.
            observer: Is called for each call; see ``Observer``.

        Raises:
            ConfigurationError: The URL is wrong.
            ClosingError: The server could not be reached; the text says why.
        """
        opening = cls._from_url(url, observer)
        # Tracebacks may show local variables.
        del url
        return await opening

    @coroutine_function
    def exec(
        self,
        batch: glide_scripts.Batch,
        raise_on_error: bool,
        options: glide_scripts.BatchOptions | None = None,
    ) -> Coroutine[Any, Any, list[TResult] | None]:
        """Send the commands of a batch together, and return their results in a list.

        The server executes a transaction as a whole, or discards it. If one of its commands fails,
        the others still take effect. Scripts in it never fail because their code is missing. In a
        pipeline, each command succeeds or fails on its own.

        See https://valkey.io/topics/transactions/ and https://valkey.io/topics/pipelining/.

        Args:
            batch: The batch. It is not changed and can be executed again.
            raise_on_error: If True, the first error is raised after all results have arrived; its
                text names the command. If False, errors appear in the list.
            options: The options of this call.

        Returns:
            The results in the order of the commands. None if the transaction was not executed
            because a watched key has changed; see ``watch``. For an empty batch, an empty list:
            nothing is sent, but an empty atomic batch ends this task's watch.

        Raises:
            TypeError: An argument has a wrong type; nothing was sent.
            ExecAbortError: The server discarded the transaction; nothing was executed.
            TimeoutError: A transaction got no reply in time; ``may_have_executed`` says whether it
                was sent. In a pipeline, the affected commands have this error in the results.
            ConnectionError: The connection was lost; the rest as for ``TimeoutError``.
            ClosingError: The client is closed.

        Example:
            >>> transaction = Batch(is_atomic=True).set("key", "1").incr("key").get("key")
            >>> await client.exec(transaction, raise_on_error=True)
            [b'OK', 2, b'2']
        """
        caller = self._watches.caller()
        return self._exec(batch, raise_on_error, options, caller, self._watches.of(caller))

    @coroutine_function
    def unwatch(self) -> Coroutine[Any, Any, TOK]:
        """End the calling task's watch; see ``watch``.

        See https://valkey.io/commands/unwatch/.

        Returns:
            ``OK``, even if nothing was watched.
        """
        caller = self._watches.caller()
        return self._unwatch(caller, self._watches.of(caller))

    script_load = method_of(scripting.script_load)
    script_exists = method_of(scripting.script_exists)
    script_flush = method_of(scripting.script_flush)
    script_show = method_of(scripting.script_show)
    script_kill = method_of(scripting.script_kill)
    function_load = method_of(functions.function_load)
    function_list = method_of(functions.function_list)
    function_delete = method_of(functions.function_delete)
    function_flush = method_of(functions.function_flush)
    function_dump = method_of(functions.function_dump)
    function_restore = method_of(functions.function_restore)
    custom_command = method_of(custom.custom_command)

    ping = method_of(server.ping)
    echo = method_of(server.echo)
    info = method_of(server.info)
    time = method_of(server.time)
    dbsize = method_of(server.dbsize)
    config_get = method_of(server.config_get)
    config_set = method_of(server.config_set)
    flushall = method_of(server.flushall)
    flushdb = method_of(server.flushdb)
    random_key = method_of(server.random_key)
    client_id = method_of(server.client_id)
    client_getname = method_of(server.client_getname)
    config_resetstat = method_of(server.config_resetstat)
    config_rewrite = method_of(server.config_rewrite)
    lastsave = method_of(server.lastsave)
    lolwut = method_of(server.lolwut)
    publish = method_of(server.publish)
    copy = method_of(keys.copy)
    scan = method_of(scanning.scan)

    async def function_kill(self) -> TOK:
        """Stop the function that the primary or a replica is running, of any client.

        Like ``script_kill``, it uses its own connections, and waits until a server allows the kill.
        A function that has written is not stopped. Needs Redis 7.

        See https://valkey.io/commands/function-kill/.

        Returns:
            ``OK``: the function was stopped; its caller gets ``ScriptKilledError``.

        Raises:
            NotBusyError: No function is running.
            UnkillableError: The function has already written.
        """
        return await self._routed(functions.function_kill(), None)

    async def function_stats(self) -> dict[bytes, dict[bytes, Any]]:
        """Return the function or script that the primary and each replica is running.

        It uses its own connections, so it also reaches a server that is running this client's
        function. Needs Redis 7.

        See https://valkey.io/commands/function-stats/.

        Returns:
            A dict by server, with keys of host and port. Each value is a dict:
            ``b"running_script"`` is None, or a dict of ``b"name"``, ``b"command"`` and
            ``b"duration_ms"``; ``b"engines"`` maps each engine to a dict of ``b"libraries_count"``
            and ``b"functions_count"``.
        """
        return await self._routed(functions.function_stats(), None)


show_as_public(globals())
