"""What GLIDE's tests of keys, batches and scans do in a cluster."""

import asyncio
import sys
from typing import Any

from glide import (
    AllPrimaries,
    ClusterBatch,
    ClusterBatchOptions,
    ClusterScanCursor,
    FlushMode,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    InfoSection,
    Logger,
    LogLevel,
    NodeAddress,
    SlotKeyRoute,
    SlotType,
)


def show(name: str, value: Any) -> None:
    if isinstance(value, dict):
        # The addresses of nodes differ from run to run.
        value = [len(value), *{repr(each) for each in value.values()}]
    print(name, "OK" if value == "OK" else value)


async def keys_and_batches(client: GlideClusterClient) -> None:
    names = {f"k{number}": str(number) for number in range(60)}
    show("mset", await client.mset(names))
    show("mget", await client.mget(["k1", "none", "k59"]))
    show("counts", [await client.exists(list(names)), await client.touch(list(names))])
    show("random_key", type(await client.random_key()))
    show("copy", await client.copy("{t}a", "{t}b", replace=True))
    show("publish", await client.publish("message", "channel"))
    atomic = ClusterBatch(is_atomic=True).set("{t}a", "1").incr("{t}a").get("{t}a")
    results = await client.exec(atomic, raise_on_error=True)
    show("atomic", ["OK" if each == "OK" else each for each in results or []])
    pipeline = ClusterBatch(is_atomic=False).set("a", "1").set("b", "2").mget(["a", "b"])
    pipeline.dbsize().config_resetstat().delete(["a", "b"])
    results = await client.exec(pipeline, raise_on_error=True)
    show("pipeline", ["OK" if each == "OK" else each for each in results or []])
    routed = ClusterBatch(is_atomic=True).info([InfoSection.REPLICATION])
    options = ClusterBatchOptions(route=SlotKeyRoute(SlotType.PRIMARY, "k"), timeout=2000)
    results = await client.exec(routed, raise_on_error=True, options=options)
    show("routed", b"role:master" in (results or [b""])[0])
    show("unlink", await client.unlink(list(names)))
    show("flushdb", await client.flushdb(FlushMode.SYNC, AllPrimaries()))
    show("random_key", await client.random_key())


async def scan(client: GlideClusterClient) -> None:
    names = {f"k{number}": str(number) for number in range(60)}
    await client.mset(names)
    cursor, found = ClusterScanCursor(), []
    while not cursor.is_finished():
        cursor, keys = await client.scan(cursor, match="k*", count=30)
        found += keys
    show("scan", sorted(found) == sorted(key.encode() for key in names))


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    config = GlideClusterClientConfiguration(
        addresses=[NodeAddress(host, port)], request_timeout=5000
    )
    client = await GlideClusterClient.create(config)
    await keys_and_batches(client)
    await scan(client)
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
