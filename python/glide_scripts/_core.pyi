import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Self, final

from typing_extensions import disjoint_base

from ._reply import TEncodable

__all__ = [
    "Bridge",
    "Client",
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
    ) -> tuple[asyncio.Future[Any], int]: ...
    def command(
        self,
        words: Iterable[TEncodable],
        timeout: float | None,
        *,
        read_only: bool = False,
        code: bytes | None = None,
        admin: bool = False,
        keys: tuple[int, int] | None = None,
        step: int | None = None,
        route: tuple[object, ...] | None = None,
        gather: str | None = None,
    ) -> tuple[asyncio.Future[Any], int]: ...
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
class Bridge:
    def drain(self) -> None: ...
    def watch(self) -> None: ...

def drain_running_loop() -> None: ...
def stop_io_thread() -> None: ...
