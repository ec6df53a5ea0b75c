"""Side by side: one cached Lua script through each client, same server, same run.

    python bench/peers.py --clients ours,glide,raw --conc 1,100,1000 --rounds 5 --json run.json
    python bench/peers.py --clients ours,glide,redispy --conc 1 --batch 1000 --rounds 5

Each cell, a client at a number of concurrent calls, is measured in a process of its own, once in
every round, so that whatever else the machine does falls on all clients alike. The table has the
medians of the rounds. Only the ratios within one run mean something on another machine.
"""

import argparse
import asyncio
import contextlib
import hashlib
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, cast

from glide_scripts.testing import ValkeyCluster, ValkeyServer

HOST = "127.0.0.1"
CODE = "return ARGV[1]"
SHA1 = hashlib.sha1(CODE.encode()).hexdigest()
CLUSTER = "_cluster"
GLIDE_TIMEOUT_MS = 10_000
WARM_UP_SECS = 0.3
CELL_TIMEOUT_SECS = 120

Call = Callable[[str, str], Awaitable[object]]


def main() -> int:
    options = Options.parse()
    if options.cell is not None:
        print(json.dumps(asdict(run_cell(options, Cell.parse(options.cell)))), flush=True)
        # A client that does not end by itself is no reason to wait.
        os._exit(0)
    results = Results(options)
    with servers(options):
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            results.measure_round()
    results.print_tables()
    if options.json:
        options.json.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    return 1 if results.failed else 0


@dataclass
class Options:
    """The command line."""

    clients: list[str]
    conc: list[int]
    size: int
    batch: int
    rounds: int
    secs: float
    uvloop: bool
    port: int | None
    cluster_port: int | None
    json: Path | None
    cell: str | None

    @classmethod
    def parse(cls) -> Self:
        standalone = [name for name in CLIENTS if not name.endswith(CLUSTER)]
        parser = argparse.ArgumentParser(
            description=(__doc__ or "").splitlines()[0], epilog=f"clients: {', '.join(CLIENTS)}"
        )
        parser.add_argument("--clients", type=_names, default=standalone, help="a,b,c")
        parser.add_argument("--conc", type=_numbers, default=[1, 100, 1000], help="calls in flight")
        parser.add_argument("--size", type=int, default=16, help="bytes of the value")
        parser.add_argument(
            "--batch", type=int, default=1, help="scripts a call: above 1, one pipeline of so many"
        )
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--secs", type=float, default=1.0, help="seconds measured a cell")
        parser.add_argument("--uvloop", action="store_true")
        parser.add_argument("--port", type=int, help="a server that runs; else one is started")
        parser.add_argument("--cluster-port", type=int, help="a node of a cluster, likewise")
        parser.add_argument("--json", type=Path, help="write every measurement to this file")
        parser.add_argument("--cell", help=argparse.SUPPRESS)
        return cls(**vars(parser.parse_args()))


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(CLIENTS):
        raise argparse.ArgumentTypeError(f"no such client: {', '.join(sorted(unknown))}")
    return names


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


@contextlib.contextmanager
def servers(options: Options) -> Iterator[None]:
    """Start what the clients asked for need and the caller did not name."""
    with contextlib.ExitStack() as stack:
        clustered = {name.endswith(CLUSTER) for name in options.clients}
        if False in clustered and options.port is None:
            options.port = stack.enter_context(ValkeyServer()).port
        if True in clustered and options.cluster_port is None:
            cluster = stack.enter_context(ValkeyCluster(primaries=3, replicas=0))
            options.cluster_port = cluster.primaries()[0].port
        yield


# A cell


@dataclass(frozen=True)
class Cell:
    """One client at one number of concurrent calls."""

    client: str
    conc: int

    @classmethod
    def parse(cls, text: str) -> Self:
        client, _, conc = text.partition(":")
        return cls(client, int(conc))

    def __str__(self) -> str:
        return f"{self.client}:{self.conc}"


@dataclass(frozen=True)
class Sample:
    """What one measurement of a cell gave.

    Scripts a second, the times of calls in microseconds, the CPU of a script in microseconds.
    """

    ops: float
    p50: float
    p99: float
    cpu: float


def run_cell(options: Options, cell: Cell) -> Sample:
    measured = measure(options, cell)
    if options.uvloop:
        uvloop: Any = importlib.import_module("uvloop")
        sample: Sample = uvloop.run(measured)
        return sample
    return asyncio.run(measured)


