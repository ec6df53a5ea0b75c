"""Latencies as pictures: in the terminal, and as SVG."""

import math
from collections.abc import Iterator
from html import escape

from ._histogram import Histogram

PERCENTILES = (50.0, 90.0, 99.0, 99.9)

_EIGHTHS = " ▏▎▍▌▋▊▉"
_ROWS = 16

# The SVG, in pixels.
_WIDTH, _HEIGHT = 840, 634
_LEFT, _RIGHT = 76, 28
_TOP, _PANEL, _GAP = 112, 190, 86
_BARS = 84
_COLORS = {50.0: "#0f766e", 90.0: "#b45309", 99.0: "#be123c", 99.9: "#7e22ce"}
_BAR, _INK, _FAINT, _GRID = "#3b82c4", "#1f2933", "#616e7c", "#e4e7eb"


def time_text(nanoseconds: float) -> str:
    """A time in the unit that suits it: ``83.2 µs``, ``1.52 ms``, ``12.0 s``."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size * 0.9995:
            return f"{_digits(nanoseconds / size)} {unit}"
    return f"{nanoseconds:.0f} ns"


def _tick_text(nanoseconds: float) -> str:
    """A round time: ``50 µs``, ``1 ms``."""
    number, _, unit = time_text(nanoseconds).partition(" ")
    return f"{float(number):g} {unit}"


def percentile_name(percent: float) -> str:
    return f"p{percent:g}"


def _digits(value: float) -> str:
    """With three digits that count."""
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{decimals}f}"


def rows(histogram: Histogram, width: int) -> Iterator[str]:
    """The histogram as lines of text, at most `width` wide: from, bar, calls, and share so far."""
    if not histogram.count:
        return
    edges = _edges(histogram.min, histogram.max + 1, _ROWS)
    counts = histogram.bins(edges)
    most, so_far = max(counts), 0
    digits = len(f"{most:,}")
    space = max(width - digits - 23, 10)
    for edge, count in zip(edges, counts, strict=False):
        so_far += count
        share = f"{math.floor(so_far / histogram.count * 10000) / 100:.2f} %"
        bar = _bar(count / most * space)
        yield f" {time_text(edge):>8}  {bar:<{space}} {count:>{digits},} {share:>9}"


def _bar(length: float) -> str:
    eighths = round(length * 8)
    # A count above 0 is visible, however small it is.
    if length > 0:
        eighths = max(eighths, 1)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _edges(low: float, high: float, count: int) -> list[float]:
    """So many steps from low to high, each by the same factor; fewer if they are close together."""
    count = max(min(count, math.ceil(math.log(high / low) / math.log(1.02))), 1)
    return [low * (high / low) ** (step / count) for step in range(count + 1)]


def svg(histogram: Histogram, title: str, subtitle: str) -> str:
    """A picture of how many calls took how long, and of the percentiles.

    Args:
        histogram: The latencies; at least one.
        title: The first line.
        subtitle: The line below it.
    """
    low, high = _axis(histogram.min, histogram.max)
    body = "\n".join([*_counts(histogram, low, high), *_curve(histogram, low, high)])
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" \
height="{_HEIGHT}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" \
font-size="12" fill="{_INK}" role="img">
<title>{escape(title)}: {escape(subtitle)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{_LEFT}" y="34" font-size="19" font-weight="600">{escape(title)}</text>
<text x="{_LEFT}" y="55" fill="{_FAINT}">{escape(subtitle)}</text>
{body}
</svg>
"""


def _counts(histogram: Histogram, low: float, high: float) -> Iterator[str]:
    """The upper panel: calls by latency, with the percentiles marked."""
    bottom = _TOP + _PANEL
    edges = _edges(low, high, _BARS)
    counts = histogram.bins(edges)
    most = max(counts) / histogram.count
    for share in _steps(most * 100):
        y = bottom - share / 100 / most * _PANEL * 0.94
        yield _line(_LEFT, y, _WIDTH - _RIGHT, y, _GRID)
        yield _text(_LEFT - 8, y + 4, f"{share:g} %", "end", _FAINT)
    for edge, after, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            left, right = _across(edge, low, high), _across(after, low, high)
            # A single call is seen, too.
            height = max(count / histogram.count / most * _PANEL * 0.94, 1.0)
            yield (
                f'<rect x="{left:.1f}" y="{bottom - height:.1f}" '
                f'width="{right - left - 0.8:.1f}" height="{height:.1f}" fill="{_BAR}"/>'
            )
    yield _line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, _FAINT)
    for tick in _ticks(low, high):
        x = _across(tick, low, high)
        yield _line(x, bottom, x, bottom + 4, _FAINT)
        yield _text(x, bottom + 19, _tick_text(tick), "middle", _FAINT)
    yield _text(_LEFT, bottom + 40, "share of the calls by latency", "start", _FAINT)
    yield from _marks(histogram, low, high)


