"""Buys: ``python -m shop URL``."""

import asyncio
import sys

from glide_scripts import GlideClient

from . import OutOfStock, __file__, put, scripts


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        print(await put(client, sku="7", count=3))
        print(await scripts.take(client, "7", 2))
        try:
            await scripts.take(client, "7", count=2)
        except OutOfStock as error:
            print(error.message)
            print(str(error).splitlines()[1].strip())
    print(__file__)


asyncio.run(main(sys.argv[1]))
