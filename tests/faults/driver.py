"""Callers that make calls with ids, and the account of what happened to each call.

Each call has an id of its own. The script counts, in a hash on the server, how often it ran for
that id, and answers with the id. So afterwards the server's own memory tells of each call whether
it ran, and how often, whatever the client said of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field

from tests.faults.adapters import Adapter
from tests.waiting import until

from glide_scripts.testing import ServerReplyError, ValkeyServer

COUNTING = """\
local runs = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('INCR', KEYS[2])
return {ARGV[1], runs}
"""

# Longer than any deadline of a scenario: a call that has not ended by then hangs.
_HUNG_AFTER = 30.0


@dataclass
class Verdict:
    """What the servers counted, compared with what the client said."""

    calls: int = 0
    acknowledged: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    """Calls that ended in an error, by the error's name."""
    ran_unacknowledged: int = 0
    """Calls that ran though their callers got an error: what an unknown outcome stands for."""
    lost: int = 0
    """Calls that were acknowledged and never ran."""
    ran_twice: int = 0
    """Calls that ran more than once."""
    ran_though_denied: int = 0
    """Calls that ran though their error said that they had not."""
    wrong_replies: int = 0
    """Calls that got the reply of another."""
    hung: int = 0
    """Calls that never ended."""

    def broken(self) -> list[str]:
        """The promises that were violated, and how often each was."""
        promises = ("lost", "ran_twice", "ran_though_denied", "wrong_replies", "hung")
        return [f"{name}: {count}" for name in promises if (count := getattr(self, name))]

    def add(self, other: Verdict) -> None:
        for name, value in asdict(other).items():
            if name == "errors":
                self.errors = dict(Counter(self.errors) + Counter(value))
            else:
                setattr(self, name, getattr(self, name) + value)


class StuckError(AssertionError):
    """Calls still fail, although the fault has ended."""


class Driver:
    """N callers, each with one call at a time.

    Args:
        adapter: The client under test.
        servers: The servers whose counts are read; for a cluster, its primaries.
        callers: How many call at once.
        tags: Hash tags to spread the callers over; in a cluster, one for each shard, say.
        code: What they call; it must count as `COUNTING` does.
        pause: Seconds that a caller waits between calls.
    """

    def __init__(
        self,
        adapter: Adapter,
        servers: Sequence[ValkeyServer],
        *,
        callers: int,
        tags: Sequence[str] = ("t",),
        code: str = COUNTING,
        pause: float = 0.0,
        name: str = "c",
    ) -> None:
        self.adapter, self.servers, self.tags = adapter, servers, tags
        self._callers, self._code, self._pause, self._name = callers, code, pause, name
        self._number = 0
        self._acknowledged: set[str] = set()
        self._denied: set[str] = set()
        self._failed: set[str] = set()
        self._errors: Counter[str] = Counter()
        self._wrong = 0
        self._hung = 0
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_error = "none"
        self.last_success = time.monotonic()

    @property
    def acknowledged(self) -> int:
        return len(self._acknowledged)

    @property
    def failed(self) -> int:
        return self._errors.total()

    async def progress(self, calls: int = 100, within: float = 60.0) -> None:
        """Waits until this many more calls have succeeded."""
        goal = self.acknowledged + calls
        try:
            await until(lambda: self.acknowledged >= goal, within)
        except AssertionError:
            raise StuckError(
                f"fewer than {calls} calls succeeded within {within:.0f} s; "
                f"the last error: {self._last_error}"
            ) from None

    async def failures(self, calls: int) -> None:
        """Waits until this many more calls have failed."""
        goal = self.failed + calls
        await until(lambda: self.failed >= goal, 20)

    async def success_after(self, moment: float) -> None:
        """Waits for a call that succeeds after a moment of the monotonic clock."""
        await until(lambda: self.last_success >= moment, 20)

    async def call(self, tag: str) -> bool:
        """Make one call and record it. Return whether it succeeded."""
        self._number += 1
        ident = f"{self._name}{self._number}"
        keys = [f"runs:{{{tag}}}", f"total:{{{tag}}}"]
        try:
            reply = await self.adapter.invoke(self._code, keys, [ident])
        except Exception as error:
            name = type(error).__name__
            self._errors[name] += 1
            self._last_error = f"{name}: {error}"
            self._failed.add(ident)
            if not self.adapter.may_have_run(error):
                self._denied.add(ident)
            return False
        if not (isinstance(reply, list) and len(reply) == 2 and reply[0] == ident.encode()):
            self._wrong += 1
            return False
        self._acknowledged.add(ident)
        self.last_success = time.monotonic()
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Callers call while the block runs; each then ends its last call."""
        self._stopped.clear()
        self._tasks = {
            asyncio.create_task(self._caller(self.tags[number % len(self.tags)]))
            for number in range(self._callers)
        }
        try:
            yield
        finally:
            self._stopped.set()
            _, hung = await asyncio.wait(self._tasks, timeout=_HUNG_AFTER)
            self._hung += len(hung)
            for task in hung:
                task.cancel()
            if hung:
                await asyncio.wait(hung)
        for task in self._tasks - hung:
            task.result()

    async def _caller(self, tag: str) -> None:
        while not self._stopped.is_set():
            succeeded = await self.call(tag)
            if self._pause or not succeeded:
                await asyncio.sleep(max(self._pause, 0 if succeeded else 0.005))

    def verdict(self) -> Verdict:
        """The account, from what the servers hold now. No call may be in flight."""
        runs = counted(self.servers, self.tags)
        return Verdict(
            calls=len(self._acknowledged) + self.failed + self._wrong + self._hung,
            acknowledged=self.acknowledged,
            errors=dict(self._errors),
            ran_unacknowledged=len(self._failed & runs.keys()),
            lost=len(self._acknowledged - runs.keys()),
            ran_twice=sum(count > 1 for count in runs.values()),
            ran_though_denied=len(self._denied & runs.keys()),
            wrong_replies=self._wrong,
            hung=self._hung,
        )


def counted(servers: Iterable[ValkeyServer], tags: Sequence[str]) -> Counter[str]:
    """How often each call ran, by the servers' own count, which must agree with itself."""
    runs: Counter[str] = Counter()
    for tag in tags:
        for server in servers:
            if (found := _counted_on(server, tag)) is not None:
                runs.update(found)
                break
        else:
            raise AssertionError(f"no server holds the count of {tag!r}")
    return runs


def _counted_on(server: ValkeyServer, tag: str) -> dict[str, int] | None:
    try:
        reply = server.command("HGETALL", f"runs:{{{tag}}}", timeout=30)
        total = server.command("GET", f"total:{{{tag}}}")
    except ServerReplyError as error:
        if error.code == "MOVED":
            return None
        raise
    assert isinstance(reply, list)
    found = {
        _text(ident): int(_text(count))
        for ident, count in zip(reply[::2], reply[1::2], strict=True)
    }
    assert sum(found.values()) == int(_text(total or b"0")), "the server contradicts itself"
    return found


def _text(reply: object) -> str:
    assert isinstance(reply, bytes)
    return reply.decode()
