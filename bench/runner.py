"""Runs the cells, in rounds, each measurement in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cells import GLIDE, Cell, Group, Kind
from bench.results import Measurement, Results
from bench.servers import Servers
from bench.worker import Task

TIMEOUT_SECS = 90
_TOP_OF_GLIDE = Cell(Kind.LOAD, in_flight=100)


@dataclass(frozen=True)
class Programs:
    """The programs that were built before, and the folder of wheels."""

    load: Path
    tls_front: Path
    wheels: Path | None


class Runner:
    """Runs all cells in each round, and in each cell its clients, one after another.

    So other work on the machine affects all clients alike. Each round begins with another client,
    so that the order of the clients favours none.
    """

    def __init__(self, groups: Sequence[Group], programs: Programs, secs: float) -> None:
        self._groups = groups
        self._programs = programs
        self._secs = secs
        self.results = Results()

    def run(self, rounds: int) -> Results:
        with Servers(self._programs.tls_front) as servers:
            self.results.environment["server"] = servers.version()
            for number in range(1, rounds + 1):
                started = time.monotonic()
                self._round(number, servers)
                took = time.monotonic() - started
                print(f"round {number} of {rounds}: {took:.0f} s", file=sys.stderr, flush=True)
        return self.results

    def _round(self, number: int, servers: Servers) -> None:
        for group in self._groups:
            for cell, clients in group.measured():
                for client in rotated(clients, number):
                    self._measure(cell, client, number, servers)

    def _measure(self, cell: Cell, client: str, number: int, servers: Servers) -> None:
        place = servers.place(cell.topology)
        task = Task(
            cell=cell,
            client=client,
            secs=self._secs,
            port=place.port,
            pids=place.pids,
            ca=place.ca,
            socket=place.socket,
            rate=self._half_of_glide() if cell.kind is Kind.PACED else None,
            load=str(self._programs.load),
            wheels=str(self._programs.wheels) if self._programs.wheels else None,
        )
        try:
            figures = measured_apart(task)
        except MeasurementFailed as error:
            failure = f"{client}, {cell.id}: {error}"
            print(failure, file=sys.stderr, flush=True)
            if failure not in self.results.failures:
                self.results.failures.append(failure)
        else:
            self.results.measurements.append(Measurement(cell.id, client, number, figures))

    def _half_of_glide(self) -> float:
        rates = self.results.by_round(_TOP_OF_GLIDE, GLIDE, "rate").values()
        if not rates:
            raise RuntimeError(f"a paced cell needs {_TOP_OF_GLIDE.id} of {GLIDE} before it")
        return statistics.median(rates) / 2


class MeasurementFailed(Exception):
    """A measurement failed; the text says why, in one line."""


def measured_apart(task: Task) -> dict[str, float]:
    """Measure in a new process. Raises `MeasurementFailed`."""
    command = [sys.executable, "-m", "bench.worker", task.as_json()]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECS, check=True
        )
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise MeasurementFailed(f"no end after {TIMEOUT_SECS} s") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()
        reason = last[-1] if last else f"exit code {error.returncode}"
        raise MeasurementFailed(reason) from None
    return figures


def rotated(clients: Sequence[str], number: int) -> list[str]:
    """The clients in the order of that round."""
    first = number % len(clients)
    return [*clients[first:], *clients[:first]]
