"""From the library's options for connections to this package's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..config.node_address import NodeAddress, ServerAddress, UnixSocketAddress
from ..config.secrets import ServerCredentials
from ..config.settings import (
    AdvancedGlideClientConfiguration,
    GlideClientConfiguration,
    ProtocolVersion,
    ReadFrom,
)
from ..config.tls import TlsAdvancedConfiguration
from ..errors import ConfigurationError
from .library import Library

_DEFAULT_TIMEOUT = 5
"""In seconds: how long a call without ``socket_timeout`` waits for a connection."""

_UNKNOWN = (
    "cache",
    "cache_config",
    "credential_provider",
    "encoder_class",
    "redis_connect_func",
    "ssl_ca_path",
    "ssl_ciphers",
    "ssl_exclude_verify_flags",
    "ssl_include_verify_flags",
    "ssl_ocsp_context",
    "ssl_ocsp_expected_cert",
    "ssl_password",
    "ssl_validate_ocsp",
    "ssl_validate_ocsp_stapled",
    "valkey_connect_func",
)
"""The options that this package's connections do not have."""

_UP_TO_TLS_1_2 = (-2, 0x300, 0x301, 0x302, 0x303)
"""The values of ``ssl.TLSVersion``, of which this package's connections use 1.2 and 1.3."""


def standalone_settings(
    options: Mapping[str, Any], is_tls: bool, library: Library
) -> dict[str, Any]:
    """Return the settings of the core for a pool's options.

    Raises:
        ConfigurationError: An option cannot be had, or its value is wrong.
    """
    _check(options)
    address: ServerAddress
    if options.get("path"):
        address = UnixSocketAddress(options["path"])
    else:
        address = NodeAddress(options.get("host", "localhost"), int(options.get("port", 6379)))
    config = GlideClientConfiguration(
        [address],
        use_tls=is_tls,
        database_id=int(options.get("db") or 0),
        advanced_config=AdvancedGlideClientConfiguration(**_advanced(options, is_tls, library)),
        **_common(options, library),
    )
    return _core_settings(config, options)


def sentinel_settings(  # noqa: PLR0917 - all are always given
    options: Mapping[str, Any],
    is_tls: bool,
    library: Library,
    service: str,
    sentinel: Any,
    sentinel_is_tls: bool,
    read_from: ReadFrom,
) -> dict[str, Any]:
    """Return the settings of the core for a service that the library's Sentinel finds.

    Args:
        options: The options for connections to the servers.
        is_tls: Whether to connect to the servers over TLS.
        library: The library.
        service: The service's name.
        sentinel: The library's object, which has a client of each Sentinel.
        sentinel_is_tls: Whether to connect to the Sentinels over TLS.
        read_from: Which nodes serve reads.

    Raises:
        ConfigurationError: An option cannot be had, or its value is wrong.
    """
    from ..config.sentinel import (  # noqa: PLC0415 - saves time at import
        SentinelConfiguration,
    )

    of_sentinels = [each.connection_pool.connection_kwargs for each in sentinel.sentinels]
    _check(options)
    _check(of_sentinels[0])
    for name in ("min_other_sentinels", "_force_master_ip"):
        if getattr(sentinel, name, None):
            raise _absent(name.removeprefix("_"))
    config = SentinelConfiguration(
        [NodeAddress(each["host"], int(each["port"])) for each in of_sentinels],
        service_name=service,
        use_tls=is_tls,
        database_id=int(options.get("db") or 0),
        read_from=read_from,
        sentinel_credentials=_credentials(of_sentinels[0]),
        sentinel_use_tls=sentinel_is_tls,
        sentinel_tls_config=_tls(of_sentinels[0], library) if sentinel_is_tls else None,
        advanced_config=AdvancedGlideClientConfiguration(**_advanced(options, is_tls, library)),
        **_common(options, library),
    )
    return _core_settings(config, options)


