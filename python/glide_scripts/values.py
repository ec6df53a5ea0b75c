"""The types of replies and arguments, and the constant ``OK``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar, Union

from .errors import RequestError
from .public import show_as_public


class _Ok(bytes):
    """The type of ``OK``, which is its only instance."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other == "OK"
        return bytes.__eq__(self, other)

    # bytes has its own __ne__, so Python would not derive this one from __eq__.
    def __ne__(self, other: object) -> bool:
        if isinstance(other, str):
            return other != "OK"
        return bytes.__ne__(self, other)

    # CPython hashes an ASCII str and the same bytes alike, so OK is found under both in a dict.
    __hash__ = bytes.__hash__

    def __reduce__(self) -> str:
        return "OK"


OK = _Ok(b"OK")
"""The reply of a command that succeeded without other data.

One object, ``b'OK'``, equal to both ``b"OK"`` and ``"OK"``.
"""

TOK: TypeAlias = _Ok
"""The type of ``OK``."""

TEncodable: TypeAlias = str | bytes | bytearray | memoryview
"""The types of keys and arguments; a str is sent as UTF-8."""

TResult: TypeAlias = Union[
    _Ok,
    bytes,
    int,
    float,
    bool,
    None,
    "list[TResult]",
    "dict[TResult, TResult]",
    "set[TResult]",
    RequestError,
]
"""The types of replies; a ``RequestError`` occurs only inside a list, map or set."""

T = TypeVar("T")

TClusterResponse: TypeAlias = T | dict[bytes, T]
"""One node's reply; with a route to several nodes, a dict of their replies by ``b"host:port"``."""

TFunctionListResponse: TypeAlias = list[dict[bytes, Any]]
"""The libraries of a server, as ``function_list`` returns them."""

TFunctionStatsSingleNodeResponse: TypeAlias = dict[bytes, Any]
"""What a server runs, and its engines; ``function_stats`` in a cluster, with a route to a node."""

TFunctionStatsFullResponse: TypeAlias = dict[bytes, TFunctionStatsSingleNodeResponse]
"""What ``function_stats`` returns for several servers, by their ``b"host:port"``."""

Packed: TypeAlias = tuple[Sequence[TEncodable], Sequence[TEncodable]]
"""Keys and arguments, as they are sent."""

Call: TypeAlias = tuple[Iterable[TEncodable] | None, Iterable[TEncodable] | None]
"""Keys and arguments of one of many calls."""

Progress: TypeAlias = Callable[[int], object]
"""A callback for the number of finished calls."""

Ids: TypeAlias = bool | TEncodable | Callable[[Any, Any], bool | TEncodable | None]
"""What gives each of many calls its id of ``once``."""


show_as_public(globals())