def _marks(histogram: Histogram, low: float, high: float) -> Iterator[str]:
    """The percentiles' lines and their labels, which make room for each other."""
    labels = [
        f"{percentile_name(each)} {time_text(histogram.percentile(each))}" for each in PERCENTILES
    ]
    lines = [_across(histogram.percentile(each), low, high) for each in PERCENTILES]
    widths = [len(label) * 7.2 + 14 for label in labels]
    starts = [x - width / 2 for x, width in zip(lines, widths, strict=True)]
    # From the right edge to the left, then back.
    limit = float(_WIDTH - 6)
    for at in reversed(range(len(starts))):
        starts[at] = min(starts[at], limit - widths[at])
        limit = starts[at]
    limit = 6.0
    for at, width in enumerate(widths):
        starts[at] = max(starts[at], limit)
        limit = starts[at] + width
    for percent, label, x, start, width in zip(
        PERCENTILES, labels, lines, starts, widths, strict=True
    ):
        color = _COLORS[percent]
        middle = start + width / 2
        yield (
            f'<path d="M{middle:.1f} {_TOP - 20} L{x:.1f} {_TOP - 6} V{_TOP + _PANEL}" '
            f'fill="none" stroke="{color}" stroke-width="1.2" stroke-dasharray="4 3"/>'
        )
        yield (
            f'<text x="{middle:.1f}" y="{_TOP - 25}" text-anchor="middle" font-weight="600" '
            f'fill="{color}">{escape(label)}</text>'
        )


def _curve(histogram: Histogram, low: float, high: float) -> Iterator[str]:
    """The lower panel: the latency of each percentile, the last ones drawn wide apart."""
    top = _TOP + _PANEL + _GAP
    bottom = top + _PANEL
    # Beyond this one there is not a single call.
    nines = max(math.log10(histogram.count), 1.0)

    def across(percent: float) -> float:
        beyond = -math.log10(max(1 - percent / 100, 10**-nines))
        return _LEFT + beyond / nines * (_WIDTH - _RIGHT - _LEFT)

    def down(value: float) -> float:
        return bottom - math.log(value / low) / math.log(high / low) * _PANEL

    for tick in _ticks(low, high):
        yield _line(_LEFT, down(tick), _WIDTH - _RIGHT, down(tick), _GRID)
        yield _text(_LEFT - 8, down(tick) + 4, _tick_text(tick), "end", _FAINT)
    for percent in (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999):
        if across(percent) > _WIDTH - _RIGHT - 4 and percent > 90:
            break
        yield _line(across(percent), bottom, across(percent), bottom + 4, _FAINT)
        yield _text(across(percent), bottom + 19, f"{percent:g} %", "middle", _FAINT)
    yield _line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, _FAINT)
    points = [f"{_LEFT:.1f},{down(histogram.min):.1f}"]
    steps = 240
    for step in range(1, steps + 1):
        percent = 100 * (1 - 10 ** (-nines * step / steps))
        value = histogram.percentile(percent)
        points.append(f"{across(percent):.1f},{down(value):.1f}")
    points.append(f"{_WIDTH - _RIGHT:.1f},{down(histogram.max):.1f}")
    yield (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{_BAR}" stroke-width="2" '
        'stroke-linejoin="round"/>'
    )
    for percent in PERCENTILES:
        if across(percent) <= _WIDTH - _RIGHT:
            x, y = across(percent), down(histogram.percentile(percent))
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{_COLORS[percent]}"/>'
    about = "latency within which so many of the calls ended"
    yield _text(_LEFT, bottom + 40, about, "start", _FAINT)


def _across(value: float, low: float, high: float) -> float:
    """Where a latency is on the axis of the upper panel."""
    return _LEFT + math.log(value / low) / math.log(high / low) * (_WIDTH - _RIGHT - _LEFT)


def _axis(least: float, most: float) -> tuple[float, float]:
    """From the round value below the least to the one above the most."""
    low = max(value for value in _round_values(least / 10, least) if value <= least)
    high = min(value for value in _round_values(most, most * 10) if value > most)
    return low, high


def _ticks(low: float, high: float) -> list[float]:
    """Round values along an axis: not so many that their labels meet."""
    values = [v for v in _round_values(low, high) if low * 0.999 <= v <= high * 1.001]
    if len(values) > 10:
        values = [v for v in values if f"{v:e}".startswith("1")]
    return values


def _round_values(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, 50 and so on, in nanoseconds, from below `low` to above `high`."""
    first = math.floor(math.log10(low))
    last = math.ceil(math.log10(high))
    return [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]


def _steps(most: float) -> Iterator[float]:
    """Some round steps up to a value, 0 left out."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if most / s < 5.5)
    yield from (step * number for number in range(1, int(most / step) + 1))


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def _text(x: float, y: float, text: str, anchor: str, color: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{color}">{escape(text)}</text>'
