"""Batches: pipelines and transactions, watches, and what their results may be compared with."""

from __future__ import annotations

from glide_scripts import (
    OK,
    Batch,
    BatchOptions,
    ClusterBatch,
    ClusterBatchOptions,
    ConditionalChange,
    ExecAbortError,
    ExpirySet,
    ExpiryType,
    GlideClient,
    GlideClusterClient,
    RequestError,
    Script,
    SlotKeyRoute,
    SlotType,
    TResult,
)

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def transfer(client: GlideClient, source: str, target: str) -> bool:
    await client.watch([source, target])
    balance = int(await client.get(source) or 0)
    if balance < 10:
        await client.unwatch()
        return False
    transaction = Batch(is_atomic=True).decrby(source, 10).incrby(target, 10)
    try:
        done = await client.exec(transaction, raise_on_error=True, options=BatchOptions(timeout=50))
    except ExecAbortError as error:
        print(error.may_have_executed)
        return False
    return done is not None


async def pipeline(client: GlideClient) -> list[TResult]:
    batch = Batch(is_atomic=False)
    batch.set("a", "1").get("a").invoke_script(ADD, ["a"], ["1"]).hset("h", {"f": "v"})
    batch.zadd("z", {"m": 1.0}).mset({"x": "1"})
    batch.custom_command(["CLIENT", "ID"])
    results = await client.exec(batch, raise_on_error=False)
    if results is None:
        return []
    first = results[0]
    if first == "OK" or first is OK:
        print("set")
    for result in results:
        if isinstance(result, RequestError):
            print(result.code, result.batch_index)
        elif isinstance(result, bytes):
            print(result.decode())
        elif isinstance(result, list):
            print(list(result))
    return results


async def replies(client: GlideClient) -> None:
    assert await client.set("k", "v") == "OK"
    assert await client.set("k", "v") is OK
    assert await client.mset({"k": "v"}) == "OK"
    done = await client.set(
        "k", "v", ConditionalChange.ONLY_IF_EXISTS, ExpirySet(ExpiryType.SEC, 1)
    )
    if done is not None and done == "OK":
        print(done.decode())
    old = await client.set("k", "v", return_old_value=True)
    print(old.decode() if old is not None else "none")
    reply = await client.invoke_script(ADD, ["k"], ["1"])
    if reply == "OK":
        print(reply)
    assert reply != b"OK"
    assert reply == 1


async def in_cluster(client: GlideClusterClient) -> None:
    batch = ClusterBatch(is_atomic=False).set("a", "1").fcall_route("f", ["x"])
    options = ClusterBatchOptions(timeout=100, route=SlotKeyRoute(SlotType.PRIMARY, "a"))
    results = await client.exec(batch, raise_on_error=True, options=options)
    print(results)
