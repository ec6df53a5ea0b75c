"""The addresses of servers, as settings."""

from dataclasses import dataclass
from os import PathLike, fspath
from typing import TypeAlias

from ..arguments import with_clear_errors
from ..checks import of_type, within, wrong_type
from ..public import show_as_public
from ..records import Record
from .address import MAX_PORT, check_unix_path, clean_host
from .configuration_errors import configuration_errors


@with_clear_errors()
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class NodeAddress(Record):
    """The address of a server.

    Args:
        host: A name, an IPv4 address, or an IPv6 address, with or without brackets.
        port: The port, from 1 to 65535.

    Raises:
        ConfigurationError: A value has a wrong type or is out of range.
    """

    host: str = "localhost"
    port: int = 6379

    @configuration_errors()
    def __post_init__(self) -> None:
        of_type("host", self.host, str, "str")
        try:
            host = clean_host(self.host)
        except ValueError as error:
            raise ValueError(
                f"host of NodeAddress: {error}; pass a host name or an IP address alone"
            ) from None
        object.__setattr__(self, "host", host)
        within("port", self.port, 1, MAX_PORT)


@with_clear_errors()
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class UnixSocketAddress(Record):
    """The socket file of a server on the same machine. Use it wherever a ``NodeAddress`` fits.

    Args:
        path: The file's path, at most 107 bytes long; the server's setting ``unixsocket``.

    Raises:
        ConfigurationError: It is not such a path.
    """

    path: str | PathLike[str]

    @configuration_errors()
    def __post_init__(self) -> None:
        path = fspath(self.path) if isinstance(self.path, PathLike) else self.path
        if not isinstance(path, str):
            raise wrong_type("path of UnixSocketAddress", path, "a str or a Path")
        try:
            check_unix_path(path)
        except ValueError as error:
            raise ValueError(f"path of UnixSocketAddress: {error}") from None
        object.__setattr__(self, "path", path)


ServerAddress: TypeAlias = NodeAddress | UnixSocketAddress
"""Where a server is reached."""


show_as_public(globals())
