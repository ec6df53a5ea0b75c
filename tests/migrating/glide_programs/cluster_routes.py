"""What GLIDE's tests of routes, scripts and functions do in a cluster."""

import asyncio
import sys
from typing import Any

from glide import (
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    FlushMode,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    InfoSection,
    Logger,
    LogLevel,
    NodeAddress,
    RandomNode,
    RequestError,
    Script,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
)

CODE = """#!lua name=mylib
redis.register_function{function_name='first', callback=function(keys, args) return args[1] end,
  flags={'no-writes'}}
"""


def show(name: str, value: Any) -> None:
    if isinstance(value, dict):
        # The addresses of nodes differ from run to run.
        value = [len(value), *{repr(each) for each in value.values()}]
    print(name, "OK" if value == "OK" else value)


async def scripts(client: GlideClusterClient) -> None:
    put = Script("return redis.call('SET', KEYS[1], ARGV[1])")
    show("invoke", await client.invoke_script(put, keys=["user:1000"], args=["John"]))
    own = Script("return {ARGV[1]}")
    primary = SlotKeyRoute(SlotType.PRIMARY, "user:1000")
    show("route", await client.invoke_script_route(own, args=["a"], route=primary))
    show("route", await client.invoke_script_route(own, ["a"], primary))
    show("route", await client.invoke_script_route(own, ["a"], AllPrimaries()))
    show("route", await client.invoke_script_route(own, args=["a"], route=RandomNode()))
    show("route", await client.invoke_script_route(own, args=["a"]))
    show("route", await client.invoke_script_route(own, ["a"]))
    show("route", await client.invoke_script_route(own, ["a"], None))
    hashes = [own.get_hash(), "f" * 40]
    show("exists", await client.script_exists(hashes, AllPrimaries()))
    show("flush", await client.script_flush(FlushMode.SYNC, AllNodes()))
    show("exists", await client.script_exists(hashes))
    try:
        await client.invoke_script(put, keys=["one", "two"], args=["v"])
    except RequestError as error:
        show("slots", "CrossSlot" in str(error) or "CROSSSLOT" in str(error).upper())


async def functions(client: GlideClusterClient) -> None:
    show("flush", await client.function_flush(FlushMode.SYNC, AllPrimaries()))
    show("load", await client.function_load(CODE, True, AllPrimaries()))
    show("fcall", await client.fcall_route("first", ["one"], AllPrimaries()))
    show("fcall", await client.fcall_ro_route("first", ["one"], RandomNode()))
    show("fcall", await client.fcall("first", keys=["k"], arguments=["one"]))
    listed = await client.function_list("my*", False, AllPrimaries())
    show("list", [len(each) for each in listed.values()])
    stats = await client.function_stats(AllPrimaries())
    show("stats", [each[b"running_script"] for each in stats.values()])
    show("delete", await client.function_delete("mylib", AllPrimaries()))


async def routes(client: GlideClusterClient) -> None:
    nodes = await client.custom_command(["CLUSTER", "MYID"], AllNodes())
    show("nodes", len(nodes))
    address = next(iter(nodes)).decode()
    host, _, port = address.rpartition(":")
    by_two, by_one = ByAddressRoute(host, int(port)), ByAddressRoute(address)
    show("address", await client.custom_command(["CLUSTER", "MYID"], by_two) in nodes.values())
    show("address", (by_one.host, by_one.port) == (by_two.host, by_two.port))
    slot = SlotIdRoute(SlotType.REPLICA, 1)
    show("slot", b"role:slave" in await client.info([InfoSection.REPLICATION], slot))
    show("random", b"role:" in await client.info([InfoSection.REPLICATION], RandomNode()))
    show("info", len(await client.info([InfoSection.SERVER])))
    show("ping", await client.ping("hi", AllNodes()))
    show("echo", await client.echo("hi", AllPrimaries()))
    show("config_set", await client.config_set({"maxmemory-samples": "5"}, AllNodes()))
    show("config_get", await client.config_get(["maxmemory-samples"], AllPrimaries()))
    show("config_resetstat", await client.config_resetstat(AllNodes()))
    show("client_getname", await client.client_getname(AllPrimaries()))
    show("client_id", type(await client.client_id()))
    show("lastsave", len(await client.lastsave(AllNodes())))
    show("lolwut", len(await client.lolwut(5, [20, 2], AllPrimaries())))
    show("time", len(await client.time(AllPrimaries())))
    show("dbsize", await client.dbsize())


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    config = GlideClusterClientConfiguration(
        addresses=[NodeAddress(host, port)], request_timeout=5000
    )
    client = await GlideClusterClient.create(config)
    await scripts(client)
    await functions(client)
    await routes(client)
    show("unwatch", await client.unwatch(AllPrimaries()))
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
