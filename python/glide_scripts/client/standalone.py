"""The client of one server."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Self

import glide_scripts

from .. import checks
from ..commands import custom, functions, scripting, server
from ..config.configuration_errors import configuration_errors
from ..config.settings import GlideClientConfiguration
from ..config.terms import URL_TERMS
from ..observing.observer import Observer
from ..public import show_as_public
from ..values import TOK, TResult
from .base import BaseClient, method_of
from .in_thread import import_url, imported
from .watches import calling_task


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
            AuthenticationError: The server refused the user or the password.
            ClosingError: No server could be reached, or none of them is a primary; the text says
                which and why.
        """
        with configuration_errors():
            checks.of_type("config", config, GlideClientConfiguration)
        return await cls._open(config._settings())

    @classmethod
    async def from_url(cls, url: str, *, observer: Observer | None = None) -> Self:
        """Connects to the server of a URL.

        Args:
            url: ``valkey://user:password@host:port/database``. ``redis://`` is the same, and
                ``valkeys://`` and ``rediss://`` use TLS; ``unix:///path`` is a Unix socket. All
                but the host may be left out. Every setting may follow after ``?``, under its own
                or redis-py's name, such as ``protocol=2``, ``timeout=250`` (milliseconds) and
                ``ssl_ca_certs=ca.pem``.
            observer: What is told of each call; see ``Observer``.

        Raises:
            ConfigurationError: The URL says something that cannot be used.
            ClosingError: The server could not be reached; the text says why.
        """
        await imported(import_url)
        from ..config.url import parse_url  # noqa: PLC0415 - saves time at import

        settings = parse_url(url, cluster=False)
        # Tracebacks may show what functions hold.
        del url
        config = GlideClientConfiguration(**settings, observer=observer)
        return await cls._open(config._settings() | {"terms": tuple(URL_TERMS.items())})

    def exec(
        self,
        batch: glide_scripts.Batch,
        raise_on_error: bool,
        options: glide_scripts.BatchOptions | None = None,
    ) -> Coroutine[Any, Any, list[TResult] | None]:
        """Sends the commands of a batch together, and gets their results in one list.

        A transaction is executed wholly or, if the server discards it, not at all; a command that
        fails in it does not undo the others. Its scripts never fail for want of their code. In a
        pipeline each command counts for itself.

        See https://valkey.io/topics/transactions/ and https://valkey.io/topics/pipelining/.

        Args:
            batch: The batch; it stays as it is and can be executed again.
            raise_on_error: Whether the first error among the results is raised, once all are
                there; its text says which command it is of. If False, errors stand in the list.
            options: The options of this call.

        Returns:
            The results in the order of the commands. None: the transaction was not executed,
            because a key changed that this task watches; see ``watch``. An empty batch gives an
            empty list; nothing is sent, but an atomic one ends what this task watches.

        Raises:
            TypeError: An argument is of a wrong type; nothing was sent.
            ExecAbortError: The server discarded the transaction; nothing was executed.
            TimeoutError: There was no reply to a transaction in time; ``may_have_executed`` says
                whether it was sent. Of a pipeline it is an error of the commands concerned.
            ConnectionError: The connection was lost; otherwise as ``TimeoutError``.
            ClosingError: The client is closed.

        Example:
            >>> transaction = Batch(is_atomic=True).set("key", "1").incr("key").get("key")
            >>> await client.exec(transaction, raise_on_error=True)
            [b'OK', 2, b'2']
        """
        task = calling_task()
        return self._exec(batch, raise_on_error, options, task, self._watches.of(task))

    def unwatch(self) -> Coroutine[Any, Any, TOK]:
        """Ends what the task that calls it watches; see ``watch``.

        See https://valkey.io/commands/unwatch/.

        Returns:
            ``OK``, also if nothing was watched.
        """
        task = calling_task()
        return self._unwatch(task, self._watches.of(task))

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

    async def function_kill(self) -> TOK:
        """Stops the function that the primary or a replica is running, whoever called it.

        It goes over connections of their own, as ``script_kill`` does, and waits like that until a
        server takes it. A function that has written is not stopped. Needs Redis 7.

        See https://valkey.io/commands/function-kill/.

        Returns:
            ``OK``: the function was stopped; its caller gets ``ScriptKilledError``.

        Raises:
            NotBusyError: No function is running.
            UnkillableError: The function has written already.
        """
        result: TOK = await self._routed(functions.function_kill(), None)
        return result

    async def function_stats(self) -> dict[bytes, dict[bytes, Any]]:
        """Tells which function or script the primary and each replica is running, if any.

        It goes over connections of their own, so that it also reaches a server that is running
        this client's function. Needs Redis 7.

        See https://valkey.io/commands/function-stats/.

        Returns:
            By each server's ``b"host:port"`` a dict: ``b"running_script"`` is None, or a dict of
            ``b"name"``, ``b"command"`` and ``b"duration_ms"``; ``b"engines"`` is a dict by engine
            of dicts of ``b"libraries_count"`` and ``b"functions_count"``.
        """
        result: dict[bytes, dict[bytes, Any]]
        result = await self._routed(self._function_stats(), None)
        return result


show_as_public(globals())
