"""The interface of a client's core: the compiled core, or one that calls an observer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .._core import BlockingPending, Pending

if TYPE_CHECKING:
    from .._core import Batch, Library, Script
    from ..values import TEncodable

AnyPending: TypeAlias = Pending | BlockingPending
"""What is awaited for a reply: on an event loop, or by a thread that blocks."""


class Core(Protocol):
    """The methods that a client needs; ``_core.Client`` describes them."""

    def invoke_script(  # noqa: PLR0917 - as it is called in the hot path
        self,
        script: Script,
        keys: Iterable[TEncodable] | None,
        args: Iterable[TEncodable] | None,
        timeout: float | None,
        route: tuple[object, ...] | None = None,
        kill: bool = False,
        once: bool | TEncodable | None = None,
        once_ttl: float | None = None,
    ) -> AnyPending: ...

    def command(
        self,
        words: Sequence[TEncodable],
        timeout: float | None,
        *,
        read_only: bool = False,
        code: bytes | None = None,
        library: Library | None = None,
        keys: tuple[int, int] | None = None,
        step: int | None = None,
        route: tuple[object, ...] | None = None,
        gather: str | None = None,
    ) -> AnyPending: ...

    def exec(
        self,
        batch: Batch,
        timeout: float | None,
        *,
        route: tuple[object, ...] | None = None,
        retry_connection_error: bool = False,
        watch: int | None = None,
    ) -> AnyPending: ...

    def watch(
        self, watch: int, keys: Iterable[TEncodable], timeout: float | None
    ) -> AnyPending: ...
    def unwatch(self, watch: int, timeout: float | None) -> AnyPending: ...
    def release(self, watch: int) -> None: ...
    def refresh(self) -> None: ...
    def update_password(self, password: str | None, authenticate: bool) -> AnyPending: ...
    def stats(self) -> dict[str, Any]: ...
    def close(self, text: str | None = None) -> AnyPending | None: ...
    def abandon(self) -> None: ...

    @property
    def is_closed(self) -> bool: ...
