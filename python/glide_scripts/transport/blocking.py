"""What the synchronous clients of the libraries get from this package."""

from __future__ import annotations

import sys
import weakref
from time import monotonic
from typing import Any, ClassVar

from ..client.base import BaseClient
from ..client.blocking.methods import run
from ..client.blocking.standalone import GlideClient
from ..errors import GlideError
from . import pipelines
from .lane import Lane
from .library import Library
from .placement import Place, place, way
from .pools import lane_of_pool
from .scripts import BlockingScript, RegistersScripts
from .waiting import after_a_write


def open_lane(lane: Lane, client_class: Any = GlideClient) -> None:
    """Connect.

    Raises:
        Exception: The library's ConnectionError or AuthenticationError.
    """
    with lane.opening_lock:
        if lane.core is not None:
            return
        try:
            client = run(client_class._open(lane.settings()))
        except GlideError as error:
            raise lane.not_opened(error) from error
        # Like the library's synchronous connections, which close by themselves.
        client._warns_if_unclosed = False
        lane.opened(client)


def close_lane(lane: Lane) -> None:
    """Close the connection, if there is one. The next call opens another."""
    client = lane.take()
    if client is None:
        return
    if sys.is_finalizing():
        # The library's clients close when they are deleted, also at the very end.
        client._core.abandon()
    else:
        # Without the warning that this blocks an event loop: the library does not warn, either.
        run(BaseClient.close(client))


class BlockingClient(RegistersScripts):
    """Goes before the library's synchronous client."""

    _library: ClassVar[Library]
    connection: Any
    connection_pool: Any
    response_callbacks: Any

    def __init__(self, *args: Any, single_connection_client: bool = False, **kwargs: Any) -> None:
        # The library would connect now. This takes a connection with the first command that needs
        # its own.
        super().__init__(*args, **kwargs)
        self._is_single = single_connection_client
        if single_connection_client and self._lane.reason is not None:
            self._take_connection()

    @property
    def _lane(self) -> Lane:
        pool = self.connection_pool
        lane: Lane | None = getattr(pool, "_glide_lane", None)
        return lane or lane_of_pool(pool, self._library, _disconnecting)

    def _take_connection(self: Any) -> None:
        if self.connection is None:
            self._single_connection_client = True
            take = self.connection_pool.get_connection
            try:
                self.connection = take()
            except TypeError:
                # Before redis-py 5.3, and in valkey-py, it takes the command's name.
                self.connection = take("_")

    def _sends_itself(self) -> bool:
        """Whether this client has a connection of the library's, which it uses from then on."""
        return self.connection is not None

    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        lane = getattr(self.connection_pool, "_glide_lane", None) or self._lane
        if lane.core is None or self.connection is not None:
            return self._execute_elsewhere(lane, args, options)
        try:
            pending = lane.issue(args)
            reply = None if pending is None else pending.result()
        except GlideError as error:
            return lane.failed(error, args, options)
        if pending is None:
            return self._execute_elsewhere(lane, args, options)
        return lane.finished(reply, args, self.response_callbacks, options)

    def _execute_elsewhere(
        self: Any, lane: Lane, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Send a command over a connection of the library's, or over one that is not open yet."""
        if self.connection is None and lane.carries(args):
            started = monotonic()
            open_lane(lane)
            try:
                reply = lane.issue(args, lane.remaining(started)).result()
            except GlideError as error:
                return lane.failed(error, args, options)
            return lane.finished(reply, args, self.response_callbacks, options)
        if self._is_single and place(way(args[0]), args) is Place.CHANGES:
            self._take_connection()
        if lane.waits_for_replicas(args) and self.connection is None:
            return after_a_write(self, args, options).execute()[-1]
        reply = super().execute_command(*args, **options)  # type: ignore[misc]
        if args[0] == "SCRIPT LOAD" and len(args) > 1:
            lane.know(args[1])
        return reply

    def register_script(self: Any, script: Any) -> Any:
        return BlockingScript.of(self._library)(self, script)


class BlockingPipeline:
    """Goes before the library's synchronous pipeline. Without a watch, it is a batch."""

    _library: ClassVar[Library]
    _lane = BlockingClient._lane
    register_script = BlockingClient.register_script

    def execute(self: Any, raise_on_error: bool = True) -> list[Any]:
        commands: list[pipelines.Queued] = self.command_stack
        lane: Lane = self._lane
        try:
            batch = pipelines.batch_of(self, lane, self.transaction)
            if batch is not None:
                return execute_batch(
                    self, lane, batch, commands, self.response_callbacks, raise_on_error
                )
            replies: list[Any] = super().execute(raise_on_error)  # type: ignore[misc]
            return replies
        finally:
            self.reset()


def execute_batch(  # noqa: PLR0917 - all but the last are always given
    pipeline: Any,
    lane: Lane,
    batch: Any,
    commands: list[pipelines.Queued],
    callbacks: Any,
    raise_on_error: bool,
    client_class: Any = GlideClient,
) -> list[Any]:
    """Execute a pipeline's commands as a batch.

    Raises:
        Exception: The library's, for the whole batch or for the first command that failed.
    """
    remaining = None
    if lane.core is None:
        started = monotonic()
        open_lane(lane, client_class)
        remaining = lane.remaining(started)
    try:
        outcome = lane.core.exec(batch, remaining).result()
    except GlideError as error:
        raise pipelines.failure(pipeline, lane, error, commands) from error
    if outcome is None:
        raise lane.library.exceptions.WatchError("Watched variable changed.")
    results = [
        pipelines.result(lane, reply, command, callbacks)
        for reply, command in zip(outcome[0], commands, strict=True)
    ]
    pipelines.raise_lost(lane, results)
    if raise_on_error:
        pipelines.raise_first(pipeline, lane, results, commands)
    return results


def _disconnecting(pool: Any, lane: Lane) -> Any:
    """The pool's method ``disconnect``, which closes the lane, too."""
    found, disconnect = weakref.ref(pool), type(pool).disconnect

    def disconnect_all(*args: Any, **kwargs: Any) -> Any:
        if all((*args, *kwargs.values())):
            # Otherwise the connections in use stay.
            close_lane(lane)
        pool = found()
        return None if pool is None else disconnect(pool, *args, **kwargs)

    return disconnect_all
