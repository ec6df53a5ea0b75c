"""What the asynchronous clients of the libraries get from this package."""

from __future__ import annotations

import asyncio
import weakref
from time import monotonic
from typing import Any

from ..client.late_imports import import_explanation, imported
from ..errors import GlideError
from . import pipelines
from .lost_replies import AsyncReplies, losses_as_errors
from .placement import Placement, name_rule, place
from .pools import shared_client_of_pool
from .scripts import AsyncScript, RegistersScripts
from .shared_client import SharedClient
from .waiting import after_a_write


async def open_shared(shared: SharedClient) -> float | None:
    """Connect. Tasks of one loop share an attempt.

    Returns:
        What is left, in milliseconds, of the call's time limit; None if it has none.

    Raises:
        Exception: The library's ConnectionError or AuthenticationError.
    """
    # Here and not with this module, because it takes most of the import's time. The call's time
    # begins afterwards: it is for the server.
    client_class = _cluster_client if shared.in_cluster else _client
    await imported(client_class)
    await imported(import_explanation)
    started = monotonic()
    loop = asyncio.get_running_loop()
    opening = shared.opening.get(loop)
    if opening is None:
        opening = shared.opening[loop] = loop.create_task(_open(shared, client_class()))
        opening.add_done_callback(lambda done: _opened(shared, loop, done))
    limit = shared.options.get("socket_timeout")
    try:
        async with asyncio.timeout(limit):
            await asyncio.shield(opening)
    except GlideError as error:
        raise shared.not_opened(error) from error
    except TimeoutError as error:
        raised = shared.no_server(f"no connection within {limit} s")
        raised.may_have_executed = False  # type: ignore[attr-defined]
        raise raised from error
    return shared.remaining(started)


async def _open(shared: SharedClient, client_class: Any) -> None:
    client = await client_class._open(shared.settings())
    client._shown_as = f"a client of glide_scripts.{shared.library.package}"
    unneeded = shared.opened(client)
    if unneeded is not None:
        await unneeded.close()


def _client() -> Any:
    from ..client.standalone import GlideClient  # noqa: PLC0415 - saves time at import

    return GlideClient


def _cluster_client() -> Any:
    from ..client.cluster import GlideClusterClient  # noqa: PLC0415 - saves time at import

    return GlideClusterClient


def _opened(shared: SharedClient, loop: Any, done: asyncio.Task[None]) -> None:
    shared.opening.pop(loop, None)
    if not done.cancelled():
        # Its caller may have been cancelled.
        done.exception()


async def close_shared(shared: SharedClient) -> None:
    """Close the connection, if there is one. The next call opens another."""
    client = shared.take()
    if client is not None:
        await client.close()


class AsyncCalls(RegistersScripts):
    """What asynchronous clients of a server and of a cluster share."""

    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        shared = self._shared
        if shared.core is None or self._sends_itself(options):
            return await self._execute_elsewhere(shared, args, options)
        try:
            pending = shared.issue(args)
            reply = None if pending is None else await pending
        except GlideError as error:
            return shared.failed(error, args, options)
        if pending is None:
            return await self._execute_elsewhere(shared, args, options)
        reply = shared.finished(reply, args, self.response_callbacks, options)
        return await reply if hasattr(reply, "__await__") else reply

    _execute_shared = execute_command

    async def _execute_elsewhere(
        self: Any, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Send a command over a connection of the library's, or over one that is not open yet."""
        if not self._sends_itself(options) and shared.carries(args):
            remaining = await open_shared(shared)
            try:
                reply = await shared.issue(args, remaining)
            except GlideError as error:
                return shared.failed(error, args, options)
            reply = shared.finished(reply, args, self.response_callbacks, options)
            return await reply if hasattr(reply, "__await__") else reply
        reply = await self._execute_by_library(shared, args, options)
        if args[0] == "SCRIPT LOAD" and len(args) > 1:
            shared.know(args[1])
        return reply

    async def _execute_by_library(
        self, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        with losses_as_errors():
            return await super().execute_command(*args, **options)  # type: ignore[misc]

    def register_script(self, script: Any) -> Any:
        return AsyncScript.of(self._library)(self, script)


class AsyncClient(AsyncReplies, AsyncCalls):
    """Goes before the library's asynchronous client."""

    connection: Any
    connection_pool: Any
    single_connection_client: bool

    @property
    def _shared(self) -> SharedClient:
        pool = self.connection_pool
        shared: SharedClient | None = getattr(pool, "_glide_shared", None)
        return shared or shared_client_of_pool(pool, self._library, _disconnecting)

    def _sends_itself(self, options: dict[str, Any]) -> bool:
        # A client that has a connection of the library's uses it from then on.
        return self.connection is not None

    async def initialize(self: Any) -> Any:
        # A client of a single connection gets it with the first command that needs it.
        if self._shared.reason is not None:
            await super().initialize()  # type: ignore[misc]
        return self

    async def _execute_by_library(
        self: Any, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        if self.single_connection_client and place(name_rule(args[0]), args) is Placement.CHANGES:
            await super().initialize()  # type: ignore[misc]
        if shared.waits_for_replicas(args) and self.connection is None:
            return (await after_a_write(self, args, options).execute())[-1]
        return await super()._execute_by_library(shared, args, options)


class AsyncPipeline(AsyncReplies):
    """Goes before the library's asynchronous pipeline. Without a watch, it is a batch."""

    _shared = AsyncClient._shared
    register_script = AsyncClient.register_script

    async def execute(self: Any, raise_on_error: bool = True) -> list[Any]:
        commands: list[pipelines.Queued] = self.command_stack
        try:
            batch = pipelines.batch_of(self, self._shared, self.is_transaction)
            if batch is not None:
                return await execute_batch(self, self, batch, commands, raise_on_error)
            with losses_as_errors():
                replies: list[Any] = await super().execute(raise_on_error)  # type: ignore[misc]
            return replies
        finally:
            await self.reset()

    async def immediate_execute_command(self: Any, *args: Any, **options: Any) -> Any:
        with losses_as_errors():
            return await super().immediate_execute_command(*args, **options)  # type: ignore[misc]


async def execute_batch(
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
    remaining = await open_shared(shared) if shared.core is None else None
    try:
        outcome = await shared.core.exec(batch, remaining)
    except GlideError as error:
        raise pipelines.failure(pipeline, shared, error, commands) from error
    results = [
        await each if hasattr(each, "__await__") else each
        for each in pipelines.results(shared, outcome, commands, client.response_callbacks)
    ]
    return pipelines.checked(pipeline, shared, results, commands, raise_on_error)


def _disconnecting(pool: Any, shared: SharedClient) -> Any:
    """The pool's method ``disconnect``, which closes the shared client, too."""
    found, disconnect = weakref.ref(pool), type(pool).disconnect

    async def disconnect_all(*args: Any, **kwargs: Any) -> Any:
        if all((*args, *kwargs.values())):
            # Otherwise the connections in use stay.
            await close_shared(shared)
        pool = found()
        return None if pool is None else await disconnect(pool, *args, **kwargs)

    return disconnect_all
