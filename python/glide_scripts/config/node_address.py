"""The addresses of servers, as settings."""

from os import PathLike, fspath
from typing import TypeAlias

from ..checks import of_type, within, wrong_type
from ..public import show_as_public
from ..records import Record, record
from .address import MAX_PORT, check_unix_path, clean_host
from .configuration_errors import configuration_errors


@record(frozen=True, slots=True)
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


@record(frozen=True, slots=True)
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
