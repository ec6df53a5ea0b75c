"""What the synchronous clients of a server and of a cluster have in common."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast, overload

from ...commands.expiry import ExpirySet
from ...commands.strings import ConditionalChange, OnlyIfEqual
from ...values import TOK, TEncodable
from .. import base
from ..sending import Sending
from .methods import blocking, run_for
from .replies import in_thread


class SetMethod(Protocol):
    """``set`` for type checkers, as ``commands.strings.SetMethod`` is."""

    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: None = None,
        expiry: ExpirySet | None = None,
        return_old_value: Literal[False] = False,
    ) -> TOK: ...
    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: ConditionalChange | OnlyIfEqual | None = None,
        expiry: ExpirySet | None = None,
        return_old_value: Literal[False] = False,
    ) -> TOK | None: ...
    @overload
    def __call__(
        self,
        key: TEncodable,
        value: TEncodable,
        conditional_set: ConditionalChange | OnlyIfEqual | None = None,
        expiry: ExpirySet | None = None,
        return_old_value: bool = False,
    ) -> bytes | None: ...


class BaseClient(Sending):
    """What the clients of a server and of a cluster have in common."""

    _is_blocking = True
    _await = ""
    _has_warned = False
    """Whether it has warned that it blocks an event loop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    _run = run_for
    _observed_call = base.BaseClient._observed_call
    close = blocking(base.BaseClient.close)
    invoke_script = blocking(base.BaseClient.invoke_script)
    invoke_script_many = in_thread(base.BaseClient.invoke_script_many)
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
    delete = blocking(base.BaseClient.delete)
    exists = blocking(base.BaseClient.exists)
    expire = blocking(base.BaseClient.expire)
    ttl = blocking(base.BaseClient.ttl)
    hset = blocking(base.BaseClient.hset)
    hget = blocking(base.BaseClient.hget)
    hgetall = blocking(base.BaseClient.hgetall)
    lpush = blocking(base.BaseClient.lpush)
    rpush = blocking(base.BaseClient.rpush)
    lrange = blocking(base.BaseClient.lrange)
    sadd = blocking(base.BaseClient.sadd)
    smembers = blocking(base.BaseClient.smembers)
    zadd = blocking(base.BaseClient.zadd)
    zscore = blocking(base.BaseClient.zscore)
