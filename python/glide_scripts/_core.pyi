import asyncio
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextvars import Context
from types import ModuleType
from typing import Any, Self, final

from typing_extensions import disjoint_base

from .scripts.typed import TypedScript
from .values import TEncodable

__all__ = [
    "Batch",
    "Bridge",
    "Client",
    "Library",
    "PasswordAnswer",
    "Pending",
    "Script",
    "TlsSetup",
    "__version__",
    "stop_io_thread",
]

__version__: str

@disjoint_base
class Script:
    def __new__(
        cls,
        code: str | bytes,
        *,
        name: str | None = None,
        read_only: bool | None = None,
        idempotent: bool = False,
        once: bool | tuple[str, int] | None = None,
        once_ttl: float | None = None,
    ) -> Self: ...
    @staticmethod
    def from_file(
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> TypedScript[..., Any]: ...
    @staticmethod
    def from_resource(
        package: str | ModuleType, resource: str, *, name: str | None = None
    ) -> TypedScript[..., Any]: ...
    def get_hash(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def code(self) -> bytes: ...
    @property
    def name(self) -> str | None: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def idempotent(self) -> bool: ...
    @property
    def once(self) -> bool | tuple[str, int]: ...
    @property
    def once_ttl(self) -> float | None: ...
    def __del__(self) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Library:
    def __new__(cls, code: bytes) -> Self: ...

@final
class Batch:
    def __new__(cls, *, atomic: bool, cluster: bool) -> Self: ...
    @property
    def is_atomic(self) -> bool: ...
    def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None,
        args: Iterable[TEncodable] | None,
        route: tuple[object, ...] | None = None,
        once: bool | TEncodable | None = None,
        once_ttl: float | None = None,
    ) -> int: ...
    def command(
        self,
        words: Iterable[TEncodable],
        *,
        read_only: bool = False,
        code: bytes | None = None,
        library: Library | None = None,
        admin: bool = False,
        keys: tuple[int, int] | None = None,
        step: int | None = None,
        route: tuple[object, ...] | None = None,
        gather: str | None = None,
    ) -> int: ...
    def clear(self) -> None: ...
    def copy(self) -> Batch: ...
    def names(self) -> list[str]: ...
    def __len__(self) -> int: ...

@final
class Client:
    @staticmethod
    def open(settings: Mapping[str, object]) -> tuple[Client, Pending]: ...
    def invoke_script(
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
        words: Iterable[TEncodable],
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
    def abandon(self) -> None: ...
    @property
    def is_closed(self) -> bool: ...

@final
class Pending:
    _asyncio_future_blocking: bool
    def __await__(self) -> Generator[Any, None, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def add_done_callback(
        self, callback: Callable[[Pending], object], /, *, context: Context | None = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[[Pending], object]) -> int: ...
    def cancel(self, msg: object = None) -> bool: ...
    def cancelled(self) -> bool: ...
    def done(self) -> bool: ...
    def result(self) -> Any: ...
    def exception(self) -> BaseException | None: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def facts(self) -> tuple[tuple[str, int] | None, bool, int, bool] | None: ...

@final
class TlsSetup:
    def __new__(
        cls,
        *,
        ca: bytes | None,
        cert: bytes | None,
        key: bytes | None,
        server_name: str | None,
        insecure: bool,
    ) -> Self: ...

@final
class PasswordAnswer:
    def give(self, password: str) -> None: ...
    def fail(self, reason: str) -> None: ...

@final
class Bridge:
    def on_readable(self) -> None: ...
    def poll(self) -> None: ...
    def resolve(self) -> None: ...
    def wake_io_thread(self) -> None: ...

def stop_io_thread() -> None: ...
