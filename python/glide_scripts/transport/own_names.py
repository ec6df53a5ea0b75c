"""The library's own names, in the modules that take the places of its modules."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PACKAGE = __name__.partition(".")[0]


def with_own_names(
    module: dict[str, Any], get: Callable[[str], Any], *packages: str
) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that finds the library's own names, too.

    So programs find ``redis.exceptions``, ``redis.client.PubSub`` and ``redis.CredentialProvider``
    where ``redis`` is a module of this package. Modules of the library have this package's classes.

    Args:
        module: The module's ``globals()``.
        get: Its ``__getattr__`` without them.
        packages: Where to look for them, such as ``"redis.asyncio"`` and ``"redis"``.
    """

    def find(name: str) -> Any:
        try:
            return get(name)
        except AttributeError:
            if name.startswith("_") and name != "__version__":
                raise
            found = _found(name, module, packages)
            if found is None:
                raise
        value = module[name] = _with_classes(found, module, get)
        return value

    return find


def _found(name: str, module: dict[str, Any], packages: tuple[str, ...]) -> Any:
    """Return a module of this package, or else what the library has; None if there is none."""
    if name == "asyncio":
        return import_module(f"{_PACKAGE}.{packages[-1]}")
    if "__path__" in module and find_spec(f"{module['__name__']}.{name}"):
        return import_module(f"{module['__name__']}.{name}")
    for package in packages:
        own = vars(import_module(package))
        if name in own:
            return own[name]
        if "__path__" in own and find_spec(f"{package}.{name}"):
            return import_module(f"{package}.{name}")
    return None


def _with_classes(found: Any, module: dict[str, Any], get: Callable[[str], Any]) -> Any:
    """Return a copy of the library's module with this package's classes, if it has any of them."""
    if not isinstance(found, ModuleType) or found.__name__.startswith(f"{_PACKAGE}."):
        return found
    own = vars(found)
    names = [name for name in module["__all__"] if name in own]
    classes = {name: module[name] if name in module else get(name) for name in names}
    if all(own[name] is each for name, each in classes.items()):
        return found
    copy = ModuleType(found.__name__, found.__doc__)
    vars(copy).update(own | classes)
    return copy
