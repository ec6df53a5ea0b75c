"""The figures as the tables of the README and of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.cells import CLIENTS, FULL, GLIDE, OURS, RAW, Cell, Group, Kind, Reply, Topology
from bench.goals import GOALS, Bound, Goal
from bench.results import Results, Spread

SECTIONS: dict[str, tuple[str, ...]] = {
    "README.md": ("speed",),
    "docs/index.md": ("speed",),
    "docs/performance.md": ("environment", "tables"),
    "docs/where-the-time-goes.md": ("goals",),
}
"""The files that show figures, and the sections of each that are written from them."""


def with_figures(document: str, results: Results, sections: Iterable[str]) -> str:
    """Return the document with new text in these sections; the rest is written by hand."""
    writers = {
        "environment": environment,
        "goals": goals,
        "speed": speed,
        "tables": tables,
    }
    for section in sections:
        document = between_marks(document, section, writers[section](results))
    return document


def between_marks(document: str, section: str, text: str) -> str:
    """Return the document with `text` in that section; it must have the section exactly once."""
    begin, end = f"<!-- {section}: begin -->\n", f"<!-- {section}: end -->\n"
    if document.count(begin) != 1 or document.count(end) != 1:
        raise ValueError(f"the document must have the section {section} exactly once")
    before, rest = document.split(begin)
    if end not in rest:
        raise ValueError(f"the section {section} ends before it begins")
    return f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"


# Goals


def goals(results: Results, of: Sequence[Goal] = GOALS) -> str:
    """A row for each goal: what was measured, and whether that reaches it."""
    lines = [
        "| | goal | measured | |",
        "|---|---|---|---|",
    ]
    for goal in of:
        ratio, is_reached = goal.reached(results)
        if ratio is None:
            shown, verdict = "not measured", ""
        else:
            shown = spread(ratio)
            verdict = "reached" if is_reached else f"**not reached**: {missing(goal, ratio.median)}"
        lines.append(f"| {goal.title} | {aim(goal)} | {shown} | {verdict} |")
    return "\n".join(lines) + "\n"


def environment(results: Results) -> str:
    about = results.environment
    versions = ", ".join(f"{name} {found}" for name, found in about["versions"].items())
    return (
        f"Measured on {about['date']}: {about['processor']}, {about['cores']} cores shared by "
        f"clients and servers, {about['system']}, {about['server']}, Python {about['python']}; "
        f"{versions}. Each figure is the median of {results.rounds} rounds.\n"
    )


def aim(goal: Goal) -> str:
    if goal.reference is None:
        return f"{goal.bound.value} {goal.limit:,.4g}{goal.unit}"
    limit = f"{goal.limit:.3g}"
    for part in (5, 8, 14, 16):
        if goal.limit == 1 / part:
            limit = f"1/{part}"
    figure = f"'s {goal.reference_figure}" if goal.reference_figure else ""
    return f"{goal.bound.value} {limit} × {CLIENTS[goal.reference]}{figure}"


def missing(goal: Goal, ratio: float) -> str:
    """Return how far the ratio is from the goal, in percent of the goal."""
    if goal.bound is Bound.AT_LEAST:
        return f"{(1 - ratio / goal.limit) * 100:.0f} % below"
    return f"{(ratio / goal.limit - 1) * 100:.0f} % above"


# The README and the first page


def speed(results: Results) -> str:
    """A row for each common workload: glide_scripts beside valkey-glide."""
    lines = [
        "| | glide_scripts, calls/s | valkey-glide, calls/s | faster by | CPU per call, µs |",
        "|---|---|---|---|---|",
    ]
    for head, cell in (
        ("1 in flight", Cell(Kind.LOAD)),
        ("100 in flight", Cell(Kind.LOAD, in_flight=100)),
        ("1,000 in flight", Cell(Kind.LOAD, in_flight=1_000)),
        ("100 in flight, cluster of 3", Cell(Kind.LOAD, Topology.CLUSTER, in_flight=100)),
        ("batches of 1,000 scripts", Cell(Kind.LOAD, batch=1_000)),
        ("values of 1 MB, 10 in flight", Cell(Kind.LOAD, in_flight=10, size=1 << 20)),
        ("lists of 100, 100 in flight", Cell(Kind.LOAD, in_flight=100, reply=Reply.ARRAY)),
    ):
        rates, cpu = (
            [results.figure(cell, client, name) for client in (OURS, GLIDE)]
            for name in ("rate", "cpu")
        )
        ratio = results.ratio(cell, OURS, "rate", GLIDE)
        if not (all(rates) and all(cpu) and ratio):
            continue
        ours, theirs = (number(figure.median) for figure in rates if figure)
        used = " instead of ".join(number(figure.median) for figure in cpu if figure)
        lines.append(f"| {head} | {ours} | {theirs} | {times(ratio.median)} × | {used} |")
    return "\n".join(lines) + "\n"


# Tables


@dataclass(frozen=True)
class Column:
    """A figure, and what it is compared with."""

    title: str
    name: str
    show: Callable[[float], str]
    ratios: bool = True
    floor: bool = False
    """Whether it is also compared with the bare Protocol's figure."""


def number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def megabytes(value: float) -> str:
    return number(value / 1e6)


