"""The core as a client uses it: the compiled one, or one that tells an observer of each call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .._core import Batch, Library, Pending, Script
    from ..values import TEncodable


class Core(Protocol):
    """What a client asks of its core; ``_core.Client`` says what each does."""

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
    ) -> Pending: ...

    def command(
        self,
        words: Sequence[TEncodable],
        timeout: float | None,
        *,
        read_only: bool = False,
        code: bytes | None = None,
        library: Library | None = None,
        admin: bool = False,
        keys: tuple[int, int] | None = None,
        step: int | None = None,
        route: tuple[object, ...] | None = None,
        gather: str | None = None,
    ) -> Pending: ...

    def exec(
        self,
        batch: Batch,
        timeout: float | None,
        *,
        route: tuple[object, ...] | None = None,
        retry_connection_error: bool = False,
        watch: int | None = None,
    ) -> Pending: ...

    def watch(self, watch: int, keys: Iterable[TEncodable], timeout: float | None) -> Pending: ...
    def unwatch(self, watch: int, timeout: float | None) -> Pending: ...
    def release(self, watch: int) -> None: ...
    def update_password(self, password: str | None, authenticate: bool) -> Pending: ...
    def stats(self) -> dict[str, Any]: ...
    def close(self) -> Pending | None: ...

    @property
    def is_closed(self) -> bool: ...
