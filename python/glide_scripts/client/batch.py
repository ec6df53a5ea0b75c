"""Batches: commands that are sent together, as a transaction or as a pipeline."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

from .._core import Script
from ..commands import custom, functions, keys, scanning, server
from ..commands.command import Command
from ..commands.directions import decoder, directions, target
from ..commands.function_library import Function
from ..commands.routes import Route
from ..commands.routing import plan
from ..commands.scanning import ObjectType
from ..errors import RequestError
from ..probes.switch import probed
from ..public import show_as_public
from ..values import TEncodable
from .base_batch import BaseBatch, adding, undecoded_call
from .batch_options import BatchOptions, ClusterBatchOptions


class Batch(BaseBatch):
    """Commands for ``GlideClient.exec``, which sends them together.

    A batch has the same methods for commands as the client. Each adds a command and returns the
    batch. Wrong arguments raise at once; the server's errors appear in the results. Later changes
    to the arguments have no effect. A batch can be executed again, also by another client.

    ``len(batch)`` is the number of its commands. A batch is always true, even an empty one.

    Args:
        is_atomic: True for a transaction (MULTI and EXEC): the server executes the commands without
            any other in between. False for a pipeline: commands of other clients may come in
            between.

    Raises:
        TypeError: ``is_atomic`` is not a bool.

    Example:
        >>> transaction = Batch(is_atomic=True).set("key", "1").incr("key").get("key")
        >>> await client.exec(transaction, raise_on_error=True)
        [b'OK', 2, b'2']
    """

    _options_type = BatchOptions

    custom_command = adding(custom.custom_command)
    copy = adding(keys.copy)
    scan = adding(scanning.scan)
    publish = adding(server.publish)


class ClusterBatch(BaseBatch):
    """Commands for ``GlideClusterClient.exec``, which sends them together.

    Like ``Batch``, with these differences: a transaction runs on one node. All its keys must be in
    one slot, and commands that usually go to several nodes go to that node only. A pipeline is
    split by node: each command goes where the client's method of that name sends it. The results
    have the order of the commands.

    Args:
        is_atomic: True for a transaction, False for a pipeline.

    Raises:
        TypeError: ``is_atomic`` is not a bool.

    Example:
        >>> batch = ClusterBatch(is_atomic=False).set("a", "1").set("b", "2").mget(["a", "b"])
        >>> await client.exec(batch, raise_on_error=True)
        [b'OK', b'OK', [b'1', b'2']]
    """

    _in_cluster = True
    _options_type = ClusterBatchOptions

    def _add(self, command: Command[Any], route: Route | None = None) -> Self:
        command = probed(command)
        words, settings = command.words, command.settings()
        if not self._is_atomic:
            index = self._packed.command(words, **settings, **directions(words, route))
            return self._decoded(index, decoder(command, route))
        if route is not None:
            raise self._no_route()
        default = plan(words)
        index = self._packed.command(words, **settings, keys=default.keys, step=default.step)
        return self._decoded(index, command.decode)

    @staticmethod
    def _no_route() -> RequestError:
        return RequestError(
            "route is not for a command of an atomic batch, which goes to one node as a whole; "
            "pass ClusterBatchOptions(route=…) to exec"
        )

    def custom_command(
        self, command_args: Sequence[TEncodable], route: Route | None = None
    ) -> Self:
        """Add any command, for the nodes of ``route``. Default: the node of its keys.

        See https://valkey.io/commands/, and ``GlideClusterClient.custom_command``.

        Args:
            command_args: The command's name and its arguments, each an item.
            route: The nodes; only in a pipeline.

        In the results:
            The server's reply; for a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: ``command_args`` is not a list of str or bytes, or ``route`` is not a route.
            ValueError: ``command_args`` is empty.
            RequestError: ``route`` is given in a transaction.
        """
        return self._add(custom.custom_command(command_args), route)

    def copy(
        self,
        source: TEncodable,
        destination: TEncodable,
        replace: bool | None = None,
        destinationDB: int | None = None,
    ) -> Self:
        """Copy a key's value to another key.

        Args:
            source: The key to copy.
            destination: The key that gets the copy, in the same slot.
            replace: Whether to replace an existing destination; None means no.
            destinationDB: The number of the destination's database; None means the same one.

        In the results:
            Whether the value was copied.

        See https://valkey.io/commands/copy/.
        """
        return self._add(keys.copy(source, destination, destinationDB, replace))

    def scan(
        self,
        cursor: TEncodable,
        match: TEncodable | None = None,
        count: int | None = None,
        type: ObjectType | None = None,
        route: Route | None = None,
    ) -> Self:
        """Add a scan of one node.

        ``GlideClusterClient.scan`` goes through all nodes. See https://valkey.io/commands/scan/.

        Args:
            cursor: ``"0"`` for the first call, and then the cursor of the call before.
            match: Only keys that match, such as ``"user:*"``; None means all.
            count: About how many keys to look at; None means 10.
            type: Only keys with values of that type; None means all.
            route: The node; None means any primary. Only in a pipeline.

        In the results:
            A list of two: the next cursor, ``b"0"`` at the end, and a list of keys.

        Raises:
            TypeError: An argument has a wrong type.
            ValueError: ``count`` has more than 64 bits.
            RequestError: ``route`` is given in a transaction.
        """
        return self._add(scanning.scan(cursor, match, count, type), route)

    def publish(self, message: TEncodable, channel: TEncodable, sharded: bool = False) -> Self:
        """Publish a message.

        Args:
            message: The message.
            channel: The channel.
            sharded: Whether to send it only to the shard of the channel's slot (SPUBLISH).

        In the results:
            The number of clients of the same node that received it.

        See https://valkey.io/commands/publish/.
        """
        return self._add(server.publish_in_cluster(message, channel, sharded))

    def invoke_script_route(
        self,
        script: Script,
        args: Iterable[TEncodable] | None = None,
        route: Route | None = None,
        *,
        keys: Iterable[TEncodable] | None = None,
    ) -> Self:
        """Add a script that runs on the node or nodes of a route.

        See ``GlideClusterClient.invoke_script_route``.

        Args:
            script: The script.
            args: The arguments.
            route: The nodes; None means as ``invoke_script``. Only in a pipeline.
            keys: The keys; they must be in the slot of the route.

        In the results:
            What the script returns; for a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: An argument has a wrong type.
            CrossSlotError: ``keys`` are in several slots, or not in the slot of the route.
            RequestError: ``route`` is given in a transaction.
        """
        if route is not None and self._is_atomic:
            raise self._no_route()
        decode = undecoded_call(script, keys, args)
        try:
            return self._invoke(script, keys, args, decode, target(route))
        finally:
            # Tracebacks may show local variables, and those of declared scripts may be secret.
            del keys, args

    def fcall_route(
        self,
        function: TEncodable | Function,
        arguments: Sequence[TEncodable] | None = None,
        route: Route | None = None,
    ) -> Self:
        """Add a call of a function without keys, on the node or nodes of a route.

        See https://valkey.io/commands/fcall/, and ``GlideClusterClient.fcall_route``.

        Args:
            function: The function's name, or the ``Function`` of a ``FunctionLibrary``.
            arguments: Its arguments.
            route: The nodes; None means any primary. Only in a pipeline.

        In the results:
            What the function returns; for a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: An argument has a wrong type.
            RequestError: ``route`` is given in a transaction.
        """
        return self._add(functions.fcall(function, None, arguments), route)

    def fcall_ro_route(
        self,
        function: TEncodable | Function,
        arguments: Sequence[TEncodable] | None = None,
        route: Route | None = None,
    ) -> Self:
        """Add a call of a read-only function without keys, by a route.

        See https://valkey.io/commands/fcall_ro/, and ``GlideClusterClient.fcall_ro_route``.

        Args:
            function: The function's name, or the ``Function`` of a ``FunctionLibrary``.
            arguments: Its arguments.
            route: The nodes; None means any primary. Only in a pipeline.

        In the results:
            As for ``fcall_route``.

        Raises:
            TypeError: An argument has a wrong type.
            RequestError: ``route`` is given in a transaction.
        """
        return self._add(functions.fcall_ro(function, None, arguments), route)


class Transaction(Batch):
    """Deprecated: use ``Batch(is_atomic=True)``."""

    def __init__(self) -> None:
        """See the class."""
        _warn("Transaction", "Batch")
        super().__init__(is_atomic=True)


class ClusterTransaction(ClusterBatch):
    """Deprecated: use ``ClusterBatch(is_atomic=True)``."""

    def __init__(self) -> None:
        """See the class."""
        _warn("ClusterTransaction", "ClusterBatch")
        super().__init__(is_atomic=True)


def _warn(old: str, new: str) -> None:
    message = f"{old}() is deprecated; use {new}(is_atomic=True)"
    warnings.warn(message, DeprecationWarning, stacklevel=3)


show_as_public(globals())
