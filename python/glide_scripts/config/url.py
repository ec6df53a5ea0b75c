"""URLs of servers: ``valkey://user:password@host:6379/0?protocol=2``, ``unix:///path.sock``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..checks import wrong_type
from ..errors import ConfigurationError
from .address import check_unix_path, split_host_port
from .cluster import GlideClusterClientConfiguration
from .node_address import NodeAddress, ServerAddress, UnixSocketAddress
from .secrets import ServerCredentials
from .sentinel import SentinelConfiguration
from .settings import GlideClientConfiguration
from .url_settings import Settings, decoded, read_query, refuse, whole_number

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379

_TLS_BY_SCHEME = {"valkey": False, "redis": False, "valkeys": True, "rediss": True}
_BY_SENTINELS = "+sentinel"
_UNIX_SCHEMES = ("unix", "valkey+unix", "redis+unix", "valkey+socket", "redis+socket")


def parse_url(url: str, *, cluster: bool) -> dict[str, Any]:
    """Parse a URL into the arguments of a configuration.

    The form is ``scheme://[[user]:password@]host[:port][,host[:port]…][/database][?setting=value]``.
    The scheme is ``valkey`` or ``redis``, or over TLS ``valkeys`` or ``rediss``. An IPv6 address
    needs brackets; the default port is 6379. ``unix://[[user]:password@]/path`` is a Unix socket;
    so are ``valkey+unix``, ``redis+unix``, ``valkey+socket`` and ``redis+socket``. `read_query`
    knows the settings. Reserved characters in the user, the password, a path and the values must be
    percent-encoded.

    ``scheme+sentinel://…/service[/database]`` names Sentinels, on port 26379 if there is none. The
    user and the password are for the service's servers. TLS is for servers and Sentinels.

    Args:
        url: The URL.
        cluster: Whether it is for a cluster, so that errors show such a URL.

    Returns:
        The arguments for ``configuration_of``: always ``addresses`` and ``use_tls``, and others if
        the URL has them.

    Raises:
        ConfigurationError: The URL is wrong. The text never shows the user, the password, or
            anything that may be part of them.
    """
    try:
        if not isinstance(url, str):
            why = str(wrong_type("url", url, "str"))
        else:
            return _parse(url, cluster)
    except ValueError as error:
        why = f"url: {error}; write it like {_example(url.partition('://')[0].lower(), cluster)}"
    except ConfigurationError as error:
        why = str(error)
    # Tracebacks may show local variables: those of this frame, and of the error's own frames.
    del url
    raise ConfigurationError(why)


def _example(scheme: str, cluster: bool) -> str:
    if scheme in _UNIX_SCHEMES:
        return "unix:///path/to/server.sock?db=0"
    if cluster:
        return "valkey://user:password@host1:6379,host2:6379"
    if scheme.endswith(_BY_SENTINELS):
        return "valkey+sentinel://user:password@host1:26379,host2:26379/service/0"
    return "valkey://user:password@host:6379/0"


def configuration_of(
    settings: Mapping[str, Any], *, cluster: bool
) -> GlideClientConfiguration | GlideClusterClientConfiguration:
    """Return the configuration for what a URL has, and for further settings.

    Raises:
        ConfigurationError: A value is wrong or conflicts with another.
    """
    if cluster:
        return GlideClusterClientConfiguration(**settings)
    kind = SentinelConfiguration if "service_name" in settings else GlideClientConfiguration
    return kind(**settings)


def _parse(url: str, cluster: bool) -> dict[str, Any]:
    if " " in url or not url.isprintable():
        refuse("it contains a space or a control character")
    scheme, separator, rest = url.partition("://")
    if not separator:
        refuse("it has no scheme, which ends in '://'")
    # RFC 3986: case does not matter in a scheme.
    scheme = scheme.lower()
    by_sentinels, is_unix = scheme.endswith(_BY_SENTINELS), scheme in _UNIX_SCHEMES
    plain_scheme = scheme.removesuffix(_BY_SENTINELS)
    if not is_unix and plain_scheme not in _TLS_BY_SCHEME:
        of_sentinels = (f"{plain}{_BY_SENTINELS}" for plain in _TLS_BY_SCHEME)
        schemes = ", ".join((*_TLS_BY_SCHEME, *_UNIX_SCHEMES, *of_sentinels))
        refuse(f"the scheme is not one of {schemes}")
    if by_sentinels and cluster:
        refuse("it names Sentinels, and a cluster has none: name nodes of the cluster")
    authority, path, query = _split(rest)
    userinfo, at, hosts = authority.rpartition("@")
    use_tls = not is_unix and _TLS_BY_SCHEME[plain_scheme]
    settings = Settings(cluster=cluster, use_tls=use_tls, by_sentinels=by_sentinels)
    default_port = DEFAULT_SENTINEL_PORT if by_sentinels else DEFAULT_PORT
    addresses = _unix_address(hosts, path) if is_unix else _addresses(hosts, default_port)
    if at:
        settings.put("the user", "credentials", _credentials(userinfo))
    database = "" if is_unix else path.removeprefix("/")
    if by_sentinels:
        service, _, database = database.partition("/")
        if not service:
            refuse("it lacks the name of the service, which follows the hosts after '/'")
        settings.put("the service", "service_name", decoded("the service", service))
    if database:
        settings.put("the database", "database_id", whole_number("the database", database))
    read_query(query, settings)
    return {"addresses": addresses, "use_tls": use_tls, **settings.arguments()}


def _split(rest: str) -> tuple[str, str, str]:
    """Return the authority, the path with its slash, and the query without its question mark."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    tail = rest.removeprefix(authority)
    # Probably a password with such a character: the rest must not be shown.
    if authority.count("@") > 1 or "@" in tail:
        refuse(
            "it contains '@' where it must be %40; "
            "in the user and the password, write '/' as %2F, '?' as %3F and '#' as %23 too"
        )
    if "#" in tail:
        refuse("it contains '#', which has no meaning here")
    path, _, query = tail.partition("?")
    return authority, path, query


def _addresses(hosts: str, default_port: int) -> list[ServerAddress]:
    addresses: list[ServerAddress] = []
    for position, text in enumerate(hosts.split(","), start=1):
        try:
            if text.count(":") > 1 and not text.startswith("["):
                refuse("an IPv6 address needs brackets, as in [::1]:6379")
            # RFC 6874 has the percent sign before a zone encoded.
            is_in_brackets = text.startswith("[")
            host, port = split_host_port(text.replace("%25", "%", 1) if is_in_brackets else text)
        except ValueError as error:
            refuse(f"in host {position}, {error}")
        addresses.append(NodeAddress(host, default_port if port is None else port))
    return addresses


def _unix_address(hosts: str, path: str) -> list[ServerAddress]:
    if hosts or not path:
        refuse("the path of a Unix socket does not begin with '/'")
    if path == "/":
        refuse("it has no path of a Unix socket")
    socket = decoded("the path", path)
    try:
        check_unix_path(socket)
    except ValueError as error:
        refuse(f"in the path, {error}")
    return [UnixSocketAddress(socket)]


def _credentials(userinfo: str) -> ServerCredentials:
    user, _, password = userinfo.partition(":")
    if not user and not password:
        refuse("it has no user and no password before '@'")
    return ServerCredentials(
        decoded("the password", password) or None, decoded("the user", user) or None
    )
