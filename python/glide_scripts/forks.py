"""Objects that forget what is their parent's, in the child of a fork."""

from __future__ import annotations

import os
import sys
import weakref
from typing import Protocol


class Forked(Protocol):
    """What has connections, threads or locks, which a child process does not share."""

    def _forked(self) -> None:
        """Forget them: this is a child process."""


_known: weakref.WeakSet[Forked] = weakref.WeakSet()


def notify_of_forks(each: Forked) -> None:
    """Have ``_forked`` called in each child process of which Python is told, until it is gone."""
    _known.add(each)


def stop_notifying(each: Forked) -> None:
    """Leave an object as it is in child processes."""
    _known.discard(each)


def _in_child() -> None:
    for each in list(_known):
        each._forked()


if sys.platform != "win32":  # has no forks
    os.register_at_fork(after_in_child=_in_child)
