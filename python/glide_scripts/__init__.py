"""Lua scripts on Valkey and Redis, from asyncio: fast, and each run at most once.

::

    async with await GlideClient.from_url("valkey://localhost") as client:
        script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        total = await client.invoke_script(script, keys=["total"], args=["5"])
"""

from ._client import GlideClient
from ._config import (
    AdvancedGlideClientConfiguration,
    BackoffStrategy,
    GlideClientConfiguration,
    NodeAddress,
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

__all__ = [
    "OK",
    "TOK",
    "AdvancedGlideClientConfiguration",
    "BackoffStrategy",
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
    "GlideError",
    "InfoSection",
    "LoggerError",
    "NoScriptError",
    "NodeAddress",
    "NotBusyError",
    "OnlyIfEqual",
    "ProtocolVersion",
    "ReadFrom",
    "RequestError",
    "Script",
    "ScriptBusyError",
    "ScriptError",
    "ScriptKilledError",
    "ScriptSyntaxError",
    "ServerCredentials",
    "TEncodable",
    "TResult",
    "TimeoutError",
    "TlsAdvancedConfiguration",
    "UnkillableError",
    "UpdateOptions",
    "__version__",
]
