"""What was measured: kept as JSON, asked for medians and for ratios."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.cells import Cell


@dataclass(frozen=True)
class Spread:
    """The median, the least and the greatest of some figures."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Self | None:
        """Return None if there are no figures."""
        ordered = sorted(figures)
        if not ordered:
            return None
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


@dataclass(frozen=True)
class Measurement:
    """One client in one cell, in one round."""

    cell: str
    client: str
    round: int
    figures: dict[str, float]


@dataclass
class Results:
    """All measurements of a run."""

    environment: dict[str, Any] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _index: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict, repr=False)
    _indexed: int = 0

    @classmethod
    def load(cls, path: Path) -> Self:
        values = json.loads(path.read_text())
        measurements = [Measurement(**each) for each in values["measurements"]]
        return cls(values["environment"], measurements, values["failures"])

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n  ".join(json.dumps(_rounded(asdict(each))) for each in self.measurements)
        path.write_text(
            f'{{\n "environment": {json.dumps(self.environment)},\n'
            f' "failures": {json.dumps(self.failures)},\n'
            f' "measurements": [\n  {lines}\n ]\n}}\n'
        )

    @property
    def rounds(self) -> int:
        return max((each.round for each in self.measurements), default=0)

    def by_round(self, cell: Cell, client: str, name: str) -> dict[int, float]:
        """Return a client's figure in a cell for each round, by the round's number."""
        for each in self.measurements[self._indexed :]:
            self._index.setdefault((each.cell, each.client), []).append(each)
        self._indexed = len(self.measurements)
        found = self._index.get((cell.id, client), [])
        return {each.round: each.figures[name] for each in found if name in each.figures}

    def figure(self, cell: Cell, client: str, name: str) -> Spread | None:
        return Spread.of(self.by_round(cell, client, name).values())

    def ratio(
        self,
        cell: Cell,
        client: str,
        name: str,
        reference: str,
        reference_name: str | None = None,
    ) -> Spread | None:
        """Return the ratio of a client's figure to the reference's, over the rounds.

        If the machine is slow for a while, it is slow for both clients of a round, so their ratio
        stays the same.
        """
        ours = self.by_round(cell, client, name)
        theirs = self.by_round(cell, reference, reference_name or name)
        both = ours.keys() & theirs.keys()
        return Spread.of(ours[number] / theirs[number] for number in both if theirs[number])


def _rounded(value: Any) -> Any:
    """Six digits are more than any figure here is worth."""
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case _:
            return value
