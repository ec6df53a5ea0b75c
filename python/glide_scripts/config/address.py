"""Addresses in their usual forms: ``name:6379``, ``10.0.0.1:6379``, ``[::1]:6379``, and paths."""

from __future__ import annotations

import re
import sys

MAX_PORT = 65535
MAX_UNIX_PATH = 107


def split_host_port(text: str) -> tuple[str, int | None]:
    """Split ``host:port``.

    Args:
        text: A host, or ``host:port``; an IPv6 address with a port needs brackets.

    Returns:
        The host as returned by ``clean_host``, and the port or None.

    Raises:
        ValueError: The text is wrong. The error does not repeat it, because it may contain a
            password.
    """
    if _is_ipv6(text):
        return text, None
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or colon not in ("", ":"):
            raise ValueError("an IPv6 address with a port is written as [::1]:6379")
        host += bracket
    else:
        host, colon, port = text.partition(":")
    return clean_host(host), _parse_port(port) if colon else None


def clean_host(host: str) -> str:
    """Check a host: a name, an IPv4 address, or an IPv6 address.

    Returns:
        The host; an IPv6 address without brackets.

    Raises:
        ValueError: The host is wrong. The error does not repeat it, because it may contain a
            password.
    """
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise ValueError("the text in brackets is not an IPv6 address")
    if not host:
        raise ValueError("the host is empty")
    if not host.isprintable() or " " in host:
        raise ValueError("the host contains a space or a control character")
    if not _is_ipv6(host):
        for character in "/@[]?#,%:":
            if character in host:
                raise ValueError(
                    f"the host contains {character!r}, which is not allowed in host names"
                )
    return host


def check_unix_path(path: str) -> None:
    """Checks the path of a Unix socket.

    Raises:
        ValueError: What is wrong.
    """
    if sys.platform == "win32":
        raise ValueError("Windows has no Unix sockets; pass a host and a port")
    if not path:
        raise ValueError("it is empty; pass the path of the server's socket file")
    if "\0" in path:
        raise ValueError("it contains a zero character")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    if length > MAX_UNIX_PATH:
        raise ValueError(
            f"it is {length} bytes long, and systems take at most {MAX_UNIX_PATH}; pass a shorter "
            "one, such as that of a symbolic link"
        )


def _parse_port(port: str) -> int:
    # int() takes more than a port may be: signs, spaces, underscores and other scripts' digits.
    if port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= MAX_PORT:
        return int(port)
    raise ValueError(f"the port is not a number from 1 to {MAX_PORT}")


def _is_ipv6(host: str) -> bool:
    if ":" not in host:
        return False
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415 - saves time at import

    address, percent, zone = host.partition("%")
    try:
        IPv6Address(address)
    except AddressValueError:
        return False
    return not percent or re.fullmatch(r"[\w.-]+", zone) is not None
