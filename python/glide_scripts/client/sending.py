"""How clients send commands and batches, and what they do with the replies.

All clients share this code. The asynchronous ones await a ``Pending`` on their event loop. Awaiting
the ``BlockingPending`` of a synchronous client blocks the thread, so its coroutines need no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import glide_scripts

from .. import checks
from ..commands.command import Command
from ..errors import CrossSlotError, ReplyTypeError, RequestError, ScriptError
from ..failures.secret_keys import hide_keys
from ..probes.switch import probed
from ..values import OK, TOK, TClusterResponse, TEncodable, TResult
from .core import AnyPending
from .declared_call import DeclaredCall, ObservedDeclaredCall
from .opening import Opening
from .raising import raise_explained
from .running import turn
from .watches import Owner, Watch

# What only some calls need is imported by them: together it would double the package's import.
if TYPE_CHECKING:
    from ..commands.routes import Route
    from .base_batch import BaseBatch
    from .batch_options import BatchOptions, ClusterBatchOptions

T = TypeVar("T")


class Sending(Opening):
    """What a client sends with, whatever waits for the replies."""

    def stats(self) -> glide_scripts.Stats:
        """Return the client's counters since it was created, in total and per server.

        This sends nothing, and takes some microseconds per server.
        """
        from ..observing.stats import Stats  # noqa: PLC0415 - saves time at import

        counts = self._core.stats()
        if self._reply_type_errors:
            counts["errors"][ReplyTypeError.__name__] = self._reply_type_errors
        return Stats._of(counts)

    async def _execute(self, command: Command[T]) -> T:
        command = probed(command)
        try:
            reply = await self._send(command)
        except ScriptError as error:
            if error.script is None:
                raise
            # The code of EVAL and similar commands is known.
            raise_explained(error, error.script, None, None)
        decoded: T = reply if command.decode is None else command.decode(reply)
        return decoded

    def _send(self, command: Command[Any]) -> AnyPending:
        return self._core.command(command.words, None, **command.settings())

    def _routed_by_node(
        self, command: Command[T], route: Route | None
    ) -> Coroutine[Any, Any, TClusterResponse[T]]:
        """Send a command by a route; the replies of several nodes are a dict."""
        return self._routed(command, route)

    async def _routed(self, command: Command[T], route: Route | None) -> T:
        """Send a command by a route; the replies of several nodes make one."""
        from ..commands.directions import decoder, directions  # noqa: PLC0415 - saves time at import

        command = probed(command)
        where = directions(command.words, route)
        try:
            reply = await self._core.command(command.words, None, **command.settings(), **where)
        except ScriptError as error:
            if error.script is None:
                raise
            # The code of EVAL and similar commands is known.
            raise_explained(error, error.script, None, None)
        decode = decoder(command, route)
        decoded: T = reply if decode is None else decode(reply)
        return decoded

    async def _watch(self, keys: Sequence[TEncodable], owner: Owner | None) -> TOK:
        checks.encodables("keys", keys)
        checks.not_empty("keys", keys)
        owner = owner or self._watches.caller()
        if owner is None:
            raise RuntimeError("watch() was called outside a task; call it in a task")
        watch, call = self._watches.begin(self, owner), object()
        try:
            started = self._core.watch(watch.connection, keys, None)
            watch.standing.add(call)
            result: TOK = await started
        except BaseException:
            watch.standing.discard(call)
            self._watches.lost(owner, watch)
            raise
        return result

    async def _unwatch(self, owner: Owner | None, watch: Watch | None) -> TOK:
        owner = owner or self._watches.caller()
        watch = watch or self._watches.of(owner)
        if watch is None or not watch.standing:
            return OK
        watch.standing.clear()
        try:
            result: TOK = await self._core.unwatch(watch.connection, None)
        except BaseException:
            self._watches.lost(owner, watch)
            raise
        return result

    async def _exec(
        self,
        batch: BaseBatch,
        raise_on_error: bool,
        options: BatchOptions | ClusterBatchOptions | None,
        owner: Owner | None,
        watch: Watch | None,
    ) -> list[TResult] | None:
        """Execute a batch for its owner, which may have a watch."""
        # The batch knows its options: importing both in each call would slow down small batches.
        options_type: Any = getattr(type(batch), "_options_type", None)
        if options_type is None or getattr(batch, "_in_cluster", None) is not self._in_cluster:
            raise self._unfit_batch(batch)
        checks.flag("raise_on_error", raise_on_error)
        timeout, route, retry, where = None, None, False, None
        for_each_node: Any = ()
        if options is not None:
            if not isinstance(options, options_type):
                raise self._unfit_options(options, options_type)
            timeout = options.timeout
            if self._in_cluster:
                route, strategy = options.route, options.retry_strategy
                retry = strategy is not None and strategy.retry_connection_error
                if batch.is_atomic and (retry or (strategy and strategy.retry_server_error)):
                    raise RequestError(
                        "options.retry_strategy is only for pipelines; leave it out for a "
                        "transaction"
                    )
        if route is not None:
            from ..commands.directions import EachNode, target  # noqa: PLC0415 - saves time at import

            where, for_each_node = target(route), EachNode
        owner = owner or self._watches.caller()
        watch = (watch or self._watches.of(owner)) if batch.is_atomic else None
        if watch is not None and not watch.standing:
            watch = None
        if not len(batch):
            if watch is not None:
                await self._unwatch(owner, watch)
            return []
        # The batch may be used for something else before the results are there.
        decoders = dict(batch._decoders)
        observed: dict[str, Any] = {}
        if self._is_observed:
            decoders = {
                index: ObservedDeclaredCall(each) if isinstance(each, DeclaredCall) else each
                for index, each in decoders.items()
            }
            observed = {"decoders": decoders}
        try:
            pending = self._core.exec(
                batch._packed,
                timeout,
                route=where,
                retry_connection_error=retry,
                watch=None if watch is None else watch.connection,
                **observed,
            )
            if watch is not None:
                watch.standing.clear()
            outcome = await pending
        except BaseException as error:
            if watch is not None:
                self._watches.lost(owner, watch)
            if isinstance(error, CrossSlotError):
                calls = [each for each in decoders.values() if isinstance(each, DeclaredCall)]
                hide_keys(error, [each.script for each in calls], of_batch=True)
            raise
        if outcome is None:
            return None
        results: list[TResult]
        results, failed_at = outcome
        if failed_at is not None:
            await _explain_plain(results, decoders)
        for index, decode in decoders.items():
            if isinstance(decode, DeclaredCall):
                if isinstance(results[index], RequestError):
                    await turn()
                results[index] = decode.result(results[index], index)
                if isinstance(results[index], ReplyTypeError):
                    self._reply_type_errors += 1
                    failed_at = index if failed_at is None else min(failed_at, index)
        if raise_on_error and failed_at is not None:
            failed: Any = results[failed_at]
            try:
                raise failed
            finally:
                del failed, results, outcome
        for index, decode in decoders.items():
            if isinstance(decode, DeclaredCall) or isinstance(results[index], Exception):
                continue
            if isinstance(decode, for_each_node):
                # The batch went to one node, so this reply is not one of several nodes.
                results[index] = decode.decode(results[index])
            else:
                results[index] = decode(results[index])
        return results

    def _unfit_batch(self, batch: object) -> TypeError:
        from .base_batch import BaseBatch  # noqa: PLC0415 - saves time at import
        from .batch import Batch, ClusterBatch  # noqa: PLC0415 - saves time at import

        return self._unfit("batch", batch, ClusterBatch if self._in_cluster else Batch, BaseBatch)

    def _unfit_options(self, options: object, right: type) -> TypeError:
        from .batch_options import BatchOptions, ClusterBatchOptions  # noqa: PLC0415 - saves time at import

        return self._unfit("options", options, right, (BatchOptions, ClusterBatchOptions))

    def _unfit(
        self, name: str, value: object, right: type, kinds: type | tuple[type, ...]
    ) -> TypeError:
        instead = f"a {right.__name__}"
        if isinstance(value, kinds):
            instead += f", which is what {type(self).__name__} takes"
        return checks.wrong_type(name, value, instead)


async def _explain_plain(results: list[Any], decoders: Mapping[int, Callable[[Any], Any]]) -> None:
    """Add the explanation to errors of scripts that are not typed.

    The text has no keys and arguments: keeping them for this would slow down every batch.
    """
    from ..failures.explanation import explained  # noqa: PLC0415 - saves time at import

    for index, error in enumerate(results):
        if isinstance(error, ScriptError) and error.script is not None and index not in decoders:
            # One error per turn of the loop, because thousands may have failed.
            await turn()
            results[index] = explained(error, error.script, None, None)
