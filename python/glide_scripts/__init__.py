"""Lua scripts on Valkey and Redis, from asyncio: fast, and each run at most once.

::

    async with await GlideClient.from_url("valkey://localhost") as client:
        script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        total = await client.invoke_script(script, keys=["total"], args=["5"])
"""

import typing

from ._client import GlideClient
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
    ReplyTypeError,
    RequestError,
    ScriptBusyError,
    ScriptError,
    ScriptKilledError,
    ScriptSourceError,
    ScriptSyntaxError,
    TimeoutError,
    UnkillableError,
)
from ._observer import ObservedCall, Observer
from ._options import (
    ConditionalChange,
    ExpireOptions,
    ExpirySet,
    ExpiryType,
    FlushMode,
    FunctionRestorePolicy,
    InfoSection,
    OnlyIfEqual,
    UpdateOptions,
)
from ._reply import OK, TOK, TEncodable, TResult

if typing.TYPE_CHECKING:
    from ._annotations import Json, Key, Secret
    from ._batch import Batch, ClusterBatch, ClusterTransaction, Transaction
    from ._batch_options import BatchOptions, BatchRetryStrategy, ClusterBatchOptions
    from ._cluster_client import GlideClusterClient
    from ._function_library import Function, FunctionLibrary
    from ._invoke_many import ScriptReplies
    from ._library import ScriptLibrary
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
    from ._stats import Latency, NodeStats, Stats
    from ._typed import TypedScript, typed_script

__all__ = [
    "OK",
    "TOK",
    "AdvancedGlideClientConfiguration",
    "AdvancedGlideClusterClientConfiguration",
    "AllNodes",
    "AllPrimaries",
    "BackoffStrategy",
    "Batch",
    "BatchOptions",
    "BatchRetryStrategy",
    "ByAddressRoute",
    "ClosingError",
    "ClusterBatch",
    "ClusterBatchOptions",
    "ClusterTransaction",
    "ConditionalChange",
    "ConfigurationError",
    "ConnectionError",
    "CrossSlotError",
    "ExecAbortError",
    "ExpireOptions",
    "ExpirySet",
    "ExpiryType",
    "FlushMode",
    "Function",
    "FunctionLibrary",
    "FunctionRestorePolicy",
    "GlideClient",
    "GlideClientConfiguration",
    "GlideClusterClient",
    "GlideClusterClientConfiguration",
    "GlideError",
    "InfoSection",
    "Json",
    "Key",
    "Latency",
    "LoggerError",
    "NoScriptError",
    "NodeAddress",
    "NodeStats",
    "NotBusyError",
    "ObservedCall",
    "Observer",
    "OnlyIfEqual",
    "PeriodicChecksManualInterval",
    "PeriodicChecksStatus",
    "ProtocolVersion",
    "RandomNode",
    "ReadFrom",
    "ReplyTypeError",
    "RequestError",
    "Route",
    "Script",
    "ScriptBusyError",
    "ScriptError",
    "ScriptKilledError",
    "ScriptLibrary",
    "ScriptReplies",
    "ScriptSourceError",
    "ScriptSyntaxError",
    "Secret",
    "ServerCredentials",
    "SlotIdRoute",
    "SlotKeyRoute",
    "SlotType",
    "Stats",
    "TEncodable",
    "TResult",
    "TimeoutError",
    "TlsAdvancedConfiguration",
    "Transaction",
    "TypedScript",
    "UnkillableError",
    "UpdateOptions",
    "__version__",
    "typed_script",
]

# What a program of one server and one script does not need is imported when it is asked for: that
# halves the time of the import.
_LATER = {
    name: module
    for module, names in {
        "_annotations": ("Json", "Key", "Secret"),
        "_batch": ("Batch", "ClusterBatch", "ClusterTransaction", "Transaction"),
        "_batch_options": ("BatchOptions", "BatchRetryStrategy", "ClusterBatchOptions"),
        "_cluster_client": ("GlideClusterClient",),
        "_function_library": ("Function", "FunctionLibrary"),
        "_invoke_many": ("ScriptReplies",),
        "_library": ("ScriptLibrary",),
        "_routes": (
            "AllNodes",
            "AllPrimaries",
            "ByAddressRoute",
            "RandomNode",
            "Route",
            "SlotIdRoute",
            "SlotKeyRoute",
            "SlotType",
        ),
        "_stats": ("Latency", "NodeStats", "Stats"),
        "_typed": ("TypedScript", "typed_script"),
    }.items()
    for name in names
}

if not typing.TYPE_CHECKING:

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


del typing
