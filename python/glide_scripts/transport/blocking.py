"""What the synchronous clients of the libraries get from this package."""

from __future__ import annotations

import sys
import weakref
from time import monotonic
from typing import Any, ClassVar

from ..client.blocking.methods import run
from ..errors import GlideError
from ..importing import import_now
from . import pipelines
from .library import Library
from .lost_replies import BlockingReplies, losses_as_errors, losses_carried
from .placement import Placement, name_rule, place
from .pools import shared_client_of_pool
from .scripts import BlockingScript, RegistersScripts
from .shared_client import SharedClient
from .waiting import after_a_write


def open_shared(shared: SharedClient) -> float | None:
    """Connect.

    Returns:
        What is left, in milliseconds, of the call's time limit; None if it has none.

    Raises:
        Exception: The library's ConnectionError or AuthenticationError.
    """
    # The call's time begins afterwards: it is for the server.
    client_class = import_now(_cluster_client if shared.in_cluster else _client)
    started = monotonic()
    with shared.opening_lock:
        if shared.core is not None:
            return shared.remaining(started)
        try:
            client = run(client_class._open(shared.settings()))
        except GlideError as error:
            raise shared.not_opened(error) from error
        # Like the library's synchronous connections, which close by themselves.
        client._warns_if_unclosed = False
        shared.opened(client)
    return shared.remaining(started)


def _client() -> Any:
    from ..client.blocking.standalone import GlideClient  # noqa: PLC0415 - saves time at import

    return GlideClient


def _cluster_client() -> Any:
    from ..client.blocking.cluster import GlideClusterClient  # noqa: PLC0415 - saves time at import

    return GlideClusterClient


def close_shared(shared: SharedClient) -> None:
    """Close the connection, if there is one. The next call opens another."""
    client = shared.take()
    if client is None:
        return
    if sys.is_finalizing():
        # The library's clients close when they are deleted, also at the very end.
        client._core.abandon()
    else:
        from ..client.base import BaseClient  # noqa: PLC0415 - saves time at import

        # Without the warning that this blocks an event loop: the library does not warn, either.
        run(BaseClient.close(client))


class BlockingCalls(RegistersScripts):
    """What synchronous clients of a server and of a cluster share."""

    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        shared = self._shared
        if shared.core is None or self._sends_itself(options):
            return self._execute_elsewhere(shared, args, options)
        try:
            pending = shared.issue(args)
            reply = None if pending is None else pending.result()
        except GlideError as error:
            return shared.failed(error, args, options)
        if pending is None:
            return self._execute_elsewhere(shared, args, options)
        return shared.finished(reply, args, self._callbacks, options)

    _execute_shared = execute_command

    def _execute_elsewhere(
        self: Any, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Send a command over a connection of the library's, or over one that is not open yet."""
        if not self._sends_itself(options) and shared.carries(args):
            remaining = open_shared(shared)
            try:
                reply = shared.issue(args, remaining).result()
            except GlideError as error:
                return shared.failed(error, args, options)
            return shared.finished(reply, args, self._callbacks, options)
        reply = self._execute_by_library(shared, args, options)
        if args[0] == "SCRIPT LOAD" and len(args) > 1:
            shared.know(args[1])
        return reply

    def _execute_by_library(
        self, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        with losses_as_errors():
            return super().execute_command(*args, **options)  # type: ignore[misc]

    def register_script(self, script: Any) -> Any:
        return BlockingScript.of(self._library)(self, script)


class BlockingClient(BlockingReplies, BlockingCalls):
    """Goes before the library's synchronous client."""

    connection: Any
    connection_pool: Any

    def __init__(self, *args: Any, single_connection_client: bool = False, **kwargs: Any) -> None:
        # The library would connect now. This takes a connection with the first command that needs
        # its own.
        super().__init__(*args, **kwargs)
        self._is_single = single_connection_client
        if single_connection_client and self._shared.reason is not None:
            self._take_connection()

    @property
    def _shared(self) -> SharedClient:
        pool = self.connection_pool
        shared: SharedClient | None = getattr(pool, "_glide_shared", None)
        return shared or shared_client_of_pool(pool, self._library, _disconnecting)

    def _take_connection(self: Any) -> None:
        if self.connection is None:
            self._single_connection_client = True
            take = self.connection_pool.get_connection
            try:
                self.connection = take()
            except TypeError:
                # Before redis-py 5.3, and in valkey-py, it takes the command's name.
                self.connection = take("_")

    def _sends_itself(self, options: dict[str, Any]) -> bool:
        # A client that has a connection of the library's uses it from then on.
        return self.connection is not None

    def _execute_by_library(
        self: Any, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        if self._is_single and place(name_rule(args[0]), args) is Placement.CHANGES:
            self._take_connection()
        if shared.waits_for_replicas(args) and self.connection is None:
            return after_a_write(self, args, options).execute()[-1]
        return super()._execute_by_library(shared, args, options)


class BlockingPipeline:
    """Goes before the library's synchronous pipeline. Without a watch, it is a batch."""

    _library: ClassVar[Library]
    _shared = BlockingClient._shared
    _callbacks = BlockingClient._callbacks
    register_script = BlockingClient.register_script

    def execute(self: Any, raise_on_error: bool = True) -> list[Any]:
        commands: list[pipelines.Queued] = self.command_stack
        try:
            batch = pipelines.batch_of(self, self._shared, self.transaction)
            if batch is not None:
                return execute_batch(self, self, batch, commands, raise_on_error)
            with losses_as_errors():
                replies: list[Any] = super().execute(raise_on_error)  # type: ignore[misc]
            return replies
        finally:
            self.reset()

    def immediate_execute_command(self: Any, *args: Any, **options: Any) -> Any:
        with losses_as_errors():
            return super().immediate_execute_command(*args, **options)  # type: ignore[misc]

    def parse_response(self, *args: Any, **options: Any) -> Any:
        with losses_carried(self._library):
            return super().parse_response(*args, **options)  # type: ignore[misc]


def execute_batch(
    pipeline: Any, client: Any, batch: Any, commands: list[pipelines.Queued], raise_on_error: bool
) -> list[Any]:
    """Execute a pipeline's commands as a batch.

    Args:
        pipeline: The pipeline.
        client: The pipeline's client, or the pipeline itself, which has the same attributes.
        batch: The batch.
        commands: The commands in it.
        raise_on_error: Whether to raise the first error of a command.

    Raises:
        Exception: The library's, for the whole batch or for the first command that failed.
    """
    shared: SharedClient = client._shared
    remaining = open_shared(shared) if shared.core is None else None
    try:
        outcome = shared.core.exec(batch, remaining).result()
    except GlideError as error:
        raise pipelines.failure(pipeline, shared, error, commands) from error
    results = list(pipelines.results(shared, outcome, commands, client._callbacks))
    return pipelines.checked(pipeline, shared, results, commands, raise_on_error)


def _disconnecting(pool: Any, shared: SharedClient) -> Any:
    """The pool's method ``disconnect``, which closes the shared client, too."""
    found, disconnect = weakref.ref(pool), type(pool).disconnect

    def disconnect_all(*args: Any, **kwargs: Any) -> Any:
        if all((*args, *kwargs.values())):
            # Otherwise the connections in use stay.
            close_shared(shared)
        pool = found()
        return None if pool is None else disconnect(pool, *args, **kwargs)

    return disconnect_all
