"""Clients that connect with their first call: in a child process, they do so again."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Protocol

from .core import Core


class Reopened(Protocol):
    """A client that connects with its first call."""

    _core: Core

    def _forked(self) -> None:
        """In a child process: forget the parent's core, and have one made by the first call."""

    def _reopen(self) -> None:
        """Make a core for this process."""


_clients: weakref.WeakSet[Reopened] = weakref.WeakSet()


def reopen_in_child(client: Reopened) -> None:
    """Have a client connect again in a child process, if it is used there."""
    _clients.add(client)


def stay_closed(client: Reopened) -> None:
    """Leave a client closed, in a child process, too."""
    _clients.discard(client)


class UnopenedCore:
    """The core of a client in a child process until it is used there: many children use none."""

    is_closed = False

    def __init__(self, client: Reopened) -> None:
        self._client = weakref.ref(client)
        self._lock = threading.Lock()

    def release(self, watch: int) -> None:
        """The connection of that watch is the parent's."""

    def __getattr__(self, name: str) -> Any:
        client = self._client()
        if client is None:
            raise AttributeError(name)
        with self._lock:
            if client._core is self:
                client._reopen()
        return getattr(client._core, name)


def _in_child() -> None:
    for client in list(_clients):
        client._forked()


os.register_at_fork(after_in_child=_in_child)
