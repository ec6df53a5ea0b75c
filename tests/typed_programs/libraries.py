"""Scripts from files and folders, in Lua's own types and with classes for their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glide_scripts import (
    GlideClient,
    Script,
    ScriptError,
    ScriptLibrary,
    ScriptSourceError,
    TypedScript,
)

scripts = ScriptLibrary.from_directory(Path(__file__).parent / "scripts")


@scripts.error("OUT_OF_STOCK")
class OutOfStock(ScriptError):
    """There is nothing left."""


def load() -> TypedScript[..., Any] | None:
    try:
        return Script.from_file("rate_limit.lua", name="limit", root="lua")
    except ScriptSourceError as error:
        print(error.file, error.line)
        return None


async def buy(client: GlideClient, sku: str) -> bool:
    try:
        await scripts.shop.buy(client, sku=sku)
    except OutOfStock as error:
        print(error.message)
        return False
    for script in scripts:
        await client.script_load(script)
    packaged = Script.from_resource("shop", "lua/buy.lua")
    reply: Any = await packaged(client, keys=["k"], args=["v"])
    return bool(reply)
