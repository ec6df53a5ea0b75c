"""What GLIDE's tests of functions do, on one server."""

import asyncio
import sys

from glide import (
    Batch,
    FlushMode,
    FunctionRestorePolicy,
    GlideClient,
    GlideClientConfiguration,
    Logger,
    LogLevel,
    NodeAddress,
    RequestError,
)

CODE = """#!lua name=mylib
redis.register_function{function_name='first', callback=function(keys, args) return args[1] end,
  flags={'no-writes'}}
redis.register_function('store', function(keys, args)
  return redis.call('SET', keys[1], args[1]) end)
"""


def show(name: str, value: object) -> None:
    print(name, "OK" if value == "OK" else value)


def in_order(libraries: list) -> list:
    for library in libraries:
        library[b"functions"] = sorted(library[b"functions"], key=lambda each: each[b"name"])
        for function in library[b"functions"]:
            function[b"flags"] = sorted(function[b"flags"])
        library[b"functions"] = [sorted(each.items()) for each in library[b"functions"]]
    return [sorted(library.items()) for library in libraries]


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    client = await GlideClient.create(
        GlideClientConfiguration([NodeAddress(host, port)], request_timeout=5000)
    )
    show("flush", await client.function_flush())
    show("load", await client.function_load(CODE))
    show("load", await client.function_load(CODE, replace=True))
    try:
        await client.function_load(CODE)
    except RequestError as error:
        show("load", "already exists" in str(error))
    show("list", in_order(await client.function_list("my*", with_code=True)))
    show("list", await client.function_list("other*"))
    show("fcall", await client.fcall("first", keys=[], arguments=["one", "two"]))
    show("fcall", await client.fcall("store", keys=["k"], arguments=["v"]))
    show("fcall_ro", await client.fcall_ro("first", arguments=["one"]))
    try:
        await client.fcall_ro("store", keys=["k"], arguments=["v"])
    except RequestError as error:
        show("fcall_ro", "Can not execute a script with write flag" in str(error))
    try:
        await client.fcall("none")
    except RequestError as error:
        show("fcall", "Function not found" in str(error))
    stats = await client.function_stats()
    for node in stats.values():
        show("stats", [node[b"running_script"], node[b"engines"][b"LUA"]])
    dumped = await client.function_dump()
    show("restore", await client.function_restore(dumped, FunctionRestorePolicy.REPLACE))
    try:
        await client.function_restore(dumped)
    except RequestError as error:
        show("restore", "already exists" in str(error))
    try:
        await client.function_kill()
    except RequestError as error:
        show("kill", "No scripts in execution right now" in str(error))
    batch = Batch(is_atomic=False).fcall("first", [], ["batch"]).fcall_ro("first", [], ["ro"])
    batch.function_list("other*").function_delete("mylib").function_flush(FlushMode.SYNC)
    results = await client.exec(batch, raise_on_error=True)
    assert results is not None
    for result in results:
        show("batch", result)
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
