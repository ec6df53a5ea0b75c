"""What redis-py's names and arguments are called here, for those who use them on a client."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from ..config.secrets import Hidden

P = ParamSpec("P")
T = TypeVar("T")

_BATCH = "make a Batch (in a cluster a ClusterBatch), add commands, and pass it to exec()"
_NO_MESSAGES = "there is no publish and subscribe here; subscribe with redis-py or valkey-py"
_RANGE = "zrange(key, {}) returns ranges of every kind"
_SCAN = "call scan() until its cursor is b'0', in a cluster until it is_finished()"
_POOL = "a client has one connection to each server for all tasks and threads, and no pool"
_LOCK = "a lock is a script or two; the guide's page of patterns has one"

_METHODS = {
    "register_script": "make a Script(code), and pass it to invoke_script(script, keys, args), "
    "which sends the code when the server lacks it",
    "pipeline": f"{_BATCH}: Batch(is_atomic=False) is a pipeline, Batch(is_atomic=True) a "
    "transaction",
    "transaction": f"call watch(keys) and read them, then {_BATCH}",
    "execute_command": "custom_command(['NAME', 'argument', …]) sends any command",
    "execute": "pass the batch to the client: exec(batch, raise_on_error=True)",
    "multi": "Batch(is_atomic=True) is a transaction",
    "pubsub": _NO_MESSAGES,
    "subscribe": _NO_MESSAGES,
    "psubscribe": _NO_MESSAGES,
    "monitor": "use redis-py, or the server's command line",
    "lock": _LOCK,
    "keys": "scan(cursor, match=pattern) returns them piece by piece",
    "scan_iter": _SCAN,
    "setex": "set(key, value, expiry=ExpirySet(ExpiryType.SEC, seconds))",
    "psetex": "set(key, value, expiry=ExpirySet(ExpiryType.MILLSEC, milliseconds))",
    "setnx": "set(key, value, ConditionalChange.ONLY_IF_DOES_NOT_EXIST)",
    "getset": "set(key, value, return_old_value=True)",
    "hmset": "hset(key, {'field': 'value'})",
    "zrangebyscore": _RANGE.format("RangeByScore(start, end)"),
    "zrevrangebyscore": _RANGE.format("RangeByScore(start, end), reverse=True"),
    "zrevrange": _RANGE.format("RangeByIndex(start, end), reverse=True"),
    "zrangebylex": _RANGE.format("RangeByLex(start, end)"),
    "flushdb_async": "flushdb(FlushMode.ASYNC)",
    "connection_pool": _POOL,
    "from_pool": _POOL,
    "aclose": "a synchronous client has close()",
    "set_response_callback": "replies are bytes; a typed script declares other types",
}

_ARGUMENTS = {
    ("set", "ex"): "pass expiry=ExpirySet(ExpiryType.SEC, …)",
    ("set", "px"): "pass expiry=ExpirySet(ExpiryType.MILLSEC, …)",
    ("set", "exat"): "pass expiry=ExpirySet(ExpiryType.UNIX_SEC, …)",
    ("set", "pxat"): "pass expiry=ExpirySet(ExpiryType.UNIX_MILLSEC, …)",
    ("set", "keepttl"): "pass expiry=ExpirySet(ExpiryType.KEEP_TTL)",
    ("set", "nx"): "pass conditional_set=ConditionalChange.ONLY_IF_DOES_NOT_EXIST",
    ("set", "xx"): "pass conditional_set=ConditionalChange.ONLY_IF_EXISTS",
    ("set", "get"): "pass return_old_value=True",
    ("hset", "mapping"): "pass a dict: hset(key, {'field': 'value'})",
    ("hset", "key"): "pass a dict: hset(key, {'field': 'value'})",
    ("zadd", "mapping"): "pass a dict: zadd(key, {'member': 1.5})",
    ("zadd", "ch"): "pass changed=True",
    ("zadd", "incr"): "call zadd_incr(key, member, increment)",
    ("expire", "time"): "pass seconds=…",
    ("flushdb", "asynchronous"): "pass flush_mode=FlushMode.ASYNC",
    ("flushall", "asynchronous"): "pass flush_mode=FlushMode.ASYNC",
    ("restore", "absolute_ttl"): "pass absttl=True",
}
_SETTINGS = {
    "decode_responses": "replies are bytes: call decode() on them, or declare their types with a "
    "typed script",
    "encoding": "a str is sent as UTF-8, and replies are bytes",
    "db": "pass the database in the URL, as valkey://host/1, or database_id in the configuration",
    "host": "pass addresses=[NodeAddress(host, port)] in the configuration",
    "port": "pass addresses=[NodeAddress(host, port)] in the configuration",
    "password": "pass the password in the URL, or credentials=ServerCredentials(password) in the "
    "configuration",
    "username": "pass the user in the URL, or credentials=ServerCredentials(password, username) in "
    "the configuration",
    "ssl": "write valkeys:// in the URL, or pass use_tls=True in the configuration",
    "socket_timeout": "pass request_timeout, in milliseconds, in the configuration or the URL",
    "socket_connect_timeout": "pass connection_timeout, in milliseconds, in the advanced "
    "configuration or the URL",
    "max_connections": _POOL,
    "connection_pool": _POOL,
    "single_connection_client": _POOL,
    "retry": "pass reconnect_strategy=BackoffStrategy(…) in the configuration; what may have been "
    "executed is never repeated",
    "health_check_interval": "pass heartbeat_interval, in milliseconds, in the advanced "
    "configuration or the URL",
    "protocol": "pass protocol in the configuration, or ?protocol=2 in the URL",
}
_LISTS = "a list of keys, fields, members or elements is one argument: {}(…, ['a', 'b'])"
_EVALS = "pass lists: {}(code, ['key'], ['argument']), without the number of keys"
_EVAL_NAMES = {"eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"}
_ANY_COMMAND = (
    "custom_command(['NAME', 'argument', …]) sends any command, and glide_scripts.redis has all "
    "methods of redis-py"
)


def no_attribute(owner: object, name: str) -> AttributeError:
    """Return the error for an attribute that a client or a batch does not have."""
    text = f"{type(owner).__name__!r} object has no attribute {name!r}"
    if not name.startswith("_"):
        text += f"; {_METHODS.get(name, _ANY_COMMAND)}"
    return AttributeError(text, name=name, obj=owner)


def raise_advised(
    error: TypeError, define: Callable[..., object], args: Any, kwargs: Any
) -> NoReturn:
    """Raise an error about a command's arguments, with what to pass instead if they do not fit."""
    name = define.__name__
    misfit = _misfit(define, args, kwargs)
    if misfit is not None:
        advice = _argument_advice(name, kwargs) or _position_advice(name, args)
        error = TypeError(f"{name}(): {misfit}; {advice or _parameters(define)}")
    elif name in _EVAL_NAMES and len(args) > 1 and isinstance(args[1], int):
        error = TypeError(f"{error}; {_EVALS.format(name)}")
    # Tracebacks may show local variables, and some may be secret.
    del args, kwargs
    raise error from None


