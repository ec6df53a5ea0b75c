"""What the asynchronous clients of the libraries get from this package."""

from __future__ import annotations

import asyncio
import weakref
from time import monotonic
from typing import Any, ClassVar

from ..client.standalone import GlideClient
from ..errors import GlideError
from . import pipelines
from .lane import Lane
from .library import Library
from .placement import Place, place, way
from .pools import lane_of_pool
from .scripts import AsyncScript, RegistersScripts
from .waiting import after_a_write


async def open_lane(lane: Lane, client_class: Any = GlideClient) -> None:
    """Connect. Tasks of one loop share an attempt.

    Raises:
        Exception: The library's ConnectionError or AuthenticationError.
    """
    loop = asyncio.get_running_loop()
    opening = lane.opening.get(loop)
    if opening is None:
        opening = lane.opening[loop] = loop.create_task(_open(lane, client_class))
        opening.add_done_callback(lambda done: _opened(lane, loop, done))
    limit = lane.options.get("socket_timeout")
    try:
        async with asyncio.timeout(limit):
            await asyncio.shield(opening)
    except GlideError as error:
        raise lane.not_opened(error) from error
    except TimeoutError as error:
        raised = lane.no_server(f"no connection within {limit} s")
        raised.may_have_executed = False  # type: ignore[attr-defined]
        raise raised from error


async def _open(lane: Lane, client_class: Any) -> None:
    client = await client_class._open(lane.settings())
    client._owner = f"a client of glide_scripts.{lane.library.package}"
    unneeded = lane.opened(client)
    if unneeded is not None:
        await unneeded.close()


def _opened(lane: Lane, loop: Any, done: asyncio.Task[None]) -> None:
    lane.opening.pop(loop, None)
    if not done.cancelled():
        # Its caller may have been cancelled.
        done.exception()


async def close_lane(lane: Lane) -> None:
    """Close the connection, if there is one. The next call opens another."""
    client = lane.take()
    if client is not None:
        await client.close()


class AsyncClient(RegistersScripts):
    """Goes before the library's asynchronous client."""

    _library: ClassVar[Library]
    connection: Any
    connection_pool: Any
    response_callbacks: Any
    single_connection_client: bool

    @property
    def _lane(self) -> Lane:
        pool = self.connection_pool
        lane: Lane | None = getattr(pool, "_glide_lane", None)
        return lane or lane_of_pool(pool, self._library, _disconnecting)

    def _sends_itself(self) -> bool:
        """Whether this client has a connection of the library's, which it uses from then on."""
        return self.connection is not None

    async def initialize(self: Any) -> Any:
        # A client of a single connection gets it with the first command that needs it.
        if self._lane.reason is not None:
            await super().initialize()  # type: ignore[misc]
        return self

    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        lane = getattr(self.connection_pool, "_glide_lane", None) or self._lane
        if lane.core is None or self.connection is not None:
            return await self._execute_elsewhere(lane, args, options)
        try:
            pending = lane.issue(args)
            reply = None if pending is None else await pending
        except GlideError as error:
            return lane.failed(error, args, options)
        if pending is None:
            return await self._execute_elsewhere(lane, args, options)
        reply = lane.finished(reply, args, self.response_callbacks, options)
        return await reply if hasattr(reply, "__await__") else reply

    async def _execute_elsewhere(
        self: Any, lane: Lane, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Send a command over a connection of the library's, or over one that is not open yet."""
        if self.connection is None and lane.carries(args):
            started = monotonic()
            await open_lane(lane)
            try:
                reply = await lane.issue(args, lane.remaining(started))
            except GlideError as error:
                return lane.failed(error, args, options)
            reply = lane.finished(reply, args, self.response_callbacks, options)
            return await reply if hasattr(reply, "__await__") else reply
        if self.single_connection_client and place(way(args[0]), args) is Place.CHANGES:
            await super().initialize()  # type: ignore[misc]
        if lane.waits_for_replicas(args) and self.connection is None:
            return (await after_a_write(self, args, options).execute())[-1]
        reply = await super().execute_command(*args, **options)  # type: ignore[misc]
        if args[0] == "SCRIPT LOAD" and len(args) > 1:
            lane.know(args[1])
        return reply

    def register_script(self: Any, script: Any) -> Any:
        return AsyncScript.of(self._library)(self, script)


class AsyncPipeline:
    """Goes before the library's asynchronous pipeline. Without a watch, it is a batch."""

    _library: ClassVar[Library]
    _lane = AsyncClient._lane
    register_script = AsyncClient.register_script

    async def execute(self: Any, raise_on_error: bool = True) -> list[Any]:
        commands: list[pipelines.Queued] = self.command_stack
        lane: Lane = self._lane
        try:
            batch = pipelines.batch_of(self, lane, self.is_transaction)
            if batch is not None:
                return await execute_batch(
                    self, lane, batch, commands, self.response_callbacks, raise_on_error
                )
            replies: list[Any] = await super().execute(raise_on_error)  # type: ignore[misc]
            return replies
        finally:
            await self.reset()


async def execute_batch(  # noqa: PLR0917 - all but the last are always given
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
        await open_lane(lane, client_class)
        remaining = lane.remaining(started)
    try:
        outcome = await lane.core.exec(batch, remaining)
    except GlideError as error:
        raise pipelines.failure(pipeline, lane, error, commands) from error
    if outcome is None:
        raise lane.library.exceptions.WatchError("Watched variable changed.")
    results = []
    for reply, command in zip(outcome[0], commands, strict=True):
        result = pipelines.result(lane, reply, command, callbacks)
        results.append(await result if hasattr(result, "__await__") else result)
    pipelines.raise_lost(lane, results)
    if raise_on_error:
        pipelines.raise_first(pipeline, lane, results, commands)
    return results


def _disconnecting(pool: Any, lane: Lane) -> Any:
    """The pool's method ``disconnect``, which closes the lane, too."""
    found, disconnect = weakref.ref(pool), type(pool).disconnect

    async def disconnect_all(*args: Any, **kwargs: Any) -> Any:
        if all((*args, *kwargs.values())):
            # Otherwise the connections in use stay.
            await close_lane(lane)
        pool = found()
        return None if pool is None else await disconnect(pool, *args, **kwargs)

    return disconnect_all
