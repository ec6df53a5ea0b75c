"""A cluster: its configuration, routes, and commands for several nodes."""

from __future__ import annotations

from glide_scripts import (
    AdvancedGlideClusterClientConfiguration,
    AllNodes,
    AllPrimaries,
    BackoffStrategy,
    ByAddressRoute,
    ClosingError,
    CrossSlotError,
    FlushMode,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    InfoSection,
    NodeAddress,
    PeriodicChecksManualInterval,
    ProtocolVersion,
    RandomNode,
    ReadFrom,
    Route,
    Script,
    ServerCredentials,
    SlotIdRoute,
    SlotType,
    TlsAdvancedConfiguration,
)

COUNT = Script("return redis.call('DBSIZE')", read_only=True)


def configuration(password: str) -> GlideClusterClientConfiguration:
    return GlideClusterClientConfiguration(
        [NodeAddress("one.example", 6379), NodeAddress("two.example")],
        use_tls=True,
        credentials=ServerCredentials(password, "app"),
        read_from=ReadFrom.PREFER_REPLICA,
        request_timeout=250,
        reconnect_strategy=BackoffStrategy(3, 100, 2),
        client_name="reports",
        protocol=ProtocolVersion.RESP3,
        periodic_checks=PeriodicChecksManualInterval(duration_in_sec=30),
        advanced_config=AdvancedGlideClusterClientConfiguration(
            connection_timeout=1000,
            tls_config=TlsAdvancedConfiguration(root_pem_cacerts=b""),
        ),
    )


async def rotated() -> str:
    return "secret"


async def sizes(client: GlideClusterClient, route: Route) -> dict[bytes, int]:
    reply = await client.invoke_script_route(COUNT, route=route)
    if not isinstance(reply, dict):
        return {}
    return {
        node: size
        for node, size in reply.items()
        if isinstance(node, bytes) and isinstance(size, int)
    }


async def manage(client: GlideClusterClient) -> None:
    sha1: str = await client.script_load(COUNT, route=AllPrimaries())
    exists: list[bool] = await client.script_exists([sha1])
    await client.script_flush(FlushMode.ASYNC, route=AllNodes())
    info = await client.info([InfoSection.SERVER, InfoSection.MEMORY], RandomNode())
    print(info if isinstance(info, bytes) else info.keys())
    print(await client.dbsize(), await client.ping(), exists)
    print(await client.config_set({"maxmemory": "1gb"}) == "OK")
    print(await client.custom_command(["CLUSTER", "INFO"], ByAddressRoute("one.example", 6379)))


async def main() -> None:
    credentials = ServerCredentials(password_callback=rotated)
    print(credentials)
    try:
        client = await GlideClusterClient.create(configuration("secret"))
    except ClosingError as error:
        print(error, error.may_have_executed)
        return
    async with client:
        try:
            await client.mget(["a", "b"])
            await client.watch(["a", "b"])
        except CrossSlotError as error:
            print(error.code)
        print(await sizes(client, SlotIdRoute(SlotType.REPLICA, 5)))
        await manage(client)
