"""The synchronous client: the same names as ``glide_scripts``, for programs without asyncio.

::

    from glide_scripts.sync import GlideClient, Script

    with GlideClient.from_url("valkey://localhost") as client:
        script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        total = client.invoke_script(script, keys=["total"], args=["5"])

Any number of threads may share one client. A call releases the GIL and blocks its own thread.
"""

# Those of the package, since a program imports from one of the two.
__all__ = [
    "OK",
    "TOK",
    "AddressMap",
    "AdvancedGlideClientConfiguration",
    "AdvancedGlideClusterClientConfiguration",
    "AllNodes",
    "AllPrimaries",
    "AnyClient",
    "AuthenticationError",
    "BackoffStrategy",
    "Batch",
    "BatchOptions",
    "BatchRetryStrategy",
    "ByAddressRoute",
    "ClosingError",
    "ClusterBatch",
    "ClusterBatchOptions",
    "ClusterScanCursor",
    "ClusterTransaction",
    "ConditionalChange",
    "ConfigurationError",
    "ConnectionError",
    "Converter",
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
    "InfBound",
    "InfoSection",
    "Json",
    "Key",
    "Latency",
    "LexBoundary",
    "Limit",
    "LogLevel",
    "Logger",
    "LoggerError",
    "NoPermissionError",
    "NoScriptError",
    "NodeAddress",
    "NodeDiscoveryMode",
    "NodeStats",
    "NotBusyError",
    "ObjectType",
    "ObservedCall",
    "Observer",
    "OnceConflictError",
    "OnceUnknownError",
    "OnlyIfEqual",
    "PeriodicChecksManualInterval",
    "PeriodicChecksStatus",
    "ProtocolVersion",
    "RandomNode",
    "RangeByIndex",
    "RangeByLex",
    "RangeByScore",
    "ReadFrom",
    "ReplyTypeError",
    "RequestError",
    "Route",
    "ScoreBoundary",
    "Script",
    "ScriptBusyError",
    "ScriptError",
    "ScriptKilledError",
    "ScriptLibrary",
    "ScriptReplies",
    "ScriptSourceError",
    "ScriptSyntaxError",
    "Secret",
    "SentinelConfiguration",
    "ServerCredentials",
    "SlotIdRoute",
    "SlotKeyRoute",
    "SlotType",
    "Stats",
    "TBatch",
    "TCall",
    "TClusterResponse",
    "TEncodable",
    "TFunctionListResponse",
    "TFunctionStatsFullResponse",
    "TFunctionStatsSingleNodeResponse",
    "TGlideClient",
    "TResult",
    "TSingleNodeRoute",
    "TimeoutError",
    "TlsAdvancedConfiguration",
    "Transaction",
    "TypedLibrary",
    "TypedScript",
    "UnixSocketAddress",
    "UnkillableError",
    "UpdateOptions",
    "__version__",
    "typed_script",
]

import typing

import glide_scripts

from ..client.blocking.standalone import GlideClient

if typing.TYPE_CHECKING:
    from glide_scripts import (
        OK,
        TOK,
        AddressMap,
        AdvancedGlideClientConfiguration,
        AdvancedGlideClusterClientConfiguration,
        AllNodes,
        AllPrimaries,
        AnyClient,
        AuthenticationError,
        BackoffStrategy,
        Batch,
        BatchOptions,
        BatchRetryStrategy,
        ByAddressRoute,
        ClosingError,
        ClusterBatch,
        ClusterBatchOptions,
        ClusterScanCursor,
        ClusterTransaction,
        ConditionalChange,
        ConfigurationError,
        ConnectionError,
        Converter,
        CrossSlotError,
        ExecAbortError,
        ExpireOptions,
        ExpirySet,
        ExpiryType,
        FlushMode,
        Function,
        FunctionLibrary,
        FunctionRestorePolicy,
        GlideClientConfiguration,
        GlideClusterClientConfiguration,
        GlideError,
        InfBound,
        InfoSection,
        Json,
        Key,
        Latency,
        LexBoundary,
        Limit,
        Logger,
        LoggerError,
        LogLevel,
        NodeAddress,
        NodeDiscoveryMode,
        NodeStats,
        NoPermissionError,
        NoScriptError,
        NotBusyError,
        ObjectType,
        ObservedCall,
        Observer,
        OnceConflictError,
        OnceUnknownError,
        OnlyIfEqual,
        PeriodicChecksManualInterval,
        PeriodicChecksStatus,
        ProtocolVersion,
        RandomNode,
        RangeByIndex,
        RangeByLex,
        RangeByScore,
        ReadFrom,
        ReplyTypeError,
        RequestError,
        Route,
        ScoreBoundary,
        Script,
        ScriptBusyError,
        ScriptError,
        ScriptKilledError,
        ScriptLibrary,
        ScriptSourceError,
        ScriptSyntaxError,
        Secret,
        SentinelConfiguration,
        ServerCredentials,
        SlotIdRoute,
        SlotKeyRoute,
        SlotType,
        Stats,
        TBatch,
        TCall,
        TClusterResponse,
        TEncodable,
        TFunctionListResponse,
        TFunctionStatsFullResponse,
        TFunctionStatsSingleNodeResponse,
        TimeoutError,
        TlsAdvancedConfiguration,
        Transaction,
        TResult,
        TSingleNodeRoute,
        TypedLibrary,
        TypedScript,
        UnixSocketAddress,
        UnkillableError,
        UpdateOptions,
        __version__,
        typed_script,
    )

    from ..client.blocking.cluster import GlideClusterClient, TGlideClient
    from ..client.blocking.replies import ScriptReplies

# What a program of one server does not need is imported when it is asked for.
_LATER = {
    "GlideClusterClient": "client.blocking.cluster",
    "ScriptReplies": "client.blocking.replies",
    "TGlideClient": "client.blocking.cluster",
}

if not typing.TYPE_CHECKING:

    def __getattr__(name):
        if name in _LATER:
            from importlib import import_module  # noqa: PLC0415 - saves time at import

            value = getattr(import_module(f".{_LATER[name]}", glide_scripts.__name__), name)
        elif name in __all__:
            value = getattr(glide_scripts, name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


del typing
