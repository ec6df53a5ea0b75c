# Written by `glide-scripts stubs`; write it anew when a script's declarations change.
from collections.abc import Coroutine
from typing import Any

from glide_scripts import GlideClient, GlideClusterClient, Key, TypedScript
from glide_scripts._library import TypedLibrary
from glide_scripts._typed import B

class _Library_rate_limit(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: GlideClient | GlideClusterClient,
        /,
        user: Key,
        limit: int,
        window: int,
    ) -> Coroutine[Any, Any, bool]: ...
    def add_to(
        __self,
        __batch: B,
        /,
        user: Key,
        limit: int,
        window: int,
    ) -> B: ...

class _Library_stock_lib_count(TypedScript[..., Any]):
    def __call__(
        __self,
        __client: GlideClient | GlideClusterClient,
        /,
        keys: list[str] | list[bytes] | tuple[Key, ...] = ...,
        args: list[str] | list[bytes] | tuple[str | bytes, ...] = ...,
    ) -> Coroutine[Any, Any, Any]: ...
    def add_to(
        __self,
        __batch: B,
        /,
        keys: list[str] | list[bytes] | tuple[Key, ...] = ...,
        args: list[str] | list[bytes] | tuple[str | bytes, ...] = ...,
    ) -> B: ...

class _Library_stock_lib(TypedLibrary):
    count: _Library_stock_lib_count

class _Library_stock_take(TypedScript[..., int]):
    def __call__(
        __self,
        __client: GlideClient | GlideClusterClient,
        /,
        sku: Key,
        count: int,
        token: str,
    ) -> Coroutine[Any, Any, int]: ...
    def add_to(
        __self,
        __batch: B,
        /,
        sku: Key,
        count: int,
        token: str,
    ) -> B: ...

class _Library_stock(TypedLibrary):
    lib: _Library_stock_lib
    take: _Library_stock_take

class Library(TypedLibrary):
    rate_limit: _Library_rate_limit
    stock: _Library_stock
