"""Reservation of stock in a cluster.

    python examples/stock_in_cluster.py

starts a temporary cluster and lets twenty customers order at the same time; there is enough for
five. The scripts are in ``scripts/stock``.

All keys of an article contain its number in braces, the hash tag: ``{sku:7}:stock`` and so on. So
they are in one slot of one shard, and a script changes them all at once. The articles are spread
over the shards. An order of several articles therefore takes several calls, one after another, and
is undone if one of them fails. No article is sold twice, but for a moment others may see a
reservation that is then undone.

Each script may run twice, because the order's id tells what it has already done. The scripts are
declared idempotent, so the client repeats calls that were lost in a failover. If a program fails
between the calls, its reservations expire.
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
    """There is not enough left."""


class Stock:
    """The stock of all articles.

    Args:
        client: The client.
        reserved_ms: The milliseconds until a reservation expires.
    """

    def __init__(self, client: GlideClusterClient, *, reserved_ms: int = 600_000) -> None:
        self._client = client
        self._reserved_ms = reserved_ms

    @staticmethod
    def _keys(sku: str) -> tuple[str, str, str, str]:
        article = f"{{sku:{sku}}}"
        return f"{article}:stock", f"{article}:held", f"{article}:until", f"{article}:sold"

    async def put(self, sku: str, count: int) -> None:
        """Set the stock of an article."""
        await self._client.set(self._keys(sku)[0], str(count))

    async def left(self, sku: str) -> int:
        """Return how many of an article are neither sold nor reserved."""
        return int(await self._client.get(self._keys(sku)[0]) or 0)

    async def reserve(self, order: str, items: Mapping[str, int]) -> None:
        """Reserve all articles of an order, or none.

        Raises:
            OutOfStock: There is not enough of an article.
        """
        begun: list[str] = []
        try:
            for sku, count in items.items():
                # Before the call: if it fails and may have run, the reservation must be undone.
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
        """Undo an order's reservations of these articles."""
        for sku in skus:
            await scripts.stock.give_back(self._client, *self._keys(sku)[:3], order=order)

    async def sell(self, order: str, items: Mapping[str, int]) -> bool:
        """Sell an order's reserved articles. Return False if a reservation has expired.

        The other articles are then sold; the shop decides whether to send them.
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
