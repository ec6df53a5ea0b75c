"""One measurement: one client in one cell, in a process of its own.

``python -m bench.worker '{"cell": …}'`` prints what it measured as a line of JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import trio
from bench.adapters import ADAPTERS, HOST, Call, Target
from bench.cells import CORE, PIPELINE, RUST_FRED, RUST_REDIS, Cell, Kind, Reply, Topology
from bench.installed import sizes
from bench.lag import measured_lags
from bench.measuring import cpu_of, own_cpu, percentiles, resident_bytes
from bench.pacing import at_fixed_rate
from bench.scripts import check, value_of
from bench.threads import CONNECT, times_in_threads

from glide_scripts.testing import Connection

WARM_UP_SECS = 0.3
LOOK_AGAIN_SECS = 0.01
CALLS = 1_000
COLD_REPEATS = 10
CLIENTS_HELD = 50

Figures = dict[str, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What to measure, and where."""

    cell: Cell
    client: str
    secs: float
    port: int
    pids: list[int]
    """The servers' processes."""
    ca: str | None = None
    socket: str | None = None
    """The path of the server's Unix socket."""
    rate: float | None = None
    """Calls a second of a paced cell."""
    load: str | None = None
    """The program that stands for clients without Python; beside it is that of others in Rust."""
    wheels: str | None = None
    """The folder with the wheels that were installed."""

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        values = json.loads(text)
        cell = values.pop("cell")
        for name, enum in (("kind", Kind), ("topology", Topology), ("reply", Reply)):
            cell[name] = enum(cell[name])
        return cls(cell=Cell(**cell), **values)


def main() -> None:
    task = Task.parse(sys.argv[1])
    print(json.dumps(measure(task)), flush=True)
    # Do not wait for clients that do not end by themselves.
    os._exit(0)


def measure(task: Task) -> Figures:
    match task.cell.kind:
        case Kind.IMPORT:
            adapter = ADAPTERS[task.client]
            return import_times(adapter.module) | sizes(
                adapter.distribution, adapter.parser, task.wheels
            )
        case Kind.LOAD if task.client in (CORE, PIPELINE, RUST_REDIS, RUST_FRED):
            return without_python(task)
        case Kind.LOAD if task.cell.trio:
            return trio.run(load_under_trio, task)
        case Kind.LOAD:
            return run(task, load(task))
        case Kind.PACED:
            return run(task, paced(task))
        case Kind.THREADS:
            return in_threads(task)
        case Kind.LAG:
            return run(task, lag(task))
        case Kind.COLD:
            return run(task, cold(task))
        case Kind.MEMORY:
            return run(task, memory(task))


def run(task: Task, measuring: Coroutine[Any, Any, T]) -> T:
    if task.cell.uvloop:
        uvloop: Any = importlib.import_module("uvloop")
        result: T = uvloop.run(measuring)
        return result
    return asyncio.run(measuring)


# A number of callers


async def load(task: Task) -> Figures:
    cell, value = task.cell, value_of(task.cell)
    async with ADAPTERS[task.client].connect(target_of(task), cell) as call:
        check(await call("k", value), cell)
        callers = Callers(call, value, cell.in_flight)
        await callers.warm_up()
        account = Account(task.pids)
        await callers.measure(task.secs)
        times = callers.times.copy()
        figures = account.close(len(times) * cell.batch)
        await callers.stop()
        return figures | percentiles(times)


async def load_under_trio(task: Task) -> Figures:
    cell, value = task.cell, value_of(task.cell)
    times: list[float] = []

    async def caller(key: str) -> None:
        clock = time.perf_counter
        await call(key, value)
        while True:
            started = clock()
            await call(key, value)
            times.append(clock() - started)

    async with ADAPTERS[task.client].connect(target_of(task), cell) as call:
        check(await call("k", value), cell)
        async with trio.open_nursery() as nursery:
            for index in range(cell.in_flight):
                nursery.start_soon(caller, f"k{index}")
            await trio.sleep(WARM_UP_SECS)
            account = Account(task.pids)
            times.clear()
            await trio.sleep(task.secs)
            while not times:
                await trio.sleep(LOOK_AGAIN_SECS)
            figures = account.close(len(times) * cell.batch)
            nursery.cancel_scope.cancel()
    return figures | percentiles(times)


