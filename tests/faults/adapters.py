"""The clients that the suite can drive: ours, and others for comparison.

To try another client, write a subclass of `Adapter` and enter it in `ADAPTERS`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

Address = tuple[str, int]


@dataclass(frozen=True)
class Settings:
    """The settings that a scenario needs. A client ignores settings that it does not have."""

    cluster: bool = False
    service: str | None = None
    """What Sentinels call the primary and its replicas; then the addresses are theirs."""
    timeout_ms: int = 5000
    username: str | None = None
    password: str | None = None
    lazy: bool = False
    """Whether to connect only on the first call."""
    heartbeat_ms: int | None = None
    """How long a connection may be silent before the client asks for a sign of life."""
    pending_bytes: int | None = None
    """How many bytes may wait to be written."""
    ca: bytes | None = None
    """The authority in PEM that the server's certificate is of; None: no TLS."""


class Adapter(ABC):
    """One client of one server or cluster. Other settings stay at the client's defaults."""

    name: ClassVar[str]
    distribution: ClassVar[str]
    module: ClassVar[str]
    not_driven: Mapping[str, str] = MappingProxyType({})
    """Scenarios that ask for what the client does not offer, each with the reason."""
    once = False
    """Whether each script may take effect only once, also if it is sent again."""

    def __init__(self) -> None:
        self._module: Any = importlib.import_module(self.module)
        self._client: Any = None
        self._scripts: dict[str, Any] = {}

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.distribution)

    @abstractmethod
    async def connect(self, addresses: Sequence[Address], settings: Settings) -> None:
        """Connects; what is raised ends the scenario."""

    @abstractmethod
    async def invoke(
        self,
        code: str,
        keys: Sequence[str],
        args: Sequence[str | bytes | bytearray],
    ) -> object:
        """Runs a script by its hash, and sends the code if the server lacks it."""

    def may_have_run(self, error: Exception) -> bool:
        """Whether the script may have run, as the error says; True if it does not say."""
        return True

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


NO_ONCE = dict.fromkeys(
    (
        "replies_dropped_once",
        "replies_cut_in_the_middle_once",
        "connections_reset_once",
        "server_killed_once",
        "primary_killed_once",
    ),
    "has no `once`",
)


class GlideScripts(Adapter):
    """This package."""

    name, distribution, module = "glide_scripts", "glide-scripts", "glide_scripts"

    async def connect(self, addresses: Sequence[Address], settings: Settings) -> None:
        module = self._module
        nodes = [module.NodeAddress(host, port) for host, port in addresses]
        kind = "GlideClusterClient" if settings.cluster else "GlideClient"
        make = getattr(module, f"{kind}Configuration")
        if settings.service is not None:
            make = partial(module.SentinelConfiguration, service_name=settings.service)
        config = make(
            nodes,
            credentials=credentials(module, settings),
            request_timeout=settings.timeout_ms,
            lazy_connect=settings.lazy,
            use_tls=settings.ca is not None,
            advanced_config=getattr(module, f"Advanced{kind}Configuration")(
                tls_config=trust(module, settings),
                heartbeat_interval=settings.heartbeat_ms,
                pending_bytes_limit=settings.pending_bytes,
            ),
        )
        self._client = await getattr(module, kind).create(config)

    async def invoke(
        self,
        code: str,
        keys: Sequence[str],
        args: Sequence[str | bytes | bytearray],
    ) -> object:
        script = self._scripts.get(code)
        if script is None:
            script = self._scripts[code] = self._module.Script(code)
        once = self.once or None
        reply: object = await self._client.invoke_script(script, keys, args, once=once)
        return reply

    def may_have_run(self, error: Exception) -> bool:
        return bool(getattr(error, "may_have_executed", True))


class ValkeyGlide(Adapter):
    """valkey-glide."""

    name, distribution, module = "valkey-glide", "valkey-glide", "glide"
    not_driven = MappingProxyType({**NO_ONCE, "primary_ended_under_sentinels": "has no Sentinels"})

    async def connect(self, addresses: Sequence[Address], settings: Settings) -> None:
        module = self._module
        nodes = [module.NodeAddress(host, port) for host, port in addresses]
        kind = "GlideClusterClient" if settings.cluster else "GlideClient"
        config = getattr(module, f"{kind}Configuration")(
            nodes,
            credentials=credentials(module, settings),
            request_timeout=settings.timeout_ms,
            lazy_connect=settings.lazy,
            use_tls=settings.ca is not None,
            advanced_config=getattr(module, f"Advanced{kind}Configuration")(
                tls_config=trust(module, settings)
            ),
        )
        self._client = await getattr(module, kind).create(config)

    async def invoke(
        self,
        code: str,
        keys: Sequence[str],
        args: Sequence[str | bytes | bytearray],
    ) -> object:
        script = self._scripts.get(code)
        if script is None:
            script = self._scripts[code] = self._module.Script(code)
        reply: object = await self._client.invoke_script(
            script,
            keys=list(keys),
            args=[bytes(arg) if isinstance(arg, bytearray) else arg for arg in args],
        )
        return reply


class RedisPy(Adapter):
    """redis-py, whose own script object loads a script that the server lacks."""

    name, distribution, module = "redis-py", "redis", "redis.asyncio"
    not_driven = MappingProxyType(
        {
            **NO_ONCE,
            "primary_and_replica_swapped": "takes one address",
            "one_of_several_addresses_down": "takes one address",
        }
    )

    async def connect(self, addresses: Sequence[Address], settings: Settings) -> None:
        options: dict[str, Any] = {
            "username": settings.username,
            "password": settings.password,
            "socket_timeout": settings.timeout_ms / 1000,
            "socket_connect_timeout": 2.0,
            # Its default of 100 is fewer than some scenarios have calls at once.
            "max_connections": 1000,
            "health_check_interval": (settings.heartbeat_ms or 0) / 1000,
        }
        if settings.ca is not None:
            options |= {"ssl": True, "ssl_ca_data": settings.ca.decode()}
        if settings.cluster:
            nodes = importlib.import_module("redis.asyncio.cluster").ClusterNode
            self._client = self._module.RedisCluster(
                startup_nodes=[nodes(host, port) for host, port in addresses], **options
            )
            await self._client.initialize()
        elif settings.service is not None:
            sentinel = importlib.import_module("redis.asyncio.sentinel").Sentinel(addresses)
            self._client = sentinel.master_for(settings.service, **options)
        else:
            [(host, port), *_] = addresses
            # It always connects on the first call.
            self._client = self._module.Redis(host=host, port=port, **options)

    async def invoke(
        self,
        code: str,
        keys: Sequence[str],
        args: Sequence[str | bytes | bytearray],
    ) -> object:
        script = self._scripts.get(code)
        if script is None:
            script = self._scripts[code] = self._client.register_script(code)
        words = [bytes(arg) if isinstance(arg, bytearray) else arg for arg in args]
        reply: object = await script(keys=list(keys), args=words)
        return reply

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def credentials(module: Any, settings: Settings) -> Any:
    if settings.password is None:
        return None
    return module.ServerCredentials(settings.password, settings.username)


def trust(module: Any, settings: Settings) -> Any:
    if settings.ca is None:
        return None
    return module.TlsAdvancedConfiguration(root_pem_cacerts=settings.ca)


ADAPTERS: dict[str, Callable[[], Adapter]] = {
    GlideScripts.name: GlideScripts,
    ValkeyGlide.name: ValkeyGlide,
    RedisPy.name: RedisPy,
}
