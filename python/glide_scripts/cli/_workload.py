"""Generating load on a script, and measuring it.

Without a rate, a fixed number of calls is in flight: each begins when another ends, and its latency
is measured from there. With a rate, each call is due at a fixed time, and its latency is measured
from that time. So if a server pauses for a second, every call of that second is late, not only the
calls in flight ("coordinated omission").
"""

import asyncio
import math
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import typer

from .. import GlideClient, GlideClusterClient, GlideError
from ._callee import Callee
from ._histogram import Histogram

_PLACEHOLDER = re.compile(rb"\{n\}|\{rand:([1-9]\d{0,17})\}")
_NO_LIMIT = re.compile(rb"\{rand:[^{}]*\}")
# Timers are late by up to a millisecond, which is more than a call takes; so the rest is waited
# for actively.
_TIMER_LATE = 0.002
_MAX_ERRORS = 100
_OTHER = "(others)"


class Template:
    """The text of a key or an argument: ``{n}`` is the call's number, ``{rand:100}`` 0 to 99.

    Raises:
        ValueError: There is no number below a limit.
    """

    def __init__(self, text: bytes) -> None:
        self._data = text
        if wrong := _NO_LIMIT.search(_PLACEHOLDER.sub(b"", self._data)):
            shown = wrong[0].decode(errors="replace")
            raise ValueError(f"{shown} is not a random number; write {{rand:1000}}, for 0 to 999")
        self._is_fixed = not _PLACEHOLDER.search(self._data)

    def fill(self, number: int, randrange: Callable[[int], int] = random.randrange) -> bytes:
        """The text for a call."""
        if self._is_fixed:
            return self._data

        def value(found: re.Match[bytes]) -> bytes:
            limit = found[1]
            return b"%d" % (number if limit is None else randrange(int(limit)))

        return _PLACEHOLDER.sub(value, self._data)


def templates(
    keys: Sequence[str] | None, args: Sequence[str] | None
) -> tuple[list[Template], list[Template]]:
    """The templates of --key and --arg. Raises `typer.BadParameter`, which names the option."""
    return _of_option("--key", keys), _of_option("--arg", args)


def _of_option(option: str, texts: Sequence[str] | None) -> list[Template]:
    try:
        return [Template(os.fsencode(text)) for text in texts or []]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


@dataclass(frozen=True)
class Plan:
    """The parameters of a load."""

    called: Callee
    keys: Sequence[Template]
    args: Sequence[Template]
    concurrency: int
    """The number of calls in flight, over all clients."""
    duration: float = 10.0
    """In seconds."""
    calls: int | None = None
    """How many calls, however long they take, instead of a duration."""
    rate: float | None = None
    """Calls to begin in a second; None for as many as there can be."""


@dataclass
class Result:
    """The measurements so far."""

    histogram: Histogram = field(default_factory=Histogram)
    """Latencies of the calls that had a reply."""
    errors: Counter[str] = field(default_factory=Counter)
    """The first lines of what calls failed with."""
    elapsed: float = 0.0
    """In seconds."""
    unsent: int = 0
    """Calls that should have begun, for the rate, and were not sent before the end."""

    @property
    def calls(self) -> int:
        """Calls that ended, in whatever."""
        return self.histogram.count + self.errors.total()

    @property
    def per_second(self) -> float:
        return self.calls / self.elapsed if self.elapsed else 0.0


class Workload:
    """The load: calls of one script, shared by several clients."""

    def __init__(self, plan: Plan, clients: Sequence[GlideClient | GlideClusterClient]) -> None:
        self.plan, self.result = plan, Result()
        self._clients = clients
        self._begun = 0
        self._taken = 0
        # Whoever holds it waits for the time of the next call.
        self._schedule = asyncio.Lock()

    async def first_call(self, timeout: int) -> None:
        """Make a call that is not counted: it loads the script and shows that it runs.

        Args:
            timeout: In milliseconds.

        Raises:
            GlideError: It failed.
        """
        await self._invoke(self._clients[0], 0, timeout)

    async def run(self) -> None:
        """Carry out the plan; the result is there also when it is cancelled."""
        self._begun = time.perf_counter_ns()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self.plan.concurrency):
                    client = self._clients[number % len(self._clients)]
                    group.create_task(self._worker(client))
        finally:
            self.tick()
            if self.plan.rate is not None:
                due = int(self.plan.rate * self.result.elapsed)
                self.result.unsent = max(min(due, self._last) - self._taken, 0)

    def tick(self) -> float:
        """Bring the result's time up to now, and give how much of the plan is done, up to 1."""
        if not self._begun:
            return 0.0
        self.result.elapsed = (time.perf_counter_ns() - self._begun) / 1e9
        if self.plan.calls is not None:
            return min(self.result.calls / self.plan.calls, 1.0)
        return min(self.result.elapsed / self.plan.duration, 1.0)

    @property
    def _last(self) -> int:
        """How many calls there are at most."""
        if self.plan.calls is not None:
            return self.plan.calls
        return math.ceil((self.plan.rate or math.inf) * self.plan.duration)

    async def _worker(self, client: GlideClient | GlideClusterClient) -> None:
        next_start = self._at_once if self.plan.rate is None else self._on_schedule
        histogram, errors = self.result.histogram, self.result.errors
        while (start := await next_start()) is not None:
            try:
                await self._invoke(client, self._taken)
            except GlideError as error:
                words = str(error).partition("\n")[0]
                # Words that hold a key are others each time.
                errors[words if words in errors or len(errors) < _MAX_ERRORS else _OTHER] += 1
            else:
                histogram.record(time.perf_counter_ns() - start)

    async def _invoke(
        self, client: GlideClient | GlideClusterClient, number: int, timeout: int | None = None
    ) -> None:
        keys = [key.fill(number) for key in self.plan.keys]
        args = [arg.fill(number) for arg in self.plan.args]
        await self.plan.called.call(client, keys, args, timeout=timeout)

    def _is_over(self, now: int) -> bool:
        if self.plan.calls is not None:
            return self._taken >= self.plan.calls
        return now - self._begun >= self.plan.duration * 1e9

    async def _at_once(self) -> int | None:
        """When the next call begins: now; None if there is none."""
        now = time.perf_counter_ns()
        if self._is_over(now):
            return None
        self._taken += 1
        return now

    async def _on_schedule(self) -> int | None:
        """When the next call should begin, once that has come; None if there is none."""
        assert self.plan.rate is not None
        async with self._schedule:
            start = self._begun + int(self._taken * 1e9 / self.plan.rate)
            if self._is_over(max(start, time.perf_counter_ns())):
                return None
            await _until(start)
            self._taken += 1
            return start


async def _until(start: int) -> None:
    while (left := start - time.perf_counter_ns()) > 0:  # noqa: ASYNC110 - a time, and no event
        await asyncio.sleep(max(left / 1e9 - _TIMER_LATE, 0))