async def measure(options: Options, cell: Cell) -> Sample:
    port = options.cluster_port if cell.client.endswith(CLUSTER) else options.port
    assert port is not None
    value = "x" * options.size
    async with CLIENTS[cell.client](port, options.batch) as call:
        reply = await call("k", value)
        if options.batch > 1:
            (reply,) = set(cast(list[object], reply))
        if reply not in (value, value.encode()):
            raise RuntimeError(f"{cell.client} answered {reply!r}")
        await calls_for(WARM_UP_SECS, cell.conc, call, value)
        cpu, started = cpu_seconds(), time.perf_counter()
        latencies = await calls_for(options.secs, cell.conc, call, value)
        elapsed, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    latencies.sort()
    count = len(latencies)
    return Sample(
        ops=count * options.batch / elapsed,
        p50=latencies[count // 2] * 1e6,
        p99=latencies[int(count * 0.99)] * 1e6,
        cpu=cpu / (count * options.batch) * 1e6,
    )


async def calls_for(secs: float, conc: int, call: Call, value: str) -> list[float]:
    """Keep `conc` calls in flight for `secs` seconds; how long each took, in seconds."""
    latencies: list[float] = []
    clock = time.perf_counter
    end = clock() + secs

    async def worker(key: str) -> None:
        while (started := clock()) <= end:
            await call(key, value)
            latencies.append(clock() - started)

    await asyncio.gather(*[worker(f"k{number}") for number in range(conc)])
    return latencies


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# The clients


Connect = Callable[[int, int], AbstractAsyncContextManager[Call]]


def one_by_one(connect: Callable[[int], AbstractAsyncContextManager[Call]]) -> Connect:
    """A client that is measured without batches."""

    def checked(port: int, batch: int) -> AbstractAsyncContextManager[Call]:
        if batch > 1:
            raise RuntimeError("this client is not measured with --batch")
        return connect(port)

    return checked


def glide_like(module_name: str, client_name: str) -> Connect:
    """valkey-glide, and this project with the same API."""

    @asynccontextmanager
    async def connect(port: int, batch: int) -> AsyncIterator[Call]:
        module: Any = importlib.import_module(module_name)
        configuration = getattr(module, f"{client_name}Configuration")(
            [module.NodeAddress(HOST, port)], request_timeout=GLIDE_TIMEOUT_MS
        )
        client = await getattr(module, client_name).create(configuration)
        script = module.Script(CODE)

        def call(key: str, value: str) -> Awaitable[object]:
            reply: Awaitable[object] = client.invoke_script(script, keys=[key], args=[value])
            return reply

        is_cluster = "Cluster" in client_name
        batch_type = getattr(module, "ClusterBatch" if is_cluster else "Batch")

        def call_batch(key: str, value: str) -> Awaitable[object]:
            commands = batch_type(is_atomic=False)
            if hasattr(commands, "invoke_script"):
                for number in range(batch):
                    commands.invoke_script(script, [f"{key}{number}"], [value])
            else:
                # Its batches know no scripts; the script was loaded by the call before.
                for number in range(batch):
                    words = ["EVALSHA", script.get_hash(), "1", f"{key}{number}", value]
                    commands.custom_command(words)
            replies: Awaitable[object] = client.exec(commands, raise_on_error=True)
            return replies

        if batch > 1:
            await client.custom_command(["SCRIPT", "LOAD", CODE])
        yield call if batch == 1 else call_batch
        await client.close()

    return connect


def redis_like(module_name: str, client_name: str) -> Connect:
    """redis-py and its descendant valkey-py: a connection for each call in flight."""

    @asynccontextmanager
    async def connect(port: int, batch: int) -> AsyncIterator[Call]:
        module: Any = importlib.import_module(module_name)
        client = getattr(module, client_name)(host=HOST, port=port, max_connections=2000)
        script = client.register_script(CODE)

        def call(key: str, value: str) -> Awaitable[object]:
            reply: Awaitable[object] = script(keys=[key], args=[value])
            return reply

        async def call_batch(key: str, value: str) -> object:
            pipeline = client.pipeline(transaction=False)
            for number in range(batch):
                pipeline.evalsha(SHA1, 1, f"{key}{number}", value)
            return await pipeline.execute()

        if batch > 1:
            await client.script_load(CODE)
        yield call if batch == 1 else call_batch
        await client.aclose()

    return connect


@asynccontextmanager
async def coredis(port: int) -> AsyncIterator[Call]:
    module: Any = importlib.import_module("coredis")
    async with module.Redis(host=HOST, port=port) as client:
        script = client.register_script(CODE)

        async def call(key: str, value: str) -> object:
            return await script(keys=[key], args=[value])

        yield call


@asynccontextmanager
async def redis_rs(port: int) -> AsyncIterator[Call]:
    module: Any = importlib.import_module("redis_rs")
    async with module.create_client(f"redis://{HOST}:{port}", max_size=4) as client:
        await client.execute("SCRIPT", "LOAD", CODE)

        def call(key: str, value: str) -> Awaitable[object]:
            reply: Awaitable[object] = client.execute("EVALSHA", SHA1, 1, key, value)
            return reply

        yield call


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[Call]:
    """The floor: what asyncio takes for the bytes alone."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(RawProtocol, HOST, port)
    code = CODE.encode()
    await protocol.call(b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%d\r\n%b\r\n" % (len(code), code))
    head = b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n" % SHA1.encode()

    def call(key: str, value: str) -> Awaitable[object]:
        k, v = key.encode(), value.encode()
        return protocol.call(b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (head, len(k), k, len(v), v))

    yield call
    transport.close()


class RawProtocol(asyncio.Protocol):
    """One socket, one write for all calls of a turn of the loop, bulk strings for replies.

    No errors, no timeouts, no reconnect: not a client.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._out: list[bytes] = []
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None

    def call(self, request: bytes) -> asyncio.Future[bytes]:
        future = self._loop.create_future()
        self._waiting.append(future)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(request)
        return future

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports derive from nothing of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        start = 0
        while (line_end := data.find(b"\r\n", start)) >= 0:
            if data[start : start + 1] != b"$":
                raise RuntimeError(f"unexpected reply {data[start:line_end]!r}")
            first = line_end + 2
            end = first + int(data[start + 1 : line_end])
            if end + 2 > len(data):
                break
            self._waiting.popleft().set_result(data[first:end])
            start = end + 2
        self._rest = data[start:]

    def _flush(self) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(self._out))
        self._out.clear()


