"""The clients: how a command is sent and its reply awaited; which commands there are."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from . import _commands
from ._commands import Command
from ._config import GlideClientConfiguration
from ._core import Client as Core
from ._core import Script, TlsSetup
from ._errors import ConfigurationError
from ._reply import TEncodable, TResult
from ._url import parse_url

P = ParamSpec("P")
T = TypeVar("T")


def _method(
    build: Callable[P, Command[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """The method that sends what ``build`` makes of its arguments."""

    @functools.wraps(build)
    async def method(self: BaseClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._execute(build(*args, **kwargs))

    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[itself, *signature.parameters.values()]
    )
    return method


class BaseClient:
    """What the clients of a server and of a cluster have in common."""

    def __init__(self, core: Core) -> None:
        """For ``create`` and ``from_url``, which connect."""
        self._core = core

    @classmethod
    async def _open(cls, settings: Mapping[str, object]) -> Self:
        settings = dict(settings)
        tls: Any = settings["tls"]
        if tls is not None:
            settings["tls"] = await asyncio.to_thread(functools.partial(TlsSetup, **tls))
        core, opened, ticket = Core.open(settings)
        client = cls(core)
        try:
            await client._reply(opened, ticket)
        except BaseException:
            core.close()
            raise
        return client

    async def close(self) -> None:
        """Closes the connections. Calls under way end in ``ClosingError``, later ones too.

        Closing a client twice is harmless.
        """
        closing = self._core.close()
        if closing is not None:
            await self._reply(*closing)

    async def aclose(self) -> None:
        """The same as ``close``, for ``contextlib.aclosing``."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._core.is_closed else "open"
        return f"<{type(self).__name__} {state}>"

    async def _reply(self, future: asyncio.Future[Any], ticket: int) -> Any:
        try:
            return await future
        except asyncio.CancelledError:
            self._core.cancel(ticket)
            raise

    async def _execute(self, command: Command[T]) -> T:
        future, ticket = self._core.command(
            command.words,
            None,
            read_only=command.read_only,
            code=command.code,
            admin=command.admin,
        )
        reply = await self._reply(future, ticket)
        decoded: T = reply if command.decode is None else command.decode(reply)
        return decoded

    async def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
        *,
        timeout: int | None = None,
    ) -> TResult:
        """Runs a script on the server, which gets its code only if it does not have it.

        The script runs at most once, unless it is read-only or idempotent: such a one is also run
        again if the connection was lost before the reply came.

        See https://valkey.io/commands/evalsha/.

        Args:
            script: The script.
            keys: The keys it works on: ``KEYS`` in the script.
            args: Its other arguments: ``ARGV`` in the script.
            timeout: Milliseconds until the call gives up, over all that it takes; None means the
                client's ``request_timeout``. The script may go on running on the server.

        Returns:
            What the script returns. Lua converts a number to an int by cutting its fraction off,
            false to None, and a table up to its first nil to a list.

        Raises:
            TypeError: ``script`` is not a ``Script``, or ``keys`` or ``args`` is not a list of
                str or bytes.
            ValueError: ``timeout`` is not more than 0.
            ScriptError: The script does not compile, failed, or returned an error.
            TimeoutError: There was no reply in time; ``may_have_executed`` says whether the script
                was sent.
            ConnectionError: The connection was lost after the script was sent.
            ClosingError: The client is closed.
        """
        future, ticket = self._core.invoke_script(script, keys, args, timeout)
        try:
            result: TResult = await future
        except asyncio.CancelledError:
            self._core.cancel(ticket)
            raise
        return result

    eval = _method(_commands.eval)
    eval_ro = _method(_commands.eval_ro)
    evalsha = _method(_commands.evalsha)
    evalsha_ro = _method(_commands.evalsha_ro)
    script_load = _method(_commands.script_load)
    script_exists = _method(_commands.script_exists)
    script_flush = _method(_commands.script_flush)
    script_show = _method(_commands.script_show)
    script_kill = _method(_commands.script_kill)
    custom_command = _method(_commands.custom_command)

    get = _method(_commands.get)
    set = _method(_commands.set)
    mget = _method(_commands.mget)
    mset = _method(_commands.mset)
    incr = _method(_commands.incr)
    incrby = _method(_commands.incrby)
    delete = _method(_commands.delete)
    exists = _method(_commands.exists)
    expire = _method(_commands.expire)
    ttl = _method(_commands.ttl)
    hset = _method(_commands.hset)
    hget = _method(_commands.hget)
    hgetall = _method(_commands.hgetall)
    lpush = _method(_commands.lpush)
    rpush = _method(_commands.rpush)
    lrange = _method(_commands.lrange)
    sadd = _method(_commands.sadd)
    smembers = _method(_commands.smembers)
    zadd = _method(_commands.zadd)
    zscore = _method(_commands.zscore)
    ping = _method(_commands.ping)
    echo = _method(_commands.echo)
    info = _method(_commands.info)
    time = _method(_commands.time)
    dbsize = _method(_commands.dbsize)
    config_get = _method(_commands.config_get)
    config_set = _method(_commands.config_set)
    flushall = _method(_commands.flushall)


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
