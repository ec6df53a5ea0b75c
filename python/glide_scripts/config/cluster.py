"""The settings of a cluster client."""

from dataclasses import field
from enum import Enum

from ..checks import MAX_UINT32, flag, of_type, optional, within, wrong_type
from ..public import show_as_public
from ..records import Record, record
from . import unsupported
from .configuration_errors import configuration_errors
from .settings import IN_BOTH, AdvancedBaseClientConfiguration, BaseClientConfiguration, or_default
from .unsupported import check_unsupported

DEFAULT_PERIODIC_CHECKS_MS = 60_000


class PeriodicChecksStatus(Enum):
    """Whether the client checks the cluster for changes at intervals."""

    ENABLED_DEFAULT_CONFIGS = 0
    """Every 60 seconds."""

    DISABLED = 1
    """Only when a reply or a lost connection indicates a change."""


@record(frozen=True, slots=True)
class PeriodicChecksManualInterval(Record):
    """The interval at which the client checks the cluster for changes.

    Args:
        duration_in_sec: The interval in seconds, at least 1.

    Raises:
        ConfigurationError: The value has a wrong type or is out of range.
    """

    duration_in_sec: int

    @configuration_errors()
    def __post_init__(self) -> None:
        within("duration_in_sec", self.duration_in_sec, 1, MAX_UINT32 // 1000)


@record(frozen=True, slots=True)
class AdvancedGlideClusterClientConfiguration(AdvancedBaseClientConfiguration):
    """Advanced settings of a cluster client: those of ``AdvancedGlideClientConfiguration``, and one
    more.

    Args:
        refresh_topology_from_initial_nodes: Whether to ask only the configured addresses for the
            topology, and not the nodes found through them.

    Raises:
        ConfigurationError: A value has a wrong type or is out of range.
    """

    _by_position = (
        "connection_timeout",
        "tls_config",
        "refresh_topology_from_initial_nodes",
        "tcp_nodelay",
        "pubsub_reconciliation_interval",
    )

    refresh_topology_from_initial_nodes: bool = False
    tcp_nodelay: bool | None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        AdvancedBaseClientConfiguration.__post_init__(self)
        flag(
            "refresh_topology_from_initial_nodes",
            self.refresh_topology_from_initial_nodes,
            "True or False",
        )
        optional(flag, "tcp_nodelay", self.tcp_nodelay, "True or False")


@record(frozen=True, slots=True)
class GlideClusterClientConfiguration(BaseClientConfiguration):
    """The settings of a cluster client: those of ``GlideClientConfiguration``, and one more.

    Args:
        addresses: Some of the cluster's nodes. One reachable node is enough to find the others.
        database_id: The database's number; None means 0. Before Valkey 9, clusters have no other.
        periodic_checks: Whether, or at which interval, to check the cluster for changes.
        address_map: As in ``GlideClientConfiguration``, for the addresses that nodes name: in the
            slots and in redirects. A dict may also map ``addresses``; a function is not called for
            them.

    Raises:
        ConfigurationError: A value has a wrong type, is out of range, or conflicts with another.
    """

    _by_position = (
        *IN_BOTH,
        "periodic_checks",
        "pubsub_subscriptions",
        "inflight_requests_limit",
        "recovery_requests_queue_size",
        "client_az",
        "advanced_config",
        "lazy_connect",
        "compression",
        "client_side_cache",
        "address_resolver",
        "client_circuit_breaker",
        "lib_name",
        "client_info_tag",
    )

    PubSubChannelModes = unsupported.ClusterPubSubChannelModes
    PubSubSubscriptions = unsupported.PubSubSubscriptions

    periodic_checks: PeriodicChecksStatus | PeriodicChecksManualInterval = (
        PeriodicChecksStatus.ENABLED_DEFAULT_CONFIGS
    )
    advanced_config: AdvancedGlideClusterClientConfiguration | None = field(
        default=None, kw_only=True
    )
    recovery_requests_queue_size: None = field(default=None, kw_only=True, repr=False)

    @configuration_errors()
    def __post_init__(self) -> None:
        BaseClientConfiguration.__post_init__(self)
        check_unsupported({"recovery_requests_queue_size": self.recovery_requests_queue_size})
        if not isinstance(
            self.periodic_checks, (PeriodicChecksStatus, PeriodicChecksManualInterval)
        ):
            raise wrong_type(
                "periodic_checks",
                self.periodic_checks,
                "a PeriodicChecksStatus or a PeriodicChecksManualInterval",
            )
        optional(
            of_type,
            "advanced_config",
            self.advanced_config,
            AdvancedGlideClusterClientConfiguration,
        )
        self._check_advanced(self.advanced_config)

    def _settings(self) -> dict[str, object]:
        advanced = self.advanced_config or AdvancedGlideClusterClientConfiguration()
        return {
            "cluster": True,
            **self._settings_of_both(advanced),
            "tcp_nodelay": or_default(advanced.tcp_nodelay, True),
            "periodic_checks_ms": self._periodic_checks_ms(),
            "refresh_from_seeds": advanced.refresh_topology_from_initial_nodes,
        }

    def _periodic_checks_ms(self) -> int | None:
        if isinstance(self.periodic_checks, PeriodicChecksManualInterval):
            return self.periodic_checks.duration_in_sec * 1000
        if self.periodic_checks is PeriodicChecksStatus.DISABLED:
            return None
        return DEFAULT_PERIODIC_CHECKS_MS


show_as_public(globals())
