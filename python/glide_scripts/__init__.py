"""Lua scripts on Valkey and Redis, from asyncio: fast, and each run at most once.

::

    async with await GlideClient.from_url("valkey://localhost") as client:
        script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        total = await client.invoke_script(script, keys=["total"], args=["5"])
"""

from ._client import GlideClient
from ._cluster_client import GlideClusterClient
from ._config import (
    AdvancedGlideClientConfiguration,
    AdvancedGlideClusterClientConfiguration,
    BackoffStrategy,
    GlideClientConfiguration,
    GlideClusterClientConfiguration,
    NodeAddress,
    PeriodicChecksManualInterval,
    PeriodicChecksStatus,
    ProtocolVersion,
    ReadFrom,
    ServerCredentials,
    TlsAdvancedConfiguration,
)
from ._core import Script, __version__
from ._errors import (
    ClosingError,
    ConfigurationError,
    ConnectionError,
    CrossSlotError,
    ExecAbortError,
    GlideError,
    LoggerError,
    NoScriptError,
    NotBusyError,
    RequestError,
    ScriptBusyError,
    ScriptError,
    ScriptKilledError,
    ScriptSyntaxError,
    TimeoutError,
    UnkillableError,
)
from ._options import (
    ConditionalChange,
    ExpireOptions,
    ExpirySet,
    ExpiryType,
    FlushMode,
    InfoSection,
    OnlyIfEqual,
    UpdateOptions,
)
from ._reply import OK, TOK, TEncodable, TResult
from ._routes import (
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    RandomNode,
    Route,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
)

__all__ = [
    "OK",
    "TOK",
    "AdvancedGlideClientConfiguration",
    "AdvancedGlideClusterClientConfiguration",
    "AllNodes",
    "AllPrimaries",
    "BackoffStrategy",
    "ByAddressRoute",
    "ClosingError",
    "ConditionalChange",
    "ConfigurationError",
    "ConnectionError",
    "CrossSlotError",
    "ExecAbortError",
    "ExpireOptions",
    "ExpirySet",
    "ExpiryType",
    "FlushMode",
    "GlideClient",
    "GlideClientConfiguration",
    "GlideClusterClient",
    "GlideClusterClientConfiguration",
    "GlideError",
    "InfoSection",
    "LoggerError",
    "NoScriptError",
    "NodeAddress",
    "NotBusyError",
    "OnlyIfEqual",
    "PeriodicChecksManualInterval",
    "PeriodicChecksStatus",
    "ProtocolVersion",
    "RandomNode",
    "ReadFrom",
    "RequestError",
    "Route",
    "Script",
    "ScriptBusyError",
    "ScriptError",
    "ScriptKilledError",
    "ScriptSyntaxError",
    "ServerCredentials",
    "SlotIdRoute",
    "SlotKeyRoute",
    "SlotType",
    "TEncodable",
    "TResult",
    "TimeoutError",
    "TlsAdvancedConfiguration",
    "UnkillableError",
    "UpdateOptions",
    "__version__",
]
