"""A script bound to a synchronous client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec

from ...values import TEncodable, TResult
from ..bound import BlockingBoundScript, BoundScript
from .methods import as_method, run_for

P = ParamSpec("P")


def in_thread(
    method: Callable[Concatenate[Any, P], BoundScript],
) -> Callable[Concatenate[Any, P], BlockingBoundScript]:
    """The ``bind`` of a synchronous client, whose functions block the thread."""

    def bind(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> BlockingBoundScript:
        call = method(self, *args, **kwargs)

        def blocked(
            keys: Iterable[TEncodable] | None = None,
            args: Iterable[TEncodable] | None = None,
            /,
        ) -> TResult:
            calling = call(keys, args)
            # Tracebacks may show local variables, and some may be secret.
            del keys, args
            return run_for(self, calling)

        return blocked

    made: Callable[Concatenate[Any, P], BlockingBoundScript]
    made = as_method(bind, method, "glide_scripts.client.bound.BlockingBoundScript")
    return made
