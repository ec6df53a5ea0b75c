"""Putting classes in the places of a library's, for libraries that make their own clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import TracebackType

_MODULES = [
    f"{side}{module}"
    for side in ("", ".asyncio")
    for module in ("", ".client", ".cluster", ".sentinel")
]


class Installation:
    """Classes that stand in the places of others, until ``uninstall`` or the end of a ``with``."""

    def __init__(self, package: str, classes: Mapping[type, type]) -> None:
        self._package = package
        self._replaced: list[tuple[object, str, type]] = []
        for name in _MODULES:
            module = import_module(f"{package}{name}")
            for attribute, value in list(vars(module).items()):
                # The library's cluster clients make clients of single nodes, and its Sentinels
                # such of Sentinels. They stay its own.
                subject = name.rpartition(".")[2].capitalize()
                is_inner = subject in {"Cluster", "Sentinel"} and subject not in attribute
                if isinstance(value, type) and value in classes and not is_inner:
                    setattr(module, attribute, classes[value])
                    self._replaced.append((module, attribute, value))

    def uninstall(self) -> None:
        """Put the library's classes back. Clients that were made meanwhile stay as they are."""
        while self._replaced:
            module, attribute, value = self._replaced.pop()
            setattr(module, attribute, value)
        _installed.pop(self._package, None)

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.uninstall()


_installed: dict[str, Installation] = {}


def install(package: str, classes: Callable[[], Mapping[type, type]]) -> Installation:
    """Put classes in the places of a library's, unless they are there.

    Args:
        package: The library, whose modules are changed.
        classes: Returns, for each class of the library, the one that takes its place.
    """
    if package not in _installed:
        _installed[package] = Installation(package, classes())
    return _installed[package]


def uninstall(package: str) -> None:
    """Put a library's classes back, if others are in their places."""
    if package in _installed:
        _installed[package].uninstall()
