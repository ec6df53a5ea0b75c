"""What the clients have in common: how a command is sent and its reply awaited."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from . import _commands
from ._commands import Command
from ._core import Client as Core
from ._core import Script, TlsSetup
from ._reply import TEncodable, TResult

P = ParamSpec("P")
T = TypeVar("T")


def method_of(
    build: Callable[P, Command[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """The method that sends what ``build`` makes of its arguments."""

    @functools.wraps(build)
    async def method(self: BaseClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._execute(build(*args, **kwargs))

    # What is said of it at run time: a client's method, which returns what the command decodes to.
    returns = str(build.__annotations__["return"]).removeprefix("Command[").removesuffix("]")
    method.__annotations__ = build.__annotations__ | {"return": returns}
    method.__module__, method.__qualname__ = __name__, f"BaseClient.{build.__name__}"
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[itself, *signature.parameters.values()], return_annotation=returns
    )
    return method


class BaseClient:
    """What the clients of a server and of a cluster have in common."""

    def __init__(self, core: Core) -> None:
        """For ``create`` and ``from_url``, which connect."""
        if not isinstance(core, Core):
            name = type(self).__name__
            raise TypeError(
                f"make a client with await {name}.create(config) or {name}.from_url(url)"
            )
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
            core.abandon()
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
        reply = await self._reply(*self._send(command))
        decoded: T = reply if command.decode is None else command.decode(reply)
        return decoded

    def _send(self, command: Command[Any]) -> tuple[asyncio.Future[Any], int]:
        return self._core.command(
            command.words,
            None,
            read_only=command.read_only,
            code=command.code,
            admin=command.admin,
        )

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

    eval = method_of(_commands.eval)
    eval_ro = method_of(_commands.eval_ro)
    evalsha = method_of(_commands.evalsha)
    evalsha_ro = method_of(_commands.evalsha_ro)

    get = method_of(_commands.get)
    set = method_of(_commands.set)
    mget = method_of(_commands.mget)
    mset = method_of(_commands.mset)
    incr = method_of(_commands.incr)
    incrby = method_of(_commands.incrby)
    delete = method_of(_commands.delete)
    exists = method_of(_commands.exists)
    expire = method_of(_commands.expire)
    ttl = method_of(_commands.ttl)
    hset = method_of(_commands.hset)
    hget = method_of(_commands.hget)
    hgetall = method_of(_commands.hgetall)
    lpush = method_of(_commands.lpush)
    rpush = method_of(_commands.rpush)
    lrange = method_of(_commands.lrange)
    sadd = method_of(_commands.sadd)
    smembers = method_of(_commands.smembers)
    zadd = method_of(_commands.zadd)
    zscore = method_of(_commands.zscore)
