"""The server's reply to what a method returns, the same from RESP2 and from RESP3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def to_bool(reply: int) -> bool:
    """0 or 1."""
    return bool(reply)


def to_bools(reply: Iterable[int]) -> list[bool]:
    """A list of 0 and 1."""
    return [bool(item) for item in reply]


def to_float(reply: bytes | float) -> float:
    """A number, which some commands send as text and RESP2 always does."""
    return float(reply)


def to_optional_float(reply: bytes | float | None) -> float | None:
    """A double, which RESP2 sends as text."""
    return None if reply is None else float(reply)


def to_optional_floats(reply: Iterable[bytes | float | None]) -> list[float | None]:
    """A list of doubles, which RESP2 sends as text, and of None."""
    return [to_optional_float(item) for item in reply]


def to_scores(reply: list[Any]) -> dict[bytes, float]:
    """Members with scores: pairs, or a flat list, as RESP2 sends them."""
    is_flat = not reply or not isinstance(reply[0], list)
    pairs = zip(reply[::2], reply[1::2], strict=True) if is_flat else reply
    return {member: float(score) for member, score in pairs}


def to_dict(reply: Mapping[Any, Any] | list[Any]) -> dict[bytes, bytes]:
    """A map, which RESP2 sends as a flat list: key, value, key, value."""
    if isinstance(reply, Mapping):
        return dict(reply)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def to_set(reply: Iterable[bytes]) -> set[bytes]:
    """A set, which RESP2 sends as a list."""
    return set(reply)


def to_str(reply: bytes) -> str:
    """Text in ASCII, such as a SHA1."""
    return reply.decode("ascii")


def to_libraries(reply: Iterable[Mapping[Any, Any] | list[Any]]) -> list[dict[bytes, Any]]:
    """A list of maps, each with a list of maps of functions, whose flags are a set."""
    libraries = []
    for each in reply:
        library: dict[bytes, Any] = to_dict(each)
        functions: list[dict[bytes, Any]] = [to_dict(each) for each in library[b"functions"]]
        for function in functions:
            function[b"flags"] = to_set(function[b"flags"])
        library[b"functions"] = functions
        libraries.append(library)
    return libraries


def to_function_stats(reply: Mapping[Any, Any] | list[Any]) -> dict[bytes, Any]:
    """A map: what runs, which is a map or None, and a map of maps, one for each engine."""
    stats: dict[bytes, Any] = to_dict(reply)
    if stats[b"running_script"] is not None:
        stats[b"running_script"] = to_dict(stats[b"running_script"])
    engines: dict[bytes, Any] = to_dict(stats[b"engines"])
    stats[b"engines"] = {engine: to_dict(counts) for engine, counts in engines.items()}
    return stats
