"""Public names: which module tracebacks and pickles show, and which are imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from .importing import import_now


def show_as_public(module: dict[str, Any], of: str | None = None) -> None:
    """Set the package's name as the module of a module's public names.

    Args:
        module: The module's ``globals()``, at its end.
        of: The public module that has it, such as ``"sync"``; None means the package itself.
    """
    package = sys.modules[__name__.rpartition(".")[0]]
    for name in package.__all__:
        value = module.get(name)
        if isinstance(value, (type, FunctionType)) and value.__module__ == module["__name__"]:
            value.__module__ = f"{package.__name__}.{of}" if of else package.__name__


def later(
    module: dict[str, Any], places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a module's ``__getattr__`` and ``__dir__``, for names that are imported on first use.

    Args:
        module: The module's ``globals()``.
        places: By name, the module that has it, such as ``"client.cluster"``; ``""`` means the
            package itself.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - saves time at import

        package = __name__.rpartition(".")[0]
        path = f"{package}.{places[name]}" if places[name] else package
        value = module[name] = import_now(lambda: getattr(import_module(path), name))
        return value

    return get, lambda: sorted({*module, *module["__all__"]})
