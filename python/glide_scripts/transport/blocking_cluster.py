"""What the synchronous cluster clients of the libraries get from this package."""

from __future__ import annotations

from typing import Any, ClassVar

from .blocking import BlockingCalls, close_shared, execute_batch
from .clusters import ClusterClient, ClusterPipeline
from .lost_replies import for_caller, read_from_node_client
from .scripts import BlockingScript
from .waiting import write_on


class BlockingClusterClient(ClusterClient, BlockingCalls):
    """Goes before the library's synchronous cluster client."""

    _pipeline: ClassVar[type[Any]]

    @property
    def _callbacks(self: Any) -> Any:
        """What the library's client of each node makes of replies, and then the caller."""
        callbacks = self.__dict__.get("_glide_callbacks")
        if callbacks is None:
            # A copy() of it would no longer find names in small letters.
            of_nodes = self._callbacks_of_nodes()
            callbacks = self._glide_callbacks = type(of_nodes)(of_nodes)
        return callbacks

    def _callbacks_of_nodes(self: Any) -> Any:
        client = getattr(self, f"get_{self._library.package}_connection")(self.get_nodes()[0])
        return client.response_callbacks

    def set_response_callback(self, command: str, callback: Any) -> None:
        super().set_response_callback(command, callback)  # type: ignore[misc]
        first = self._callbacks_of_nodes().get(command)
        self._callbacks[command] = (
            callback
            if first is None
            else lambda reply, **options: callback(first(reply, **options), **options)
        )

    def _execute_command(self: Any, target_node: Any, *args: Any, **options: Any) -> Any:
        client = getattr(self, f"get_{self._library.package}_connection")(target_node)
        write = write_on(self, self._shared, target_node, args)
        if write is None:
            read_from_node_client(client, self._library)
            with for_caller():
                return super()._execute_command(target_node, *args, **options)  # type: ignore[misc]
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command(*write)
        pipeline.execute_command(*args, **options)
        return pipeline.execute()[-1]

    def pipeline(self: Any, transaction: Any = None, shard_hint: Any = None) -> Any:
        if shard_hint or self._shared.reason is not None:
            return super().pipeline(transaction, shard_hint)  # type: ignore[misc]
        # Which arguments it takes depends on the library's version.
        made = super().pipeline()  # type: ignore[misc]
        made.__class__ = self._pipeline
        made._begin(self, transaction)
        return made

    def close(self: Any) -> None:
        if "nodes_manager" in self.__dict__:
            close_shared(self._shared)
        super().close()  # type: ignore[misc]


class BlockingClusterPipeline(ClusterPipeline):
    """Goes before the library's synchronous cluster pipeline. Without a watch, it is a batch."""

    def register_script(self: Any, script: Any) -> Any:
        return BlockingScript.of(self._cluster._library)(self, script)

    def _become_transaction(self: Any) -> None:
        made = super(BlockingClusterClient, self._cluster).pipeline(transaction=True)  # type: ignore[misc]
        self.__dict__.update(made.__dict__)
        self._execution_strategy._pipe = self

    def watch(self: Any, *names: Any) -> Any:
        self._watch_itself()
        return super().watch(*names)  # type: ignore[misc]

    def execute(self: Any, raise_on_error: bool = True) -> list[Any]:
        batch, commands = self._batch()
        if batch is None:
            replies: list[Any] = super().execute(raise_on_error)  # type: ignore[misc]
            return replies
        try:
            return execute_batch(self, self._cluster, batch, commands, raise_on_error)
        finally:
            self.reset()
