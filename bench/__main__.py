"""Measure glide_scripts beside other clients, and write the figures to the docs.

    python -m bench --programs target/release               all cells, half an hour
    python -m bench --programs target/release --quick       those of the goals
    python -m bench --programs target/release --only tls    those of a table
    python -m bench --report                                none; only writes the docs

A full run writes bench/results/latest.json and the figures in the docs. A run of some cells writes
only the file that --json names. See bench/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.cells import BY_CONCURRENCY, FULL, PACED, QUICK, Group
from bench.machine import environment
from bench.results import Results
from bench.runner import Programs, Runner

ROOT = Path(__file__).parents[1]
PLOTS = ROOT / "docs" / "performance"
LATEST = ROOT / "bench" / "results" / "latest.json"


def main() -> int:
    options = parsed()
    if options.report:
        write_docs(Results.load(LATEST))
        return 0
    groups = chosen(options)
    programs = Programs(options.programs / "load", options.programs / "tls_front", options.wheels)
    about = environment()
    results = Runner(groups, programs, options.secs).run(options.rounds)
    results.environment = about | results.environment
    results.environment["seconds a cell"] = options.secs
    print(f"{report.goals(results)}\n{report.tables(results, groups)}")
    if options.json is not None:
        results.save(options.json)
    elif groups is FULL:
        results.save(LATEST)
        # From the saved file, whose figures are rounded: `--report` then writes the same docs.
        write_docs(Results.load(LATEST))
    return 1 if results.failures else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--programs", type=Path, help="the folder of the programs in Rust")
    parser.add_argument("--quick", action="store_true", help="only what the goals need")
    parser.add_argument("--only", metavar="TEXT", help="only tables whose title has this in it")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--secs", type=float, default=1.0, help="measured a cell; %(default)s")
    parser.add_argument("--wheels", type=Path, help="the folder of the wheels that are installed")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the docs")
    options = parser.parse_args()
    if not options.report and options.programs is None:
        parser.error("--programs is missing: cargo build --release -p glide-scripts-bench")
    return options


def chosen(options: argparse.Namespace) -> Sequence[Group]:
    groups = QUICK if options.quick else FULL
    if options.only is None:
        return groups
    found = [group for group in groups if options.only.lower() in group.title.lower()]
    if not found:
        titles = "; ".join(group.title for group in groups)
        raise SystemExit(f"no table has {options.only!r} in its title; there are: {titles}")
    if any(group.title == PACED.title for group in found) and BY_CONCURRENCY not in found:
        # Its rate is taken from there.
        found.insert(0, groups[0])
    return found


def write_docs(results: Results) -> None:
    from bench.plots import draw_all  # matplotlib, which no measurement needs

    for name, sections in report.SECTIONS.items():
        document = ROOT / name
        document.write_text(report.with_figures(document.read_text(), results, sections))
    draw_all(results, PLOTS)


if __name__ == "__main__":
    sys.exit(main())
