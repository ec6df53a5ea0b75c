"""The plots of `docs/performance.md`, as SVG: each once for light pages and once for dark ones.

They are upright, and their text is large enough to read on a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bench.cells import (
    BY_CONCURRENCY,
    CLIENTS,
    CORE,
    GLIDE,
    OURS,
    PACED,
    PIPELINE,
    RAW,
)
from bench.results import Results

mpl.use("svg")
import matplotlib.pyplot as plt

SHOWN = (OURS, RAW, PIPELINE, CORE, GLIDE, "redispy", "coredis", "redisrs")


@dataclass(frozen=True)
class Theme:
    """The colours for a page; the page itself shows through."""

    name: str
    text: str
    grid: str
    lines: dict[str, str]


# The lines also differ in lightness. Dashed lines are not clients.
_LIGHT = {
    OURS: "#d1242f",
    RAW: "#57606a",
    PIPELINE: "#8c959f",
    CORE: "#bc8cff",
    GLIDE: "#0969da",
    "redispy": "#9a6700",
    "valkeypy": "#1b7c83",
    "coredis": "#1a7f37",
    "redisrs": "#bf5af2",
}
_DARK = {
    OURS: "#ff7b72",
    RAW: "#b1bac4",
    PIPELINE: "#768390",
    CORE: "#a371f7",
    GLIDE: "#58a6ff",
    "redispy": "#d29922",
    "valkeypy": "#39c5cf",
    "coredis": "#3fb950",
    "redisrs": "#e29bff",
}
THEMES = (
    Theme("light", "#1f2328", "#d8dee4", _LIGHT),
    Theme("dark", "#e6edf3", "#30363d", _DARK),
)
_NO_CLIENTS = (RAW, PIPELINE, CORE)


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Write every plot in every theme; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Results, Theme], Any]] = {
        "throughput": throughput,
        "cpu": cpu,
        "latency": latency,
    }
    written = []
    for name, draw in drawings.items():
        for theme in THEMES:
            path = folder / f"{name}-{theme.name}.svg"
            with mpl.rc_context(settings(theme)):
                figure = draw(results, theme)
                # Without a date, the same figures give the same file.
                figure.savefig(path, metadata={"Date": None})
                plt.close(figure)
            written.append(path)
    return written


def settings(theme: Theme) -> dict[str, Any]:
    return {
        "axes.edgecolor": theme.grid,
        "axes.facecolor": "none",
        "axes.labelcolor": theme.text,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "figure.figsize": (5.2, 5.0),
        "font.size": 12,
        "grid.color": theme.grid,
        "savefig.facecolor": "none",
        "svg.hashsalt": "performance",
        "text.color": theme.text,
        "xtick.color": theme.text,
        "ytick.color": theme.text,
    }


def throughput(results: Results, theme: Theme) -> Any:
    return by_concurrency(results, theme, "rate", "calls per second", SHOWN)


def cpu(results: Results, theme: Theme) -> Any:
    clients = [name for name in SHOWN if name not in (PIPELINE, CORE)]
    return by_concurrency(results, theme, "cpu", "client CPU per call, µs", clients)


def by_concurrency(
    results: Results, theme: Theme, name: str, label: str, clients: Iterable[str]
) -> Any:
    figure, axes = plt.subplots()
    ends = []
    for client in clients:
        cells = [(c, results.figure(c, client, name)) for c in BY_CONCURRENCY.cells]
        points = [(cell.in_flight, spread) for cell, spread in cells if spread]
        if not points:
            continue
        xs = [x for x, _ in points]
        ys = [spread.median for _, spread in points]
        axes.plot(xs, ys, marker="o", **style(client, theme))
        axes.fill_between(
            xs,
            [spread.least for _, spread in points],
            [spread.greatest for _, spread in points],
            color=theme.lines[client],
            alpha=0.15,
            linewidth=0,
        )
        ends.append((xs[-1], ys[-1], client))
    axes.set(xscale="log", yscale="log", xlabel="calls in flight")
    axes.set_title(label)
    axes.set_xticks([1, 10, 100, 1_000, 10_000], ["1", "10", "100", "1,000", "10,000"])
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    axes.minorticks_off()
    axes.grid(visible=True)
    legend(axes)
    return figure


def latency(results: Results, theme: Theme) -> Any:
    """Plot the latency percentiles at the fixed rate."""
    figure, axes = plt.subplots()
    (cell,) = PACED.cells
    names = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}
    for client in PACED.clients:
        spreads = [results.figure(cell, client, name) for name in names]
        found = [spread for spread in spreads if spread]
        if len(found) < len(names):
            continue
        xs = range(len(names))
        axes.plot(
            xs,
            [spread.median / 1000 for spread in found],
            marker="o",
            **style(client, theme),
        )
        axes.fill_between(
            xs,
            [spread.least / 1000 for spread in found],
            [spread.greatest / 1000 for spread in found],
            color=theme.lines[client],
            alpha=0.15,
            linewidth=0,
        )
    asked = results.figure(cell, OURS, "asked")
    rate = f" at {asked.median:,.0f} calls per second" if asked else ""
    axes.set(yscale="log", xlabel=f"percentile{rate}")
    axes.set_title("latency, ms")
    axes.set_xticks(range(len(names)), list(names.values()))
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    axes.minorticks_off()
    axes.grid(visible=True)
    legend(axes)
    return figure


def legend(axes: Any) -> None:
    """Put the legend below the plot, where it covers no line."""
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=11,
    )


def style(client: str, theme: Theme) -> dict[str, Any]:
    return {
        "color": theme.lines[client],
        "label": CLIENTS[client],
        "linestyle": "--" if client in _NO_CLIENTS else "-",
        "linewidth": 3 if client == OURS else 1.8,
        "markersize": 6 if client == OURS else 4,
        "zorder": 5 if client == OURS else 3,
    }


def short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"
