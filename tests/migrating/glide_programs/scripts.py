"""What GLIDE's scripting guide and its tests of scripts do, on one server."""

import asyncio
import sys

from glide import (
    Batch,
    FlushMode,
    GlideClient,
    GlideClientConfiguration,
    Logger,
    LogLevel,
    NodeAddress,
    RequestError,
    Script,
    TGlideClient,
)


def show(name: str, value: object) -> None:
    # GLIDE returns the str "OK", and this package a constant that equals it.
    print(name, "OK" if value == "OK" else value)


async def basics(client: TGlideClient) -> None:
    show("text", await client.invoke_script(Script("return 'Hello, Valkey!'")))
    show("number", await client.invoke_script(Script("return 42")))
    show("list", await client.invoke_script(Script("return {1, 2, 3, 'hello'}")))
    show("nil", await client.invoke_script(Script("return redis.call('GET', KEYS[1])"), ["none"]))
    greet = Script("return 'Hello, ' .. ARGV[1]")
    show("args", await client.invoke_script(greet, args=["World"]))
    put = Script("return redis.call('SET', KEYS[1], ARGV[1])")
    show("put", await client.invoke_script(put, keys=["user:1:name"], args=["John"]))
    get_two = Script("return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}")
    show("two", await client.invoke_script(get_two, keys=["user:1:name", "user:1:name"]))
    binary = Script(b"return {KEYS[1], ARGV[1]}")
    show("binary", await client.invoke_script(binary, [b"\xff"], [bytearray(b"\x00")]))
    large = await client.invoke_script(Script("return ARGV[2]"), args=["0" * 2**12, "1" * 2**12])
    show("large", len(large))


async def management(client: TGlideClient) -> None:
    first, second = Script("return 'Script 1'"), Script("return 'Script 2'")
    show("hash", first.get_hash() == Script("return 'Script 1'").get_hash())
    await client.invoke_script(first)
    hashes = [first.get_hash(), second.get_hash()]
    show("exists", await client.script_exists(hashes))
    show("show", await client.script_show(first.get_hash()))
    show("flush", await client.script_flush())
    show("exists", await client.script_exists(hashes))
    show("flush", await client.script_flush(FlushMode.ASYNC))
    show("again", await client.invoke_script(first))
    try:
        await client.script_kill()
    except RequestError as error:
        show("kill", "No scripts in execution right now" in str(error))
    try:
        await client.script_show("f" * 40)
    except RequestError as error:
        show("show", "NoScriptError" in str(error) or "NOSCRIPT" in str(error))


async def errors(client: TGlideClient) -> None:
    await client.set("text", "abc")
    for code in (
        "return redis.call('INCR', 'text')",
        "return redis.call('LPUSH', 'text', 'x')",
        "return redis.call('NOSUCH')",
    ):
        try:
            await client.invoke_script(Script(code))
        except RequestError as error:
            text = str(error)
            words = ("WRONGTYPE", "not an integer", "unknown command", "syntax error")
            lower = text.lower()
            found = [word for word in words if word in text or word in lower]
            show("error", found[:1] if "unknown" not in lower else ["unknown command"])


async def batches(client: GlideClient) -> None:
    batch = Batch(is_atomic=True)
    batch.set("batch-key", "batch-value")
    batch.get("batch-key")
    batch.custom_command(["EVAL", "return 'Hello from Lua!'", "0"])
    batch.custom_command(["EVAL", "return redis.call('GET', KEYS[1])", "1", "batch-key"])
    results = await client.exec(batch=batch, raise_on_error=False)
    assert results is not None
    for result in results:
        show("batch", result)


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    config = GlideClientConfiguration(addresses=[NodeAddress(host, port)], request_timeout=5000)
    client = await GlideClient.create(config)
    await basics(client)
    await management(client)
    await errors(client)
    await batches(client)
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
