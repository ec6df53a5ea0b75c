"""What the synchronous clients of a server and of a cluster have in common."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast, overload

import glide_scripts

from ...commands.strings import ConditionalChange, OnlyIfEqual
from ...observing.observer import Observer
from ...values import TOK, TEncodable
from .. import base
from ..making import with_advice
from ..sending import Sending
from . import bound
from .invoking import invoking
from .methods import blocking, run_for
from .replies import blocking_many


class SetMethod(Protocol):
    """``set`` for type checkers, as ``commands.strings.SetMethod`` is."""

    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: None = None,
        expiry: glide_scripts.ExpirySet | None = None,
        return_old_value: Literal[False] = False,
    ) -> TOK: ...
    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: ConditionalChange | OnlyIfEqual | None = None,
        expiry: glide_scripts.ExpirySet | None = None,
        return_old_value: Literal[False] = False,
    ) -> TOK | None: ...
    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: ConditionalChange | OnlyIfEqual | None = None,
        expiry: glide_scripts.ExpirySet | None = None,
        return_old_value: bool = False,
    ) -> bytes | None: ...


class BaseClient(Sending):
    """What the clients of a server and of a cluster have in common."""

    _is_blocking = True
    _await = ""
    _has_warned = False
    """Whether it has warned that it blocks an event loop."""

    @classmethod
    @with_advice
    def from_url(cls, url: str, *, observer: Observer | None = None) -> Self:
        """Connect to the server or the cluster of a URL.

        Args:
            url: As for the asynchronous client's ``from_url``.
            observer: Is called for each call; see ``Observer``.

        Raises:
            ConfigurationError: The URL is wrong.
            ClosingError: No server could be reached; the text says why.
        """
        opening = cls._from_url(url, observer)
        # Tracebacks may show local variables.
        del url
        return run_for(cls, opening)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: base.ErrorType | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    _run = run_for
    _bound = bound.bound
    _observed_call = base.BaseClient._observed_call
    close = blocking(base.BaseClient.close)
    invoke_script = invoking(base.BaseClient.invoke_script)
    bind = bound.blocking_bind(base.BaseClient.bind)
    invoke_script_many = blocking_many(base.BaseClient.invoke_script_many)
    update_connection_password = blocking(base.BaseClient.update_connection_password)
    watch = blocking(base.BaseClient.watch)
    set: SetMethod = cast("Any", blocking(cast("Any", base.BaseClient.set)))

    fcall = blocking(base.BaseClient.fcall)
    fcall_ro = blocking(base.BaseClient.fcall_ro)
    eval = blocking(base.BaseClient.eval)
    eval_ro = blocking(base.BaseClient.eval_ro)
    evalsha = blocking(base.BaseClient.evalsha)
    evalsha_ro = blocking(base.BaseClient.evalsha_ro)
    get = blocking(base.BaseClient.get)
    mget = blocking(base.BaseClient.mget)
    mset = blocking(base.BaseClient.mset)
    incr = blocking(base.BaseClient.incr)
    incrby = blocking(base.BaseClient.incrby)
    decr = blocking(base.BaseClient.decr)
    decrby = blocking(base.BaseClient.decrby)
    incrbyfloat = blocking(base.BaseClient.incrbyfloat)
    append = blocking(base.BaseClient.append)
    strlen = blocking(base.BaseClient.strlen)
    getdel = blocking(base.BaseClient.getdel)
    getrange = blocking(base.BaseClient.getrange)
    setrange = blocking(base.BaseClient.setrange)
    delete = blocking(base.BaseClient.delete)
    exists = blocking(base.BaseClient.exists)
    unlink = blocking(base.BaseClient.unlink)
    touch = blocking(base.BaseClient.touch)
    type = blocking(base.BaseClient.type)
    rename = blocking(base.BaseClient.rename)
    renamenx = blocking(base.BaseClient.renamenx)
    dump = blocking(base.BaseClient.dump)
    restore = blocking(base.BaseClient.restore)
    object_encoding = blocking(base.BaseClient.object_encoding)
    object_freq = blocking(base.BaseClient.object_freq)
    object_idletime = blocking(base.BaseClient.object_idletime)
    object_refcount = blocking(base.BaseClient.object_refcount)
    expire = blocking(base.BaseClient.expire)
    ttl = blocking(base.BaseClient.ttl)
    pexpire = blocking(base.BaseClient.pexpire)
    expireat = blocking(base.BaseClient.expireat)
    pexpireat = blocking(base.BaseClient.pexpireat)
    persist = blocking(base.BaseClient.persist)
    pttl = blocking(base.BaseClient.pttl)
    expiretime = blocking(base.BaseClient.expiretime)
    pexpiretime = blocking(base.BaseClient.pexpiretime)
    hset = blocking(base.BaseClient.hset)
    hget = blocking(base.BaseClient.hget)
    hgetall = blocking(base.BaseClient.hgetall)
    hdel = blocking(base.BaseClient.hdel)
    hexists = blocking(base.BaseClient.hexists)
    hincrby = blocking(base.BaseClient.hincrby)
    hincrbyfloat = blocking(base.BaseClient.hincrbyfloat)
    hkeys = blocking(base.BaseClient.hkeys)
    hlen = blocking(base.BaseClient.hlen)
    hmget = blocking(base.BaseClient.hmget)
    hsetnx = blocking(base.BaseClient.hsetnx)
    hvals = blocking(base.BaseClient.hvals)
    lpush = blocking(base.BaseClient.lpush)
    rpush = blocking(base.BaseClient.rpush)
    lrange = blocking(base.BaseClient.lrange)
    llen = blocking(base.BaseClient.llen)
    lindex = blocking(base.BaseClient.lindex)
    lset = blocking(base.BaseClient.lset)
    lrem = blocking(base.BaseClient.lrem)
    ltrim = blocking(base.BaseClient.ltrim)
    lpop = blocking(base.BaseClient.lpop)
    lpop_count = blocking(base.BaseClient.lpop_count)
    rpop = blocking(base.BaseClient.rpop)
    rpop_count = blocking(base.BaseClient.rpop_count)
    sadd = blocking(base.BaseClient.sadd)
    smembers = blocking(base.BaseClient.smembers)
    srem = blocking(base.BaseClient.srem)
    sismember = blocking(base.BaseClient.sismember)
    smismember = blocking(base.BaseClient.smismember)
    scard = blocking(base.BaseClient.scard)
    spop = blocking(base.BaseClient.spop)
    spop_count = blocking(base.BaseClient.spop_count)
    zadd = blocking(base.BaseClient.zadd)
    zscore = blocking(base.BaseClient.zscore)
    zadd_incr = blocking(base.BaseClient.zadd_incr)
    zincrby = blocking(base.BaseClient.zincrby)
    zrem = blocking(base.BaseClient.zrem)
    zcard = blocking(base.BaseClient.zcard)
    zcount = blocking(base.BaseClient.zcount)
    zrange = blocking(base.BaseClient.zrange)
    zrange_withscores = blocking(base.BaseClient.zrange_withscores)
    zrank = blocking(base.BaseClient.zrank)
    zrevrank = blocking(base.BaseClient.zrevrank)
    zmscore = blocking(base.BaseClient.zmscore)
    zpopmin = blocking(base.BaseClient.zpopmin)
    zpopmax = blocking(base.BaseClient.zpopmax)
