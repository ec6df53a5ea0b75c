"""The targets, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bench.cells import (
    CORE,
    GLIDE,
    OURS,
    PIPELINE,
    RAW,
    RUST_FRED,
    RUST_REDIS,
    UNIX,
    Cell,
    Kind,
    Topology,
)
from bench.results import Results, Spread


class Bound(Enum):
    AT_MOST = "at most"
    AT_LEAST = "at least"
    BELOW = "below"

    def holds(self, value: float, limit: float) -> bool:
        match self:
            case Bound.AT_MOST:
                return value <= limit
            case Bound.AT_LEAST:
                return value >= limit
            case Bound.BELOW:
                return value < limit


@dataclass(frozen=True)
class Goal:
    """A limit for a figure of ours: as a multiple of another client's figure, or by itself."""

    title: str
    cell: Cell
    figure: str
    bound: Bound
    limit: float
    reference: str | None
    """None: the bound is on the figure itself."""
    reference_figure: str | None = None
    """The reference's figure, if it is another one than `figure`."""
    client: str = OURS
    """The client whose figure has the bound."""
    unit: str = ""
    """The unit of a bound on the figure itself."""

    def reached(self, results: Results) -> tuple[Spread | None, bool]:
        """The ratio or figure, and whether its median is within the bound."""
        if self.reference is None:
            figure = results.figure(self.cell, self.client, self.figure)
            return figure, figure is not None and self.bound.holds(figure.median, self.limit)
        ratio = results.ratio(
            self.cell, self.client, self.figure, self.reference, self.reference_figure
        )
        return ratio, ratio is not None and self.bound.holds(ratio.median, self.limit)


def _goals() -> Iterable[Goal]:
    def of(in_flight: int, **settings: int) -> Cell:
        return Cell(Kind.LOAD, in_flight=in_flight, **settings)  # type: ignore[arg-type]

    most, least = Bound.AT_MOST, Bound.AT_LEAST
    cluster = Cell(Kind.LOAD, Topology.CLUSTER, in_flight=100)
    yield Goal("1 in flight, p50", of(1), "p50", most, 0.30, GLIDE)
    yield Goal("1 in flight, p50", of(1), "p50", most, 0.50, RAW)
    yield Goal("100 in flight, calls per second", of(100), "rate", least, 12, GLIDE)
    yield Goal("100 in flight, calls per second", of(100), "rate", least, 2.2, RAW)
    yield Goal("100 in flight, client CPU per call", of(100), "cpu", most, 1 / 16, GLIDE)
    yield Goal("1,000 in flight, calls per second", of(1000), "rate", least, 14, GLIDE)
    yield Goal("1,000 in flight, calls per second", of(1000), "rate", least, 1.6, RAW)
    yield Goal("1,000 in flight, calls per second", of(1000), "rate", least, 0.7, PIPELINE)
    yield Goal("cluster of 3, 100 in flight, calls per second", cluster, "rate", least, 10, GLIDE)
    yield Goal("cluster of 3, 100 in flight, CPU per call", cluster, "cpu", most, 1 / 14, GLIDE)
    under_trio, title = of(100, trio=True), "trio, 100 in flight, calls per second"
    yield Goal(title, under_trio, "rate", least, 4, GLIDE)
    for size, limit in ((1000, 5.0), (100, 4.0), (10, 3.5)):
        title = f"batch of {size:,}, scripts per second"
        yield Goal(title, of(1, batch=size), "rate", least, limit, GLIDE)
    title = "batch of 1,000, scripts per second"
    yield Goal(title, of(1, batch=1000), "rate", least, 0.75, PIPELINE)
    large, larger = of(20, size=64 << 10), of(10, size=1 << 20)
    yield Goal("64 KB values, 20 in flight, bytes per second", large, "rate", least, 1, RAW)
    yield Goal("1 MB values, 10 in flight, bytes per second", larger, "rate", least, 1.1, RAW)
    paced = Cell(Kind.PACED, in_flight=100)
    yield Goal("p99 at half of valkey-glide's top rate", paced, "p99", most, 1, RAW)
    yield Goal("p99.9 at half of valkey-glide's top rate", paced, "p999", most, 1.2, RAW)
    lag, title = Cell(Kind.LAG, in_flight=1000), "loop lag at 1,000 in flight, p99"
    yield Goal(title, lag, "p99", most, 0.5, RAW)
    yield Goal(title, lag, "p99", Bound.BELOW, 2000, None, unit=" µs")
    for in_flight in (100, 1000):
        for anchor in (RUST_REDIS, RUST_FRED):
            cell, title = of(in_flight), f"the core alone, {in_flight:,} in flight"
            yield Goal(f"{title}, CPU per call", cell, "cpu", most, 0.5, anchor, client=CORE)
            yield Goal(f"{title}, calls per second", cell, "rate", least, 1, anchor, client=CORE)
    cold = Cell(Kind.COLD, in_flight=100)
    yield Goal("1,000 cold calls, over 1,000 warm ones", cold, "of_warm", most, 1.3, None)
    title = "Unix socket, 1 in flight, p50"
    yield Goal(title, of(1), "p50", most, 0.85, OURS, client=UNIX)
    title = "Unix socket, 100 in flight, calls per second"
    yield Goal(title, of(100), "rate", least, 1.1, OURS, client=UNIX)
    for reference, share, times in (("redispy", 0.6, 5), (GLIDE, 0.6, 3)):
        cell, title = Cell(Kind.THREADS, in_flight=1), "synchronous, one thread, p50"
        yield Goal(title, cell, "p50", most, share, reference)
        for threads in (8, 64):
            cell = Cell(Kind.THREADS, in_flight=threads)
            title = f"synchronous, {threads} threads, calls per second"
            yield Goal(title, cell, "rate", least, times, reference)
    footprint = Cell(Kind.IMPORT)
    yield Goal("import, over `import asyncio`", footprint, "import_ms", most, 1 / 5, GLIDE)
    yield Goal("installed size", footprint, "installed_bytes", most, 1 / 5, GLIDE)


GOALS = tuple(_goals())
