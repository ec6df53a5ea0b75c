"""Replies and errors of scripts and functions, as GLIDE's users catch them."""

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any

from glide import (
    FlushMode,
    FunctionRestorePolicy,
    GlideClient,
    GlideClientConfiguration,
    GlideError,
    Logger,
    LogLevel,
    NodeAddress,
    RequestError,
    Script,
)

LIBRARY = """#!lua name=lib
redis.register_function('show', function(keys, args) return {keys, args} end)
redis.register_function{function_name='read', flags={'no-writes'}, description='reads',
  callback=function(keys) return redis.call('GET', keys[1]) end}
redis.register_function('fail', function() return redis.error_reply('MINE oops') end)
"""

CODES = [
    "return 1.9",
    "return nil",
    "return false",
    "return true",
    "return {1, nil, 3}",
    "return {1, {2, {3}}}",
    "return redis.status_reply('FINE')",
    "return {err='MY thing'}",
    "error('boom')",
    "return redis.call('get')",
    "return redis.call('incr', KEYS[1])",
    "redis.setresp(3) return {double=3.5}",
    "redis.setresp(3) return {map={a=1}}",
    "redis.setresp(3) return {set={a=true}}",
    "redis.setresp(3) return {verbatim_string={format='txt', string='hi'}}",
    "syntax error here",
    "return {redis.call('ping')}",
    "return 9007199254740993",
]


async def show(name: str, call: Awaitable[Any]) -> None:
    try:
        value = await call
    except GlideError as error:
        print(name, "raised", isinstance(error, RequestError))
    else:
        print(name, "OK" if value == "OK" else value)


async def scripts(client: GlideClient) -> None:
    for code in CODES:
        await show(code, client.invoke_script(Script(code), keys=["k"]))
    own = Script(b"return {KEYS, ARGV}")
    await show("tuples", client.invoke_script(own, ("a",), ("b",)))  # type: ignore[arg-type]
    await show("bytes", client.invoke_script(own, [b"a"], [b"b"]))
    await show("none", client.invoke_script(own, None, None))
    await show("exists", client.script_exists([own.get_hash(), "0" * 40]))
    await show("show", client.script_show("0" * 40))
    await show("kill", client.script_kill())
    await show("flush", client.script_flush(FlushMode.ASYNC))
    await show("again", client.invoke_script(own))


async def functions(client: GlideClient) -> None:
    await show("load", client.function_load(LIBRARY))
    await show("load", client.function_load(LIBRARY))
    await show("load", client.function_load(LIBRARY.encode(), replace=True))
    await show("load", client.function_load("nothing"))
    await show("list", client.function_list(library_name_pattern="none", with_code=True))
    await show("fcall", client.fcall("show", ["k"], ["a"]))
    await show("fcall", client.fcall(b"show"))
    await show("fcall", client.fcall("fail"))
    await show("fcall", client.fcall("none"))
    await show("fcall_ro", client.fcall_ro("read", ["k"]))
    await show("fcall_ro", client.fcall_ro("show", ["k"]))
    dump = await client.function_dump()
    await show("restore", client.function_restore(dump))
    await show("restore", client.function_restore(dump, FunctionRestorePolicy.REPLACE))
    await show("restore", client.function_restore(b"no dump"))
    await show("delete", client.function_delete("lib"))
    await show("delete", client.function_delete("lib"))
    await show("kill", client.function_kill())


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    config = GlideClientConfiguration([NodeAddress(host, port)], request_timeout=5000)
    client = await GlideClient.create(config)
    await scripts(client)
    await functions(client)
    await client.close()
    await show("closed", client.invoke_script(Script("return 1")))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
