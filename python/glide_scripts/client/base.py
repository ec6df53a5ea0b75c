"""What the asynchronous clients of a server and of a cluster share."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar, overload

import glide_scripts

from .. import checks
from .._core import Script
from ..config.secrets import ServerCredentials
from ..errors import ReplyTypeError, RequestError
from ..forks import stop_notifying
from ..values import TOK, Call, Ids, Progress, TEncodable, TResult
from .bound import BoundScript, bound
from .command_methods import coroutine_function
from .declared_call import DeclaredCall, ObservedDeclaredCall
from .key_commands import KeyCommands
from .raising import raise_explained
from .running import to_its_end

T = TypeVar("T")

# In a client, `type` is a command.
ErrorType: TypeAlias = type[BaseException]


class BaseClient(KeyCommands):
    """The base of ``GlideClient`` and ``GlideClusterClient``."""

    _bound = bound

    def _run(self, calling: Coroutine[Any, Any, T], /) -> Coroutine[Any, Any, T]:
        return calling

    async def close(self, err_message: str | None = None) -> None:
        """Close the connections. Calls in flight and later calls raise ``ClosingError``.

        You may close a client twice.

        Args:
            err_message: The text of the error that calls in flight raise; None means one that says
                that the client was closed.

        Raises:
            TypeError: ``err_message`` is not a str.
        """
        checks.optional(checks.of_type, "err_message", err_message, str, "str")
        stop_notifying(self)
        for source in self._sources:
            source.close()
        closing = self._core.close(err_message or None)
        if closing is not None:
            await to_its_end(closing)

    async def aclose(self, err_message: str | None = None) -> None:
        """Close the connections, like ``close``. For ``contextlib.aclosing``.

        Args:
            err_message: As for ``close``.

        Raises:
            TypeError: ``err_message`` is not a str.
        """
        await self.close(err_message)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: ErrorType | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
        *,
        timeout: int | None = None,
        on_timeout: Literal["leave", "kill"] = "leave",
        once: bool | TEncodable | None = None,
        once_ttl: float | None = None,
    ) -> TResult:
        """Run a script on the server. The code is sent only if the server lacks the script.

        The script runs at most once, unless it is read-only or idempotent. The client repeats a
        read-only or idempotent script if the connection is lost before the reply arrives. With
        ``once``, it repeats any script, which still takes effect at most once.

        See https://valkey.io/commands/evalsha/.

        Args:
            script: The script.
            keys: The keys: ``KEYS`` in the script.
            args: The arguments: ``ARGV`` in the script.
            timeout: The deadline of the call with all its steps, in milliseconds; None means the
                client's ``request_timeout``. The script may continue to run on the server.
            on_timeout: ``"kill"`` stops a read-only script on the server when the deadline passes.
                A server does not say whose script it runs, so the kill may hit another client's
                script that keeps this one from running. A server allows a kill only after the
                script has run for ``busy-reply-threshold``; the call does not wait for that. If the
                client is closed meanwhile, it still tries to kill the script for up to 10 seconds;
                if the process ends, it does not. A call that is cancelled, or whose client is
                closed, before its deadline kills nothing.
            once: The id of the call, str or bytes. The script takes effect at most once for an id,
                whoever calls it and how often, and each call gets the reply, or the error, of that
                one run. An id belongs to the hash tag of the first key. True means an id that the
                client makes for this call. None means what the script declares, if anything.
            once_ttl: How long the server keeps the record of the id, in seconds. None means a day,
                and ten minutes for an id that the client makes. The client repeats a call after a
                lost connection only if this is at least twice the call's timeout.

        Returns:
            What the script returns. Lua truncates numbers to ints, returns false as None, and
            returns a table up to its first nil as a list.

        Raises:
            TypeError: ``script`` is not a ``Script``, or ``keys`` or ``args`` is not a list of
                str or bytes.
            ValueError: ``timeout`` is not positive, ``on_timeout`` is not ``"leave"`` or
                ``"kill"``, or is ``"kill"`` for a script that is not read-only. ``once`` is empty,
                longer than 512 bytes, or given for a script that is read-only or idempotent.
                ``once_ttl`` is not positive, or is given without ``once``.
            OnceConflictError: The id belongs to another script, other keys or other arguments.
            OnceUnknownError: The script began before with this id, and its reply is not known.
            ScriptError: The script does not compile, failed, or returned an error. The text shows
                the line with the lines around it, the keys and the shortened arguments.
            TimeoutError: No reply arrived in time; ``may_have_executed`` says whether the script
                was sent.
            ConnectionError: The connection was lost after the script was sent.
            ClosingError: The client is closed.
        """
        try:
            if once is not None or once_ttl is not None:
                _check_kill(on_timeout, script)
                result: TResult = await self._core.invoke_script(
                    script,
                    keys,
                    args,
                    timeout,
                    kill=on_timeout == "kill",
                    once=once,
                    once_ttl=once_ttl,
                )
            elif on_timeout == "leave":
                result = await self._core.invoke_script(script, keys, args, timeout)
            else:
                _check_kill(on_timeout, script)
                result = await self._core.invoke_script(script, keys, args, timeout, kill=True)
            return result
        except RequestError as error:
            raise_explained(error, script, keys, args)
        finally:
            # Tracebacks may show local variables, and those of declared scripts may be secret.
            del keys, args

    def bind(
        self,
        script: Script,
        *,
        timeout: int | None = None,
        on_timeout: Literal["leave", "kill"] = "leave",
    ) -> BoundScript:
        """Return a function that runs one script: ``invoke_script`` for a program's busiest calls.

        The function takes keys and arguments by position. Each call does the same as
        ``invoke_script``, raises the same errors, and takes less of the event loop's time, because
        the script and the options are checked only once.

        Args:
            script: The script.
            timeout: The deadline of each call, as for ``invoke_script``.
            on_timeout: As for ``invoke_script``.

        Returns:
            A coroutine function ``call(keys=None, args=None)``. It keeps the client from being
            garbage-collected.

        Raises:
            TypeError: ``script`` is not a ``Script``, or ``timeout`` is not an int.
            ValueError: ``timeout`` is not positive, or ``on_timeout`` does not fit, as for
                ``invoke_script``.

        Example:
            >>> take = client.bind(rate_limit)
            >>> left = await take(["user:1"], ["100"])
        """
        checks.of_type("script", script, Script, "a Script")
        checks.optional(checks.milliseconds, "timeout", timeout)
        _check_kill(on_timeout, script)
        return self._bound(script, timeout, on_timeout == "kill")

    async def _observed_call(self, call: DeclaredCall) -> Any:
        """Run a declared script, so that the observer also learns whether its reply fits."""
        call = ObservedDeclaredCall(call)
        core: Any = self._core
        try:
            reply = core.invoke_script(
                call.script, call.keys, call.args, None, failure=call.failure, **call.once
            )
            return call(await reply)
        except ReplyTypeError:
            raise
        except RequestError as error:
            raise_explained(error, call.script, call.keys, call.args)

    async def update_connection_password(
        self, password: str | None, immediate_auth: bool = False
    ) -> TOK:
        """Change the password for new connections.

        See https://valkey.io/commands/auth/.

        Args:
            password: The password of new connections; None means no authentication.
            immediate_auth: Whether existing connections authenticate with it at once.

        Returns:
            ``OK``.

        Raises:
            TypeError: ``password`` is not a str or None, or ``immediate_auth`` is not a bool.
            ValueError: ``password`` is empty, or is None with ``immediate_auth``.
            RequestError: A server refused the password, or the client has a ``password_callback``.
                New connections use the password even if a server refused it, because the server may
                accept it later.
        """
        try:
            if not isinstance(password, str | None):
                raise checks.wrong_type("password", password, "a str, or None")
            checks.flag("immediate_auth", immediate_auth)
            if password == "":
                raise ValueError("password is empty; pass the password, or None for none")
            if password is None and immediate_auth:
                raise ValueError("password is None and immediate_auth is True; pass the password")
            if self._password_source is not None:
                raise RequestError("the client has a password_callback; change the password there")
            changed = self._core.update_password(password, immediate_auth)
            self.config = _with_password(self.config, password)
        finally:
            # Tracebacks may show local variables.
            del password
        result: TOK = await changed
        return result

    # Two overloads: of a union, pyright does not infer what a generator's empty lists are of.
    @overload
    def invoke_script_many(
        self,
        script: Script,
        calls: Iterable[Call],
        *,
        concurrency: int | None = None,
        raise_on_error: bool = True,
        timeout: int | None = None,
        progress: Progress | None = None,
        once: Ids | None = None,
        once_ttl: float | None = None,
    ) -> glide_scripts.ScriptReplies: ...
    @overload
    def invoke_script_many(
        self,
        script: Script,
        calls: AsyncIterable[Call],
        *,
        concurrency: int | None = None,
        raise_on_error: bool = True,
        timeout: int | None = None,
        progress: Progress | None = None,
        once: Ids | None = None,
        once_ttl: float | None = None,
    ) -> glide_scripts.ScriptReplies: ...
    def invoke_script_many(
        self,
        script: Script,
        calls: Iterable[Call] | AsyncIterable[Call],
        *,
        concurrency: int | None = None,
        raise_on_error: bool = True,
        timeout: int | None = None,
        progress: Progress | None = None,
        once: Ids | None = None,
        once_ttl: float | None = None,
    ) -> glide_scripts.ScriptReplies:
        """Run a script for each of many calls, with many of them in flight.

        The client takes calls from ``calls`` as needed, and sends them in pipelines. Each server
        gets its calls in order; several servers of a cluster work in parallel. Each call runs at
        most once, as with ``invoke_script``.

        Args:
            script: The script.
            calls: The ``(keys, args)`` of each call: an iterable or async iterable, which may be
                endless. Only an async generator is closed at the end.
            concurrency: The maximum number of calls in flight, which also limits the memory. None
                means 1,000.
            raise_on_error: If True, the first call that fails ends the run: its error is raised
                after the replies before it, once no call is in flight. Up to ``concurrency`` later
                calls may have run. If False, the exception becomes that call's reply, and the run
                continues.
            timeout: The deadline of each call in milliseconds; None means the client's
                ``request_timeout``.
            progress: A function that is called with the number of finished calls. It is called each
                time that more replies have arrived, before you get them.
            once: As for ``invoke_script``. True means that the client makes an id for each call.
                With an id such as ``"import"``, the ids of the calls are ``b"import:0"``,
                ``b"import:1"`` and so on, so repeat the same calls in the same order. A function of
                the keys and the arguments returns each call's id.
            once_ttl: As for ``invoke_script``.

        Returns:
            An object to await for the list of replies, or to iterate over with ``async for``.
            Replies have the order of the calls. No further call is sent while you do not ask for
            the next reply. If you stop early, calls in flight are cancelled; calls that were not
            written are never sent.

        Raises:
            TypeError: An argument has a wrong type. For a wrong call, the error names it, such as
                ``calls[17]``, and is raised after the replies before it. So are errors that
                ``calls`` itself raises.
            ValueError: ``concurrency`` or ``timeout`` is not positive.
            ClosingError: The client is closed; raised even if ``raise_on_error`` is False.

        Example:
            >>> totals = await client.invoke_script_many(add, [(["a"], ["1"]), (["b"], ["2"])])
            >>> async for reply in client.invoke_script_many(add, read_calls(), progress=print):
            ...     ...
        """
        from .many import ScriptReplies  # noqa: PLC0415 - saves time at import

        return ScriptReplies(
            self._core,
            script,
            calls,
            in_cluster=self._in_cluster,
            is_blocking=self._is_blocking,
            concurrency=concurrency,
            raise_on_error=raise_on_error,
            timeout=timeout,
            progress=progress,
            once=once,
            once_ttl=once_ttl,
        )

    @coroutine_function
    def watch(self, keys: Sequence[TEncodable]) -> Coroutine[Any, Any, TOK]:
        """Watch keys: the task's next transaction is not executed if one of them changes.

        Tasks share the client's connections, but a watch belongs to a connection. So the calling
        task gets its own connection. The watch ends when that task calls ``exec`` with an atomic
        batch, whatever the result, or ``unwatch``. Transactions of other tasks and pipelines do not
        end it.

        See https://valkey.io/commands/watch/.

        Args:
            keys: The keys, at least one. In a cluster, all watched keys must be in one slot.

        Returns:
            ``OK``. ``exec`` then returns None if one of the keys has changed, or if the watching
            connection was lost.

        Raises:
            TypeError: ``keys`` is not a list of str or bytes.
            ValueError: ``keys`` is empty.
            CrossSlotError: The keys are in several slots.
            RuntimeError: It was called outside a task.

        Example:
            >>> await client.watch(["balance"])
            >>> balance = int(await client.get("balance") or 0)
            >>> transaction = Batch(is_atomic=True).set("balance", str(balance * 2))
            >>> is_done = await client.exec(transaction, raise_on_error=True) is not None
        """
        return self._watch(keys, self._watches.caller())


def _with_password(config: Any, password: str | None) -> Any:
    """Return a configuration with another password, for a client that has one."""
    if config is None:
        return None
    username = config.credentials.username if config.credentials else None
    is_none = password is None and username is None
    credentials = None if is_none else ServerCredentials(password, username)
    return dataclasses.replace(config, credentials=credentials)


def _check_kill(on_timeout: str, script: object) -> None:
    if on_timeout == "leave":
        return
    if on_timeout != "kill":
        raise ValueError(f"on_timeout is {on_timeout!r}; pass 'leave' or 'kill'")
    if isinstance(script, Script) and not script.read_only:
        raise ValueError(
            "on_timeout is 'kill' but the script is not read-only; a script that has written "
            "cannot be killed, so pass a Script with read_only=True, or 'leave'"
        )
