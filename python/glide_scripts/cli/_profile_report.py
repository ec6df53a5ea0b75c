"""A profile for people, for programs, and as a picture."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from rich.text import Text

from ..failures.one_line import on_its_lines
from ._console import Output
from ._profile import Node, Profile, Row, add_up, stacks

_WIDTH, _ROW, _CHARACTER = 1200, 18, 6.7
_FEW = 10
"""Of so many lines, everyone sees the hottest."""
_LEAST = 0.5
"""Narrower frames, in pixels, are left out."""


def show(profile: Profile) -> None:
    """Print the source with the figures of each line, and the commands."""
    console = Output(highlight=False, soft_wrap=True)
    rows, calls = profile.lines(), profile.calls
    console.print(
        f"{profile.root.name}: {calls:,} call{'s' * (calls != 1)}, "
        f"{_time(profile.micros / calls)} each on the server"
    )
    for file, lines in itertools.groupby(enumerate(profile.source(), 1), lambda each: each[1][0]):
        console.print(f"\n  share   time/call  runs/call  {file}", style="bold")
        for number, (_, line, text) in lines:
            console.print(_line(profile, rows.get(number), line, text))
    commands = profile.commands()
    if commands:
        console.print("\n  share   time/call  runs/call  command", style="bold")
    for name, row in commands.items():
        console.print(Text.assemble(_figures(profile, row), f"  {name}"))
    if len(rows) > _FEW:
        _show_hottest(console, profile)
    much = (
        " They may be far off: without --repeat and --workload, calls without timers correct them."
    )
    console.print(
        f"\nA timer takes {_time(profile.of_line)}; all of them took "
        f"{_time(profile.probes / calls)} a call, which is subtracted. "
        "Times of lines that take less than a timer are estimates."
        f"{much * (profile.probes > profile.micros and not profile.is_corrected)}"
    )


def _show_hottest(console: Output, profile: Profile) -> None:
    console.print("\n  share   time/call  runs/call  hottest lines", style="bold")
    source, hottest = profile.source(), profile.hottest()
    for each in hottest:
        file, line, text = source[each.number - 1]
        tie = "<" if each.is_short else "≈" if each.is_tied else " "
        shown = f"{tie} {file}:{line} │ {text.strip()}"
        console.print(Text.assemble(_figures(profile, each.row), f" {shown}"))
    if any(each.is_short for each in hottest):
        console.print(
            "Lines with < take less than about half of a timer, too little to tell them apart; "
            "so those that run most often come first."
        )
    if any(each.is_tied and not each.is_short for each in hottest):
        console.print(
            "Lines with ≈ form a group with the line above. Each takes about as long as the next "
            "slower one; so they are in the order of the file."
        )


def to_json(profile: Profile) -> dict[str, Any]:
    """Return what ``--json`` prints. Times are in seconds, of all calls."""

    def figures(row: Row) -> dict[str, Any]:
        return {
            "count": row.count,
            "seconds": row.micros / 1e6,
            "share": round(profile.share(row.micros), 6),
        }

    source = profile.source()
    return {
        "script": profile.root.name,
        "calls": profile.calls,
        "failed": profile.failed,
        "seconds": profile.micros / 1e6,
        "timers": {"seconds": profile.probes / 1e6, "each": profile.of_line / 1e6},
        "lines": [
            {
                "file": source[number - 1][0],
                "line": source[number - 1][1],
                "source": source[number - 1][2],
                **figures(row),
                "margin": row.margin / 1e6,
            }
            for number, row in profile.lines().items()
        ],
        "hottest": [
            {
                "file": source[each.number - 1][0],
                "line": source[each.number - 1][1],
                "tied": each.is_tied,
                "short": each.is_short,
            }
            for each in profile.hottest()
        ],
        "commands": [{"command": name, **figures(row)} for name, row in profile.commands().items()],
    }


def collapsed(profile: Profile) -> str:
    """Return a line for each stack, with its own nanoseconds."""
    return "".join(
        f"{';'.join(each.replace(';', ',') for each in path)} {round(micros * 1000)}\n"
        for path, micros in stacks(profile.root)
    )


def flame_graph(profile: Profile) -> str:
    """Return a flame graph in SVG: what called is below, and the width is the time."""
    add_up(profile.root)
    whole = profile.root.total
    frames = list(_frames(profile.root, 0.0, 0, _WIDTH / whole if whole > 0 else 0.0))
    height = _ROW * (2 + max((depth for _, _, depth, _ in frames), default=0)) + 30
    calls = profile.calls
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="monospace" font-size="11">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="4" y="16" font-size="13">{escape(profile.root.name)}: {calls:,} calls, '
        f"{_time(profile.micros / calls)} each</text>",
    ]
    for node, x, depth, width in frames:
        y = height - _ROW * (depth + 1) - 2
        share = f"{node.total / whole:.1%}" if whole > 0 else ""
        title = f"{node.name}: {_time(node.total / calls)} a call, {share}, {node.count:,} times"
        shown = _label(node, int((width - 3) / _CHARACTER))
        parts.append(
            f"<g><title>{escape(title)}</title>"
            f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{_ROW - 1}" '
            f'stroke="#fff" stroke-width="0.5" fill={quoteattr(_COLOURS[node.kind])}/>'
            + (f'<text x="{x + 3:.2f}" y="{y + 12}">{escape(shown)}</text>' if shown else "")
            + "</g>"
        )
    return "\n".join([*parts, "</svg>\n"])


_COLOURS = {"script": "#d9d9d9", "function": "#f6b26b", "line": "#ffd966", "command": "#9fc5e8"}


def _label(node: Node, fits: int) -> str:
    """A frame's text: the whole name, or as much as fits, of a line at least its number."""
    names = [node.name]
    if node.kind == "line":
        file, _, line = node.name.rpartition(":")
        names += [f"{os.path.basename(file)}:{line}", line]
    found = next((name for name in names if len(name) <= fits), None)
    if found is not None:
        return found
    return node.name[: fits - 1] + "…" if fits > 2 and node.kind != "line" else ""


def _frames(
    node: Node, x: float, depth: int, scale: float
) -> Iterator[tuple[Node, float, int, float]]:
    pending = [(node, x, depth)]
    while pending:
        node, x, depth = pending.pop()
        width = node.total * scale
        if width < _LEAST:
            continue
        yield node, x, depth, width
        for each in sorted(node.below.values(), key=lambda below: (below.line, below.name)):
            pending.append((each, x, depth + 1))
            x += each.total * scale


def _line(profile: Profile, row: Row | None, number: int, text: str) -> Text:
    shown = f"{number:>5} │ {on_its_lines(text.expandtabs(4))}".rstrip()
    if row is None:
        return Text.assemble(" " * 28, shown)
    return Text.assemble(_figures(profile, row), shown)


def _figures(profile: Profile, row: Row) -> Text:
    share = profile.share(row.micros)
    style = "bold red" if share >= 0.2 else "yellow" if share >= 0.05 else ""
    each = f"{row.count / profile.calls:,.1f}".removesuffix(".0")
    if row.count and each == "0":
        each = "<0.1"
    return Text(f"{share:>7.1%}  {_time(row.micros / profile.calls):>10}  {each:>9}", style)


def _time(micros: float) -> str:
    if micros < 0.1:
        return f"{micros * 1000:.0f} ns"
    return f"{micros:.1f} µs" if micros < 1000 else f"{micros / 1000:.2f} ms"
