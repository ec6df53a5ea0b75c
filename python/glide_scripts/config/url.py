"""URLs of servers: ``valkey://user:password@host:6379/0?protocol=2``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import unquote

from .. import checks
from ..errors import ConfigurationError
from .address import split_host_port
from .configuration_errors import configuration_errors
from .secrets import ServerCredentials
from .settings import NodeAddress, ProtocolVersion

DEFAULT_PORT = 6379

_TLS_BY_SCHEME = {"valkey": False, "redis": False, "valkeys": True, "rediss": True}


def parse_url(url: str, *, cluster: bool) -> dict[str, Any]:
    """Parse a URL into the arguments of a configuration.

    The form is ``scheme://[[user]:password@]host[:port][,host[:port]…][/database][?setting=value]``.
    The scheme is ``valkey`` or ``redis``, or over TLS ``valkeys`` or ``rediss``. An IPv6 address
    needs brackets; the default port is 6379. The settings are ``protocol`` (2 or 3),
    ``client_name``, and ``timeout`` (the request timeout in milliseconds). Reserved characters in
    the user, the password and the values must be percent-encoded.

    Args:
        url: The URL.
        cluster: Whether it is for a cluster, so that errors show such a URL.

    Returns:
        The arguments for ``GlideClientConfiguration`` or ``GlideClusterClientConfiguration``:
        always ``addresses`` and ``use_tls``, and others if the URL has them.

    Raises:
        ConfigurationError: The URL is wrong. The text never shows the user, the password, or
            anything that may be part of them.
    """
    with configuration_errors():
        checks.of_type("url", url, str, "str")
    try:
        return _parse(url)
    except ValueError as error:
        example = "valkey://user:password@host:6379/0"
        if cluster:
            example = "valkey://user:password@host1:6379,host2:6379"
        raise ConfigurationError(f"url: {error}; write it like {example}") from None


def _parse(url: str) -> dict[str, Any]:
    if " " in url or not url.isprintable():
        _refuse("it contains a space or a control character")
    scheme, separator, rest = url.partition("://")
    if not separator:
        _refuse("it has no scheme")
    if scheme not in _TLS_BY_SCHEME:
        _refuse(f"the scheme is not one of {', '.join(_TLS_BY_SCHEME)}")
    authority, path, query = _split(rest)
    userinfo, at, hosts = authority.rpartition("@")
    settings: dict[str, Any] = {"addresses": _addresses(hosts), "use_tls": _TLS_BY_SCHEME[scheme]}
    if at:
        settings["credentials"] = _credentials(userinfo)
    if path:
        settings["database_id"] = _whole_number("the database", path)
    return settings | _query_settings(query)


def _split(rest: str) -> tuple[str, str, str]:
    """Return the authority, the path without its slash, and the query without its question mark."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    tail = rest.removeprefix(authority)
    # Probably a password with such a character: the rest must not be shown.
    if authority.count("@") > 1 or "@" in tail:
        _refuse(
            "it contains '@' where it must be %40; "
            "in the user and the password, write '/' as %2F, '?' as %3F and '#' as %23 too"
        )
    if "#" in tail:
        _refuse("it contains '#', which has no meaning here")
    path, _, query = tail.partition("?")
    return authority, path.removeprefix("/"), query


def _addresses(hosts: str) -> list[NodeAddress]:
    addresses = []
    for position, text in enumerate(hosts.split(","), start=1):
        try:
            if text.count(":") > 1 and not text.startswith("["):
                _refuse("an IPv6 address needs brackets, as in [::1]:6379")
            host, port = split_host_port(text)
        except ValueError as error:
            _refuse(f"in host {position}, {error}")
        addresses.append(NodeAddress(host, DEFAULT_PORT if port is None else port))
    return addresses


def _credentials(userinfo: str) -> ServerCredentials:
    user, colon, password = userinfo.partition(":")
    if not colon or not password:
        _refuse("it has no password before '@'")
    return ServerCredentials(_decoded("the password", password), _decoded("the user", user) or None)


def _query_settings(query: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for parameter in query.split("&") if query else ():
        name, _, value = parameter.partition("=")
        if name not in _PARAMETERS:
            _refuse(f"there is no setting {name!r}, only {', '.join(_PARAMETERS)}")
        setting, read = _PARAMETERS[name]
        if setting in settings:
            _refuse(f"{name} is given twice")
        settings[setting] = read(name, _decoded(name, value))
    return settings


def _protocol(name: str, value: str) -> ProtocolVersion:
    if value not in ("2", "3"):
        _refuse(f"{name} is not 2 or 3")
    return ProtocolVersion(int(value))


def _whole_number(name: str, value: str) -> int:
    # int() takes more than a URL should: signs, spaces, underscores and other scripts' digits.
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        _refuse(f"{name} is not a number")
    return int(value)


def _text(_name: str, value: str) -> str:
    return value


_PARAMETERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "protocol": ("protocol", _protocol),
    "client_name": ("client_name", _text),
    "timeout": ("request_timeout", _whole_number),
}


def _decoded(part: str, text: str) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        _refuse(f"in {part}, a '%' is not followed by two hexadecimal digits; write '%' as %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        _refuse(f"{part} is not UTF-8 when decoded")


def _refuse(problem: str) -> NoReturn:
    raise ValueError(problem)
