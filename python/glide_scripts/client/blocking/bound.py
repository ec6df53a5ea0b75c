"""A script bound to a synchronous client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec

from ..._core import Script
from ...errors import RequestError
from ...values import TEncodable, TResult
from ..bound import BlockingBoundScript, BoundScript, HasCore
from ..raising import raise_explained
from .methods import as_method, warn_in_loop

P = ParamSpec("P")


def bound(
    client: HasCore, script: Script, timeout: float | None, kill: bool
) -> BlockingBoundScript:
    """Return ``invoke_script`` of one script, as for an asynchronous client."""

    def call(
        keys: Iterable[TEncodable] | None = None, args: Iterable[TEncodable] | None = None, /
    ) -> TResult:
        try:
            warn_in_loop(client)
            pending = client._core.invoke_script(script, keys, args, timeout, None, kill)
            result: TResult = pending.result()
            return result
        except RequestError as error:
            raise_explained(error, script, keys, args)
        finally:
            # Tracebacks may show local variables, and those of declared scripts may be secret.
            del keys, args

    return call


def blocking_bind(
    method: Callable[Concatenate[Any, P], BoundScript],
) -> Callable[Concatenate[Any, P], BlockingBoundScript]:
    """The ``bind`` of a synchronous client, whose functions block the thread."""

    def bind(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return method(self, *args, **kwargs)

    made: Callable[Concatenate[Any, P], BlockingBoundScript]
    made = as_method(bind, method, "glide_scripts.client.bound.BlockingBoundScript")
    return made
