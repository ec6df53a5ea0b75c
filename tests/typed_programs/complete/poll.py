"""A poll: a synchronous client that threads share, and code for clients of both kinds."""

from __future__ import annotations

import enum
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import overload

import glide_scripts as asynchronous
from glide_scripts.sync import (
    Batch,
    BatchOptions,
    ClosingError,
    ConditionalChange,
    ExpirySet,
    ExpiryType,
    GlideClient,
    Json,
    Key,
    Script,
    ScriptError,
    TimeoutError,
    TypedScript,
    typed_script,
)
from glide_scripts.testing import ValkeyServer


class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Tally:
    color: Color
    count: int


@typed_script(
    Script("""
    local count = redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
    return cjson.encode({color=ARGV[1], count=count})
    """)
)
def tally(votes: Key, color: Color, by: int = 1) -> Json[Tally]: ...


class Poll:
    def __init__(self, client: GlideClient, name: str) -> None:
        self.client, self.name = client, name

    def vote(self, color: Color) -> int:
        return tally(self.client, self.name, color).count

    def counts(self) -> dict[Color, int]:
        fields = self.client.hgetall(self.name)
        return {Color(name.decode()): int(value) for name, value in fields.items()}


@overload
def current(client: GlideClient) -> str: ...
@overload
def current(client: asynchronous.GlideClient) -> None: ...
def current(client: GlideClient | asynchronous.GlideClient) -> str | None:
    return "sync" if isinstance(client, GlideClient) else None


def transfer(client: GlideClient, amount: int) -> bool:
    client.watch(["a"])
    balance = int(client.get("a") or b"0")
    if balance < amount:
        client.unwatch()
        return False
    batch = Batch(is_atomic=True).decrby("a", amount).incrby("b", amount)
    return client.exec(batch, raise_on_error=True, options=BatchOptions(timeout=500)) is not None


def main(url: str) -> None:
    with GlideClient.from_url(url) as client:
        poll = Poll(client, "votes")
        with ThreadPoolExecutor(8) as pool:
            print(max(pool.map(poll.vote, [Color.RED] * 50)), poll.counts())
        expiry = ExpirySet(ExpiryType.SEC, 60)
        client.set("a", "10", ConditionalChange.ONLY_IF_DOES_NOT_EXIST, expiry)
        print(transfer(client, 4), transfer(client, 40), current(client))
        reply: Tally = tally(client, votes="votes", color=Color.BLUE, by=3)
        print(reply)
        try:
            client.invoke_script(Script("while true do end"), timeout=50)
        except TimeoutError as error:
            print(error.may_have_executed)
            client.script_kill()
        scripts: list[TypedScript[..., object]] = [tally]
        print(scripts[0].name, [keys for keys, _ in [tally.pack("v", Color.RED)]])
    try:
        client.ping()
    except (ClosingError, ScriptError) as error:
        print(error)


if __name__ == "__main__":
    with ValkeyServer(config={"busy-reply-threshold": "100"}) as server:
        main(server.url)
# prints: 50 {<Color.RED: 'red'>: 50}
# prints: True False sync
# prints: Tally(color=<Color.BLUE: 'blue'>, count=3)
# prints: True
# prints: tally [('v',)]
# prints: the client is closed
