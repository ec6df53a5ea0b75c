"""A core that calls an observer for each call."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from .._core import CONTAINERS, Script
from .._core import Batch as Packed
from ..config.secrets import Hidden
from ..errors import RequestError, ScriptError
from ..failures.codes import is_public, registered_class
from ..observing.call import ObservedCall
from ..observing.client import Client
from ..observing.observer import Observer
from ..values import TEncodable
from .core import AnyPending, Core
from .declared_call import ObservedDeclaredCall
from .running import running_trio

Failure: TypeAlias = Callable[[Any], BaseException | None]

_EVALS = {"EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO"}
_FUNCTION_CALLS = {"FCALL", "FCALL_RO"}


class ObservedCore:
    """A client's core that calls an observer for each call.

    Only observed clients use it; others pay nothing.
    """

    def __init__(
        self, core: Core, client: Client, observer: Observer, settings: Mapping[str, Any]
    ) -> None:
        self._core = core
        self._client = weakref.ref(client)
        self._observer = observer
        self._server: tuple[str, int | None] = settings["addresses"][0]
        self._database: int = settings["database"]
        self._has_raised = self._is_closed = False
        self._notify(observer.client_opened, client)

    @property
    def is_closed(self) -> bool:
        return self._core.is_closed

    def release(self, watch: int) -> None:
        self._core.release(watch)

    def refresh(self) -> None:
        self._core.refresh()

    def update_password(self, password: str | None, authenticate: bool) -> AnyPending:
        return self._core.update_password(password, authenticate)

    def stats(self) -> dict[str, Any]:
        return self._core.stats()

    def invoke_script(
        self, script: Script, *what: Any, failure: Failure | None = None, **settings: Any
    ) -> AnyPending:
        name, sha1, operation = None, None, "EVALSHA"
        if isinstance(script, Script):
            name, sha1 = script.name, script.hash
            operation = "EVALSHA_RO" if script.read_only else "EVALSHA"
        send = Hidden(partial(self._core.invoke_script, script, *what, **settings))
        del what
        return self._observed(self._call(operation, name, sha1), script, send, failure)

    def command(
        self, words: Sequence[TEncodable], timeout: float | None, **settings: Any
    ) -> AnyPending:
        operation = _operation(words)
        name = _text(words[1]) if operation in _FUNCTION_CALLS and len(words) > 1 else None
        send = Hidden(partial(self._core.command, words, timeout, **settings))
        return self._observed(self._call(operation, name), None, send)

    def exec(
        self,
        batch: Packed,
        timeout: float | None,
        decoders: Mapping[int, Any] | None = None,
        **settings: Any,
    ) -> AnyPending:
        operation, name, size = "MULTI" if batch.is_atomic else "PIPELINE", None, len(batch)
        names = set(batch.names())
        if len(names) == 1:
            command = names.pop()
            first, _, script = command.partition(" ")
            if first in _EVALS:
                command, name = first, script
            operation = f"{operation} {command}"
        call = self._call(operation, name or None, batch_size=size)
        send = Hidden(partial(self._core.exec, batch, timeout, **settings))
        return self._observed(call, None, send, partial(_first_of_batch, decoders or {}))

    def watch(self, watch: int, keys: Iterable[TEncodable], timeout: float | None) -> AnyPending:
        send = Hidden(partial(self._core.watch, watch, keys, timeout))
        return self._observed(self._call("WATCH"), None, send)

    def unwatch(self, watch: int, timeout: float | None) -> AnyPending:
        send = Hidden(partial(self._core.unwatch, watch, timeout))
        return self._observed(self._call("UNWATCH"), None, send)

    def close(self, text: str | None = None) -> AnyPending | None:
        self._closes()
        return self._core.close(text)

    def abandon(self) -> None:
        self._closes()
        self._core.abandon()

    def _closes(self) -> None:
        client = self._client()
        if client is not None and not self._is_closed:
            self._is_closed = True
            self._notify(self._observer.client_closed, client)

    def _notify(self, method: Callable[[Any], object], about: object) -> None:
        """Call a method of the observer; its exceptions do no harm."""
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
        self,
        call: ObservedCall,
        script: Script | None,
        send: Hidden,
        failure: Failure | None = None,
    ) -> AnyPending:
        """``failure`` looks for an error in a reply."""
        self._notify(self._observer.call_started, call)
        began = time.perf_counter()
        try:
            pending: AnyPending = send.value()
        except BaseException as error:
            self._end(call, script, began, error)
            raise
        # Before anyone awaits it, so that the observer is called before the caller continues.
        pending.add_done_callback(partial(self._done, call, script, failure, began))
        return pending

    def _done(
        self,
        call: ObservedCall,
        script: Script | None,
        failure: Failure | None,
        began: float,
        pending: AnyPending,
    ) -> None:
        trace = pending.trace()
        if trace is not None:
            call.node, call.eval_fallback, call.retries, call.from_record = trace
        if pending.cancelled():
            # Only trio can make its error.
            trio = running_trio()
            call.error = asyncio.CancelledError if trio is None else trio.cancelled_error
            self._end(call, script, began, None)
            return
        error = pending.exception()
        if error is None and failure is not None:
            error = failure(pending.result())
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
        self._notify(self._observer.call_ended, call)


def _first_of_batch(
    decoders: Mapping[int, Any], outcome: tuple[Sequence[Any], int | None] | None
) -> BaseException | None:
    """The first error of a batch, also one that a reply of a declared script's call is."""
    if outcome is None:
        return None
    results, failed_at = outcome
    for index, decode in decoders.items():
        if failed_at is not None and index >= failed_at:
            break
        if isinstance(decode, ObservedDeclaredCall):
            failure = decode.failure(results[index])
            if failure is not None:
                return failure
    error: BaseException | None = None if failed_at is None else results[failed_at]
    return error


def _public(error: BaseException, script: Script | None) -> tuple[type[BaseException], str | None]:
    """Return an error's class, and its code unless that may contain an argument."""
    if not isinstance(error, RequestError) or error.code is None:
        return type(error), None
    if script is None and isinstance(error, ScriptError):
        script = error.script
    own_class = None if script is None else registered_class(script, error.code)
    return own_class or type(error), error.code if is_public(error.code, script) else None


def _operation(words: Sequence[TEncodable]) -> str:
    name = _text(words[0]).upper() if words else ""
    if name in CONTAINERS and len(words) > 1:
        return f"{name} {_text(words[1]).upper()}"
    return name


def _text(word: TEncodable) -> str:
    return word if isinstance(word, str) else bytes(word).decode(errors="replace")
