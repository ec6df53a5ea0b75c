"""The figures and plots in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench.cells import FULL, GLIDE, OURS, QUICK, Cell, Kind
from bench.goals import GOALS, Bound, Goal
from bench.report import SECTIONS, between_marks, goals, tables, with_figures
from bench.results import Measurement, Results

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
LATEST = ROOT / "bench" / "results" / "latest.json"


def test_the_tables_in_the_docs_are_those_of_the_figures() -> None:
    for name, sections in SECTIONS.items():
        document = (ROOT / name).read_text()
        assert with_figures(document, Results.load(LATEST), sections) == document


def test_the_figures_name_no_place_and_no_machine() -> None:
    text = LATEST.read_text()
    assert not re.search(r"/(home|tmp|root|usr|work)/", text)
    assert {"cores", "processor", "python", "versions", "server"} <= (
        Results.load(LATEST).environment.keys()
    )


def test_every_goal_was_measured() -> None:
    latest = Results.load(LATEST)
    assert [goal.title for goal in GOALS if goal.reached(latest)[0] is None] == []


def test_every_plot_in_the_docs_is_there_for_light_and_dark_pages() -> None:
    named = re.findall(r'(?:src|srcset)="(performance/[a-z-]+\.svg)"', DOCUMENT.read_text())
    themes = [name.rpartition("-")[2] for name in named]
    assert themes.count("light.svg") == themes.count("dark.svg") == 3
    for name in named:
        assert ElementTree.parse(DOCUMENT.parent / name).getroot().tag.endswith("svg")


def test_what_people_wrote_around_the_figures_stays() -> None:
    document = "before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n"
    once = between_marks(document, "a", "new")
    assert once == "before\n<!-- a: begin -->\n\nnew\n<!-- a: end -->\nafter\n"
    assert between_marks(once, "a", "new") == once


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<!-- a: begin -->\n",
        "<!-- a: end -->\n<!-- a: begin -->\n",
        "<!-- a: begin -->\n<!-- a: begin -->\n<!-- a: end -->\n",
    ],
)
def test_a_document_without_its_marks_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="section a"):
        between_marks(document, "a", "new")


def test_a_goal_that_was_missed_says_by_how_much() -> None:
    environment = {
        "date": "2026-01-01",
        "processor": "a processor",
        "cores": 2,
        "system": "Linux",
        "server": "valkey",
        "python": "3",
        "versions": {},
    }
    cell = Cell(Kind.LOAD)
    p50 = {OURS: 50.0, GLIDE: 100.0}
    measured = [Measurement(cell.id, client, 1, {"p50": p50[client]}) for client in p50]
    text = goals(Results(environment, measured))
    assert "at most 0.3 × valkey-glide | 0.50 | **not reached**: 67 % above |" in text
    assert text.count("not measured") == len(GOALS) - 1


def test_a_goal_of_a_figure_alone_names_its_unit() -> None:
    cell = Cell(Kind.LAG, in_flight=1000)
    goal = Goal("loop lag, p99", cell, "p99", Bound.BELOW, 2000, None, unit=" µs")
    measured = Results(measurements=[Measurement(cell.id, OURS, 1, {"p99": 1500.0})])
    assert "| below 2,000 µs | 1500.0 | reached |" in goals(measured, [goal])


def test_a_client_without_figures_has_no_row() -> None:
    cell = Cell(Kind.LOAD)
    measured = Results(measurements=[Measurement(cell.id, OURS, 1, {"rate": 5.0, "p50": 7.0})])
    assert "| glide_scripts | 5.00 | 7.00 |" in tables(measured)
    assert "valkey-glide |" not in tables(measured)


def test_failures_are_reported() -> None:
    assert "coredis, load: it broke" in tables(Results(failures=["coredis, load: it broke"]))


def test_every_cell_has_a_name_of_its_own_and_every_goal_a_cell() -> None:
    for groups in (FULL, QUICK):
        ids = [cell.id for group in groups for cell in group.cells]
        assert len(ids) == len(set(ids))
        measured = {
            (cell.id, client)
            for group in groups
            for cell, clients in group.measured()
            for client in clients
        }
        for goal in GOALS:
            clients = {goal.client, goal.reference or goal.client}
            assert {(goal.cell.id, client) for client in clients} <= measured
