"""``invoke_script`` of the synchronous clients."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..._core import Script
from ...errors import RequestError
from ...values import TEncodable
from ..raising import raise_explained
from .methods import as_method, blocking, warn_in_loop

P = ParamSpec("P")
T = TypeVar("T")


def invoking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """The same as ``blocking``, without a coroutine for what most calls are.

    Threads that share a client wait for the GIL in turn, and making and running a coroutine is a
    third of what each does with it.
    """
    in_full: Callable[..., T] = blocking(method)

    def invoke_script(
        self: Any,
        /,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
        *,
        timeout: float | None = None,
        **settings: Any,
    ) -> T:
        try:
            if settings:
                return in_full(self, script, keys, args, timeout=timeout, **settings)
            warn_in_loop(self)
            try:
                result: T = self._core.invoke_script(script, keys, args, timeout).result()
                return result
            except RequestError as error:
                raise_explained(error, script, keys, args)
        finally:
            # Tracebacks may show local variables, and some may be secret.
            del keys, args, settings

    made: Callable[Concatenate[Any, P], T] = as_method(invoke_script, method)
    return made
