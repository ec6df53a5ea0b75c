"""The settings of a cluster's client."""

from dataclasses import dataclass, field
from enum import Enum

from ..checks import MAX_UINT32, flag, of_type, optional, within, wrong_type
from ..public import show_as_public
from .configuration_errors import configuration_errors
from .settings import AdvancedBaseClientConfiguration, BaseClientConfiguration, or_default

DEFAULT_PERIODIC_CHECKS_MS = 60_000


class PeriodicChecksStatus(Enum):
    """Whether the cluster client looks for changes of the cluster at intervals."""

    ENABLED_DEFAULT_CONFIGS = 0
    """Every 60 seconds."""

    DISABLED = 1
    """Only when a reply or a lost connection hints at a change."""


@dataclass(frozen=True, slots=True)
class PeriodicChecksManualInterval:
    """An interval at which the cluster client looks for changes of the cluster.

    Args:
        duration_in_sec: The interval in seconds, at least 1.

    Raises:
        ConfigurationError: It is not such a number.
    """

    duration_in_sec: int

    @configuration_errors()
    def __post_init__(self) -> None:
        within("duration_in_sec", self.duration_in_sec, 1, MAX_UINT32 // 1000)


@dataclass(frozen=True, slots=True)
class AdvancedGlideClusterClientConfiguration(AdvancedBaseClientConfiguration):
    """Settings of a cluster client that few need: ``AdvancedGlideClientConfiguration``'s, and one.

    Args:
        refresh_topology_from_initial_nodes: Whether to ask only the configured addresses, and not
            the nodes that were learned from them, how the cluster looks now.

    Raises:
        ConfigurationError: A value is of a wrong type or out of range.
    """

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


@dataclass(frozen=True, slots=True)
class GlideClusterClientConfiguration(BaseClientConfiguration):
    """The settings of a client of a cluster: those of ``GlideClientConfiguration``, and one.

    Args:
        addresses: Some of the cluster's nodes; one that answers is enough to find the others.
        database_id: The database's number; None means 0. A cluster has others from Valkey 9 on.
        periodic_checks: Whether, or at which interval, to look for changes of the cluster.

    Raises:
        ConfigurationError: A value is of a wrong type or out of range, or does not go with another.
    """

    periodic_checks: PeriodicChecksStatus | PeriodicChecksManualInterval = (
        PeriodicChecksStatus.ENABLED_DEFAULT_CONFIGS
    )
    advanced_config: AdvancedGlideClusterClientConfiguration | None = field(
        default=None, kw_only=True
    )

    @configuration_errors()
    def __post_init__(self) -> None:
        BaseClientConfiguration.__post_init__(self)
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
