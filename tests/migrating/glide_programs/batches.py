"""What GLIDE's tests of batches do, on one server."""

import asyncio
import sys

from glide import (
    Batch,
    BatchOptions,
    ExpireOptions,
    GlideClient,
    GlideClientConfiguration,
    Logger,
    LogLevel,
    NodeAddress,
    RequestError,
    TimeoutError,
    Transaction,
)


def show(name: str, value: object) -> None:
    if isinstance(value, list):
        value = ["OK" if each == "OK" else each for each in value]
    print(name, "OK" if value == "OK" else value)


def is_error(value: object) -> bool:
    return isinstance(value, RequestError)


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    client = await GlideClient.create(
        GlideClientConfiguration([NodeAddress(host, port)], request_timeout=5000)
    )
    for is_atomic in (True, False):
        batch = Batch(is_atomic)
        show("chained", batch.set("k", "1").incr("k") is batch)
        batch.get("k").append("k", "0").strlen("k").getdel("k").delete(["k"])
        batch.hset("h", {"f": "1"}).hincrby("h", "f", 2).hmget("h", ["f", "none"])
        batch.hexists("h", "f").hdel("h", ["f"]).rpush("l", ["a", "b"]).llen("l")
        batch.lpop("l").rpop("l").sadd("s", ["m"]).sismember("s", "m").scard("s")
        batch.srem("s", ["m"]).zadd("z", {"m": 1.5}).zincrby("z", 1, "m").zcard("z")
        batch.zrem("z", ["m"]).set("e", "v").pexpire("e", 90_000, ExpireOptions.HasNoExpiry)
        batch.persist("e").type("e").unlink(["e"]).config_resetstat().flushdb().ping().echo("hi")
        show("batch", await client.exec(batch, raise_on_error=True))
        batch.clear()
        show("cleared", await client.exec(batch.ping() and batch, raise_on_error=True))
    failing = Batch(is_atomic=False).set("k", "v").lpop("k").delete(["k"]).rename("none", "new")
    results = await client.exec(failing, raise_on_error=False)
    assert results is not None
    show("errors", [is_error(each) for each in results])
    show("words", ["WRONGTYPE" in str(results[1]), "no such key" in str(results[3])])
    try:
        await client.exec(failing, raise_on_error=True)
    except RequestError as error:
        show("raised", "WRONGTYPE" in str(error))
    aborted = Batch(is_atomic=True).custom_command(["NOSUCH"])
    try:
        await client.exec(aborted, raise_on_error=False)
    except RequestError as error:
        show("aborted", "unknown command" in str(error))
    await client.watch(["w"])
    await client.custom_command(["SET", "w", "changed"])
    show("watched", await client.exec(Batch(is_atomic=True).set("w", "v"), raise_on_error=True))
    await client.watch(["w"])
    show("unwatch", await client.unwatch())
    show("kept", await client.exec(Batch(is_atomic=True).get("w"), raise_on_error=True))
    slow = Batch(is_atomic=True).custom_command(["DEBUG", "SLEEP", "0.4"])
    try:
        await client.exec(slow, raise_on_error=True, options=BatchOptions(timeout=50))
    except TimeoutError as error:
        show("timeout", "timed out" in str(error).lower())
    transaction = Transaction()
    transaction.set("t", "v")
    show("transaction", await client.exec(transaction, raise_on_error=True))
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
