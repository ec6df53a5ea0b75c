"""What the asynchronous cluster clients of the libraries get from this package."""

from __future__ import annotations

from importlib import import_module
from time import monotonic
from typing import Any, ClassVar

from ..client.cluster import GlideClusterClient
from ..errors import GlideError
from . import pipelines
from .asynchronous import close_lane, execute_batch, open_lane
from .clusters import LaneOfCluster, emptied, queued
from .lane import Lane, lane_of
from .library import Library
from .scripts import AsyncScript, RegistersScripts
from .waiting import write_on


class AsyncClusterClient(RegistersScripts):
    """Goes before the library's asynchronous cluster client."""

    _library: ClassVar[Library]
    _pipeline: ClassVar[type[Any]]
    response_callbacks: Any

    @property
    def _lane(self) -> Lane:
        lane: Lane | None = self.__dict__.get("_glide_lane")
        return lane or lane_of(self, lambda: LaneOfCluster(self._library, self))[0]

    def _sends_itself(self) -> bool:
        return False

    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        lane = self._lane
        if lane.core is None or "target_nodes" in options:
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
        if "target_nodes" not in options and lane.carries(args):
            started = monotonic()
            await open_lane(lane, GlideClusterClient)
            try:
                reply = await lane.issue(args, lane.remaining(started))
            except GlideError as error:
                return lane.failed(error, args, options)
            reply = lane.finished(reply, args, self.response_callbacks, options)
            return await reply if hasattr(reply, "__await__") else reply
        reply = await super().execute_command(*args, **options)  # type: ignore[misc]
        if args[0] == "SCRIPT LOAD" and len(args) > 1:
            lane.know(args[1])
        return reply

    async def _execute_command(self: Any, target_node: Any, *args: Any, **options: Any) -> Any:
        write = write_on(self, self._lane, target_node, args)
        if write is None:
            return await super()._execute_command(target_node, *args, **options)  # type: ignore[misc]
        command = import_module(f"{self._library.package}.asyncio.cluster").PipelineCommand
        both = [command(0, *write), command(1, *args, **options)]
        await target_node.execute_pipeline(both)
        for each in both:
            if isinstance(each.result, Exception):
                raise each.result
        return both[1].result

    def register_script(self: Any, script: Any) -> Any:
        return AsyncScript.of(self._library)(self, script)

    def pipeline(self: Any, transaction: Any = None, shard_hint: Any = None) -> Any:
        if shard_hint or self._lane.reason is not None:
            return super().pipeline(transaction, shard_hint)  # type: ignore[misc]
        return self._pipeline(self, transaction)

    async def aclose(self: Any) -> None:
        await close_lane(self._lane)
        await super().aclose()  # type: ignore[misc]


class AsyncClusterPipeline:
    """Goes before the library's asynchronous cluster pipeline. Without a watch, it is a batch."""

    def __init__(self, client: Any, transaction: Any = None) -> None:
        # For each command, a transaction of the library asks a node which slot its keys are in.
        super().__init__(client)  # type: ignore[call-arg]
        self._cluster = client
        self._is_atomic = bool(transaction)
        self._watches = False

    @property
    def _lane(self) -> Lane:
        lane: Lane = self._cluster._lane
        return lane

    def evalsha(self: Any, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        return self.execute_command("EVALSHA", sha, numkeys, *keys_and_args)

    async def initialize(self: Any) -> Any:
        # The library would connect to each node.
        if self._watches:
            return await super().initialize()  # type: ignore[misc]
        emptied(self)
        return self

    def _watch_itself(self: Any) -> None:
        """Become a transaction of the library's, which has a connection that watches."""
        if self._is_atomic and not self._watches:
            commands = queued(self)
            super().__init__(self._cluster, True)  # type: ignore[call-arg]
            self._watches = True
            for args, options in commands:
                self.execute_command(*args, **options)

    async def watch(self: Any, *names: Any) -> Any:
        self._watch_itself()
        return await super().watch(*names)  # type: ignore[misc]

    def multi(self: Any) -> Any:
        self._watch_itself()
        return super().multi()  # type: ignore[misc]

    async def execute(
        self: Any, raise_on_error: bool = True, allow_redirections: bool = True
    ) -> list[Any]:
        lane, commands = self._lane, [] if self._watches else queued(self)
        has_targets = any("target_nodes" in options for _, options in commands)
        batch = None
        if commands and not has_targets and pipelines.is_shared(lane, commands):
            batch = lane.batch([args for args, _ in commands], self._is_atomic)
        if batch is None:
            if commands:
                self._watch_itself()
            replies: list[Any] = await super().execute(  # type: ignore[misc]
                raise_on_error, allow_redirections
            )
            return replies
        try:
            return await execute_batch(
                self,
                lane,
                batch,
                commands,
                self._cluster.response_callbacks,
                raise_on_error,
                GlideClusterClient,
            )
        finally:
            emptied(self)
