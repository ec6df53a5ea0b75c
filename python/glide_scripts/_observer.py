"""Observers: what a program is told of a client's calls, for traces and metrics of its own."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ._core import Batch as Packed
from ._core import Client as Core
from ._core import Pending, Script
from ._errors import RequestError, ScriptError
from ._reply import TEncodable

if TYPE_CHECKING:
    from ._base_client import BaseClient


_EVALS = {"EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO"}
_FUNCTION_CALLS = {"FCALL", "FCALL_RO"}


@dataclass(slots=True, eq=False)
class ObservedCall:
    """One call of a client: what is known when it starts, and how it ended.

    There is no key, argument, reply or text of an error in it: they may be secret.
    """

    operation: str
    """The command, such as ``"EVALSHA"``; of a batch ``"PIPELINE"`` or ``"MULTI"``.

    That of a batch of one command's calls is followed by the command: ``"PIPELINE EVALSHA"``.
    """

    name: str | None
    """The name of the script or function; of a batch, if it is the same throughout."""

    sha1: str | None
    """The SHA1 of the script, if the call runs one with ``invoke_script``."""

    batch_size: int | None
    """How many commands a batch has; None: it is no batch."""

    server: tuple[str, int]
    """Host and port of the first address in the client's configuration."""

    database: int
    """The database's number."""

    state: Any = None
    """The observer's own: what it wants to find again at the end, such as a span."""

    duration: float = 0.0
    """Seconds from the start to the end."""

    error: type[BaseException] | None = None
    """The class of the error it ended in: of a batch, of the first command that failed.

    ``asyncio.CancelledError``: its task was cancelled.
    """

    code: str | None = None
    """The first word of the server's error, if a server says it or it stands in the script."""

    node: tuple[str, int] | None = None
    """Host and port of the server that it was last sent to; None: of none, of several or a batch.
    """

    eval_fallback: bool = False
    """Whether the server did not have the script, so that EVAL sent its code."""

    retries: int = 0
    """How often it was sent again for another reason, such as a redirect or a lost connection."""


class Observer:
    """Is told of clients and their calls; subclass it, and pass it as ``observer``.

    Each method does nothing by itself. They are called on the event loop of the call, and should
    be quick. What one raises is logged, once a client, and harms no call.

    Example:
        >>> class Slow(Observer):
        ...     def call_ended(self, call: ObservedCall) -> None:
        ...         if call.duration > 0.1:
        ...             print(f"{call.operation} {call.name} took {call.duration:.3f} s")
        >>> config = GlideClientConfiguration([NodeAddress()], observer=Slow())
    """

    def client_opened(self, client: BaseClient) -> None:
        """A client was made. It should not be kept: a client that nobody has is closed."""

    def client_closed(self, client: BaseClient) -> None:
        """A client is about to be closed; not told of one that is garbage."""

    def call_started(self, call: ObservedCall) -> None:
        """A call is about to be sent, in the context (``contextvars``) of its caller.

        A batch is one call, and so is each batch that ``invoke_script_many`` sends.
        """

    def call_ended(self, call: ObservedCall) -> None:
        """A call has ended, in a value or an error, in a copy of the context of its caller."""


def observe(client: BaseClient, observer: Observer, settings: Mapping[str, Any]) -> None:
    """Has an observer told of a client's calls."""
    # Only an observed client has it in its core's place: others pay nothing.
    core = _ObservedCore(client, observer, settings)
    client._core = cast(Core, core)
    core.tell(observer.client_opened, client)


