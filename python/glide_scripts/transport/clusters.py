"""What the libraries' cluster clients, asynchronous and synchronous, have in common here."""

from __future__ import annotations

from typing import Any

from .._core import Batch as Packed
from ..commands.directions import directions
from ..config import cluster as _imported  # noqa: F401 - the first call would import it, on the loop
from ..config.settings import ReadFrom
from ..errors import ConfigurationError
from . import pipelines
from .library import Library
from .scripts import RegistersScripts
from .settings import cluster_settings
from .shared_client import SharedClient, shared_client_of


class SharedClusterClient(SharedClient):
    """The shared client of one cluster client: each command has its route."""

    in_cluster = True

    def __init__(self, library: Library, cluster: Any) -> None:
        self._reads_replicas = bool(
            cluster.read_from_replicas or getattr(cluster, "load_balancing_strategy", None)
        )
        manager = cluster.nodes_manager
        self._nodes = [(node.host, node.port) for node in manager.startup_nodes.values()]
        options = dict(getattr(cluster, "connection_kwargs", None) or manager.connection_kwargs)
        name = "connect_func"
        self._connect_func = getattr(cluster, f"user_on_{name}", None)
        for option in (f"redis_{name}", f"valkey_{name}"):
            # The library's own, which chooses whether to read from replicas.
            if getattr(options.get(option), "__self__", None) is cluster:
                del options[option]
        self._is_remapped = getattr(manager, "address_remap", None) is not None
        super().__init__(library, cluster.get_encoder(), options)

    def settings(self) -> dict[str, Any]:
        if self._is_remapped or self._connect_func is not None:
            name = "address_remap" if self._is_remapped else f"{self.library.package}_connect_func"
            raise ConfigurationError(f"{name} is set, which glide_scripts' connections do not have")
        kind = self.options.get("connection_class")
        is_tls = bool(self.options.get("ssl")) or getattr(kind, "__name__", "") == "SSLConnection"
        settings = cluster_settings(self.options, self._nodes, is_tls, self.library)
        if self._reads_replicas:
            settings["read_from"] = ReadFrom.PREFER_REPLICA.value
        return settings

    def send(
        self, words: list[Any], code: bytes | None, is_read: bool, timeout: float | None
    ) -> Any:
        where = directions(words, None)
        return self.core.command(words, timeout, read_only=is_read, code=code, **where)

    def add(self, packed: Packed, words: list[Any], code: bytes | None, is_read: bool) -> None:
        where = directions(words, None)
        if packed.is_atomic:
            where = {"keys": where["keys"], "step": where["step"]}
        packed.command(words, read_only=is_read, code=code, **where)


class ClusterClient(RegistersScripts):
    """What the libraries' cluster clients share."""

    @property
    def _shared(self) -> SharedClient:
        shared: SharedClient | None = self.__dict__.get("_glide_shared")
        return shared or shared_client_of(self, lambda: SharedClusterClient(self._library, self))[0]

    def _sends_itself(self, options: dict[str, Any]) -> bool:
        return "target_nodes" in options


class ClusterPipeline:
    """What the libraries' cluster pipelines share. Without a watch, they are batches."""

    def _begin(self, cluster: Any, transaction: Any) -> None:
        self._cluster = cluster
        self._is_atomic = bool(transaction)
        self._watches = False

    @property
    def _shared(self) -> SharedClient:
        shared: SharedClient = self._cluster._shared
        return shared

    def _become_transaction(self) -> None:
        """Become a transaction of the library's, which has a connection that watches."""
        raise NotImplementedError

    def _watch_itself(self: Any) -> None:
        if self._is_atomic and not self._watches:
            commands = queued(self)
            self._become_transaction()
            self._watches = True
            for args, options in commands:
                self.execute_command(*args, **options)

    def _batch(self) -> tuple[Packed | None, list[pipelines.Queued]]:
        """Return the commands and their batch; None if the library is to send them itself."""
        commands = [] if self._watches else queued(self)
        has_targets = any("target_nodes" in options for _, options in commands)
        batch = None
        if commands and not has_targets and pipelines.is_shared(self._shared, commands):
            batch = self._shared.batch([args for args, _ in commands], self._is_atomic)
        if batch is None and commands:
            self._watch_itself()
        return batch, commands

    def evalsha(self: Any, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        return self.execute_command("EVALSHA", sha, numkeys, *keys_and_args)

    def multi(self: Any) -> Any:
        self._watch_itself()
        return super().multi()  # type: ignore[misc]


def queued(pipeline: Any) -> list[pipelines.Queued]:
    """Return the commands of a library's cluster pipeline."""
    owner, name = _queue(pipeline)
    return [(each.args, _options(each)) for each in getattr(owner, name)]


def emptied(pipeline: Any) -> None:
    """Remove the commands from a library's cluster pipeline."""
    owner, name = _queue(pipeline)
    setattr(owner, name, [])


def _queue(pipeline: Any) -> tuple[Any, str]:
    """Return the object that has the commands, and the attribute's name."""
    strategy = getattr(pipeline, "_execution_strategy", None)
    for owner, name in (
        (strategy, "_command_queue"),
        (pipeline, "_command_stack"),
        (pipeline, "command_stack"),
    ):
        if getattr(owner, name, None) is not None:
            return owner, name
    raise AttributeError("no commands were found in the library's cluster pipeline")


def _options(command: Any) -> dict[str, Any]:
    return getattr(command, "kwargs", None) or getattr(command, "options", None) or {}
