"""What the asynchronous cluster clients of the libraries get from this package."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from .asynchronous import AsyncCalls, close_shared, execute_batch
from .clusters import ClusterClient, ClusterPipeline, emptied
from .lost_replies import for_caller, read_from_node
from .shared_client import SharedClient
from .waiting import write_on


class AsyncClusterClient(ClusterClient, AsyncCalls):
    """Goes before the library's asynchronous cluster client."""

    _pipeline: ClassVar[type[Any]]

    async def _execute_by_library(
        self: Any, shared: SharedClient, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        # The library looks for a default node before it has asked for the nodes.
        await self.initialize()
        return await super()._execute_by_library(shared, args, options)

    async def _execute_command(self: Any, target_node: Any, *args: Any, **options: Any) -> Any:
        write = write_on(self, self._shared, target_node, args)
        if write is None:
            read_from_node(target_node, self._library)
            with for_caller():
                return await super()._execute_command(target_node, *args, **options)  # type: ignore[misc]
        command = import_module(f"{self._library.package}.asyncio.cluster").PipelineCommand
        both = [command(0, *write), command(1, *args, **options)]
        await target_node.execute_pipeline(both)
        for each in both:
            if isinstance(each.result, Exception):
                raise each.result
        return both[1].result

    def pipeline(self: Any, transaction: Any = None, shard_hint: Any = None) -> Any:
        if shard_hint or self._shared.reason is not None:
            return super().pipeline(transaction, shard_hint)  # type: ignore[misc]
        return self._pipeline(self, transaction)

    async def aclose(self: Any) -> None:
        await close_shared(self._shared)
        await super().aclose()  # type: ignore[misc]


def _of_known_nodes(name: str) -> Any:
    """Return a method of the library's that needs the nodes, which its first call asks for."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._shared.core is not None and not self.nodes_manager.nodes_cache:
            raise self._library.cluster_error(
                f"{name}() knows no nodes, because calls go over glide_scripts' connections; "
                "await initialize() before it"
            )
        return getattr(super(AsyncClusterClient, self), name)(*args, **kwargs)

    return method


for _name in (
    "get_default_node",
    "get_node",
    "get_node_from_key",
    "get_nodes",
    "get_primaries",
    "get_random_node",
    "get_replicas",
):
    setattr(AsyncClusterClient, _name, _of_known_nodes(_name))


class AsyncClusterPipeline(ClusterPipeline):
    """Goes before the library's asynchronous cluster pipeline. Without a watch, it is a batch."""

    def __init__(self, client: Any, transaction: Any = None) -> None:
        # For each command, a transaction of the library asks a node which slot its keys are in.
        super().__init__(client)  # type: ignore[call-arg]
        self._begin(client, transaction)

    async def initialize(self: Any) -> Any:
        # The library would connect to each node.
        if self._watches:
            return await super().initialize()  # type: ignore[misc]
        emptied(self)
        return self

    def _become_transaction(self) -> None:
        super().__init__(self._cluster, True)  # type: ignore[call-arg]

    async def watch(self: Any, *names: Any) -> Any:
        self._watch_itself()
        return await super().watch(*names)  # type: ignore[misc]

    async def execute(
        self: Any, raise_on_error: bool = True, allow_redirections: bool = True
    ) -> list[Any]:
        batch, commands = self._batch()
        if batch is None:
            replies: list[Any] = await super().execute(  # type: ignore[misc]
                raise_on_error, allow_redirections
            )
            return replies
        try:
            return await execute_batch(self, self._cluster, batch, commands, raise_on_error)
        finally:
            emptied(self)
