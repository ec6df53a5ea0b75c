"""A lock with fencing tokens as an async context manager, with cancellation and watchers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import NewType, Self

from glide_scripts import ConnectionError as LostConnection
from glide_scripts import GlideClient, GlideClusterClient, Key, Script, ScriptError, typed_script
from glide_scripts import TimeoutError as Late
from glide_scripts.testing import ValkeyServer

Token = NewType("Token", int)
Client = GlideClient | GlideClusterClient


@typed_script(
    Script(
        """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return redis.call('INCR', KEYS[2])
end
return false
""",
        name="acquire",
    ),
    once=True,
)
def acquire(lock: Key, fence: Key, owner: uuid.UUID, ms: int) -> Token | None: ...


@typed_script(
    Script(
        """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return redis.error_reply('NOTOWNER the lock is not ours')
""",
        name="release",
    )
)
def release(lock: Key, *, owner: uuid.UUID) -> bool: ...


class Lock:
    def __init__(self, client: Client, name: str, ttl: timedelta) -> None:
        self._client = client
        self._name = name
        self._ttl = ttl
        self._owner = uuid.uuid4()
        self.token: Token | None = None

    async def __aenter__(self) -> Self:
        ms = self._ttl // timedelta(milliseconds=1)
        while True:
            token = await acquire(
                self._client, f"{{{self._name}}}", f"{{{self._name}}}:fence", self._owner, ms
            )
            if token is not None:
                self.token = token
                return self
            await asyncio.sleep(0.01)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await release(self._client, f"{{{self._name}}}", owner=self._owner)
        except ScriptError as failed:
            print("lost:", failed.message, failed.code)


@asynccontextmanager
async def both(first: Lock, second: Lock) -> AsyncGenerator[list[Token]]:
    async with first, second:
        yield [lock.token for lock in (first, second) if lock.token is not None]


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        minute = timedelta(minutes=1)
        async with both(Lock(client, "a", minute), Lock(client, "b", minute)) as tokens:
            print(sum(tokens))
            try:
                async with asyncio.timeout(0.1):
                    async with Lock(client, "a", minute):
                        print("never")
            except TimeoutError:
                print("held")
            except (Late, LostConnection) as error:
                print(error.may_have_executed)
            await client.delete(["{a}"])


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
# prints: 2
# prints: held
# prints: lost: the lock is not ours NOTOWNER