def with_advice(make: Callable[P, T]) -> Callable[P, T]:
    """Decorate what makes a client, so that redis-py's settings raise an error with advice."""
    advised: Any
    if inspect.iscoroutinefunction(make):

        async def advised(*args: Any, **kwargs: Any) -> Any:
            try:
                call = _checked_call(make, args, kwargs)
            finally:
                del args, kwargs
            return await call.value()

    else:

        def advised(*args: Any, **kwargs: Any) -> Any:
            try:
                call = _checked_call(make, args, kwargs)
            finally:
                del args, kwargs
            return call.value()

    result: Callable[P, T] = functools.wraps(make)(advised)
    return result


def _checked_call(make: Callable[..., Any], args: Any, kwargs: Any) -> Hidden:
    """Return the call, hidden from tracebacks that show local variables.

    Raises:
        TypeError: The arguments do not fit.
    """
    misfit = _misfit(make, args, kwargs)
    call = Hidden(functools.partial(make, *args, **kwargs)) if misfit is None else None
    known = [f"; {name}: {_SETTINGS[name]}" for name in kwargs if name in _SETTINGS]
    del args, kwargs
    if call is None:
        raise TypeError(f"{make.__name__}(): {misfit}{''.join(known)}")
    return call


def _misfit(function: Callable[..., object], args: Any, kwargs: Any) -> str | None:
    """Return why a function does not take the arguments; None if it does."""
    signature = inspect.signature(function)
    for name in kwargs:
        if name not in signature.parameters:
            return f"got an unexpected keyword argument {name!r}"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def _argument_advice(name: str, kwargs: Any) -> str | None:
    advice = [_ARGUMENTS[name, each] for each in kwargs if (name, each) in _ARGUMENTS]
    return "; ".join(advice) or None


def _position_advice(name: str, args: Any) -> str | None:
    if name in _EVAL_NAMES:
        return _EVALS.format(name)
    if name == "hset":
        return _ARGUMENTS["hset", "mapping"]
    return _LISTS.format(name) if len(args) > 1 else None


def _parameters(define: Callable[..., object]) -> str:
    names = ", ".join(inspect.signature(define).parameters)
    return f"its parameters are {names}" if names else "it has no parameters"
