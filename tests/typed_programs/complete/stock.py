"""A stock of goods: a folder of scripts, with a class for an error of theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from glide_scripts import (
    Function,
    FunctionLibrary,
    GlideClient,
    ScriptError,
    ScriptLibrary,
    ScriptSourceError,
    TypedScript,
)
from glide_scripts.testing import ValkeyServer

FILES = {
    "take.lua": """
        --@key sku
        --@arg count: int
        --@returns int
        if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then
          return redis.error_reply('OUT_OF_STOCK none left')
        end
        return redis.call('DECRBY', KEYS[1], ARGV[1])
    """,
    "admin/put.lua": """
        --@key sku
        --@arg count: int
        --@returns str
        return redis.call('SET', KEYS[1], ARGV[1])
    """,
}
LIBRARY = "#!lua name=shop\nredis.register_function('size', function() return 1 end)"


class OutOfStock(ScriptError):
    """There is too little of it."""


def load(folder: Path) -> ScriptLibrary:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text.strip())
    return ScriptLibrary.from_directory(folder)


def describe(library: ScriptLibrary) -> list[str]:
    names: list[str] = []
    for script in library:
        kind: TypedScript[..., Any] = script
        names.append(f"{kind.name} {kind.hash[:4]} {kind.file is not None}")
    return names


async def main(url: str, folder: Path) -> None:
    library = load(folder)
    library.error("OUT_OF_STOCK")(OutOfStock)
    print(len(describe(library)))
    async with await GlideClient.from_url(url) as client:
        print(await library.admin.put(client, sku="a", count=3))
        print(await library.take(client, "a", count=2))
        try:
            await library.take(client, sku="a", count=2)
        except OutOfStock as error:
            print(error.message, error.line)
    try:
        ScriptLibrary.from_directory(folder / "none")
    except (ScriptSourceError, FileNotFoundError, NotADirectoryError) as missing:
        print(type(missing).__name__)
    functions = FunctionLibrary(LIBRARY)
    function: Function = functions.function("size")
    print(functions.name, function.name)


if __name__ == "__main__":
    with ValkeyServer() as server, TemporaryDirectory() as folder:
        asyncio.run(main(server.url, Path(folder)))
# prints: 2
# prints: OK
# prints: 1
# prints: none left None
# prints: ScriptSourceError
# prints: shop size