CLIENTS: dict[str, Connect] = {
    "ours": glide_like("glide_scripts", "GlideClient"),
    "glide": glide_like("glide", "GlideClient"),
    "redispy": redis_like("redis.asyncio", "Redis"),
    "valkeypy": redis_like("valkey.asyncio", "Valkey"),
    "coredis": one_by_one(coredis),
    "redisrs": one_by_one(redis_rs),
    "raw": one_by_one(raw),
    "ours_cluster": glide_like("glide_scripts", "GlideClusterClient"),
    "glide_cluster": glide_like("glide", "GlideClusterClient"),
}


# All cells


class Results:
    """Every sample of every cell, and the tables made of them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._samples: dict[Cell, list[Sample]] = {}
        self.failed = False

    def measure_round(self) -> None:
        for conc in self._options.conc:
            for client in self._options.clients:
                cell = Cell(client, conc)
                if (sample := self._measured_apart(cell)) is not None:
                    self._samples.setdefault(cell, []).append(sample)

    def print_tables(self) -> None:
        for conc in self._options.conc:
            loop = ", uvloop" if self._options.uvloop else ""
            batches = f", batches of {self._options.batch}" if self._options.batch > 1 else ""
            size = self._options.size
            print(f"\nconcurrency {conc}, value {size} B{batches}{loop}; (x glide)")
            heads = ("scripts/s", "p50 us", "p99 us", "CPU us/script")
            print(f"{'client':13} {' '.join(f'{head:>17}' for head in heads)}")
            for client in self._options.clients:
                if (median := self._median(Cell(client, conc))) is not None:
                    glide = "glide_cluster" if client.endswith(CLUSTER) else "glide"
                    print(f"{client:13} {_row(median, self._median(Cell(glide, conc)))}")

    def as_json(self) -> dict[str, list[dict[str, float]]]:
        return {str(cell): [asdict(s) for s in samples] for cell, samples in self._samples.items()}

    def _measured_apart(self, cell: Cell) -> Sample | None:
        """The cell, in a process of its own; None when that failed, after saying why."""
        options = self._options
        settings = {
            "cell": cell,
            "size": options.size,
            "batch": options.batch,
            "secs": options.secs,
        }
        if options.port is not None:
            settings["port"] = options.port
        if options.cluster_port is not None:
            settings["cluster-port"] = options.cluster_port
        command = [sys.executable, __file__, *(f"--{name}={v}" for name, v in settings.items())]
        if options.uvloop:
            command.append("--uvloop")
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=CELL_TIMEOUT_SECS, check=True
            )
            return Sample(**json.loads(done.stdout.splitlines()[-1]))
        except subprocess.TimeoutExpired:
            reason = f"no end after {CELL_TIMEOUT_SECS} s"
        except (subprocess.CalledProcessError, json.JSONDecodeError, IndexError) as error:
            said: Sequence[str] = (getattr(error, "stderr", "") or "").splitlines()
            reason = said[-1] if said else str(error)
        print(f"{cell} failed: {reason}", file=sys.stderr)
        self.failed = True
        return None

    def _median(self, cell: Cell) -> Sample | None:
        samples = self._samples.get(cell)
        if not samples:
            return None
        names = [field.name for field in fields(Sample)]
        return Sample(*(statistics.median(getattr(s, name) for s in samples) for name in names))


def _row(sample: Sample, glide: Sample | None) -> str:
    reference = {} if glide is None else asdict(glide)
    return " ".join(_figure(value, reference.get(name)) for name, value in asdict(sample).items())


def _figure(value: float, reference: float | None) -> str:
    shown = f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    ratio = f"({value / reference:.2f})" if reference else ""
    return f"{shown:>9}{ratio:>8}"


if __name__ == "__main__":
    sys.exit(main())
