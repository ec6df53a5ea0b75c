"""What surrounds the calls: configurations, modules, logging, closing, timeouts, types."""

import asyncio
import inspect
import sys
import typing
from unittest.mock import create_autospec

from glide import (
    AdvancedGlideClientConfiguration,
    BackoffStrategy,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    Logger,
    LogLevel,
    NodeAddress,
    NodeDiscoveryMode,
    ProtocolVersion,
    ReadFrom,
    RequestError,
    Script,
    ServerCredentials,
    TClusterResponse,
    TGlideClient,
    TimeoutError,
    TlsAdvancedConfiguration,
    TSingleNodeRoute,
)
from glide.async_commands.batch import Batch
from glide.async_commands.sorted_set import RangeByIndex
from glide.config import GlideClientConfiguration as ConfigurationOfModule
from glide.constants import OK, TEncodable, TResult
from glide.exceptions import RequestError as ErrorOfModule
from glide.glide_client import GlideClient as ClientOfModule
from glide.logger import Level
from glide.logger import Logger as LoggerOfModule
from glide.routes import AllNodes, ByAddressRoute, SlotKeyRoute, SlotType


def modules() -> None:
    print("modules", ConfigurationOfModule is GlideClientConfiguration)
    print("modules", ErrorOfModule is RequestError, ClientOfModule is GlideClient)
    print("modules", LoggerOfModule is Logger, Level is LogLevel, OK == "OK")
    print("modules", callable(Batch), callable(RangeByIndex), callable(AllNodes))
    print("types", {GlideClient, GlideClusterClient} == set(typing.get_args(TGlideClient)))
    print("types", ByAddressRoute in typing.get_args(TSingleNodeRoute))
    print("types", len(typing.get_args(TClusterResponse[int])), TEncodable is not TResult)
    print("routes", SlotKeyRoute(SlotType.PRIMARY, "k").slot_key)


async def coroutine_functions() -> None:
    for name in ("create", "get", "set", "exec", "watch", "unwatch", "invoke_script", "close"):
        print("coroutine", name, inspect.iscoroutinefunction(getattr(GlideClient, name)))
    client = create_autospec(GlideClient, instance=True)
    client.get.return_value = b"v"
    client.exec.return_value = [1]
    print("autospec", await client.get("k"), await client.exec(Batch(False), raise_on_error=True))
    try:
        await client.get()
    except TypeError:
        print("autospec knows the parameters")


def configurations(host: str, port: int) -> GlideClientConfiguration:
    everything = GlideClientConfiguration(
        addresses=[NodeAddress(host=host, port=port)],
        use_tls=False,
        credentials=None,
        read_from=ReadFrom.PRIMARY,
        request_timeout=2000,
        reconnect_strategy=BackoffStrategy(5, 10, 2, jitter_percent=20),
        database_id=0,
        client_name="me",
        protocol=ProtocolVersion.RESP3,
        pubsub_subscriptions=None,
        inflight_requests_limit=1000,
        client_az=None,
        advanced_config=AdvancedGlideClientConfiguration(
            connection_timeout=2000,
            tls_config=TlsAdvancedConfiguration(use_insecure_tls=False),
            tcp_nodelay=True,
            pubsub_reconciliation_interval=None,
        ),
        lazy_connect=False,
        compression=None,
        read_only=False,
        client_side_cache=None,
        node_discovery_mode=NodeDiscoveryMode.STANDARD,
        address_resolver=None,
        client_circuit_breaker=None,
        lib_name=None,
        client_info_tag=None,
    )
    print("config", everything.request_timeout, everything.client_name, everything.use_tls)
    try:
        ServerCredentials()
    except ConfigurationError:
        print("credentials are checked")
    return everything


async def closing(config: GlideClientConfiguration) -> None:
    client = await GlideClient.create(config)
    print("config", client.config is config)
    blocked = asyncio.create_task(client.custom_command(["BLPOP", "nothing", "0"]))
    await client.get("k")
    await client.close("it is over")
    try:
        await blocked
    except ClosingError as error:
        print("closed", str(error))
    try:
        await client.get("k")
    except ClosingError as error:
        print("closed", "closed" in str(error))


async def timeouts(host: str, port: int) -> None:
    config = GlideClientConfiguration([NodeAddress(host, port)], request_timeout=100)
    client = await GlideClient.create(config)
    try:
        await client.custom_command(["DEBUG", "SLEEP", "0.5"])
    except TimeoutError as error:
        print("timeout", "timed out" in str(error).lower())
    except RequestError as error:
        print("timeout", "timed out" in str(error).lower())
    await client.close()


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    print("level", Logger.logger_level is LogLevel.OFF)
    Logger.init(LogLevel.INFO)
    print("level", Logger.logger_level is LogLevel.OFF)
    Logger.log(LogLevel.ERROR, "program", "not shown")
    modules()
    await coroutine_functions()
    config = configurations(host, port)
    await closing(config)
    await timeouts(host, port)
    print("script", Script("return 1").get_hash())


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
