"""GLIDE's order of settings, for programs that pass them by position."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..arguments import with_clear_errors

C = TypeVar("C", bound=type)


def by_position(*names: str) -> Callable[[C], C]:
    """Let a configuration take settings by position, too.

    Its own fields are keyword-only after the first few: what GLIDE has in between differs between
    its configurations, and there are settings that GLIDE does not have.

    Args:
        names: The settings in GLIDE's order.
    """

    def decorate(configuration: C) -> C:
        make: Callable[..., None] = vars(configuration)["__init__"]

        @functools.wraps(make)
        def by_name(self: Any, *args: Any, **settings: Any) -> None:
            if len(args) > len(names):
                raise TypeError("there are more arguments by position than GLIDE has")
            make(self, **dict(zip(names, args, strict=False)), **settings)

        made: Any = by_name
        made.__signature__ = _reordered(inspect.signature(make), names)
        setattr(configuration, "__init__", by_name)  # noqa: B010 - mypy knows of no such assignment
        return clear(configuration)

    clear = with_clear_errors()
    return decorate


def _reordered(signature: inspect.Signature, names: tuple[str, ...]) -> inspect.Signature:
    itself, *parameters = signature.parameters.values()
    first = [
        signature.parameters[name].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for name in names
    ]
    rest = [each for each in parameters if each.name not in names]
    return signature.replace(parameters=[itself, *first, *rest])
