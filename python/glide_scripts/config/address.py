"""Addresses as people write them: ``name:6379``, ``10.0.0.1:6379``, ``[::1]:6379``, and paths."""

from __future__ import annotations

import re

MAX_PORT = 65535
MAX_UNIX_PATH = 107


def split_host_port(text: str) -> tuple[str, int | None]:
    """Takes ``host:port`` apart.

    Args:
        text: A host, or a host and a port with ``:`` between; an IPv6 address in brackets, if a
            port follows.

    Returns:
        The host, as ``clean_host`` gives it, and the port, or None where there is none.

    Raises:
        ValueError: What is wrong. It does not repeat the text, which may hold a password.
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
    """Checks a host alone: a name, an IPv4 address, or an IPv6 address.

    Returns:
        The host, an IPv6 address without brackets.

    Raises:
        ValueError: What is wrong. It does not repeat the host, which may hold a password.
    """
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise ValueError("what stands in brackets is not an IPv6 address")
    if not host:
        raise ValueError("the host is empty")
    if not host.isprintable() or " " in host:
        raise ValueError("the host holds a space or a control character")
    if not _is_ipv6(host):
        for character in "/@[]?#,%:":
            if character in host:
                raise ValueError(f"the host holds {character!r}, which no host name has")
    return host


def check_unix_path(path: str) -> None:
    """Checks the path of a Unix socket.

    Raises:
        ValueError: What is wrong.
    """
    if not path:
        raise ValueError("it is empty; pass the path of the server's socket file")
    if "\0" in path:
        raise ValueError("it holds a zero character")
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
