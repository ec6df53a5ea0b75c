"""Public classes appear as ``glide_scripts.…`` in tracebacks and pickles."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any


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
