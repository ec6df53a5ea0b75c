"""What the synchronous cluster clients of the libraries get from this package."""

from __future__ import annotations

from time import monotonic
from typing import Any, ClassVar

from ..client.blocking.cluster import GlideClusterClient
from ..errors import GlideError
from . import pipelines
from .blocking import close_lane, execute_batch, open_lane
from .clusters import LaneOfCluster, queued
from .lane import Lane, lane_of
from .library import Library
from .scripts import BlockingScript, RegistersScripts
from .waiting import write_on


class BlockingClusterClient(RegistersScripts):
    """Goes before the library's synchronous cluster client."""

    _library: ClassVar[Library]
    _pipeline: ClassVar[type[Any]]

    @property
    def _lane(self) -> Lane:
        lane: Lane | None = self.__dict__.get("_glide_lane")
        return lane or lane_of(self, lambda: LaneOfCluster(self._library, self))[0]

    @property
    def _callbacks(self: Any) -> Any:
        """What the library's client of each node makes of replies."""
        client = getattr(self.get_default_node(), f"{self._library.package}_connection")
        return client.response_callbacks

    def _sends_itself(self) -> bool:
        return False

    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        lane = self._lane
        if lane.core is None or "target_nodes" in options:
            return self._execute_elsewhere(lane, args, options)
        try:
            pending = lane.issue(args)
            reply = None if pending is None else pending.result()
        except GlideError as error:
            return lane.failed(error, args, options)
        if pending is None:
            return self._execute_elsewhere(lane, args, options)
        return lane.finished(reply, args, self._callbacks, options)

    def _execute_elsewhere(
        self: Any, lane: Lane, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Send a command over a connection of the library's, or over one that is not open yet."""
        if "target_nodes" not in options and lane.carries(args):
            started = monotonic()
            open_lane(lane, GlideClusterClient)
            try:
                reply = lane.issue(args, lane.remaining(started)).result()
            except GlideError as error:
                return lane.failed(error, args, options)
            return lane.finished(reply, args, self._callbacks, options)
        reply = super().execute_command(*args, **options)  # type: ignore[misc]
        if args[0] == "SCRIPT LOAD" and len(args) > 1:
            lane.know(args[1])
        return reply

    def _execute_command(self: Any, target_node: Any, *args: Any, **options: Any) -> Any:
        write = write_on(self, self._lane, target_node, args)
        if write is None:
            return super()._execute_command(target_node, *args, **options)  # type: ignore[misc]
        client = getattr(self, f"get_{self._library.package}_connection")(target_node)
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command(*write)
        pipeline.execute_command(*args, **options)
        return pipeline.execute()[-1]

    def register_script(self: Any, script: Any) -> Any:
        return BlockingScript.of(self._library)(self, script)

    def pipeline(self: Any, transaction: Any = None, shard_hint: Any = None) -> Any:
        if shard_hint or self._lane.reason is not None:
            return super().pipeline(transaction, shard_hint)  # type: ignore[misc]
        # Which arguments it takes depends on the library's version.
        made = super().pipeline()  # type: ignore[misc]
        made.__class__ = self._pipeline
        made._begin(self, transaction)
        return made

    def close(self: Any) -> None:
        if "nodes_manager" in self.__dict__:
            close_lane(self._lane)
        super().close()  # type: ignore[misc]


class BlockingClusterPipeline:
    """Goes before the library's synchronous cluster pipeline. Without a watch, it is a batch."""

    def _begin(self, cluster: Any, transaction: Any) -> None:
        self._cluster = cluster
        self._is_atomic = bool(transaction)
        self._watches = False

    @property
    def _lane(self) -> Lane:
        lane: Lane = self._cluster._lane
        return lane

    def evalsha(self: Any, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        return self.execute_command("EVALSHA", sha, numkeys, *keys_and_args)

    def register_script(self: Any, script: Any) -> Any:
        return BlockingScript.of(self._cluster._library)(self, script)

    def _watch_itself(self: Any) -> None:
        """Become a transaction of the library's, which has a connection that watches."""
        if self._is_atomic and not self._watches:
            commands = queued(self)
            made = super(BlockingClusterClient, self._cluster).pipeline(transaction=True)  # type: ignore[misc]
            self.__dict__.update(made.__dict__)
            self._execution_strategy._pipe = self
            self._watches = True
            for args, options in commands:
                self.execute_command(*args, **options)

    def watch(self: Any, *names: Any) -> Any:
        self._watch_itself()
        return super().watch(*names)  # type: ignore[misc]

    def multi(self: Any) -> Any:
        self._watch_itself()
        return super().multi()  # type: ignore[misc]

    def execute(self: Any, raise_on_error: bool = True) -> list[Any]:
        lane, commands = self._lane, [] if self._watches else queued(self)
        has_targets = any("target_nodes" in options for _, options in commands)
        batch = None
        if commands and not has_targets and pipelines.is_shared(lane, commands):
            batch = lane.batch([args for args, _ in commands], self._is_atomic)
        if batch is None:
            if commands:
                self._watch_itself()
            replies: list[Any] = super().execute(raise_on_error)  # type: ignore[misc]
            return replies
        try:
            return execute_batch(
                self,
                lane,
                batch,
                commands,
                self._cluster._callbacks,
                raise_on_error,
                GlideClusterClient,
            )
        finally:
            self.reset()
