"""What the batches of one server and of a cluster have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeAlias, TypeVar

from .. import checks
from .._core import Batch as Packed
from .._core import Script, ScriptBatch
from ..arguments import with_clear_errors
from ..commands import (
    functions,
    hashes,
    key_expiry,
    keys,
    lists,
    scripting,
    server,
    sets,
    sorted_sets,
    strings,
)
from ..commands.command import Command
from ..errors import CrossSlotError
from ..failures.secret_keys import hide_keys
from ..probes.switch import probed
from ..values import TEncodable
from . import redis_py_names
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


@with_clear_errors(is_atomic="pass True for a transaction, or False for a pipeline")
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

    # An empty batch is true, so that `batch or Batch(…)` keeps it.
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
            raise no_attribute(self, name, redis_py_names.OF_BATCHES)

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
        finally:
            # Tracebacks may show local variables, and those of declared scripts may be secret.
            del keys, args
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
        decode = undecoded_call(script, keys, args)
        try:
            return self._invoke(script, keys, args, decode, None, once, once_ttl)
        finally:
            del keys, args

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


def undecoded_call(script: Script, keys: Any, args: Any) -> Callable[[Any], Any] | None:
    """Return what explains the errors of a typed script; None for any other script."""
    call: Callable[..., Callable[[Any], Any]] | None = getattr(script, "_undecoded_call", None)
    return None if call is None else call(keys, args)
