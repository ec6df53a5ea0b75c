"""A queue with visibility timeout; jobs are dataclasses with dates, decimals, enums and lists."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from glide_scripts import (
    Batch,
    Converter,
    GlideClient,
    Json,
    Key,
    ReplyTypeError,
    Script,
    typed_script,
)
from glide_scripts.testing import ValkeyServer


class Kind(enum.Enum):
    MAIL = "mail"
    BILL = "bill"


class Priority(enum.IntEnum):
    LOW = 1
    HIGH = 9


@dataclass(order=True, frozen=True)
class Money:
    cents: int

    @classmethod
    def parse(cls, text: str) -> Money:
        return cls(int(Decimal(text) * 100))

    def __str__(self) -> str:
        return f"{self.cents / 100:.2f}"


Price = Annotated[Money, Converter(sent_as=str, encode=str, decode=Money.parse)]


@dataclass
class Line:
    sku: str
    price: Price
    tags: list[str] = field(default_factory=list[str])


@dataclass
class Job:
    id: UUID
    kind: Kind
    priority: Priority
    at: datetime
    due: date | None = None
    rate: Decimal = Decimal("0.19")
    lines: list[Line] = field(default_factory=list[Line])
    to: int | str = ""
    mode: Literal["now", "later"] = "now"


@typed_script(Script("return redis.call('RPUSH', KEYS[1], unpack(ARGV))"))
def push(queue: Key, *jobs: Json[Job]) -> int: ...


@typed_script(Script("return redis.call('LPOP', KEYS[1])"))
def pop(queue: Key) -> Job | None: ...


@typed_script(Script("return redis.call('LRANGE', KEYS[1], 0, -1)", read_only=True))
def peek(queue: Key) -> list[Job]: ...


@typed_script(Script("return ARGV", read_only=True))
def echo(keys: Sequence[Key], args: Sequence[Priority]) -> list[Priority]: ...


async def worker(client: GlideClient, queue: str) -> list[Job]:
    done: list[Job] = []
    while (job := await pop(client, queue)) is not None:
        done.append(job)
    return done


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        lines = [Line("a", Money(150)), Line("b", Money(5), ["x"])]
        now = datetime.now(UTC)
        job = Job(uuid4(), Kind.BILL, Priority.HIGH, now, date(2026, 1, 2), lines=lines, to=5)
        print(await push(client, "q", job, job))
        print((await peek(client, "q"))[1] == job)
        done = await worker(client, "q")
        assert done == [job, job], done
        print(await echo(client, keys=["a", "b"], args=[Priority.LOW, Priority.HIGH]))
        await client.rpush("q", ['{"id": 5}'])
        try:
            await pop(client, "q")
        except ReplyTypeError as error:
            print(error)
        wrong: Any = [Line("a", Money(1)), "b"]
        try:
            await push(client, "q", dataclasses.replace(job, lines=wrong))
        except TypeError as error:
            print(error)
        batch = Batch(is_atomic=True)
        push.add_to(batch, "q", job)
        print(await client.exec(batch, raise_on_error=True))


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
# prints: 2
# prints: True
# prints: [<Priority.LOW: 1>, <Priority.HIGH: 9>]
# prints: the reply of pop does not fit Job | None: reply.id is int, not str
# prints:   --> pop
# prints:    |
# prints:    = declared: Job | None
# prints:    = reply: b'{"id": 5}'
# prints:    = keys: queue = 'q'
# prints:    = note: the script has run
# prints: push: jobs[0].lines[1] is str; pass Line
# prints:   push(client, queue: Key, *jobs: Json[Job]) -> int
# prints: [1]
