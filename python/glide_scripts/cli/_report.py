"""The figures of a load: live, as text, as JSON and as a picture."""

import asyncio
import json
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ._chart import PERCENTILES, percentile_name, rows, svg, time_text
from ._console import Output
from ._origin import write_file
from ._workload import Workload

# Seconds. While it is drawn, no reply is taken.
_REFRESH = 0.5
_BAR = 40
_MAX_ERRORS = 5


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal what the command is waiting for."""
    console = Output(highlight=False)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


async def watched(load: Workload) -> None:
    """Run a load, with a live display on a terminal."""
    console = Output(highlight=False)
    if not console.is_terminal:
        await load.run()
        return
    running = asyncio.ensure_future(load.run())
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while not running.done():
                live.update(_display(load, console.width), refresh=True)
                await asyncio.wait([running], timeout=_REFRESH)
        finally:
            running.cancel()
            await asyncio.wait([running])
    running.result()


def _display(load: Workload, width: int) -> Group:
    done, result = load.tick(), load.result
    figures = f"  {done:4.0%}  {result.elapsed:.1f} s  {result.per_second:,.0f} calls/s"
    filled = round(done * _BAR)
    bar = Text.assemble(("━" * filled, "green"), "─" * (_BAR - filled), figures)
    histogram = result.histogram
    each = [f"{percentile_name(p)} {time_text(histogram.percentile(p))}" for p in PERCENTILES]
    latency = Text("  ".join([*each, f"max {time_text(histogram.max)}"]), "bold")
    if result.errors:
        latency.append(f"  {result.errors.total():,} failed", "red")
    for line in (bar, latency):
        line.truncate(width)
    return Group(bar, latency)


class Report:
    """The figures of a load."""

    def __init__(self, load: Workload, name: str, clients: int) -> None:
        self._load, self._name, self._clients = load, name, clients

    def print(self, *, as_json: bool) -> None:
        """Print them on standard output."""
        if as_json:
            print(json.dumps(self._figures(), ensure_ascii=False), flush=True)
            return
        console = Output(highlight=False, markup=False, emoji=False, soft_wrap=True)
        for line in self._lines(min(console.width, 100)):
            console.print(line)

    def draw(self, file: Path) -> None:
        """Write the latencies, of which there is at least one, into an SVG.

        Raises:
            Failure: It cannot be written.
        """
        text = svg(self._load.result.histogram, Path(self._name).name, self._about())
        write_file(file, text)

    def _about(self) -> str:
        plan, result = self._load.plan, self._load.result
        words = [
            f"{result.calls:,} calls in {result.elapsed:.1f} s: "
            f"{result.per_second:,.0f} per second",
            f"{'at most ' * (plan.rate is not None)}{plan.concurrency:,} in flight",
            f"{self._clients} client{'s' * (self._clients > 1)}",
        ]
        if plan.rate is not None:
            words.insert(1, f"{plan.rate:,g} asked for")
        return ", ".join(words)

    def _lines(self, width: int) -> list[Text]:
        result = self._load.result
        histogram = result.histogram
        about = textwrap.wrap(self._about(), width)
        lines = [Text(self._name, "bold"), *map(Text, about), Text("")]
        if histogram.count:
            table = {
                "min": histogram.min,
                "mean": histogram.mean,
                **{percentile_name(p): histogram.percentile(p) for p in PERCENTILES},
                "max": histogram.max,
            }
            lines += [
                Text("".join(f"{name:>10}" for name in table)),
                Text("".join(f"{time_text(value):>10}" for value in table.values()), "bold"),
                Text(""),
                *(Text(row, "cyan") for row in rows(histogram, width)),
                Text(""),
            ]
        if result.unsent:
            why = (
                f"the rate was not reached: {result.unsent:,} calls were due and not sent, "
                "and are not in these figures"
            )
            lines += [Text(line, "yellow") for line in textwrap.wrap(why, width)]
        most = result.errors.most_common(_MAX_ERRORS)
        lines += [Text(f"{count:,} failed: {error}", "red") for error, count in most]
        lines.append(Text(_COUNTED[self._load.plan.rate is not None]))
        return lines

    def _figures(self) -> dict[str, Any]:
        plan, result = self._load.plan, self._load.result
        histogram = result.histogram
        return {
            "file": self._name,
            "function": plan.called.function,
            "sha1": plan.called.script.hash,
            "concurrency": plan.concurrency,
            "clients": self._clients,
            "rate": plan.rate,
            "elapsed_s": result.elapsed,
            "calls": result.calls,
            "calls_per_second": result.per_second,
            "unsent": result.unsent,
            "errors": dict(result.errors),
            "latency_us": {
                "min": histogram.min / 1000,
                "mean": histogram.mean / 1000,
                **{percentile_name(p): histogram.percentile(p) / 1000 for p in PERCENTILES},
                "max": histogram.max / 1000,
            },
            "histogram_us": [[least / 1000, count] for least, count in histogram.buckets()],
        }


_COUNTED = {
    False: "latency is measured from sending each call",
    True: "latency is measured from when each call was due",
}
