"""The logs of the servers that this process has started, read as they grow."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from .insertion import LOGGED, MARK

# The line of a probe in a log, with what the server puts before it.
_LINE = re.compile(rf"^.*{MARK} \w+ \d+\r?\n", re.MULTILINE)

Found = Callable[[str, int], None]
"""Takes the id of a text, and the number of a probe that ran."""

_read_up_to: dict[Path, int] = {}
_listeners: list[Found] = []


def add(log: Path) -> None:
    """Read a log from now on."""
    _read_up_to.setdefault(log, 0)


def remove(log: Path) -> None:
    """Read a log for the last time."""
    if log in _read_up_to:
        _read(log)
        del _read_up_to[log]


def forget(log: Path) -> None:
    """Leave a log to the process that this one was forked from."""
    _read_up_to.pop(log, None)


def listen(found: Found) -> None:
    """Call a function with what the logs say from now on."""
    _listeners.append(found)


def unlisten(found: Found) -> None:
    """Call it no more; first with what the logs say up to now."""
    read()
    _listeners.remove(found)


def read() -> None:
    """Read what the logs say since the last time."""
    for log in list(_read_up_to):
        _read(log)


def without_probes(text: str) -> str:
    """Return a log without the lines of probes."""
    return _LINE.sub("", text) if MARK in text else text


def _read(log: Path) -> None:
    if not _listeners:
        return
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(_read_up_to[log])
        data = file.read()
        # The last line may be half written.
        data = data[: data.rfind(b"\n") + 1]
        _read_up_to[log] += len(data)
        for found in LOGGED.finditer(data):
            for each in _listeners:
                each(found[1].decode(), int(found[2]))
