"""Import of a file in bulk: many calls, progress, backpressure, errors by place."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

from glide_scripts import (
    Batch,
    GlideClient,
    Key,
    ReplyTypeError,
    RequestError,
    Script,
    ScriptError,
    typed_script,
)
from glide_scripts.testing import ValkeyServer

TEXT = "sku,count\na,1\nb,2\nc,x\nd,4\n"


@typed_script(
    Script(
        """
        if tonumber(ARGV[1]) == nil then error('not a number') end
        return redis.call('INCRBY', KEYS[1], ARGV[1])
        """,
        name="stock",
    )
)
def stock(sku: Key, count: str) -> int: ...


def rows(text: str) -> Iterable[tuple[list[str], list[str]]]:
    for row in csv.DictReader(io.StringIO(text)):
        yield [row["sku"]], [row["count"]]


async def arows(text: str) -> AsyncIterator[tuple[list[str], list[str]]]:
    for row in rows(text):
        yield row
        await asyncio.sleep(0)


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        failed = 0
        replies = client.invoke_script_many(stock, rows(TEXT), raise_on_error=False, concurrency=2)
        async with aclosing(replies):
            async for reply in replies:
                if isinstance(reply, RequestError):
                    failed += 1
                    print(reply.batch_index, reply.may_have_executed)
                else:
                    print(stock.decode(reply))
        try:
            await client.invoke_script_many(stock, arows(TEXT))
        except ScriptError as error:
            print(error.line, error.batch_index)
        batch = Batch(is_atomic=False)
        for name in "abc":
            stock.add_to(batch, name, "1")
        results = await client.exec(batch, raise_on_error=False)
        assert results is not None
        for result in results:
            if isinstance(result, RequestError):
                raise result
            print(result)
        try:
            stock.decode(b"x")
        except ReplyTypeError as wrong:
            print(wrong)


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
# prints: 1
# prints: 2
# prints: 2 True
# prints: 4
# prints: 2 2
# prints: 3
# prints: 5
# prints: 1
# prints: the reply of stock does not fit int: reply is bytes that are not a whole number
# prints:   --> stock
# prints:    |
# prints:    = declared: int
# prints:    = reply: b'x'
# prints:    = note: the script has run
