"""Errors that say what to use in place of redis-py's names and arguments.

Only such an error imports this.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn

from .._core import Script
from ..arguments import did_you_mean, misfit
from . import redis_py_names


def no_attribute(
    owner: object, name: str, known: Mapping[str, str] = redis_py_names.METHODS
) -> AttributeError:
    """Return the error for an attribute that a client or a batch does not have."""
    text = f"{type(owner).__name__!r} object has no attribute {name!r}"
    if not name.startswith("_"):
        text += f"; {known.get(name, redis_py_names.ANY_COMMAND)}"
    return AttributeError(text, name=name, obj=owner)


def misfit_of_script(args: Any, kwargs: Any) -> TypeError:
    """Return the error for arguments that ``Script`` does not take, with what to pass."""
    signature = inspect.signature(Script)
    known = [redis_py_names.SCRIPT[name] for name in kwargs if name in redis_py_names.SCRIPT]
    if len(args) > 1:
        known.append(redis_py_names.ONE_SCRIPT_FOR_ALL)
    advice = known[0] if known else did_you_mean(signature.parameters, kwargs)
    reason = misfit(signature, args, kwargs)
    return TypeError(f"Script(): {reason}; {advice or parameters_of(signature)}")


def raise_advised(
    error: TypeError, define: Callable[..., object], args: Any, kwargs: Any
) -> NoReturn:
    """Raise an error about a command's arguments, with what to pass instead if they do not fit."""
    name = define.__name__
    signature = inspect.signature(define)
    reason = misfit(signature, args, kwargs)
    if reason is not None:
        advice = _argument_advice(name, kwargs) or did_you_mean(signature.parameters, kwargs)
        if advice is None and kwargs.keys() <= signature.parameters.keys():
            advice = _position_advice(name, signature, args)
        error = TypeError(f"{name}(): {reason}; {advice or parameters_of(signature)}")
    elif advice := _value_advice(name, args, kwargs):
        error = TypeError(f"{error}; {advice}")
    # Tracebacks may show local variables, and some may be secret.
    del args, kwargs
    raise error from None


def setting_advice(names: list[str]) -> str:
    """Return what to pass in place of redis-py's settings."""
    from ..config.url_settings import CANNOT  # noqa: PLC0415 - only where one does not fit

    known = CANNOT | redis_py_names.SETTINGS
    return "; ".join(f"{name}: {known[name]}" for name in names if name in known)


def _argument_advice(name: str, kwargs: Any) -> str | None:
    known = [
        redis_py_names.ARGUMENTS[name, each]
        for each in kwargs
        if (name, each) in redis_py_names.ARGUMENTS
    ]
    return "; ".join(dict.fromkeys(known)) or None


def _position_advice(name: str, signature: inspect.Signature, args: Any) -> str | None:
    if name in redis_py_names.WITHOUT_COUNT:
        return redis_py_names.WITHOUT_COUNT[name]
    if name in redis_py_names.POSITIONS:
        return redis_py_names.POSITIONS[name]
    *_, last = signature.parameters.values() or (None,)
    takes_list = last is not None and str(last.annotation).startswith("Sequence[")
    return redis_py_names.LISTS.format(name) if takes_list and len(args) > 1 else None


def _value_advice(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Return what to pass in place of a value of a wrong type."""
    values = *args, *kwargs.values()
    if name in redis_py_names.WITHOUT_COUNT and _is_int(args[1:2]):
        return redis_py_names.WITHOUT_COUNT[name]
    if name == "set" and _is_int(args[2:3]):
        return redis_py_names.ARGUMENTS["set", "ex"]
    if name == "zadd" and not isinstance(values[1], Mapping):
        return redis_py_names.POSITIONS["zadd"]
    if any(isinstance(value, timedelta) for value in values):
        return "a timedelta has total_seconds()"
    if any(isinstance(value, datetime) for value in values):
        return "a datetime has timestamp()"
    return None


def _is_int(values: tuple[Any, ...]) -> bool:
    return any(isinstance(value, int) for value in values)


def parameters_of(signature: inspect.Signature) -> str:
    names = ", ".join(each for each in signature.parameters if each not in {"self", "cls"})
    return f"its parameters are {names}" if names else "it has no parameters"
