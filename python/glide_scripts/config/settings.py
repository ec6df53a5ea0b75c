"""The settings of a client: checked when they are made, and immutable.

A wrong setting raises a ``ConfigurationError`` that names it. No repr and no error contains a
password or a client's key. ``dataclasses.replace`` makes a changed copy and checks it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from enum import Enum
from typing import Any, ClassVar, Literal, TypeVar

from ..checks import (
    MAX_INT32,
    MAX_INT64,
    MAX_UINT32,
    MS,
    flag,
    of_type,
    optional,
    sequence,
    within,
    wrong_type,
)
from ..observing.observer import Observer
from ..public import show_as_public
from ..records import Record, record
from . import unsupported
from .address_map import AddressMap, checked_address_map
from .backoff import DEFAULT_BACKOFF, BackoffStrategy
from .configuration_errors import configuration_errors
from .node_address import ServerAddress, UnixSocketAddress
from .secrets import Hidden, ServerCredentials, check_text
from .tls import TlsAdvancedConfiguration
from .unsupported import NodeDiscoveryMode, check_unsupported

T = TypeVar("T")

_UNSUPPORTED = (
    "pubsub_subscriptions",
    "compression",
    "client_side_cache",
    "address_resolver",
    "client_circuit_breaker",
    "lib_name",
    "client_info_tag",
)

# What GLIDE's configurations begin with.
IN_BOTH = (
    "addresses",
    "use_tls",
    "credentials",
    "read_from",
    "request_timeout",
    "reconnect_strategy",
    "database_id",
    "client_name",
    "protocol",
)

DEFAULT_REQUEST_TIMEOUT_MS = 5000
DEFAULT_CONNECTION_TIMEOUT_MS = 2000
DEFAULT_HEARTBEAT_INTERVAL_MS = 5000
DEFAULT_PENDING_BYTES_LIMIT = 2**30


class ReadFrom(Enum):
    """Which nodes serve reads."""

    PRIMARY = "primary"
    """The primary, which has the latest data."""

    PREFER_REPLICA = "prefer_replica"
    """The replicas in turn; the primary if there are none."""

    AZ_AFFINITY = "az_affinity"
    """The replicas in the client's availability zone in turn, else others, else the primary.

    Needs ``client_az``.
    """

    AZ_AFFINITY_REPLICAS_AND_PRIMARY = "az_affinity_replicas_and_primary"
    """As ``AZ_AFFINITY``, but the primary of the client's zone comes before other zones' replicas.

    Needs ``client_az``.
    """

    ALL_NODES = "all_nodes"
    """The primary and the replicas in turn."""

    AZ_AFFINITY_ALL_NODES = "az_affinity_all_nodes"
    """The primary and the replicas in the client's availability zone in turn, else all in turn.

    Needs ``client_az``.
    """


class ProtocolVersion(Enum):
    """The protocol version."""

    RESP2 = 2
    RESP3 = 3


@record(frozen=True, slots=True)
class AdvancedBaseClientConfiguration(Record):
    """The settings of both; see ``AdvancedGlideClientConfiguration``."""

    connection_timeout: int | None = None
    tls_config: TlsAdvancedConfiguration | None = None
    heartbeat_interval: int | None = field(default=None, kw_only=True)
    pending_bytes_limit: int | None = field(default=None, kw_only=True)
    send_client_info: bool = field(default=True, kw_only=True)
    pubsub_reconciliation_interval: None = field(default=None, kw_only=True, repr=False)

    @configuration_errors()
    def __post_init__(self) -> None:
        check_unsupported({"pubsub_reconciliation_interval": self.pubsub_reconciliation_interval})
        optional(within, "connection_timeout", self.connection_timeout, 1, MAX_UINT32, MS)
        optional(of_type, "tls_config", self.tls_config, TlsAdvancedConfiguration)
        optional(within, "heartbeat_interval", self.heartbeat_interval, 0, MAX_UINT32, MS)
        optional(within, "pending_bytes_limit", self.pending_bytes_limit, 1, MAX_INT64)
        flag("send_client_info", self.send_client_info, "True or False")


@record(frozen=True, slots=True)
class AdvancedGlideClientConfiguration(AdvancedBaseClientConfiguration):
    """Advanced settings of a standalone client.

    Args:
        connection_timeout: The time limit for connecting in milliseconds; None means 2000.
        tls_config: TLS settings; needs ``use_tls`` in the client's configuration.
        heartbeat_interval: After so many milliseconds of silence, the client sends a PING. An idle
            connection that does not answer is replaced if the server answers on another connection.
            A connection with calls in flight is given four times as long; its calls then fail,
            unless the server reports a running script. None means 5000; 0 turns heartbeats off.
            Keep it above a quarter of the servers' ``busy-reply-threshold``, because a running
            script keeps a server silent for that time.
        pending_bytes_limit: The maximum number of bytes that wait for a server that does not read.
            Above it, calls fail at once. None means 1 GiB.
        send_client_info: Whether to send the client's name and version to the server with CLIENT
            SETINFO. If the server refuses it, the client continues without.
        tcp_nodelay: Whether to send small packets at once; None means True.

    Raises:
        ConfigurationError: A value has a wrong type or is out of range.
    """

    _by_position = (
        "connection_timeout",
        "tls_config",
        "tcp_nodelay",
        "pubsub_reconciliation_interval",
    )

    tcp_nodelay: bool | None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        AdvancedBaseClientConfiguration.__post_init__(self)
        optional(flag, "tcp_nodelay", self.tcp_nodelay, "True or False")


@record(frozen=True, slots=True)
class BaseClientConfiguration(Record):
    """The settings of both clients; see ``GlideClientConfiguration``."""

    addresses: Sequence[ServerAddress]
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
    address_map: AddressMap | None = field(default=None, hash=False)
    pubsub_subscriptions: None = field(default=None, repr=False)
    compression: None = field(default=None, repr=False)
    client_side_cache: None = field(default=None, repr=False)
    address_resolver: None = field(default=None, repr=False)
    client_circuit_breaker: None = field(default=None, repr=False)
    lib_name: None = field(default=None, repr=False)
    client_info_tag: None = field(default=None, repr=False)

    @configuration_errors()
    def __post_init__(self) -> None:
        check_unsupported({name: getattr(self, name) for name in _UNSUPPORTED})
        # A tuple, since a list could still be changed after it was checked.
        object.__setattr__(self, "addresses", _checked_addresses(self.addresses))
        flag("use_tls", self.use_tls, "True or False")
        optional(of_type, "credentials", self.credentials, ServerCredentials)
        _check_member("read_from", self.read_from, ReadFrom)
        optional(within, "request_timeout", self.request_timeout, 1, MAX_UINT32, MS)
        optional(of_type, "reconnect_strategy", self.reconnect_strategy, BackoffStrategy)
        optional(within, "database_id", self.database_id, 0, MAX_INT32)
        _check_client_name(self.client_name)
        _check_member("protocol", self.protocol, ProtocolVersion)
        optional(within, "inflight_requests_limit", self.inflight_requests_limit, 1, MAX_UINT32)
        optional(check_text, "client_az", self.client_az)
        if self.read_from.name.startswith("AZ_") and self.client_az is None:
            raise ValueError(
                f"client_az is None and read_from is {self.read_from}; "
                "pass client_az, the availability zone in which this client runs"
            )
        optional(flag, "lazy_connect", self.lazy_connect, "True or False")
        optional(of_type, "observer", self.observer, Observer, "an Observer")
        if self.address_map is not None:
            object.__setattr__(self, "address_map", checked_address_map(self.address_map))

    def _check_advanced(self, advanced: AdvancedBaseClientConfiguration | None) -> None:
        if advanced is not None and not advanced.send_client_info and self.client_name is not None:
            raise ValueError(
                "client_name is set and send_client_info is False; leave one of them out"
            )
        tls = None if advanced is None else advanced.tls_config
        if tls is not None and tls._says_something and not self.use_tls:
            raise ValueError(
                "advanced_config has a tls_config and use_tls is False; pass use_tls=True"
            )
        if self.use_tls and any(isinstance(one, UnixSocketAddress) for one in self.addresses):
            raise ValueError(
                "use_tls is True and addresses has a UnixSocketAddress; servers speak no TLS over "
                "Unix sockets, so leave use_tls out"
            )

    def _settings_of_both(self, advanced: AdvancedBaseClientConfiguration) -> dict[str, object]:
        tls = advanced.tls_config or TlsAdvancedConfiguration()
        backoff = self.reconnect_strategy
        return {
            "addresses": [_place(address) for address in self.addresses],
            "sentinel": None,
            "tls": Hidden(tls._settings()) if self.use_tls else None,
            **credentials_settings(self.credentials),
            "address_map": self._address_map(),
            "read_from": self.read_from.value,
            "request_timeout_ms": or_default(self.request_timeout, DEFAULT_REQUEST_TIMEOUT_MS),
            "connection_timeout_ms": or_default(
                advanced.connection_timeout, DEFAULT_CONNECTION_TIMEOUT_MS
            ),
            "backoff": backoff._settings() if backoff else DEFAULT_BACKOFF,
            "database": or_default(self.database_id, 0),
            "client_name": self.client_name,
            "send_client_info": advanced.send_client_info,
            "setting_names": (),
            "protocol": self.protocol.value,
            "inflight_limit": self.inflight_requests_limit,
            "client_az": self.client_az,
            "heartbeat_interval_ms": or_default(
                advanced.heartbeat_interval, DEFAULT_HEARTBEAT_INTERVAL_MS
            )
            or None,
            "pending_bytes_limit": or_default(
                advanced.pending_bytes_limit, DEFAULT_PENDING_BYTES_LIMIT
            ),
            "lazy": bool(self.lazy_connect),
            "waits_for_replies": False,
            "observer": self.observer,
        }

    def _address_map(self) -> object:
        if not isinstance(self.address_map, Mapping):
            return self.address_map
        # They were checked, whatever their types say.
        places: Any = self.address_map.items()
        return {_place(inner): _place(outer) for inner, outer in places}


def credentials_settings(credentials: ServerCredentials | None) -> dict[str, object]:
    """Return the settings of the core for logging in."""
    return {
        "username": credentials.username if credentials else None,
        "password": Hidden(credentials._password() if credentials else None),
        "password_callback": credentials.password_callback if credentials else None,
    }


@record(frozen=True, slots=True)
class GlideClientConfiguration(BaseClientConfiguration):
    """The settings of a client of one server, or of a primary and its replicas.

    Args:
        addresses: The servers, each a ``NodeAddress`` or a ``UnixSocketAddress``. If there are
            several, the client finds the primary among them.
        use_tls: Whether to connect over TLS.
        credentials: The credentials; None if the server needs none.
        read_from: Which nodes serve reads.
        request_timeout: The deadline of a request in milliseconds, including retries and the wait
            for a connection; None means 5000.
        reconnect_strategy: The waits between attempts to reconnect; None means a default.
        database_id: The database's number; None means 0.
        client_name: The name of the connections on the server, in printable ASCII without spaces.
        protocol: The version of the protocol.
        inflight_requests_limit: The maximum number of requests in flight; one more raises an error.
            None means no limit.
        client_az: The availability zone in which this client runs.
        advanced_config: Advanced settings.
        lazy_connect: Whether to connect at the first request instead of in ``create()``; None means
            False.
        observer: Is called for each call, for traces and metrics. Without one, calls cost nothing
            extra.
        address_map: Where to connect to a server that cannot be reached at its own address, as
            behind NAT or with forwarded ports: a dict, or a function that gets a ``NodeAddress``
            each time that a connection is made. The addresses in the dict and those that the
            function returns are a ``NodeAddress`` or a str such as ``"10.0.0.1:6379"``. An address
            that is not in the dict is used as it is, also if the function returns None. The
            function may be async. It runs on the event loop on which the client was made, so it
            must not block. If it raises, there is no connection.

    GLIDE's other settings, such as ``pubsub_subscriptions`` and ``compression``, are accepted only
    with their default values.

    Raises:
        ConfigurationError: A value has a wrong type, is out of range, or conflicts with another.
    """

    _by_position: ClassVar[tuple[str, ...]] = (
        *IN_BOTH,
        "pubsub_subscriptions",
        "inflight_requests_limit",
        "client_az",
        "advanced_config",
        "lazy_connect",
        "compression",
        "read_only",
        "client_side_cache",
        "node_discovery_mode",
        "address_resolver",
        "client_circuit_breaker",
        "lib_name",
        "client_info_tag",
    )

    PubSubChannelModes = unsupported.PubSubChannelModes
    PubSubSubscriptions = unsupported.PubSubSubscriptions

    advanced_config: AdvancedGlideClientConfiguration | None = field(default=None, kw_only=True)
    read_only: Literal[False] = field(default=False, kw_only=True, repr=False)
    node_discovery_mode: NodeDiscoveryMode = field(
        default=NodeDiscoveryMode.STANDARD, kw_only=True, repr=False
    )

    @configuration_errors()
    def __post_init__(self) -> None:
        BaseClientConfiguration.__post_init__(self)
        check_unsupported(
            {"read_only": self.read_only, "node_discovery_mode": self.node_discovery_mode}
        )
        optional(of_type, "advanced_config", self.advanced_config, AdvancedGlideClientConfiguration)
        self._check_advanced(self.advanced_config)

    def _settings(self) -> dict[str, object]:
        advanced = self.advanced_config or AdvancedGlideClientConfiguration()
        return {
            "cluster": False,
            **self._settings_of_both(advanced),
            "tcp_nodelay": or_default(advanced.tcp_nodelay, True),
        }


def _checked_addresses(addresses: Sequence[ServerAddress]) -> tuple[ServerAddress, ...]:
    sequence("addresses", addresses, "NodeAddress")
    for index, address in enumerate(addresses):
        if not isinstance(address, ServerAddress):
            raise wrong_type(f"addresses[{index}]", address, "a NodeAddress or a UnixSocketAddress")
    if not addresses:
        raise ValueError("addresses is empty; pass at least one NodeAddress")
    return tuple(addresses)


def _place(address: ServerAddress) -> tuple[str, int | None]:
    """Host and port, or the path of a Unix socket and None."""
    if isinstance(address, UnixSocketAddress):
        return str(address.path), None
    return address.host, address.port


def _check_member(name: str, value: Enum, enum: type[Enum]) -> None:
    of_type(name, value, enum, " or ".join(map(str, enum)))


def _check_client_name(client_name: str | None) -> None:
    optional(check_text, "client_name", client_name)
    if client_name is not None and not all("!" <= character <= "~" for character in client_name):
        raise ValueError(
            f"client_name is {client_name!r}; pass printable ASCII without spaces, "
            "because the server accepts nothing else"
        )


def or_default(value: T | None, default: T) -> T:
    return default if value is None else value


show_as_public(globals())
