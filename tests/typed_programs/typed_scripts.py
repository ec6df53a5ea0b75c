"""Typed scripts: declared by functions, with the types that parameters and replies may have."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NewType

from glide_scripts import (
    Batch,
    Converter,
    GlideClient,
    Json,
    Key,
    ReplyTypeError,
    Script,
    ScriptError,
    Secret,
    typed_script,
)

CODE = Script("return ARGV[1]", name="same", read_only=True)
UserId = NewType("UserId", str)


class Status(enum.StrEnum):
    OPEN = "open"
    DONE = "done"


@dataclass
class Money:
    cents: int


def in_cents(money: Money) -> int:
    return money.cents


Price = Annotated[Money, Converter(sent_as=int, encode=in_cents, decode=Money)]


@dataclass
class Item:
    sku: str
    price: Decimal


@dataclass
class Order:
    id: uuid.UUID
    items: list[Item]
    at: datetime.datetime | None = None


@typed_script(CODE)
def limit(user: Key, count: int, window: int = 60) -> bool: ...


@typed_script(CODE)
def named_client(client: Key, self: int) -> int: ...


@typed_script(CODE)
def several(first: Key, more: Sequence[Key], mode: Literal["a", "b"]) -> list[int]: ...


@typed_script(CODE)
def place(user: Key, order: Order, token: Secret[str], by: UserId | uuid.UUID) -> Order: ...


@typed_script(CODE)
def pay(order: Key, price: Price, status: Status) -> Price: ...


@typed_script(CODE)
def matrix(rows: list[list[int]]) -> Json[list[list[int]]]: ...


@typed_script(CODE)
def either(value: int | str) -> int | str | None: ...


async def main() -> None:
    async with await GlideClient.from_url("valkey://localhost") as client:
        allowed: bool = await limit(client, "u1", 3)
        allowed = await limit(client, user=b"u1", count=3, window=10)
        number: int = await named_client(client, client="c", self=1)
        order = Order(uuid.uuid4(), [Item("sku", Decimal("1.5"))])
        placed: Order = await place(client, "u1", order, "hunter2", UserId("u"))
        paid: Money = await pay(client, "o1", Money(5), Status.DONE)
        rows: list[list[int]] = await matrix(client, [[1, 2], [3]])
        value: int | str | None = await either(client, 3)
        keys, args = limit.pack("u1", 3)
        again: bool = limit.decode(await client.invoke_script(limit, keys, args, timeout=100))
        batch: Batch = limit.add_to(Batch(is_atomic=False), "u1", 3)
        results = await client.exec(pay.add_to(batch, "o", Money(1), Status.OPEN), True)
        if results is not None:
            print(results[0] == 1, len(results))
        try:
            await limit(client, "u1", 3)
        except ReplyTypeError as error:
            print(error.file, error.keys)
        except ScriptError as error:
            print(error.script, error.line, error.message, error.may_have_executed)
        print(allowed, number, placed.items[0].price, paid.cents, rows, value, again)
        print(limit.name, limit.hash, limit.file)
