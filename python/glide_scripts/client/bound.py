"""A script bound to a client: for programs that call one script very often."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from .._core import Script
from ..errors import RequestError
from ..values import TEncodable, TResult
from .core import Core
from .raising import raise_explained


class HasCore(Protocol):
    """A client, as far as a bound script needs it."""

    @property
    def _core(self) -> Core: ...


class BoundScript(Protocol):
    """What ``bind`` returns: a coroutine function that runs its script."""

    def __call__(
        self, keys: Iterable[TEncodable] | None = None, args: Iterable[TEncodable] | None = None, /
    ) -> Coroutine[Any, Any, TResult]: ...


class BlockingBoundScript(Protocol):
    """What ``bind`` of a synchronous client returns: a function that runs its script."""

    def __call__(
        self, keys: Iterable[TEncodable] | None = None, args: Iterable[TEncodable] | None = None, /
    ) -> TResult: ...


def bound(client: HasCore, script: Script, timeout: float | None, kill: bool) -> BoundScript:
    """Return ``invoke_script`` of one script, with all that is the same for each call done."""

    async def call(
        keys: Iterable[TEncodable] | None = None, args: Iterable[TEncodable] | None = None, /
    ) -> TResult:
        try:
            # It refers to the client, not to the core, so that the function keeps the client open.
            result: TResult = await client._core.invoke_script(
                script, keys, args, timeout, None, kill
            )
            return result
        except RequestError as error:
            raise_explained(error, script, keys, args)
        finally:
            # Tracebacks may show local variables, and those of declared scripts may be secret.
            del keys, args

    return call
