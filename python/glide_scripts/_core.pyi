import asyncio
import os
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, Self, final

from typing_extensions import disjoint_base

from ._reply import TEncodable
from ._typed import TypedScript

__all__ = [
    "Batch",
    "Bridge",
    "Client",
    "Library",
    "PasswordAnswer",
    "Script",
    "TlsSetup",
    "__version__",
    "drain_running_loop",
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
    def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None,
        args: Iterable[TEncodable] | None,
        route: tuple[object, ...] | None = None,
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
    @property
    def is_atomic(self) -> bool: ...
    def names(self) -> list[str]: ...
    def __len__(self) -> int: ...

@final
class Client:
    @staticmethod
    def open(settings: Mapping[str, object]) -> tuple[Client, asyncio.Future[Any], int]: ...
    def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None,
        args: Iterable[TEncodable] | None,
        timeout: float | None,
        route: tuple[object, ...] | None = None,
        kill: bool = False,
    ) -> tuple[asyncio.Future[Any], int]: ...
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
    ) -> tuple[asyncio.Future[Any], int]: ...
    def exec(
        self,
        batch: Batch,
        timeout: float | None,
        *,
        route: tuple[object, ...] | None = None,
        retry_connection_error: bool = False,
        watch: int | None = None,
    ) -> tuple[asyncio.Future[Any], int]: ...
    def watch(
        self, watch: int, keys: Iterable[TEncodable], timeout: float | None
    ) -> tuple[asyncio.Future[Any], int]: ...
    def unwatch(self, watch: int, timeout: float | None) -> tuple[asyncio.Future[Any], int]: ...
    def release(self, watch: int) -> None: ...
    def update_password(
        self, password: str | None, authenticate: bool
    ) -> tuple[asyncio.Future[Any], int]: ...
    def facts(self, ticket: int) -> tuple[tuple[str, int] | None, bool, int] | None: ...
    def stats(self) -> dict[str, Any]: ...
    def cancel(self, ticket: int) -> None: ...
    def close(self) -> tuple[asyncio.Future[Any], int] | None: ...
    def abandon(self) -> None: ...
    @property
    def is_closed(self) -> bool: ...

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
    def drain(self) -> None: ...
    def watch(self) -> None: ...

def drain_running_loop() -> None: ...
def stop_io_thread() -> None: ...
