"""Clients that connect with their first call, and in a child process with their first one there."""

from __future__ import annotations

import threading
import weakref
from typing import Any, Protocol

from .._core import Client as CompiledCore
from ..errors import ClosingError
from ..forks import Forked
from .core import Core


class Reopened(Forked, Protocol):
    """A client that connects with its first call."""

    _core: Core

    def _made_core(self) -> CompiledCore:
        """Return a new core."""
        raise NotImplementedError

    def _with_observer(self, core: CompiledCore) -> Core:
        """Return what calls the client's observer, if it has one, for each call of the core."""
        raise NotImplementedError


class UnopenedCore:
    """The core of such a client until its first call.

    It is made late for two reasons: some programs that fork, such as uWSGI, do not tell Python, so
    a core that exists could not be replaced; and many processes use none of their parent's clients.
    """

    is_closed = False

    def __init__(self, client: Reopened) -> None:
        self._client = weakref.ref(client)
        self._made: CompiledCore | None = None
        # Reentrant, since an observer that gets the client may call it at once.
        self._lock = threading.RLock()

    def release(self, watch: int) -> None:
        """There is no watch yet: that connection is the parent's."""

    def _opened(self) -> Core:
        client = self._client()
        if client is None:
            raise ClosingError("the client was deleted before its first call")
        with self._lock:
            if self._made is None:
                self._made = client._made_core()
                client._core = client._with_observer(self._made)
        core = client._core
        return self._made if core is self else core

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened(), name)


def open_core(core: Core) -> None:
    """Make the core of such a client now."""
    if isinstance(core, UnopenedCore):
        core._opened()
