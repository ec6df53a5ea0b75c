"""The server or cluster for a command: that of ``--url``, or a temporary one."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import (
    AdvancedGlideClientConfiguration,
    AdvancedGlideClusterClientConfiguration,
    AuthenticationError,
    ConfigurationError,
    GlideClient,
    GlideClusterClient,
    ServerCredentials,
    TlsAdvancedConfiguration,
    UnixSocketAddress,
)
from ..config.node_address import ServerAddress
from ..config.setting_names import COMMAND_LINE_NAMES, with_setting_names
from ..config.url import configuration_of, parse_url
from ..testing import ValkeyCluster, ValkeyServer
from ._connection import Kinds, asked_password, given
from ._seed import Seed

# Milliseconds. A command of a seed may write a lot.
_PATIENCE = 60_000


@dataclass(frozen=True)
class Servers:
    """A server, a primary with its replicas, or a cluster."""

    settings: dict[str, Any]
    """What the URL says, as arguments of a configuration."""
    is_cluster: bool
    is_own: bool
    """Whether it was started for this command, and ends with it."""
    seed: Seed | None = None
    """What it was filled with."""

    @property
    def addresses(self) -> list[ServerAddress]:
        """The nodes that the URL names."""
        addresses: list[ServerAddress] = self.settings["addresses"]
        return addresses

    @property
    def shown(self) -> str:
        """The first of them, as people read it."""
        return _text(self.addresses[0])

    @property
    def url(self) -> str:
        """The URL without its user and password."""
        scheme = "valkeys" if self.settings["use_tls"] else "valkey"
        if isinstance(self.addresses[0], UnixSocketAddress):
            return f"unix://{self.addresses[0].path}"
        database = self.settings.get("database_id")
        path = f"/{database}" if database else ""
        return f"{scheme}://{','.join(map(_text, self.addresses))}{path}"

    async def fill(self) -> None:
        """Fill it with its seed, if it has one. Raises as `refill`."""
        if self.seed is not None:
            async with await self.connect(request_timeout=_PATIENCE) as client:
                await self.seed.fill(client)

    async def refill(self) -> None:
        """Fill a server of this command's own with its seed, as it was at first.

        Raises:
            Failure: A command of the seed failed.
            GlideError: It could not be reached.
        """
        if self.seed is not None and self.is_own:
            async with await self.connect(request_timeout=_PATIENCE) as client:
                await self.seed.refill(client)

    async def connect(self, **settings: Any) -> GlideClient | GlideClusterClient:
        """A client, with further settings of its configuration.

        Raises:
            ConfigurationError: The URL says something that cannot be used.
            ClosingError: It could not be reached.
        """
        settings = self.settings | settings
        try:
            return await self._connected(settings)
        except AuthenticationError as error:
            if "NOAUTH" not in str(error) or self.is_own or not sys.stdin.isatty():
                raise
        username = settings["credentials"].username if "credentials" in settings else None
        password = await asyncio.to_thread(asked_password)
        self.settings["credentials"] = ServerCredentials(password, username)
        return await self._connected(settings | self.settings)

    async def _connected(self, settings: dict[str, Any]) -> GlideClient | GlideClusterClient:
        kind = GlideClusterClient if self.is_cluster else GlideClient
        config = configuration_of(settings, cluster=self.is_cluster)
        return await kind._open(with_setting_names(config._settings(), COMMAND_LINE_NAMES))


@contextlib.asynccontextmanager
async def servers(
    urls: Sequence[str] | None, *, cluster: bool = False, seed: Seed | None = None, **own: Any
) -> AsyncIterator[Servers]:
    """Yield the server or cluster of ``--url`` and ``--cluster``, or a temporary one.

    With ``-v``, print its address to standard error.

    Args:
        urls: What was given as ``--url``.
        cluster: Whether it is a cluster.
        seed: What to fill it with.
        own: How to start one if there is no URL: arguments of `ValkeyServer` or `ValkeyCluster`.

    Raises:
        ConfigurationError: A URL is wrong, several do not go together, or there is none and an
            option says how to connect.
        ServerNotFound: There is no URL, and no server program; the text says what to install.
        ServerStartError: There is no URL, and the server did not start.
        Failure: A command of the seed failed.
    """
    if urls is not None:
        settings = given().applied_to(
            _settings(urls, cluster),
            Kinds(
                AdvancedGlideClusterClientConfiguration
                if cluster
                else AdvancedGlideClientConfiguration,
                TlsAdvancedConfiguration,
            ),
        )
        target = Servers(settings, cluster, is_own=False, seed=seed)
        if given().verbose:
            announce(target)
        await target.fill()
        yield target
        return
    given().check_is_unused()
    async with ValkeyCluster(**own) if cluster else ValkeyServer(**own) as started:
        target = temporary(started.url, cluster=cluster, seed=seed)
        if given().verbose:
            announce(target)
        await target.fill()
        yield target


def temporary(url: str, *, cluster: bool, seed: Seed | None) -> Servers:
    """A server or cluster that was started for this command."""
    return Servers(_settings([url], cluster), cluster, is_own=True, seed=seed)


def announce(target: Servers) -> None:
    """Print the address, for ``-v``."""
    kind = "cluster" if target.is_cluster else "server"
    about = f", a temporary {kind}" if target.is_own else ""
    print(f"glide-scripts: {target.url}{about}", file=sys.stderr, flush=True)


def _text(address: ServerAddress) -> str:
    if isinstance(address, UnixSocketAddress):
        return str(address.path)
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


def _settings(urls: Sequence[str], cluster: bool) -> dict[str, Any]:
    """The settings of several URLs, which may differ only in their hosts."""
    each = [
        parse_url(url, cluster=cluster)
        for text in urls
        # A comma also stands between the hosts of one URL.
        for url in re.split(r",(?=[\w+]+://)", text)
    ]
    first, *others = ({k: v for k, v in one.items() if k != "addresses"} for one in each)
    for other in others:
        # Only one of them needs to have the password.
        if other != first and other != {"use_tls": first["use_tls"]}:
            raise ConfigurationError(
                "the URLs differ in more than their hosts; write the same scheme, user, password, "
                "database and settings in each"
            )
    return first | {"addresses": [address for one in each for address in one["addresses"]]}
