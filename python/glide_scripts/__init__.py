"""Run Lua scripts on Valkey and Redis from asyncio: fast, and each call at most once.

::

    async with await GlideClient.from_url("valkey://localhost") as client:
        script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        total = await client.invoke_script(script, keys=["total"], args=["5"])

PYTEST_DONT_REWRITE: with ``coverage run -m pytest``, this package is imported before pytest, which
would warn that it cannot rewrite its assertions.
"""

# Before the imports: modules look here which of their classes are public.
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

# The core imports it by its name alone. With this, programs that bundle imported modules see it.
from . import for_core as for_core
from ._core import Script, __version__
from .client.standalone import GlideClient
from .commands.flush_mode import FlushMode
from .commands.functions import FunctionRestorePolicy
from .commands.key_expiry import ExpireOptions
from .commands.scanning import ObjectType
from .commands.server import InfoSection
from .commands.sorted_sets import UpdateOptions
from .commands.strings import ConditionalChange, OnlyIfEqual
from .config.address_map import AddressMap
from .config.backoff import BackoffStrategy
from .config.node_address import NodeAddress, UnixSocketAddress
from .config.secrets import ServerCredentials
from .config.settings import (
    AdvancedGlideClientConfiguration,
    GlideClientConfiguration,
    ProtocolVersion,
    ReadFrom,
)
from .config.tls import TlsAdvancedConfiguration
from .config.unsupported import NodeDiscoveryMode
from .errors import (
    AuthenticationError,
    ClosingError,
    ConfigurationError,
    ConnectionError,
    CrossSlotError,
    ExecAbortError,
    GlideError,
    LoggerError,
    NoPermissionError,
    NoScriptError,
    NotBusyError,
    OnceConflictError,
    OnceUnknownError,
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
from .observing.client import AnyClient
from .observing.observer import Observer
from .public import later
from .values import (
    OK,
    TOK,
    TClusterResponse,
    TEncodable,
    TFunctionListResponse,
    TFunctionStatsFullResponse,
    TFunctionStatsSingleNodeResponse,
    TResult,
)

if typing.TYPE_CHECKING:
    from .client.batch import Batch, ClusterBatch, ClusterTransaction, Transaction
    from .client.batch_options import BatchOptions, BatchRetryStrategy, ClusterBatchOptions
    from .client.cluster import GlideClusterClient, TGlideClient
    from .client.many import ScriptReplies
    from .commands.cluster_scan import ClusterScanCursor
    from .commands.expiry import ExpirySet, ExpiryType
    from .commands.function_library import Function, FunctionLibrary
    from .commands.ranges import (
        InfBound,
        LexBoundary,
        Limit,
        RangeByIndex,
        RangeByLex,
        RangeByScore,
        ScoreBoundary,
    )
    from .commands.routes import (
        AllNodes,
        AllPrimaries,
        ByAddressRoute,
        RandomNode,
        Route,
        SlotIdRoute,
        SlotKeyRoute,
        SlotType,
        TSingleNodeRoute,
    )
    from .config.cluster import (
        AdvancedGlideClusterClientConfiguration,
        GlideClusterClientConfiguration,
        PeriodicChecksManualInterval,
        PeriodicChecksStatus,
    )
    from .config.sentinel import SentinelConfiguration
    from .declared.annotations import Json, Key, Secret
    from .declared.conversion import Converter
    from .logger import Logger, LogLevel
    from .observing.call import ObservedCall
    from .observing.stats import Latency, NodeStats, Stats
    from .scripts.decorator import typed_script
    from .scripts.library import ScriptLibrary, TypedLibrary
    from .scripts.typed import TBatch, TCall, TypedScript

# What a program of one server and one script does not need is imported when it is asked for: that
# halves the time of the import.
_LATER = {
    name: module
    for module, names in {
        "client.batch": "Batch ClusterBatch ClusterTransaction Transaction",
        "client.batch_options": "BatchOptions BatchRetryStrategy ClusterBatchOptions",
        "client.cluster": "GlideClusterClient TGlideClient",
        "client.many": "ScriptReplies",
        "commands.cluster_scan": "ClusterScanCursor",
        "commands.expiry": "ExpirySet ExpiryType",
        "commands.function_library": "Function FunctionLibrary",
        "commands.ranges": "InfBound LexBoundary Limit RangeByIndex RangeByLex RangeByScore "
        "ScoreBoundary",
        "commands.routes": "AllNodes AllPrimaries ByAddressRoute RandomNode Route SlotIdRoute "
        "SlotKeyRoute SlotType TSingleNodeRoute",
        "config.cluster": "AdvancedGlideClusterClientConfiguration GlideClusterClientConfiguration "
        "PeriodicChecksManualInterval PeriodicChecksStatus",
        "config.sentinel": "SentinelConfiguration",
        "declared.annotations": "Json Key Secret",
        "declared.conversion": "Converter",
        "logger": "LogLevel Logger",
        "observing.call": "ObservedCall",
        "observing.stats": "Latency NodeStats Stats",
        "scripts.decorator": "typed_script",
        "scripts.library": "ScriptLibrary TypedLibrary",
        "scripts.typed": "TBatch TCall TypedScript",
    }.items()
    for name in names.split()
}

if not typing.TYPE_CHECKING:
    __getattr__, __dir__ = later(globals(), _LATER)

del later, typing
