"""The configurations. GLIDE's module of this name has them, too."""

from typing import TYPE_CHECKING

__all__ = [
    "AdvancedGlideClientConfiguration",
    "AdvancedGlideClusterClientConfiguration",
    "BackoffStrategy",
    "GlideClientConfiguration",
    "GlideClusterClientConfiguration",
    "NodeAddress",
    "NodeDiscoveryMode",
    "PeriodicChecksManualInterval",
    "PeriodicChecksStatus",
    "ProtocolVersion",
    "ReadFrom",
    "SentinelConfiguration",
    "ServerCredentials",
    "TlsAdvancedConfiguration",
    "UnixSocketAddress",
]

if TYPE_CHECKING:
    from .backoff import BackoffStrategy
    from .cluster import (
        AdvancedGlideClusterClientConfiguration,
        GlideClusterClientConfiguration,
        PeriodicChecksManualInterval,
        PeriodicChecksStatus,
    )
    from .node_address import NodeAddress, UnixSocketAddress
    from .secrets import ServerCredentials
    from .sentinel import SentinelConfiguration
    from .settings import (
        AdvancedGlideClientConfiguration,
        GlideClientConfiguration,
        ProtocolVersion,
        ReadFrom,
    )
    from .tls import TlsAdvancedConfiguration
    from .unsupported import NodeDiscoveryMode
else:
    from ..public import later

    # Not at once: the package imports what a program needs, and no more.
    __getattr__, __dir__ = later(globals(), dict.fromkeys(__all__, ""))
