"""The methods that make clients: for redis-py's settings, they raise an error with advice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ..arguments import did_you_mean, misfit
from ..config.secrets import Hidden

P = ParamSpec("P")
T = TypeVar("T")


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
    signature = inspect.signature(make)
    reason = misfit(signature, args, kwargs)
    call = Hidden(functools.partial(make, *args, **kwargs)) if reason is None else None
    names = [name for name in kwargs if name not in signature.parameters]
    near = did_you_mean(signature.parameters, kwargs) if call is None else None
    del args, kwargs
    if call is None:
        from . import advice  # noqa: PLC0415 - only where they do not fit

        instead = advice.setting_advice(names) or near or advice.parameters_of(signature)
        raise TypeError(f"{make.__name__}(): {reason}; {instead}")
    return call