def cluster_settings(
    options: Mapping[str, Any],
    nodes: Iterable[tuple[str, int]],
    is_tls: bool,
    library: Library,
) -> dict[str, Any]:
    """Return the settings of the core for a cluster client's options.

    Args:
        options: The options.
        nodes: Host and port of the nodes to ask for the others.
        is_tls: Whether to connect over TLS.
        library: The library.

    Raises:
        ConfigurationError: An option cannot be had, or its value is wrong.
    """
    from ..config.cluster import (  # noqa: PLC0415 - saves time at import
        AdvancedGlideClusterClientConfiguration,
        GlideClusterClientConfiguration,
    )

    _check(options)
    config = GlideClusterClientConfiguration(
        [NodeAddress(host, int(port)) for host, port in nodes],
        use_tls=is_tls,
        advanced_config=AdvancedGlideClusterClientConfiguration(
            **_advanced(options, is_tls, library)
        ),
        **_common(options, library),
    )
    return _core_settings(config, options)


def _check(options: Mapping[str, Any]) -> None:
    for name in _UNKNOWN:
        if options.get(name):
            raise _absent(name)
    minimum = options.get("ssl_min_version")
    if minimum is not None and int(minimum) not in _UP_TO_TLS_1_2:
        raise _absent("ssl_min_version")
    if options.get("ssl_ca_certs") and options.get("ssl_ca_data"):
        raise _absent("ssl_ca_data beside ssl_ca_certs")


def _absent(name: str) -> ConfigurationError:
    return ConfigurationError(f"{name} is set, which glide_scripts' connections do not have")


def _core_settings(config: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    # Without a time limit, a call waits for its reply as long as the server takes, but not for a
    # connection.
    is_unlimited = options.get("socket_timeout", _DEFAULT_TIMEOUT) is None
    settings: dict[str, Any] = config._settings()
    return settings | {"waits_for_replies": is_unlimited}


def _common(options: Mapping[str, Any], library: Library) -> dict[str, Any]:
    return {
        "credentials": _credentials(options),
        "request_timeout": _milliseconds(options, "socket_timeout"),
        "client_name": options.get("client_name") or None,
        "protocol": ProtocolVersion(int(options.get("protocol") or library.default_protocol)),
    }


def _advanced(options: Mapping[str, Any], is_tls: bool, library: Library) -> dict[str, Any]:
    connect = "socket_connect_timeout"
    return {
        "connection_timeout": _milliseconds(
            options, connect if options.get(connect) else "socket_timeout"
        ),
        "tls_config": _tls(options, library) if is_tls else None,
    }


def _credentials(options: Mapping[str, Any]) -> ServerCredentials | None:
    username, password = options.get("username") or None, options.get("password") or None
    if username is None and password is None:
        return None
    return ServerCredentials(password=password, username=username)


def _milliseconds(options: Mapping[str, Any], name: str) -> int:
    seconds = options.get(name, _DEFAULT_TIMEOUT)
    if seconds is None:
        seconds = _DEFAULT_TIMEOUT
    return max(1, round(float(seconds) * 1000))


def _tls(options: Mapping[str, Any], library: Library) -> TlsAdvancedConfiguration:
    data = options.get("ssl_ca_data")
    is_insecure = str(options.get("ssl_cert_reqs", "required")).lower() in _NO_CERTIFICATE
    checks_name = options.get("ssl_check_hostname", library.checks_host_names)
    return TlsAdvancedConfiguration(
        use_insecure_tls=is_insecure,
        root_pem_cacerts=data.encode()
        if isinstance(data, str)
        else data or _path(options, "ca_certs"),
        client_cert_pem=_path(options, "certfile"),
        client_key_pem=_path(options, "keyfile") or _path(options, "certfile"),
        verify_hostname=None if is_insecure else bool(checks_name),
    )


_NO_CERTIFICATE = frozenset({"none", "0", "verifymode.cert_none"})


def _path(options: Mapping[str, Any], name: str) -> Any:
    return options.get(f"ssl_{name}") or None