class _ObservedCore:
    """A client's core, which tells of each call that it is asked for."""

    def __init__(self, client: BaseClient, observer: Observer, settings: Mapping[str, Any]) -> None:
        self._core = client._core
        self._client = weakref.ref(client)
        self._observer = observer
        self._server: tuple[str, int] = settings["addresses"][0]
        self._database: int = settings["database"]
        self._has_raised = self._is_closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def invoke_script(self, script: Script, *what: Any, **settings: Any) -> Pending:
        name, sha1, operation = None, None, "EVALSHA"
        if isinstance(script, Script):
            name, sha1 = script.name, script.hash
            operation = "EVALSHA_RO" if script.read_only else "EVALSHA"
        send = partial(self._core.invoke_script, script, *what, **settings)
        return self._observed(self._call(operation, name, sha1), script, send)

    def command(
        self, words: Sequence[TEncodable], timeout: float | None, **settings: Any
    ) -> Pending:
        operation = _text(words[0]).upper() if words else ""
        name = _text(words[1]) if operation in _FUNCTION_CALLS and len(words) > 1 else None
        send = partial(self._core.command, words, timeout, **settings)
        return self._observed(self._call(operation, name), None, send)

    def exec(self, batch: Packed, timeout: float | None, **settings: Any) -> Pending:
        operation, name, size = "MULTI" if batch.is_atomic else "PIPELINE", None, len(batch)
        names = set(batch.names())
        if len(names) == 1:
            command, _, script = names.pop().partition(" ")
            operation, name = f"{operation} {command}", script if command in _EVALS else None
        call = self._call(operation, name or None, batch_size=size)
        return self._observed(call, None, partial(self._core.exec, batch, timeout, **settings))

    def watch(self, watch: int, keys: Iterable[TEncodable], timeout: float | None) -> Pending:
        send = partial(self._core.watch, watch, keys, timeout)
        return self._observed(self._call("WATCH"), None, send)

    def unwatch(self, watch: int, timeout: float | None) -> Pending:
        send = partial(self._core.unwatch, watch, timeout)
        return self._observed(self._call("UNWATCH"), None, send)

    def close(self) -> Pending | None:
        client = self._client()
        if client is not None and not self._is_closed:
            self._is_closed = True
            self.tell(self._observer.client_closed, client)
        return self._core.close()

    def tell(self, method: Callable[[Any], object], about: object) -> None:
        """Calls a method of the observer's, which may harm nothing."""
        try:
            method(about)
        except Exception:
            if not self._has_raised:
                self._has_raised = True
                logging.getLogger("glide_scripts").exception(
                    "the observer of a client raised an exception; the calls go on, and what it "
                    "raises from now on is not logged"
                )

    def _call(
        self,
        operation: str,
        name: str | None = None,
        sha1: str | None = None,
        batch_size: int | None = None,
    ) -> ObservedCall:
        return ObservedCall(operation, name, sha1, batch_size, self._server, self._database)

    def _observed(
        self, call: ObservedCall, script: Script | None, send: Callable[[], Pending]
    ) -> Pending:
        self.tell(self._observer.call_started, call)
        began = time.perf_counter()
        try:
            pending = send()
        except BaseException as error:
            self._end(call, script, began, error)
            raise
        # Before anybody waits for it: who does goes on once the observer knows.
        pending.add_done_callback(partial(self._done, call, script, began))
        return pending

    def _done(
        self,
        call: ObservedCall,
        script: Script | None,
        began: float,
        pending: Pending,
    ) -> None:
        facts = pending.facts()
        if facts is not None:
            call.node, call.eval_fallback, call.retries = facts
        error: BaseException | None
        if pending.cancelled():
            error = asyncio.CancelledError()
        else:
            error = pending.exception()
            if error is None and call.batch_size is not None:
                error = _first_of_batch(pending.result())
        self._end(call, script, began, error)

    def _end(
        self,
        call: ObservedCall,
        script: Script | None,
        began: float,
        error: BaseException | None,
    ) -> None:
        call.duration = time.perf_counter() - began
        if error is not None:
            call.error, call.code = _public(error, script)
        self.tell(self._observer.call_ended, call)


def _first_of_batch(outcome: tuple[Sequence[Any], int | None] | None) -> BaseException | None:
    if outcome is None or outcome[1] is None:
        return None
    error: BaseException = outcome[0][outcome[1]]
    return error


def _public(error: BaseException, script: Script | None) -> tuple[type[BaseException], str | None]:
    """The class of an error, and its code unless a script may have made that of what it got."""
    if not isinstance(error, RequestError) or error.code is None:
        return type(error), None
    # Imported with the first failure: its texts are long.
    from ._explain import is_public, registered_class

    if script is None and isinstance(error, ScriptError):
        script = error.script
    own_class = None if script is None else registered_class(script, error.code)
    return own_class or type(error), error.code if is_public(error.code, script) else None


def _text(word: TEncodable) -> str:
    return word if isinstance(word, str) else bytes(word).decode(errors="replace")
