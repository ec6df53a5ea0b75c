"""What was to be reached, and what was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bench.cells import GLIDE, OURS, PIPELINE, RAW, Cell, Kind, Topology
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
    """A bound on how many times another client's figure ours is."""

    title: str
    cell: Cell
    figure: str
    bound: Bound
    limit: float
    reference: str
    reference_figure: str | None = None
    """Where it is another one than `figure`."""
    client: str = OURS
    """Whose figure has the bound."""

    def reached(self, results: Results) -> tuple[Spread | None, bool]:
        """The ratio, and whether its median is within the bound."""
        ratio = results.ratio(
            self.cell, self.client, self.figure, self.reference, self.reference_figure
        )
        return ratio, ratio is not None and self.bound.holds(ratio.median, self.limit)


def _goals() -> Iterable[Goal]:
    def of(in_flight: int, **settings: int) -> Cell:
        return Cell(Kind.LOAD, in_flight=in_flight, **settings)  # type: ignore[arg-type]

    most, least = Bound.AT_MOST, Bound.AT_LEAST
    cluster = Cell(Kind.LOAD, Topology.CLUSTER, in_flight=100)
    yield Goal("1 in flight, p50", of(1), "p50", most, 0.40, GLIDE)
    yield Goal("1 in flight, p50", of(1), "p50", most, 0.85, RAW)
    yield Goal("100 in flight, calls per second", of(100), "rate", least, 10, GLIDE)
    yield Goal("100 in flight, calls per second", of(100), "rate", least, 1.5, RAW)
    yield Goal("1,000 in flight, calls per second", of(1000), "rate", least, 10, GLIDE)
    yield Goal("1,000 in flight, calls per second", of(1000), "rate", least, 0.5, PIPELINE)
    yield Goal("100 in flight, client CPU per call", of(100), "cpu", most, 1 / 11, GLIDE)
    yield Goal("cluster of 3, 100 in flight, calls per second", cluster, "rate", least, 8, GLIDE)
    yield Goal("cluster of 3, 100 in flight, CPU per call", cluster, "cpu", most, 1 / 8, GLIDE)
    under_trio = of(100, trio=True)
    yield Goal("trio, 100 in flight, calls per second", under_trio, "rate", least, 4, GLIDE)
    batch = of(1, batch=1000)
    yield Goal("batch of 1,000, scripts per second", batch, "rate", least, 4, GLIDE)
    yield Goal("batch of 1,000, scripts per second", batch, "rate", least, 0.7, PIPELINE)
    large = of(10, size=1 << 20)
    yield Goal("1 MB values, 10 in flight, bytes per second", large, "rate", least, 1.5, GLIDE)
    yield Goal("1 MB values, 10 in flight, bytes per second", large, "rate", least, 1, RAW)
    paced = Cell(Kind.PACED, in_flight=100)
    title = "p99 at half of valkey-glide's top rate"
    yield Goal(title, paced, "p99", Bound.BELOW, 1, GLIDE, "p50")
    footprint = Cell(Kind.IMPORT)
    yield Goal("import, over `import asyncio`", footprint, "import_ms", most, 1 / 5, GLIDE)
    yield Goal("installed size", footprint, "installed_bytes", most, 1 / 5, GLIDE)


GOALS = tuple(_goals())
