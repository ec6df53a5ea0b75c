"""Batches: commands that are sent together, as a transaction or as a pipeline."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeAlias, TypeVar

from .. import checks
from .._core import Batch as Packed
from .._core import Script, ScriptBatch
from ..commands import (
    custom,
    functions,
    hashes,
    key_expiry,
    keys,
    lists,
    scanning,
    scripting,
    server,
    sets,
    sorted_sets,
    strings,
)
from ..commands.command import Command
from ..commands.directions import decoder, directions, in_own_order, target
from ..commands.function_library import Function
from ..commands.routes import Route
from ..commands.routing import plan
from ..commands.scanning import ObjectType
from ..errors import CrossSlotError, RequestError
from ..failures.secret_keys import hide_keys
from ..probes.switch import probed
from ..public import show_as_public
from ..values import TEncodable
from .advice import no_attribute, raise_advised
from .batch_options import BatchOptions, ClusterBatchOptions
from .command_methods import describe

P = ParamSpec("P")
B = TypeVar("B", bound="BaseBatch")
# In a batch, `type` is the command.
OptionsType: TypeAlias = type[BatchOptions | ClusterBatchOptions]

_SHOWN_COMMANDS = 8
_SHOWN_CHARACTERS = 40


def adding(build: Callable[P, Command[Any]]) -> Callable[Concatenate[B, P], B]:
    """Return a method that adds the command which ``build`` makes, and returns the batch."""

    def method(self: B, /, *args: P.args, **kwargs: P.kwargs) -> B:
        try:
            command = build(*args, **kwargs)
        except TypeError as error:
            raise_advised(error, build, args, kwargs)
        return self._add(command)

    describe(method, build, "BaseBatch", Self)
    # The client's method returns what a batch's results contain later.
    method.__doc__ = (build.__doc__ or "").replace("    Returns:\n", "    In the results:\n")
    return method


class BaseBatch(ScriptBatch):
    """The base of ``Batch`` and ``ClusterBatch``."""

    _in_cluster = False
    _options_type: OptionsType

    def __init__(self, is_atomic: bool) -> None:
        """See the class."""
        self._is_atomic = checks.flag("is_atomic", is_atomic)
        self._packed = Packed(atomic=is_atomic, cluster=self._in_cluster)
        self._decoders: dict[int, Callable[[Any], Any]] = {}

    @property
    def is_atomic(self) -> bool:
        """Whether the batch is a transaction; else it is a pipeline."""
        return self._is_atomic

    def clear(self) -> Self:
        """Remove all commands, to use the batch for others."""
        self._packed.clear()
        self._decoders.clear()
        return self

    def __len__(self) -> int:
        return len(self._packed)

    # Without it an empty batch would be false, and `batch or Batch(…)` a trap.
    def __bool__(self) -> bool:
        return True

    def __copy__(self) -> Self:
        # Not a method copy(): in GLIDE's batches that is the command COPY.
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._packed, copy._decoders = self._packed.copy(), dict(self._decoders)
        return copy

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{name} is not pickled; make the batch in the process that executes it")

    def __repr__(self) -> str:
        count = len(self)
        text = "no commands" if not count else f"{count} command{'s'[: count > 1]}: "
        if count:
            names = self._packed.names()
            shown = [name[:_SHOWN_CHARACTERS] for name in names[:_SHOWN_COMMANDS]]
            text += ", ".join(shown + ["…"] * (len(names) > len(shown)))
        return f"{type(self).__name__}(is_atomic={self._is_atomic}, {text})"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise no_attribute(self, name)

    def _add(self, command: Command[Any]) -> Self:
        command = probed(command)
        index = self._packed.command(command.words, **command.settings())
        return self._decoded(index, command.decode)

    def _invoke(  # noqa: PLR0917 - as the core has it
        self,
        script: Script,
        keys: Iterable[TEncodable] | None,
        args: Iterable[TEncodable] | None,
        decode: Callable[[Any], Any] | None,
        route: Any = None,
        once: bool | TEncodable | None = None,
        once_ttl: float | None = None,
    ) -> Self:
        """Add a script; ``decode`` converts its reply."""
        try:
            index = self._packed.invoke_script(script, keys, args, route, once, once_ttl)
        except CrossSlotError as error:
            hide_keys(error, [script])
            raise
        return self._decoded(index, decode)

    def _invoke_typed(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None,
        args: Iterable[TEncodable] | None,
        once: bool | TEncodable | None,
        once_ttl: float | None,
    ) -> Self:
        """Add a script that is more than a ``Script``, for ``invoke_script``."""
        decode = _undecoded_call(script, keys, args)
        return self._invoke(script, keys, args, decode, None, once, once_ttl)

    def _decoded(self, index: int, decode: Callable[[Any], Any] | None) -> Self:
        """Set how a command's reply is decoded."""
        if decode is not None:
            self._decoders[index] = decode
        return self

    eval = adding(scripting.eval)
    eval_ro = adding(scripting.eval_ro)
    evalsha = adding(scripting.evalsha)
    evalsha_ro = adding(scripting.evalsha_ro)
    script_load = adding(scripting.script_load)
    script_exists = adding(scripting.script_exists)
    script_flush = adding(scripting.script_flush)
    script_show = adding(scripting.script_show)
    script_kill = adding(scripting.script_kill)

    fcall = adding(functions.fcall)
    fcall_ro = adding(functions.fcall_ro)
    function_load = adding(functions.function_load)
    function_list = adding(functions.function_list)
    function_delete = adding(functions.function_delete)
    function_flush = adding(functions.function_flush)
    function_kill = adding(functions.function_kill)
    function_stats = adding(functions.function_stats)
    function_dump = adding(functions.function_dump)
    function_restore = adding(functions.function_restore)

    get = adding(strings.get)
    set = adding(strings.set)
    mget = adding(strings.mget)
    mset = adding(strings.mset)
    incr = adding(strings.incr)
    incrby = adding(strings.incrby)
    decr = adding(strings.decr)
    decrby = adding(strings.decrby)
    incrbyfloat = adding(strings.incrbyfloat)
    append = adding(strings.append)
    strlen = adding(strings.strlen)
    getdel = adding(strings.getdel)
    getrange = adding(strings.getrange)
    setrange = adding(strings.setrange)
    delete = adding(keys.delete)
    exists = adding(keys.exists)
    unlink = adding(keys.unlink)
    touch = adding(keys.touch)
    type = adding(keys.type)
    rename = adding(keys.rename)
    renamenx = adding(keys.renamenx)
    dump = adding(keys.dump)
    restore = adding(keys.restore)
    object_encoding = adding(keys.object_encoding)
    object_freq = adding(keys.object_freq)
    object_idletime = adding(keys.object_idletime)
    object_refcount = adding(keys.object_refcount)
    expire = adding(key_expiry.expire)
    ttl = adding(key_expiry.ttl)
    pexpire = adding(key_expiry.pexpire)
    expireat = adding(key_expiry.expireat)
    pexpireat = adding(key_expiry.pexpireat)
    persist = adding(key_expiry.persist)
    pttl = adding(key_expiry.pttl)
    expiretime = adding(key_expiry.expiretime)
    pexpiretime = adding(key_expiry.pexpiretime)
    hset = adding(hashes.hset)
    hget = adding(hashes.hget)
    hgetall = adding(hashes.hgetall)
    hdel = adding(hashes.hdel)
    hexists = adding(hashes.hexists)
    hincrby = adding(hashes.hincrby)
    hincrbyfloat = adding(hashes.hincrbyfloat)
    hkeys = adding(hashes.hkeys)
    hlen = adding(hashes.hlen)
    hmget = adding(hashes.hmget)
    hsetnx = adding(hashes.hsetnx)
    hvals = adding(hashes.hvals)
    lpush = adding(lists.lpush)
    rpush = adding(lists.rpush)
    lrange = adding(lists.lrange)
    llen = adding(lists.llen)
    lindex = adding(lists.lindex)
    lset = adding(lists.lset)
    lrem = adding(lists.lrem)
    ltrim = adding(lists.ltrim)
    lpop = adding(lists.lpop)
    lpop_count = adding(lists.lpop_count)
    rpop = adding(lists.rpop)
    rpop_count = adding(lists.rpop_count)
    sadd = adding(sets.sadd)
    smembers = adding(sets.smembers)
    srem = adding(sets.srem)
    sismember = adding(sets.sismember)
    smismember = adding(sets.smismember)
    scard = adding(sets.scard)
    spop = adding(sets.spop)
    spop_count = adding(sets.spop_count)
    zadd = adding(sorted_sets.zadd)
    zscore = adding(sorted_sets.zscore)
    zadd_incr = adding(sorted_sets.zadd_incr)
    zincrby = adding(sorted_sets.zincrby)
    zrem = adding(sorted_sets.zrem)
    zcard = adding(sorted_sets.zcard)
    zcount = adding(sorted_sets.zcount)
    zrange = adding(sorted_sets.zrange)
    zrange_withscores = adding(sorted_sets.zrange_withscores)
    zrank = adding(sorted_sets.zrank)
    zrevrank = adding(sorted_sets.zrevrank)
    zmscore = adding(sorted_sets.zmscore)
    zpopmin = adding(sorted_sets.zpopmin)
    zpopmax = adding(sorted_sets.zpopmax)

    ping = adding(server.ping)
    echo = adding(server.echo)
    info = adding(server.info)
    time = adding(server.time)
    dbsize = adding(server.dbsize)
    config_get = adding(server.config_get)
    config_set = adding(server.config_set)
    flushall = adding(server.flushall)
    flushdb = adding(server.flushdb)
    random_key = adding(server.random_key)
    client_id = adding(server.client_id)
    client_getname = adding(server.client_getname)
    config_resetstat = adding(server.config_resetstat)
    config_rewrite = adding(server.config_rewrite)
    lastsave = adding(server.lastsave)
    lolwut = adding(server.lolwut)


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
        """Add a copy of a key's value to another key.

        See ``GlideClusterClient.copy``, also for the arguments and the errors.

        In the results:
            Whether the value was copied.
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
        """Add a message to a channel.

        See ``GlideClusterClient.publish``, also for the arguments and the errors.

        In the results:
            The number of clients of the same node that received it.
        """
        return self._add(server.publish_in_cluster(message, channel, sharded))

    def invoke_script_route(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | Route | None = None,
        route: Route | None = None,
    ) -> Self:
        """Add a script that runs on the node or nodes of a route.

        See ``GlideClusterClient.invoke_script_route``.

        Args:
            script: The script.
            keys: The keys; they must be in the slot of the route.
            args: The arguments.
            route: The nodes; None means as ``invoke_script``. Only in a pipeline.

        In the results:
            What the script returns; for a route to several nodes, a dict by ``b"host:port"``.

        Raises:
            TypeError: An argument has a wrong type.
            CrossSlotError: ``keys`` are in several slots, or not in the slot of the route.
            RequestError: ``route`` is given in a transaction.
        """
        keys, args, route = in_own_order(keys, args, route)
        if route is not None and self._is_atomic:
            raise self._no_route()
        decode = _undecoded_call(script, keys, args)
        return self._invoke(script, keys, args, decode, target(route))

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


def _undecoded_call(script: Script, keys: Any, args: Any) -> Callable[[Any], Any] | None:
    """Return what explains the errors of a typed script; None for any other script."""
    call: Callable[..., Callable[[Any], Any]] | None = getattr(script, "_undecoded_call", None)
    return None if call is None else call(keys, args)


def _warn(old: str, new: str) -> None:
    message = f"{old}() is deprecated; use {new}(is_atomic=True)"
    warnings.warn(message, DeprecationWarning, stacklevel=3)


show_as_public(globals())
