"""Public classes say ``glide_scripts`` in tracebacks and pickles, wherever they are defined."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any


def show_as_public(module: dict[str, Any]) -> None:
    """Give what a module defines of ``glide_scripts.__all__`` the package's name.

    Args:
        module: The module's ``globals()``, at its end.
    """
    package = sys.modules[__name__.rpartition(".")[0]]
    for name in package.__all__:
        value = module.get(name)
        if isinstance(value, (type, FunctionType)) and value.__module__ == module["__name__"]:
            value.__module__ = package.__name__
