"""The reservation of stock, in a cluster.

    python examples/stock_in_cluster.py

starts a cluster of its own, lets twenty customers at once order what is there for five, and ends.
The scripts are in ``scripts/stock``.

All keys of an article have its number in braces, ``{sku:7}:stock`` and so on: the hash tag. So
they are in one slot, one shard holds them, and a script changes them all at once. The articles
are spread over the shards. An order of several articles is therefore several calls, which are made
one after another, and taken back if one of them fails: nobody else sees an article sold twice, but
for a moment others may see one set aside that comes back.

Each script may run twice, since the order's id tells what it has done already. They are declared
idempotent, so the client repeats what it lost in a failover. A program that fails between the
calls leaves reservations behind, which end by themselves.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from glide_scripts import GlideClusterClient, ScriptError, ScriptLibrary
from glide_scripts.testing import ValkeyCluster

if TYPE_CHECKING:
    from examples.scripts.library import Library

library = ScriptLibrary.from_directory(Path(__file__).with_name("scripts"))
scripts = cast("Library", library)


@library.error("OUT_OF_STOCK")
class OutOfStock(ScriptError):
    """There is not as much left as was asked for."""


class Stock:
    """The stock of all articles.

    Args:
        client: The client.
        reserved_ms: For how many milliseconds a reservation holds.
    """

    def __init__(self, client: GlideClusterClient, *, reserved_ms: int = 600_000) -> None:
        self._client = client
        self._reserved_ms = reserved_ms

    @staticmethod
    def _keys(sku: str) -> tuple[str, str, str, str]:
        article = f"{{sku:{sku}}}"
        return f"{article}:stock", f"{article}:held", f"{article}:until", f"{article}:sold"

    async def put(self, sku: str, count: int) -> None:
        """Sets how many of an article there are."""
        await self._client.set(self._keys(sku)[0], str(count))

    async def left(self, sku: str) -> int:
        """How many of an article are neither sold nor set aside."""
        return int(await self._client.get(self._keys(sku)[0]) or 0)

    async def reserve(self, order: str, items: Mapping[str, int]) -> None:
        """Sets all that an order has aside, or nothing of it.

        Raises:
            OutOfStock: There is not enough of an article.
        """
        begun: list[str] = []
        try:
            for sku, count in items.items():
                # Before the call: if it fails in an unknown way, it may have been set aside.
                begun.append(sku)
                await scripts.stock.reserve(
                    self._client,
                    *self._keys(sku),
                    order=order,
                    count=count,
                    ttl_ms=self._reserved_ms,
                )
        except BaseException:
            await self.give_back(order, begun)
            raise

    async def give_back(self, order: str, skus: list[str]) -> None:
        """Puts back what an order has set aside of these articles."""
        for sku in skus:
            await scripts.stock.give_back(self._client, *self._keys(sku)[:3], order=order)

    async def sell(self, order: str, items: Mapping[str, int]) -> bool:
        """Sells what an order has set aside. False: for some article its time was over.

        The others are then sold: whether to send them is for the shop to say.
        """
        sold = [
            await scripts.stock.sell(self._client, *self._keys(sku), order=order) for sku in items
        ]
        return all(sold)


async def main(url: str) -> None:
    async with await GlideClusterClient.from_url(url) as client:
        stock = Stock(client)
        await stock.put("apple", 100)
        await stock.put("pear", 5)

        async def buy(customer: int) -> bool:
            order, items = f"order-{customer}", {"apple": 2, "pear": 1}
            try:
                await stock.reserve(order, items)
            except OutOfStock:
                return False
            return await stock.sell(order, items)

        bought = await asyncio.gather(*map(buy, range(20)))
        print(sum(bought), "of", len(bought), "customers got two apples and a pear")
        print("left:", await stock.left("apple"), "apples and", await stock.left("pear"), "pears")


if __name__ == "__main__":
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        asyncio.run(main(cluster.url))