def kilobytes(value: float) -> str:
    return number(value / 1e3)


_SPEED = (
    Column("calls/s", "rate", number, floor=True),
    Column("p50, µs", "p50", number),
    Column("p99, µs", "p99", number),
    Column("CPU per call, µs", "cpu", number, floor=True),
    Column("server CPU per call, µs", "server_cpu", number, ratios=False),
)
COLUMNS: dict[Kind, tuple[Column, ...]] = {
    Kind.LOAD: _SPEED,
    Kind.THREADS: _SPEED,
    Kind.PACED: (
        Column("calls/s", "rate", number, ratios=False),
        Column("p50, µs", "p50", number, floor=True),
        Column("p90, µs", "p90", number),
        Column("p99, µs", "p99", number, floor=True),
        Column("p99.9, µs", "p999", number),
        Column("CPU per call, µs", "cpu", number, floor=True),
    ),
    Kind.LAG: (
        Column("calls/s", "rate", number, floor=True),
        Column("lag p50, µs", "p50", number, floor=True),
        Column("lag p99, µs", "p99", number, floor=True),
        Column("longest lag, µs", "longest", number, floor=True),
    ),
    Kind.COLD: (
        Column("first call, µs", "first", number),
        Column("1,000 calls: × warm ones", "of_warm", number, ratios=False),
        Column("1,000 calls: calls/s", "rate", number),
        Column("p50, µs", "p50", number),
        Column("p99, µs", "p99", number),
    ),
    Kind.IMPORT: (
        Column("import, ms", "import_ms", number),
        Column("import *, ms", "import_all_ms", number),
        Column("installed, MB", "installed_bytes", megabytes),
        Column("with dependencies, MB", "installed_with_needs_bytes", megabytes),
        Column("wheel, MB", "wheel_bytes", megabytes),
    ),
    Kind.MEMORY: (
        Column("per client, kB", "client_bytes", kilobytes),
        Column("per call in flight, kB", "call_bytes", kilobytes, floor=True),
    ),
}


def tables(results: Results, groups: Iterable[Group] = FULL) -> str:
    """Return a section for each group, with a table for each cell."""
    parts = [
        section(group, results)
        for group in groups
        if any(has_figures(results, cell, group) for cell in group.cells)
    ]
    if results.failures:
        parts.append("### Failures\n\n" + "\n".join(f"- {each}" for each in results.failures))
    return "\n\n".join(parts) + "\n"


def section(group: Group, results: Results) -> str:
    parts = [f"### {group.title}"]
    if group.remark:
        parts.append(group.remark)
    for cell, clients in group.measured():
        if has_figures(results, cell, group):
            parts.append(table(title(cell), cell, clients, results))
    return "\n\n".join(parts)


def table(head: str, cell: Cell, clients: Iterable[str], results: Results) -> str:
    """Return a row for each client: medians, and their ratios to GLIDE and the bare Protocol."""
    columns = [
        column
        for column in COLUMNS[cell.kind]
        if any(results.figure(cell, client, column.name) for client in CLIENTS)
    ]
    unit = "scripts/s" if cell.batch > 1 else "calls/s"
    titles = [column.title.replace("calls/s", unit) for column in columns]
    lines = [f"| {head} | {' | '.join(titles)} |", "|---" * (len(columns) + 1) + "|"]
    for client in clients:
        shown = [shown_figure(results, cell, client, column) for column in columns]
        if any(shown):
            lines.append(f"| {CLIENTS[client]} | {' | '.join(shown)} |")
    return "\n".join(lines)


def shown_figure(results: Results, cell: Cell, client: str, column: Column) -> str:
    figure = results.figure(cell, client, column.name)
    if figure is None:
        return ""
    lines = [column.show(figure.median)]
    if column.ratios and client != GLIDE:
        if ratio := results.ratio(cell, client, column.name, GLIDE):
            lines.append(f"{spread(ratio)} × GLIDE")
        if column.floor and client != RAW:
            floor = results.ratio(cell, client, column.name, RAW)
            lines += [f"{spread(floor)} × bare"] if floor else []
    return "<br>".join(lines)


def spread(of: Spread) -> str:
    """Show the median with the least and the greatest value, where those look different."""
    median, least, greatest = (times(value) for value in (of.median, of.least, of.greatest))
    return median if least == greatest else f"{median} [{least}..{greatest}]"


def times(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def title(cell: Cell) -> str:
    """Name a cell by what differs from the other cells of its group."""
    if cell.kind in (Kind.IMPORT, Kind.MEMORY, Kind.COLD):
        return ""
    if cell.batch > 1:
        return f"batches of {cell.batch:,}"
    if cell.reply is not Reply.BULK:
        return str(cell.reply)
    if cell.size > 16:
        size = f"{cell.size >> 20} MB" if cell.size >= 1 << 20 else f"{cell.size >> 10} KB"
        return f"{size}, {cell.in_flight} in flight"
    if cell.kind is Kind.THREADS:
        return f"{cell.in_flight} thread{'s' if cell.in_flight > 1 else ''}"
    return f"{cell.in_flight:,} in flight"


def has_figures(results: Results, cell: Cell, group: Group) -> bool:
    known = {(each.cell, each.client) for each in results.measurements}
    return any((cell.id, client) in known for client in group.clients)
