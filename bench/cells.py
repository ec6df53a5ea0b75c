"""What is measured: the cells, and which clients take part in each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

OURS, GLIDE, RAW, CORE, PIPELINE = "ours", "glide", "raw", "core", "pipeline"
RUST_REDIS, RUST_FRED = "redis-rs", "fred"
UNIX = "unix"


class Kind(StrEnum):
    """How a cell is measured."""

    LOAD = "load"
    """A number of callers, each of which calls again as soon as it has its reply."""
    PACED = "paced"
    """Calls that are due at a fixed rate, whether those before have their replies or not."""
    THREADS = "threads"
    """A load on a synchronous client, from a thread for each call in flight."""
    LAG = "lag"
    """How long other callbacks of the loop wait for their turn, under the same load."""
    COLD = "cold"
    """1,000 calls right after SCRIPT FLUSH, beside as many after those; and one."""
    IMPORT = "import"
    """How long the import takes, beyond that of asyncio; and the installed sizes."""
    MEMORY = "memory"
    """The memory of a client, and of a call in flight."""


class Topology(StrEnum):
    STANDALONE = "standalone"
    CLUSTER = "cluster"
    TLS = "tls"


class Reply(StrEnum):
    """What the script answers."""

    BULK = "bulk"
    INT = "int"
    ARRAY = "array"
    MAP = "map"


@dataclass(frozen=True)
class Cell:
    """One thing to measure; each client that takes part is measured in a process of its own."""

    kind: Kind
    topology: Topology = Topology.STANDALONE
    in_flight: int = 1
    size: int = 16
    """Bytes of the value that goes to the script, and, with `Reply.BULK`, back."""
    reply: Reply = Reply.BULK
    batch: int = 1
    """Scripts a call: above 1, one pipeline of so many."""
    uvloop: bool = False
    trio: bool = False

    @property
    def id(self) -> str:
        """A name with all settings, by which cells of earlier runs are found."""
        parts = [str(self.kind)]
        if self.kind not in (Kind.IMPORT, Kind.MEMORY):
            parts += [str(self.topology), f"{self.in_flight}-in-flight", f"{self.size}-bytes"]
            parts.append(str(self.reply))
        if self.batch > 1:
            parts.append(f"batch-of-{self.batch}")
        if self.uvloop:
            parts.append("uvloop")
        if self.trio:
            parts.append("trio")
        return " ".join(parts)


@dataclass(frozen=True)
class Group:
    """Cells that make one table."""

    title: str
    cells: tuple[Cell, ...]
    clients: tuple[str, ...]
    remark: str = ""

    def measured(self) -> Iterator[tuple[Cell, list[str]]]:
        """Each cell with the clients that can take part in it."""
        for cell in self.cells:
            yield cell, [name for name in self.clients if takes_part(name, cell)]


def takes_part(client: str, cell: Cell) -> bool:
    """Whether a client is measured in a cell."""
    connection_a_call = client in ("redispy", "valkeypy")
    # With more calls in flight, coredis's connections are closed.
    fails = client == "coredis" and cell.kind is Kind.LOAD
    too_many = (connection_a_call or fails) and cell.in_flight > 1000
    return not too_many and (client != UNIX or cell.in_flight in {1, 100})


CLIENTS = {
    OURS: "glide_scripts",
    GLIDE: "valkey-glide",
    "redispy": "redis-py, hiredis",
    "valkeypy": "valkey-py, libvalkey",
    "coredis": "coredis",
    "redisrs": "redis-rs for Python",
    RAW: "bare Protocol",
    CORE: "core without Python",
    RUST_REDIS: "redis-rs, in Rust",
    RUST_FRED: "fred, in Rust",
    PIPELINE: "pipelining loop",
    UNIX: "glide_scripts, Unix socket",
}
"""The names in the tables."""

PYTHON_CLIENTS = (OURS, GLIDE, "redispy", "valkeypy", "coredis", "redisrs", RAW)

_LOAD = Cell(Kind.LOAD)


def _loads(**settings: object) -> tuple[Cell, ...]:
    """The same cell with each of the values of one or more settings."""
    cells = [_LOAD]
    for name, values in settings.items():
        each = values if isinstance(values, tuple) else (values,)
        cells = [dataclasses.replace(cell, **{name: value}) for cell in cells for value in each]
    return tuple(cells)


BY_CONCURRENCY = Group(
    "Standalone, by calls in flight",
    _loads(in_flight=(1, 10, 100, 1_000, 10_000)),
    (*PYTHON_CLIENTS, CORE, RUST_REDIS, RUST_FRED, PIPELINE, UNIX),
    "Three clients are missing with 10,000 in flight. redis-py and valkey-py open a connection for "
    "each call in flight; a process may not have so many by default. coredis lost its connections.",
)
ON_CLUSTER = Group(
    "Cluster of three primaries, by calls in flight",
    _loads(topology=Topology.CLUSTER, in_flight=(1, 10, 100, 1_000, 10_000)),
    (OURS, GLIDE, "redispy", "valkeypy", CORE, RUST_REDIS, RUST_FRED),
)
LARGE_ON_CLUSTER = Group(
    "Cluster of three primaries: larger values, 10 in flight",
    _loads(topology=Topology.CLUSTER, in_flight=10, size=(1 << 10, 64 << 10)),
    (OURS, GLIDE, "redispy", CORE, RUST_REDIS, RUST_FRED),
)
REPLIES_ON_CLUSTER = Group(
    "Cluster of three primaries: replies of other shapes, 100 in flight",
    _loads(topology=Topology.CLUSTER, in_flight=100, reply=(Reply.INT, Reply.ARRAY, Reply.MAP)),
    (OURS, GLIDE, "redispy"),
    "The shapes are those of the table for one server.",
)
LAG = Group(
    "Loop lag",
    tuple(Cell(Kind.LAG, in_flight=number) for number in (100, 1_000, 10_000)),
    (OURS, GLIDE, RAW),
    "A timer of the event loop is due every millisecond; the figures say how late it runs while "
    "calls are in flight.",
)
ON_UVLOOP = Group(
    "On uvloop",
    _loads(in_flight=(1, 100, 1_000), uvloop=True),
    (OURS, GLIDE, "redispy", "valkeypy", "coredis", RAW),
)
UNDER_TRIO = Group(
    "Under trio",
    _loads(in_flight=(1, 100, 1_000), trio=True),
    (OURS, GLIDE),
)
IN_THREADS = Group(
    "Synchronous clients, by threads",
    tuple(Cell(Kind.THREADS, in_flight=number) for number in (1, 8, 64)),
    (OURS, GLIDE, "redispy"),
    "All threads share a client. redis-py opens a connection for each.",
)
LARGE_VALUES = Group(
    "Larger values, sent and returned, 10 and 20 in flight",
    (
        *_loads(in_flight=10, size=(1 << 10, 64 << 10, 1 << 20)),
        *_loads(in_flight=20, size=(16 << 10, 64 << 10, 256 << 10)),
    ),
    (OURS, GLIDE, "redispy", "valkeypy", "coredis", RAW, PIPELINE),
    "Values of 16 KB and more are bytes; smaller ones are str. The pipelining loop writes all "
    "values before it reads a reply. Clients that write and read at the same time can be faster.",
)
REPLIES = Group(
    "Replies of other shapes, 100 in flight",
    _loads(in_flight=100, reply=(Reply.INT, Reply.ARRAY, Reply.MAP)),
    (OURS, GLIDE, "redispy", "valkeypy", "coredis"),
    "An integer; an array of 100 strings; a map of 10 maps of 5 pairs, over RESP3.",
)
BATCHES = Group(
    "Batches, one at a time",
    _loads(batch=(10, 100, 1_000)),
    (OURS, GLIDE, "redispy", "valkeypy", RAW, PIPELINE),
    "valkey-glide's batches have no `invoke_script`; its batches send EVALSHA by `custom_command`.",
)
COLD = Group(
    "After `SCRIPT FLUSH`",
    (Cell(Kind.COLD, in_flight=100),),
    (OURS, GLIDE, "redispy", "valkeypy", "coredis"),
    "One call after a flush; 1,000 calls after a flush, 100 in flight; and their time as a "
    "multiple of that of the next 1,000.",
)
OVER_TLS = Group(
    "Over TLS",
    _loads(topology=Topology.TLS, in_flight=(1, 100)),
    (OURS, GLIDE, "redispy", "valkeypy"),
    "A small program on the same machine does TLS for the server. Its CPU counts as the server's.",
)
PACED = Group(
    "At a fixed rate: half of valkey-glide's best with 100 in flight",
    (Cell(Kind.PACED, in_flight=100),),
    (OURS, GLIDE, "redispy", "valkeypy", "coredis", RAW),
    "Latency counts from the moment a call was due. At most 100 calls are in flight. A call that "
    "is due while 100 are in flight waits, and its wait counts.",
)
IMPORT = Group(
    "Import and sizes",
    (Cell(Kind.IMPORT),),
    (OURS, GLIDE, "redispy", "valkeypy", "coredis", "redisrs"),
    "*import* is what a program with one server and one script imports. glide_scripts imports the "
    "rest, such as batches and the cluster client, on first use.",
)
MEMORY = Group(
    "Memory",
    (Cell(Kind.MEMORY, in_flight=10_000),),
    (OURS, GLIDE, "coredis", "redisrs", RAW),
    "Resident memory added by each of 50 more clients, and by each of 10,000 calls in flight with "
    "its task, on a server that does not answer. Clients that open a connection for each call in "
    "flight are left out.",
)

FULL = (
    BY_CONCURRENCY,
    ON_CLUSTER,
    LARGE_ON_CLUSTER,
    REPLIES_ON_CLUSTER,
    PACED,
    LAG,
    IN_THREADS,
    BATCHES,
    LARGE_VALUES,
    REPLIES,
    ON_UVLOOP,
    UNDER_TRIO,
    OVER_TLS,
    COLD,
    IMPORT,
    MEMORY,
)

QUICK = (
    Group(
        BY_CONCURRENCY.title,
        _loads(in_flight=(1, 100, 1_000)),
        (OURS, GLIDE, RAW, CORE, RUST_REDIS, RUST_FRED, PIPELINE, UNIX),
    ),
    Group(ON_CLUSTER.title, _loads(topology=Topology.CLUSTER, in_flight=100), (OURS, GLIDE)),
    IN_THREADS,
    Group(UNDER_TRIO.title, _loads(in_flight=100, trio=True), (OURS, GLIDE)),
    Group(PACED.title, PACED.cells, (OURS, GLIDE, RAW), PACED.remark),
    Group(LAG.title, (Cell(Kind.LAG, in_flight=1_000),), (OURS, RAW), LAG.remark),
    Group(BATCHES.title, _loads(batch=(10, 100, 1_000)), (OURS, GLIDE, PIPELINE), BATCHES.remark),
    Group(
        LARGE_VALUES.title,
        (*_loads(in_flight=20, size=64 << 10), *_loads(in_flight=10, size=1 << 20)),
        (OURS, GLIDE, RAW),
        LARGE_VALUES.remark,
    ),
    Group(COLD.title, COLD.cells, (OURS,), COLD.remark),
    Group(IMPORT.title, IMPORT.cells, (OURS, GLIDE)),
)
"""No more than the goals need."""
