"""Settings in a URL's query, under redis-py's names where it has them, and under our own.

redis-py's times are in seconds, ours in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote

from ..errors import ConfigurationError
from .address_map import mappings
from .backoff import BackoffStrategy
from .cluster import (
    AdvancedGlideClusterClientConfiguration,
    PeriodicChecksManualInterval,
    PeriodicChecksStatus,
)
from .node_address import NodeAddress
from .secrets import ServerCredentials
from .setting_names import URL_NAMES, renamed
from .settings import (
    AdvancedGlideClientConfiguration,
    ProtocolVersion,
    ReadFrom,
)
from .tls import TlsAdvancedConfiguration

TEnum = TypeVar("TEnum", bound=Enum)


@dataclass
class Settings:
    """What a URL says, on its way to the arguments of a configuration."""

    cluster: bool
    use_tls: bool
    by_sentinels: bool = False
    _values: dict[str, Any] = field(default_factory=dict)
    _given: dict[str, str] = field(default_factory=dict)
    """By setting, what it was called in the URL."""

    def put(self, name: str, setting: str, value: Any) -> None:
        if setting in self._given:
            before = self._given[setting]
            if before == name:
                refuse(f"{name} is given twice")
            refuse(f"{name} and {before} are both given, and mean the same setting")
        self._given[setting] = name
        self._values[setting] = value

    def arguments(self) -> dict[str, Any]:
        """The arguments of the configuration, as far as the URL has them.

        Raises:
            ConfigurationError: A setting of TLS or of the details does not go with another.
        """
        names = ("", "advanced.", "tls.", "login.", "sentinel_login.")
        parts: dict[str, dict[str, Any]] = {name: {} for name in names}
        for setting, value in self._values.items():
            part, dot, name = setting.rpartition(".")
            parts[part + dot][name] = value
        arguments, advanced = parts[""], parts["advanced."]
        if parts["tls."]:
            tls = self._tls(parts["tls."])
            if self.use_tls:
                advanced["tls_config"] = tls
            else:
                arguments["sentinel_tls_config"] = tls
        if parts["login."]:
            arguments["credentials"] = self._credentials(parts["login."])
        if login := parts["sentinel_login."]:
            arguments["sentinel_credentials"] = _credentials(login)
        if advanced:
            kind = (
                AdvancedGlideClusterClientConfiguration
                if self.cluster
                else AdvancedGlideClientConfiguration
            )
            arguments["advanced_config"] = kind(**advanced)
        return arguments

    def _tls(self, values: dict[str, Any]) -> TlsAdvancedConfiguration:
        if not self.use_tls and not self._values.get("sentinel_use_tls"):
            name = next(name for at, name in self._given.items() if at.startswith("tls."))
            refuse(f"{name} is a setting of TLS, which the scheme valkeys:// or rediss:// asks for")
        try:
            return TlsAdvancedConfiguration(**values)
        except ConfigurationError as error:
            names = {at.removeprefix("tls."): name for at, name in self._given.items()}
            raise ConfigurationError(f"url: {renamed(str(error), names | URL_NAMES)}") from None

    def _credentials(self, values: dict[str, Any]) -> ServerCredentials:
        if "credentials" in self._given:
            refuse("the user or the password is given twice, before '@' and after '?'")
        return _credentials(values)


def _credentials(values: dict[str, Any]) -> ServerCredentials:
    if not any(values.values()):
        refuse(f"{' and '.join(values)} after '?' has no value; write one, or leave it out")
    return ServerCredentials(values.get("password") or None, values.get("username") or None)


def read_query(query: str, settings: Settings) -> None:
    """Reads ``name=value&…``.

    Raises:
        ValueError: What is wrong. It shows no value.
    """
    for parameter in query.split("&") if query else ():
        name, _, value = parameter.partition("=")
        name = decoded("a setting's name", name)
        if name in CANNOT:
            refuse(f"{name} cannot be set in a URL: {CANNOT[name]}")
        if name not in _PARAMETERS:
            refuse(f"there is no setting {name!r}, only {', '.join(_PARAMETERS)}")
        setting, read = _PARAMETERS[name]
        if name in _OF_CLUSTERS and not settings.cluster:
            refuse(f"{name} is a setting of clusters, and this is the URL of a single server")
        if name in _OF_SENTINELS and not settings.by_sentinels:
            refuse(f"{name} is a setting of Sentinels; write the URL with valkey+sentinel://")
        settings.put(name, setting, read(name, decoded(name, value)))


def whole_number(name: str, value: str, unit: str = "") -> int:
    # int() takes more than a URL should: signs, spaces, underscores and other scripts' digits.
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        refuse(f"{name} is not a whole number{unit}")
    return int(value)


def _above_zero(name: str, value: str) -> int:
    return whole_number(name, value) or refuse(f"{name} is 0; write 1 or more")


def _ms(name: str, value: str) -> int:
    return whole_number(name, value, f" of milliseconds, such as {name}=250")


def _limit_ms(name: str, value: str) -> int:
    return _ms(name, value) or refuse(f"{name} is 0; write 1 or more milliseconds")


def decoded(part: str, text: str) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        refuse(f"in {part}, a '%' is not followed by two hexadecimal digits; write '%' as %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        refuse(f"{part} is not UTF-8 when decoded")


def refuse(problem: str) -> NoReturn:
    raise ValueError(problem)


def _protocol(name: str, value: str) -> ProtocolVersion:
    if value not in ("2", "3"):
        refuse(f"{name} is not 2 or 3")
    return ProtocolVersion(int(value))


def _text(_name: str, value: str) -> str:
    return value


def _file(name: str, value: str) -> str:
    if not value:
        refuse(f"{name} is empty; write the path of a file")
    return value


def _pem(name: str, value: str) -> bytes:
    if "-----BEGIN" not in value:
        refuse(f"{name} is not PEM; for the path of a file, write ssl_ca_certs")
    return value.encode()


def _seconds(name: str, value: str) -> int:
    """Milliseconds."""
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,9})?|\.[0-9]{1,9}", value):
        refuse(f"{name} is not a number of seconds")
    seconds = float(value)
    # Not 0 of what is more than that: 0 means never for some settings.
    return max(1, round(seconds * 1000)) if seconds else 0


def _time_limit(name: str, value: str) -> int:
    """Milliseconds."""
    return _seconds(name, value) or refuse(f"{name} is 0; write more than 0 seconds")


def _bool(name: str, value: str) -> bool:
    if value.lower() in ("true", "1", "yes", "on"):
        return True
    if value.lower() in ("false", "0", "no", "off"):
        return False
    refuse(f"{name} is not true or false")


def _member(enum: type[TEnum]) -> Callable[[str, str], TEnum]:
    def read(name: str, value: str) -> TEnum:
        for member in enum:
            if value.lower().replace("-", "_") == member.name.lower():
                return member
        refuse(f"{name} is not one of {', '.join(member.name.lower() for member in enum)}")

    return read


def _reads_replicas(name: str, value: str) -> ReadFrom:
    return ReadFrom.PREFER_REPLICA if _bool(name, value) else ReadFrom.PRIMARY


def _is_insecure(name: str, value: str) -> bool:
    if value.lower() not in ("none", "optional", "required"):
        refuse(f"{name} is not none, optional or required")
    return value.lower() == "none"


def _backoff(name: str, value: str) -> BackoffStrategy:
    """``num_of_retries,factor,exponent_base`` and, at will, ``,jitter_percent``."""
    parts = value.split(",")
    if len(parts) not in (3, 4):
        refuse(f"{name} is not num_of_retries,factor,exponent_base or these and ,jitter_percent")
    return BackoffStrategy(*(whole_number(name, part) for part in parts))


def _periodic_checks(name: str, value: str) -> PeriodicChecksStatus | PeriodicChecksManualInterval:
    match value.lower():
        case "enabled" | "enabled_default_configs":
            return PeriodicChecksStatus.ENABLED_DEFAULT_CONFIGS
        case "disabled":
            return PeriodicChecksStatus.DISABLED
    if not value.strip("0").isdigit():
        refuse(f"{name} is not enabled, disabled or a number of seconds of 1 or more")
    return PeriodicChecksManualInterval(whole_number(name, value))


def _address_map(name: str, value: str) -> dict[NodeAddress, NodeAddress]:
    """``host:port=host:port`` and, at will, more of these after commas."""
    try:
        return mappings(value.split(","))
    except ValueError as error:
        refuse(f"{name}: {error}; write inner:6379=outer:6379")


_PARAMETERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "protocol": ("protocol", _protocol),
    "client_name": ("client_name", _text),
    "timeout": ("request_timeout", _limit_ms),
    "request_timeout": ("request_timeout", _limit_ms),
    "socket_timeout": ("request_timeout", _time_limit),
    "connection_timeout": ("advanced.connection_timeout", _limit_ms),
    "socket_connect_timeout": ("advanced.connection_timeout", _time_limit),
    "heartbeat_interval": ("advanced.heartbeat_interval", _ms),
    "health_check_interval": ("advanced.heartbeat_interval", _seconds),
    "db": ("database_id", whole_number),
    "database_id": ("database_id", whole_number),
    "username": ("login.username", _text),
    "password": ("login.password", _text),
    "read_from": ("read_from", _member(ReadFrom)),
    "read_from_replicas": ("read_from", _reads_replicas),
    "client_az": ("client_az", _text),
    "reconnect_strategy": ("reconnect_strategy", _backoff),
    "inflight_requests_limit": ("inflight_requests_limit", _above_zero),
    "pending_bytes_limit": ("advanced.pending_bytes_limit", _above_zero),
    "lazy_connect": ("lazy_connect", _bool),
    "tcp_nodelay": ("advanced.tcp_nodelay", _bool),
    "send_client_info": ("advanced.send_client_info", _bool),
    "ssl_ca_certs": ("tls.root_pem_cacerts", _file),
    "root_pem_cacerts": ("tls.root_pem_cacerts", _file),
    "ssl_ca_data": ("tls.root_pem_cacerts", _pem),
    "ssl_certfile": ("tls.client_cert_pem", _file),
    "client_cert_pem": ("tls.client_cert_pem", _file),
    "ssl_keyfile": ("tls.client_key_pem", _file),
    "client_key_pem": ("tls.client_key_pem", _file),
    "ssl_password": ("tls.key_password", _text),
    "key_password": ("tls.key_password", _text),
    "ssl_cert_reqs": ("tls.use_insecure_tls", _is_insecure),
    "use_insecure_tls": ("tls.use_insecure_tls", _bool),
    "ssl_check_hostname": ("tls.verify_hostname", _bool),
    "verify_hostname": ("tls.verify_hostname", _bool),
    "server_name": ("tls.server_name", _text),
    "address_map": ("address_map", _address_map),
    "sentinel_username": ("sentinel_login.username", _text),
    "sentinel_password": ("sentinel_login.password", _text),
    "sentinel_use_tls": ("sentinel_use_tls", _bool),
    "periodic_checks": ("periodic_checks", _periodic_checks),
    "refresh_topology_from_initial_nodes": (
        "advanced.refresh_topology_from_initial_nodes",
        _bool,
    ),
}

_OF_SENTINELS = {"sentinel_username", "sentinel_password", "sentinel_use_tls"}
_OF_CLUSTERS = {"periodic_checks", "refresh_topology_from_initial_nodes"}

_ONE_CONNECTION = "a client has one connection to a server, which all calls share"
_BYTES = "replies are bytes; scripts in files can declare that they return text"
_RETRIES = "what certainly did not run is sent again by itself, and BatchRetryStrategy has the rest"
_KEEPALIVE = "it is always on"
_RUSTLS = "TLS 1.2 and 1.3 are spoken with the ciphers of rustls"
_OCSP = "the client asks for no OCSP answers"
_TOPOLOGY = "the client learns where the slots are by itself; periodic_checks says how often"
_PARTS = "write its settings one by one"
CANNOT = {
    "service_name": "it is the first part of the path",
    "sentinel_credentials": "write sentinel_username and sentinel_password",
    "sentinel_tls_config": "the settings of TLS are for servers and Sentinels alike, "
    "or for the Sentinels with valkey+sentinel:// and sentinel_use_tls=true",
    "observer": "it is an object; pass it to from_url",
    "password_callback": "it is a function; pass ServerCredentials in a configuration",
    "credential_provider": "pass ServerCredentials(password_callback=…) in a configuration",
    "addresses": "they are the hosts of the URL",
    "host": "it is the host of the URL",
    "port": "it stands after the host",
    "path": "write unix:///path",
    "virtual_host": "write db",
    "use_tls": "the schemes valkeys:// and rediss:// ask for TLS",
    "credentials": "they stand before '@'",
    "advanced_config": _PARTS,
    "tls_config": _PARTS,
    "max_connections": _ONE_CONNECTION,
    "single_connection_client": _ONE_CONNECTION,
    "decode_responses": _BYTES,
    "encoding": _BYTES,
    "encoding_errors": _BYTES,
    "retry": _RETRIES,
    "retry_on_timeout": _RETRIES,
    "retry_on_error": _RETRIES,
    "socket_keepalive": _KEEPALIVE,
    "socket_keepalive_options": _KEEPALIVE,
    "ssl_ca_path": "name a file in ssl_ca_certs",
    "ssl_min_version": _RUSTLS,
    "ssl_ciphers": _RUSTLS,
    "ssl_include_verify_flags": _RUSTLS,
    "ssl_exclude_verify_flags": _RUSTLS,
    "ssl_validate_ocsp": _OCSP,
    "ssl_validate_ocsp_stapled": _OCSP,
    "ssl_ocsp_context": _OCSP,
    "ssl_ocsp_expected_cert": _OCSP,
    "ssl": "the schemes valkeys:// and rediss:// ask for TLS",
    "unix_socket_path": "write unix:///path",
    "startup_nodes": "they are the hosts of the URL",
    "dynamic_startup_nodes": "write refresh_topology_from_initial_nodes",
    "require_full_coverage": _TOPOLOGY,
    "reinitialize_steps": _TOPOLOGY,
    "cluster_error_retry_attempts": _RETRIES,
    "load_balancing_strategy": "write read_from",
    "address_remap": "write address_map",
    "sentinels": "they are the hosts of a URL with valkey+sentinel://",
    "sentinel_kwargs": "write sentinel_username, sentinel_password and sentinel_use_tls",
    "lib_name": "send_client_info=false leaves it out",
    "lib_version": "send_client_info=false leaves it out",
    "driver_info": "send_client_info=false leaves it out",
}
