"""The settings of a client, checked when they are made and unchangeable from then on.

What is wrong is a ``ConfigurationError`` that names the setting. A password and a client's key
appear in no repr and in no error. ``dataclasses.replace`` makes a changed copy, checked again.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import Any, NoReturn, Self, TypeVar

from ._address import MAX_PORT, clean_host
from ._errors import ConfigurationError
from ._observer import Observer

T = TypeVar("T")

DEFAULT_REQUEST_TIMEOUT_MS = 5000
DEFAULT_CONNECTION_TIMEOUT_MS = 2000
DEFAULT_PERIODIC_CHECKS_MS = 60_000
DEFAULT_HEARTBEAT_INTERVAL_MS = 5000
DEFAULT_PENDING_BYTES_LIMIT = 2**30
DEFAULT_JITTER_PERCENT = 20
# Waits of at most a third of a second: a server that is back is found in that time.
DEFAULT_BACKOFF = (5, 10, 2, DEFAULT_JITTER_PERCENT)

_MAX_INT32 = 2**31 - 1
_MAX_UINT32 = 2**32 - 1
_MAX_INT64 = 2**63 - 1


class ReadFrom(Enum):
    """Which node of a shard answers what only reads."""

    PRIMARY = "primary"
    """The primary, which has the freshest data."""

    PREFER_REPLICA = "prefer_replica"
    """The replicas in turn; the primary if there is none."""

    AZ_AFFINITY = "az_affinity"
    """The replicas in the client's availability zone in turn, else others, else the primary.

    Needs ``client_az``.
    """

    AZ_AFFINITY_REPLICAS_AND_PRIMARY = "az_affinity_replicas_and_primary"
    """As ``AZ_AFFINITY``, but the primary of the client's zone comes before other zones' replicas.

    Needs ``client_az``.
    """


class ProtocolVersion(Enum):
    """The version of the protocol that the client and the server speak."""

    RESP2 = 2
    RESP3 = 3


class PeriodicChecksStatus(Enum):
    """Whether the cluster client looks for changes of the cluster at intervals."""

    ENABLED_DEFAULT_CONFIGS = 0
    """Every 60 seconds."""

    DISABLED = 1
    """Only when a reply or a lost connection hints at a change."""


class Hidden:
    """Holds what a traceback that shows local variables must not."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        found: bool = self.value == (other.value if isinstance(other, Hidden) else other)
        return found

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class PeriodicChecksManualInterval:
    """An interval at which the cluster client looks for changes of the cluster.

    Args:
        duration_in_sec: The interval in seconds, at least 1.

    Raises:
        ConfigurationError: It is not such a number.
    """

    duration_in_sec: int

    def __post_init__(self) -> None:
        _check_int("duration_in_sec", self.duration_in_sec, 1, _MAX_UINT32 // 1000)


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a server listens.

    Args:
        host: A name, an IPv4 address, or an IPv6 address, with or without brackets.
        port: The port, from 1 to 65535.

    Raises:
        ConfigurationError: One of them is not that.
    """

    host: str = "localhost"
    port: int = 6379

    def __post_init__(self) -> None:
        _check_type("host", self.host, str, "str")
        try:
            host = clean_host(self.host)
        except ValueError as error:
            raise ConfigurationError(
                f"host of NodeAddress: {error}; pass a host name or an IP address alone"
            ) from None
        object.__setattr__(self, "host", host)
        _check_int("port", self.port, 1, MAX_PORT)


@dataclass(frozen=True, slots=True, repr=False)
class ServerCredentials:
    """What the client authenticates itself with.

    Args:
        password: The password. For a server that asks for none, leave the credentials out.
        username: The user; None means the server's user ``default``.
        password_callback: In place of a password: an async function without arguments that gives
            it. It is asked for each connection, also for those that are made anew, within
            ``connection_timeout``, on the event loop on which the client was made: once that is
            closed, the client cannot connect anew.

    Raises:
        ConfigurationError: There is neither a password nor a callback, or both, or one of them is
            empty or of a wrong type.
    """

    password: str | None = None
    username: str | None = None
    _: KW_ONLY
    password_callback: Callable[[], Awaitable[str]] | None = None

    def __post_init__(self) -> None:
        if self.password is None and self.password_callback is None:
            raise ConfigurationError(
                "password is None; pass the password of the server or user, or password_callback"
            )
        if self.password is not None and self.password_callback is not None:
            raise ConfigurationError("password and password_callback are both set; pass one")
        _check_not_empty("password", self.password, str, "str")
        _check_not_empty("username", self.username, str, "str")
        if self.password_callback is not None and not callable(self.password_callback):
            raise _wrong_type("password_callback", self.password_callback, "an async function")

    def __repr__(self) -> str:
        return f"ServerCredentials(password=***, username={self.username!r})"

    def __reduce__(self) -> NoReturn:
        raise _secret("ServerCredentials", "a password")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class BackoffStrategy:
    """How long the client waits between attempts to reconnect.

    Before attempt N it waits ``factor * exponent_base ** N`` milliseconds, less a random share. The
    wait stops growing after ``num_of_retries`` attempts; the attempts go on until one succeeds.

    Args:
        num_of_retries: After how many attempts the wait stops growing.
        factor: The wait that the others are multiples of, in milliseconds, at least 1.
        exponent_base: What each wait is multiplied by to make the next, at least 1.
        jitter_percent: How much of a wait is random, from 0 to 100; None means 20.

    Raises:
        ConfigurationError: One of them is not such a number.
    """

    num_of_retries: int
    factor: int
    exponent_base: int
    jitter_percent: int | None = None

    def __post_init__(self) -> None:
        _check_int("num_of_retries", self.num_of_retries, 0, _MAX_UINT32)
        _check_int("factor", self.factor, 1, _MAX_UINT32)
        _check_int("exponent_base", self.exponent_base, 1, _MAX_UINT32)
        _check_optional_int("jitter_percent", self.jitter_percent, 0, 100)

    def _settings(self) -> tuple[int, int, int, int]:
        return (
            self.num_of_retries,
            self.factor,
            self.exponent_base,
            _default(self.jitter_percent, DEFAULT_JITTER_PERCENT),
        )


@dataclass(frozen=True, slots=True, repr=False)
class TlsAdvancedConfiguration:
    """How the client and the server make sure of each other over TLS.

    Args:
        use_insecure_tls: Whether to accept any certificate, for tests only: whoever can stand
            between the client and the server can then read and change everything. None means no.
        root_pem_cacerts: The certificates to trust instead of the system's, in PEM, one or more
            after another.
        client_cert_pem: The client's certificate in PEM, for a server that asks for one.
        client_key_pem: The key of that certificate in PEM.
        server_name: The name to look for in the server's certificate; None means the host that is
            connected to.

    Raises:
        ConfigurationError: One of them is of a wrong type or not PEM, or there is a certificate
            without its key, or the other way round.
    """

    use_insecure_tls: bool | None = None
    root_pem_cacerts: bytes | None = None
    client_cert_pem: bytes | None = None
    client_key_pem: bytes | None = None
    _: KW_ONLY
    server_name: str | None = None

    def __post_init__(self) -> None:
        _check_optional_bool("use_insecure_tls", self.use_insecure_tls)
        _check_pem("root_pem_cacerts", self.root_pem_cacerts, "CERTIFICATE")
        _check_pem("client_cert_pem", self.client_cert_pem, "CERTIFICATE")
        _check_pem("client_key_pem", self.client_key_pem, "PRIVATE KEY")
        if self.client_cert_pem is not None and self.client_key_pem is None:
            raise ConfigurationError("client_cert_pem is set without client_key_pem; pass both")
        if self.client_key_pem is not None and self.client_cert_pem is None:
            raise ConfigurationError("client_key_pem is set without client_cert_pem; pass both")
        _check_not_empty("server_name", self.server_name, str, "str")

    def __repr__(self) -> str:
        shown = [f"use_insecure_tls={self.use_insecure_tls}"]
        if self.root_pem_cacerts is not None:
            shown.append(f"root_pem_cacerts=<{len(self.root_pem_cacerts)} bytes>")
        if self.client_cert_pem is not None:
            shown.append(f"client_cert_pem=<{len(self.client_cert_pem)} bytes>")
            shown.append("client_key_pem=***")
        if self.server_name is not None:
            shown.append(f"server_name={self.server_name!r}")
        return f"TlsAdvancedConfiguration({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        if self.client_key_pem is not None:
            raise _secret("TlsAdvancedConfiguration", "a client's key")
        fields = (self.use_insecure_tls, self.root_pem_cacerts, None, None)
        return functools.partial(type(self), *fields, server_name=self.server_name), ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def _settings(self) -> dict[str, object]:
        return {
            "ca": self.root_pem_cacerts,
            "cert": self.client_cert_pem,
            "key": self.client_key_pem,
            "insecure": bool(self.use_insecure_tls),
            "server_name": self.server_name,
        }


@dataclass(frozen=True, slots=True)
class AdvancedBaseClientConfiguration:
    """The settings that the advanced configurations of both clients begin with.

    Args:
        connection_timeout: How long connecting may take, in milliseconds; None means 2000.
        tls_config: The details of TLS; needs ``use_tls`` in the client's configuration.
        heartbeat_interval: After how many milliseconds of silence a server is asked for a sign of
            life. A connection that gives none while another one does is made anew; one with calls
            under way after four times as long, and these are then given up, unless the server says
            that a script is running. None means 5000, and 0 never. Keep it above a quarter of the
            servers' ``busy-reply-threshold``, for which a script may keep them silent.
        pending_bytes_limit: How many bytes may wait to be written because a server does not take
            them; until it does, calls fail at once. None means 1 GiB.

    Raises:
        ConfigurationError: One of them is not that.
    """

    connection_timeout: int | None = None
    tls_config: TlsAdvancedConfiguration | None = None
    heartbeat_interval: int | None = field(default=None, kw_only=True)
    pending_bytes_limit: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_optional_int("connection_timeout", self.connection_timeout, 1, _MAX_UINT32, " ms")
        _check_optional("tls_config", self.tls_config, TlsAdvancedConfiguration)
        _check_optional_int("heartbeat_interval", self.heartbeat_interval, 0, _MAX_UINT32, " ms")
        _check_optional_int("pending_bytes_limit", self.pending_bytes_limit, 1, _MAX_INT64)


@dataclass(frozen=True, slots=True)
class AdvancedGlideClientConfiguration(AdvancedBaseClientConfiguration):
    """Settings of a standalone client that few need.

    Args:
        connection_timeout: How long connecting may take, in milliseconds; None means 2000.
        tls_config: The details of TLS; needs ``use_tls`` in the client's configuration.
        heartbeat_interval: After how many milliseconds of silence a server is asked for a sign of
            life. A connection that gives none while another one does is made anew; one with calls
            under way after four times as long, and these are then given up, unless the server says
            that a script is running. None means 5000, and 0 never. Keep it above a quarter of the
            servers' ``busy-reply-threshold``, for which a script may keep them silent.
        pending_bytes_limit: How many bytes may wait to be written because a server does not take
            them; until it does, calls fail at once. None means 1 GiB.
        tcp_nodelay: Whether to send small packets at once; None means yes.

    Raises:
        ConfigurationError: One of them is not that.
    """

    tcp_nodelay: bool | None = None

    def __post_init__(self) -> None:
        AdvancedBaseClientConfiguration.__post_init__(self)
        _check_optional_bool("tcp_nodelay", self.tcp_nodelay)


@dataclass(frozen=True, slots=True)
class AdvancedGlideClusterClientConfiguration(AdvancedBaseClientConfiguration):
    """Settings of a cluster client that few need.

    Args:
        connection_timeout: How long connecting may take, in milliseconds; None means 2000.
        tls_config: The details of TLS; needs ``use_tls`` in the client's configuration.
        heartbeat_interval: After how many milliseconds of silence a server is asked for a sign of
            life. A connection that gives none while another one does is made anew; one with calls
            under way after four times as long, and these are then given up, unless the server says
            that a script is running. None means 5000, and 0 never. Keep it above a quarter of the
            servers' ``busy-reply-threshold``, for which a script may keep them silent.
        pending_bytes_limit: How many bytes may wait to be written because a server does not take
            them; until it does, calls fail at once. None means 1 GiB.
        refresh_topology_from_initial_nodes: Whether to ask only the configured addresses, and not
            the nodes that were learned from them, how the cluster looks now.
        tcp_nodelay: Whether to send small packets at once; None means yes.

    Raises:
        ConfigurationError: One of them is not that.
    """

    refresh_topology_from_initial_nodes: bool = False
    tcp_nodelay: bool | None = None

    def __post_init__(self) -> None:
        AdvancedBaseClientConfiguration.__post_init__(self)
        _check_bool("refresh_topology_from_initial_nodes", self.refresh_topology_from_initial_nodes)
        _check_optional_bool("tcp_nodelay", self.tcp_nodelay)


@dataclass(frozen=True, slots=True)
class BaseClientConfiguration:
    """The settings that both clients have; ``GlideClientConfiguration`` describes them."""

    addresses: Sequence[NodeAddress]
    use_tls: bool = False
    credentials: ServerCredentials | None = None
    read_from: ReadFrom = ReadFrom.PRIMARY
    request_timeout: int | None = None
    reconnect_strategy: BackoffStrategy | None = None
    database_id: int | None = None
    client_name: str | None = None
    protocol: ProtocolVersion = ProtocolVersion.RESP3
    _: KW_ONLY
    inflight_requests_limit: int | None = None
    client_az: str | None = None
    lazy_connect: bool | None = None
    observer: Observer | None = None

    def __post_init__(self) -> None:
        # A tuple, since a list could still be changed after it was checked.
        object.__setattr__(self, "addresses", _checked_addresses(self.addresses))
        _check_bool("use_tls", self.use_tls)
        _check_optional("credentials", self.credentials, ServerCredentials)
        _check_member("read_from", self.read_from, ReadFrom)
        _check_optional_int("request_timeout", self.request_timeout, 1, _MAX_UINT32, " ms")
        _check_optional("reconnect_strategy", self.reconnect_strategy, BackoffStrategy)
        _check_optional_int("database_id", self.database_id, 0, _MAX_INT32)
        _check_client_name(self.client_name)
        _check_member("protocol", self.protocol, ProtocolVersion)
        _check_optional_int("inflight_requests_limit", self.inflight_requests_limit, 1, _MAX_UINT32)
        _check_not_empty("client_az", self.client_az, str, "str")
        if self.read_from.name.startswith("AZ_") and self.client_az is None:
            raise ConfigurationError(
                f"client_az is None and read_from is {self.read_from}; "
                "pass client_az, the availability zone that this client runs in"
            )
        _check_optional_bool("lazy_connect", self.lazy_connect)
        if self.observer is not None:
            _check_type("observer", self.observer, Observer, "an Observer")

    def _check_tls(self, advanced: AdvancedBaseClientConfiguration | None) -> None:
        if advanced is not None and advanced.tls_config is not None and not self.use_tls:
            raise ConfigurationError(
                "advanced_config has a tls_config and use_tls is False; pass use_tls=True"
            )

    def _settings_of_both(
        self, advanced: AdvancedGlideClientConfiguration | AdvancedGlideClusterClientConfiguration
    ) -> dict[str, object]:
        tls = advanced.tls_config or TlsAdvancedConfiguration()
        credentials, backoff = self.credentials, self.reconnect_strategy
        return {
            "addresses": [(address.host, address.port) for address in self.addresses],
            "tls": Hidden(tls._settings()) if self.use_tls else None,
            "username": credentials.username if credentials else None,
            "password": Hidden(credentials.password if credentials else None),
            "password_callback": credentials.password_callback if credentials else None,
            "read_from": self.read_from.value,
            "request_timeout_ms": _default(self.request_timeout, DEFAULT_REQUEST_TIMEOUT_MS),
            "connection_timeout_ms": _default(
                advanced.connection_timeout, DEFAULT_CONNECTION_TIMEOUT_MS
            ),
            "backoff": backoff._settings() if backoff else DEFAULT_BACKOFF,
            "database": _default(self.database_id, 0),
            "client_name": self.client_name,
            "protocol": self.protocol.value,
            "inflight_limit": self.inflight_requests_limit,
            "client_az": self.client_az,
            "heartbeat_interval_ms": _default(
                advanced.heartbeat_interval, DEFAULT_HEARTBEAT_INTERVAL_MS
            )
            or None,
            "pending_bytes_limit": _default(
                advanced.pending_bytes_limit, DEFAULT_PENDING_BYTES_LIMIT
            ),
            "tcp_nodelay": _default(advanced.tcp_nodelay, True),
            "lazy": bool(self.lazy_connect),
            "observer": self.observer,
        }


@dataclass(frozen=True, slots=True)
class GlideClientConfiguration(BaseClientConfiguration):
    """The settings of a client of one server, or of one primary and its replicas.

    Args:
        addresses: The servers. Of several, the primary is found by asking each for its role.
        use_tls: Whether to connect over TLS.
        credentials: What to authenticate with; None if the server asks for nothing.
        read_from: Which node answers what only reads.
        request_timeout: How long a request may take in milliseconds, with all its retries and the
            wait for a connection; None means 5000.
        reconnect_strategy: How long to wait between attempts to reconnect; None means a default.
        database_id: The database's number; None means 0.
        client_name: The connections' name on the server, in printable ASCII without spaces.
        protocol: The version of the protocol.
        inflight_requests_limit: How many requests may be under way at once; one more is an error.
            None means no such limit: it waits its turn instead.
        client_az: The availability zone that this client runs in.
        advanced_config: Settings that few need.
        lazy_connect: Whether to connect on the first request rather than in ``create()``; None
            means no.
        observer: What is told of each call, for traces and metrics; without one, calls cost
            nothing for it.

    Raises:
        ConfigurationError: A value is of a wrong type or out of range, or does not go with another.
    """

    advanced_config: AdvancedGlideClientConfiguration | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        BaseClientConfiguration.__post_init__(self)
        _check_optional("advanced_config", self.advanced_config, AdvancedGlideClientConfiguration)
        self._check_tls(self.advanced_config)

    def _settings(self) -> dict[str, object]:
        advanced = self.advanced_config or AdvancedGlideClientConfiguration()
        return {"cluster": False, **self._settings_of_both(advanced)}


@dataclass(frozen=True, slots=True)
class GlideClusterClientConfiguration(BaseClientConfiguration):
    """The settings of a client of a cluster.

    Args:
        addresses: Some of the cluster's nodes; one that answers is enough to find the others.
        use_tls: Whether to connect over TLS.
        credentials: What to authenticate with; None if the servers ask for nothing.
        read_from: Which node of a shard answers what only reads.
        request_timeout: How long a request may take in milliseconds, with all its retries and
            redirects and the wait for a connection; None means 5000.
        reconnect_strategy: How long to wait between attempts to reconnect; None means a default.
        database_id: The database's number; None means 0. A cluster has others from Valkey 9 on.
        client_name: The connections' name on the servers, in printable ASCII without spaces.
        protocol: The version of the protocol.
        periodic_checks: Whether, or at which interval, to look for changes of the cluster.
        inflight_requests_limit: How many requests may be under way at once; one more is an error.
            None means no such limit: it waits its turn instead.
        client_az: The availability zone that this client runs in.
        advanced_config: Settings that few need.
        lazy_connect: Whether to connect on the first request rather than in ``create()``; None
            means no.
        observer: What is told of each call, for traces and metrics; without one, calls cost
            nothing for it.

    Raises:
        ConfigurationError: A value is of a wrong type or out of range, or does not go with another.
    """

    periodic_checks: PeriodicChecksStatus | PeriodicChecksManualInterval = (
        PeriodicChecksStatus.ENABLED_DEFAULT_CONFIGS
    )
    advanced_config: AdvancedGlideClusterClientConfiguration | None = field(
        default=None, kw_only=True
    )

    def __post_init__(self) -> None:
        BaseClientConfiguration.__post_init__(self)
        if not isinstance(
            self.periodic_checks, (PeriodicChecksStatus, PeriodicChecksManualInterval)
        ):
            raise _wrong_type(
                "periodic_checks",
                self.periodic_checks,
                "a PeriodicChecksStatus or a PeriodicChecksManualInterval",
            )
        _check_optional(
            "advanced_config", self.advanced_config, AdvancedGlideClusterClientConfiguration
        )
        self._check_tls(self.advanced_config)

    def _settings(self) -> dict[str, object]:
        advanced = self.advanced_config or AdvancedGlideClusterClientConfiguration()
        return {
            "cluster": True,
            **self._settings_of_both(advanced),
            "periodic_checks_ms": self._periodic_checks_ms(),
            "refresh_from_seeds": advanced.refresh_topology_from_initial_nodes,
        }

    def _periodic_checks_ms(self) -> int | None:
        if isinstance(self.periodic_checks, PeriodicChecksManualInterval):
            return self.periodic_checks.duration_in_sec * 1000
        if self.periodic_checks is PeriodicChecksStatus.DISABLED:
            return None
        return DEFAULT_PERIODIC_CHECKS_MS


def _secret(name: str, secret: str) -> TypeError:
    return TypeError(
        f"{name} holds {secret} and is not pickled, so that it is in no file or queue; make it "
        "anew in the other process"
    )


def _checked_addresses(addresses: object) -> tuple[NodeAddress, ...]:
    if not isinstance(addresses, Sequence) or isinstance(addresses, (str, bytes)):
        raise _wrong_type("addresses", addresses, "a list of NodeAddress")
    for index, address in enumerate(addresses):
        _check_type(f"addresses[{index}]", address, NodeAddress, "a NodeAddress")
    if not addresses:
        raise ConfigurationError("addresses is empty; pass at least one NodeAddress")
    return tuple(addresses)


def _check_client_name(client_name: str | None) -> None:
    _check_not_empty("client_name", client_name, str, "str")
    if client_name is not None and not all("!" <= character <= "~" for character in client_name):
        raise ConfigurationError(
            f"client_name is {client_name!r}; pass printable ASCII without spaces, "
            "since the server takes nothing else"
        )


def _check_pem(name: str, value: bytes | None, label: str) -> None:
    _check_not_empty(name, value, bytes, "bytes in PEM")
    if value is not None and f"{label}-----".encode() not in value:
        raise ConfigurationError(f"{name} has no {label} in PEM; pass the content of a .pem file")


def _check_not_empty(name: str, value: object, kind: type, right: str) -> None:
    if value is not None:
        _check_type(name, value, kind, right)
        if not value:
            raise ConfigurationError(f"{name} is empty; pass {right}, or leave it out")


def _check_optional_int(name: str, value: int | None, low: int, high: int, unit: str = "") -> None:
    if value is not None:
        _check_int(name, value, low, high, unit)


def _check_int(name: str, value: int, low: int, high: int, unit: str = "") -> None:
    right = f"an int from {low} to {high}{unit}"
    if isinstance(value, bool):
        raise _wrong_type(name, value, right)
    _check_type(name, value, int, right)
    if not low <= value <= high:
        # A number of thousands of digits cannot even be shown.
        shown = value if abs(value) <= _MAX_UINT32 else "too large" if value > 0 else "negative"
        raise ConfigurationError(f"{name} is {shown}; pass {right}")


def _check_optional_bool(name: str, value: bool | None) -> None:
    if value is not None:
        _check_bool(name, value)


def _check_bool(name: str, value: bool) -> None:
    _check_type(name, value, bool, "True or False")


def _check_member(name: str, value: Enum, enum: type[Enum]) -> None:
    _check_type(name, value, enum, " or ".join(map(str, enum)))


def _check_optional(name: str, value: object, kind: type) -> None:
    if value is not None:
        _check_type(name, value, kind, f"a {kind.__name__}")


def _check_type(name: str, value: object, kind: type, right: str) -> None:
    if not isinstance(value, kind):
        raise _wrong_type(name, value, right)


def _wrong_type(name: str, value: object, right: str) -> ConfigurationError:
    # Not the value: whoever mixes settings up may have put a password there.
    return ConfigurationError(f"{name} is {type(value).__name__}; pass {right}")


def _default(value: T | None, default: T) -> T:
    return default if value is None else value
