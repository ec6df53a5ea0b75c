"""Functions of the server, and their libraries."""

from __future__ import annotations

from typing import Any

from glide_scripts import (
    Batch,
    Function,
    FunctionLibrary,
    FunctionRestorePolicy,
    GlideClient,
    GlideClusterClient,
    NotBusyError,
    UnkillableError,
)

LIBRARY = FunctionLibrary("#!lua name=shop\nserver.register_function('buy', function() end)")
BUY: Function = LIBRARY.function("buy")


async def use(client: GlideClient) -> None:
    reply = await client.fcall(BUY, keys=["sku"], arguments=["1"])
    print(reply, await client.fcall_ro("peek", ["sku"]))
    name: bytes = await client.function_load(LIBRARY, replace=True)
    libraries: list[dict[bytes, Any]] = await client.function_list("sh*", with_code=True)
    dump: bytes = await client.function_dump()
    restored = await client.function_restore(dump, FunctionRestorePolicy.REPLACE)
    print(name, libraries, restored == "OK", LIBRARY.name, LIBRARY.code)
    print(await client.exec(Batch(is_atomic=True).fcall(BUY, ["sku"]), raise_on_error=True))
    try:
        await client.function_kill()
    except (NotBusyError, UnkillableError) as error:
        print(error.code)


async def everywhere(client: GlideClusterClient) -> None:
    stats = await client.function_stats()
    print(stats, await client.fcall_route(BUY, ["x"]), await client.function_delete("shop") == "OK")