def in_threads(task: Task) -> Figures:
    cell, value = task.cell, value_of(task.cell)
    with CONNECT[task.client](task.port, cell) as call:
        check(call("k", value), cell)
        times_in_threads(call, value, cell.in_flight, WARM_UP_SECS)
        account = Account(task.pids)
        times = times_in_threads(call, value, cell.in_flight, task.secs)
        return account.close(len(times)) | percentiles(times)


async def lag(task: Task) -> Figures:
    cell, value = task.cell, value_of(task.cell)
    async with ADAPTERS[task.client].connect(target_of(task), cell) as call:
        check(await call("k", value), cell)
        callers = Callers(call, value, cell.in_flight)
        await callers.warm_up()
        account = Account(task.pids)
        with measured_lags() as lags:
            await callers.measure(task.secs)
        figures = account.close(len(callers.times))
        await callers.stop()
        return figures | percentiles(lags) | {"longest": max(lags) * 1e6}


class Callers:
    """Tasks with a key each. When a task has its reply, it calls again."""

    def __init__(self, call: Call, value: str | bytes, number: int) -> None:
        self.times: list[float] = []
        """How long each call took, in seconds."""
        self._call = call
        self._value = value
        self._is_stopped = False
        self._silent = number
        self._tasks = [asyncio.create_task(self._caller(f"k{index}")) for index in range(number)]

    async def warm_up(self) -> None:
        """Wait for `WARM_UP_SECS`, and for each task's first reply: some clients connect late."""
        await asyncio.sleep(WARM_UP_SECS)
        while self._silent:
            await self._look_again()

    async def measure(self, secs: float) -> None:
        """Record times for `secs` seconds, or longer if no call has ended by then."""
        self.times.clear()
        await asyncio.sleep(secs)
        while not self.times:
            await self._look_again()

    async def _look_again(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        await asyncio.sleep(LOOK_AGAIN_SECS)

    async def stop(self) -> None:
        """Let each task end after its current reply."""
        self._is_stopped = True
        await asyncio.gather(*self._tasks)

    async def _caller(self, key: str) -> None:
        call, value, clock, times = self._call, self._value, time.perf_counter, self.times
        await call(key, value)
        self._silent -= 1
        while not self._is_stopped:
            started = clock()
            await call(key, value)
            times.append(clock() - started)


class Account:
    """Measures time and CPU from its creation to `close`."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._server = cpu_of(pids)
        self._cpu = own_cpu()
        self._started = time.perf_counter()

    def close(self, calls: int) -> Figures:
        """Return the calls per second, and the CPU per call of this process and of the servers."""
        elapsed, cpu = time.perf_counter() - self._started, own_cpu() - self._cpu
        figures = {"rate": calls / elapsed, "cpu": cpu / calls * 1e6, "calls": float(calls)}
        server = cpu_of(self._pids)
        if server is not None and self._server is not None:
            figures["server_cpu"] = (server - self._server) / calls * 1e6
        return figures


def without_python(task: Task) -> Figures:
    """Measure a client in Rust. It waits for a line before it begins, to measure servers' CPU."""
    cell = task.cell
    what = f"{task.client}-cluster" if cell.topology is Topology.CLUSTER else task.client
    # For these clients, a batch is a pipeline of that many calls.
    in_flight = cell.batch if cell.batch > 1 else cell.in_flight
    assert task.load is not None
    program = Path(task.load)
    if task.client in (RUST_REDIS, RUST_FRED):
        program = program.with_name("anchors")
    command = [str(program), what, *map(str, (task.port, in_flight, cell.size, task.secs))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = cpu_of(task.pids)
        process.stdin.write("go\n")
        process.stdin.flush()
        figures: Figures = json.loads(process.stdout.readline())
        after = cpu_of(task.pids)
    if before is not None and after is not None:
        figures["server_cpu"] = (after - before) / figures["calls"] * 1e6
    return figures


# Other kinds


async def paced(task: Task) -> Figures:
    cell, value = task.cell, value_of(task.cell)
    assert task.rate is not None
    async with connected(task, value) as call:
        await at_fixed_rate(call, value, task.rate, WARM_UP_SECS, cell.in_flight)
        account = Account(task.pids)
        times = await at_fixed_rate(call, value, task.rate, task.secs, cell.in_flight)
        return account.close(len(times)) | percentiles(times) | {"asked": task.rate}


async def cold(task: Task) -> Figures:
    cell, value = task.cell, value_of(task.cell)
    firsts: list[float] = []
    times: list[float] = []
    elapsed = warm = 0.0
    with Connection(HOST, task.port) as server:
        async with connected(task, value) as call:
            for _ in range(COLD_REPEATS):
                server.command("SCRIPT", "FLUSH")
                firsts.append(await timed(call("k", value)))
                server.command("SCRIPT", "FLUSH")
                started = time.perf_counter()
                times += await calls_of(CALLS, cell.in_flight, call, value)
                elapsed += time.perf_counter() - started
                started = time.perf_counter()
                await calls_of(CALLS, cell.in_flight, call, value)
                warm += time.perf_counter() - started
    first = percentiles(firsts)["p50"]
    rate = {"rate": len(times) / elapsed, "first": first, "of_warm": elapsed / warm}
    return rate | percentiles(times)


@asynccontextmanager
async def connected(task: Task, value: str | bytes) -> AsyncIterator[Call]:
    """A client that has made all its connections, even if it needs one for each call in flight."""
    cell = task.cell
    async with ADAPTERS[task.client].connect(target_of(task), cell) as call:
        check(await call("k", value), cell)
        await calls_of(CALLS, cell.in_flight, call, value)
        yield call


async def calls_of(number: int, in_flight: int, call: Call, value: str | bytes) -> list[float]:
    """Make `number` calls, `in_flight` at a time; return how long each took, in seconds."""
    keys = iter([f"k{index}" for index in range(number)])
    times: list[float] = []

    async def caller() -> None:
        for key in keys:
            times.append(await timed(call(key, value)))  # noqa: PERF401 - it waits

    await asyncio.gather(*[caller() for _ in range(in_flight)])
    return times


async def timed(reply: Awaitable[object]) -> float:
    started = time.perf_counter()
    await reply
    return time.perf_counter() - started


async def memory(task: Task) -> Figures:
    """Return the bytes of one more client, and of one call in flight while the server is paused."""
    cell, value = task.cell, value_of(task.cell)
    connect: Callable[..., Any] = ADAPTERS[task.client].connect
    async with AsyncExitStack() as stack:
        call: Call = await stack.enter_async_context(connect(target_of(task), cell))
        await calls_of(CALLS, 100, call, value)
        before = resident_bytes()
        for _ in range(CLIENTS_HELD):
            further = await stack.enter_async_context(connect(target_of(task), cell))
            await further("k", value)
        after = resident_bytes()
        if before is None or after is None:
            raise RuntimeError("this system does not tell how much memory a process has")
        for pid in task.pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            idle = resident_bytes() or 0

            async def one(key: str) -> None:
                await call(key, value)

            calls = [asyncio.create_task(one(f"k{index}")) for index in range(cell.in_flight)]
            # Let the tasks begin their calls, and let requests fill the server's socket buffers.
            await asyncio.sleep(0.5)
            busy = resident_bytes() or 0
        finally:
            for pid in task.pids:
                os.kill(pid, signal.SIGCONT)
        await asyncio.gather(*calls)
    return {
        "client_bytes": (after - before) / CLIENTS_HELD,
        "call_bytes": (busy - idle) / cell.in_flight,
    }


def import_times(module: str) -> Figures:
    """Milliseconds over `import asyncio`, of the module, and of all its public names."""
    return {
        "import_ms": import_time(f"import {module}"),
        "import_all_ms": import_time(f"from {module} import *"),
    }


def import_time(statement: str) -> float:
    """Return the milliseconds that a statement takes after `import asyncio`, in a new process."""
    code = (
        "import asyncio, time; started = time.perf_counter(); "
        f"{statement}; print(time.perf_counter() - started)"
    )
    # The first run fills the system's caches, and does not count.
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(6)
    ]
    return min(times[1:]) * 1e3


def target_of(task: Task) -> Target:
    return Target(task.port, task.ca, task.socket)


if __name__ == "__main__":
    main()
