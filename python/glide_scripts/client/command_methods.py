"""Names, docstrings and signatures for methods that are made from commands."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def describe(method: Any, build: Callable[..., Any], owner: str, returns: object) -> None:
    """Give a method the name, docstring and signature of its command.

    Args:
        method: The method.
        build: What makes the command.
        owner: The name of the class whose method it is.
        returns: The annotation of what the method returns.
    """
    module = method.__module__
    functools.update_wrapper(method, build)
    method.__module__, method.__qualname__ = module, f"{owner}.{build.__name__}"
    method.__annotations__ = build.__annotations__ | {"return": returns}
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(
        parameters=[itself, *signature.parameters.values()], return_annotation=returns
    )
