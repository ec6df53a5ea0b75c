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
    from .absent import NodeDiscoveryMode
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
        BackoffStrategy,
        GlideClientConfiguration,
        ProtocolVersion,
        ReadFrom,
    )
    from .tls import TlsAdvancedConfiguration
else:

    def __getattr__(name):
        # Not at once: the package imports what a program needs, and no more.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import glide_scripts  # noqa: PLC0415 - it imports this package

        value = globals()[name] = getattr(glide_scripts, name)
        return value
