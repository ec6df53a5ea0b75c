"""Medians, ratios and rounds of the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.cells import GLIDE, OURS, Cell, Kind
from bench.goals import Bound, Goal
from bench.results import Measurement, Results, Spread
from bench.runner import rotated

CELL = Cell(Kind.LOAD)


def results(**rates: list[float]) -> Results:
    """Each client's calls a second, round by round."""
    return Results(
        environment={"cores": 2},
        measurements=[
            Measurement(CELL.id, client, number, {"rate": rate, "p50": 1e6 / rate})
            for client, of_client in rates.items()
            for number, rate in enumerate(of_client, 1)
        ],
    )


def test_a_ratio_is_taken_within_each_round() -> None:
    # In the second round the machine was ten times slower for all.
    measured = results(ours=[1000, 100, 1200], glide=[100, 10, 100])
    assert measured.ratio(CELL, OURS, "rate", GLIDE) == Spread(10, 10, 12)


def test_a_round_in_which_one_of_them_failed_has_no_ratio() -> None:
    measured = results(ours=[1000, 100, 1200], glide=[100, 10])
    assert measured.ratio(CELL, OURS, "rate", GLIDE) == Spread(10, 10, 10)
    assert results(ours=[1000]).ratio(CELL, OURS, "rate", GLIDE) is None


def test_a_ratio_may_be_of_two_figures() -> None:
    measured = results(ours=[1000], glide=[100])
    ratio = measured.ratio(CELL, OURS, "rate", GLIDE, "p50")
    assert ratio is not None
    assert ratio.median == pytest.approx(1000 / 1e4)


def test_the_median_of_an_even_number_lies_between_two() -> None:
    assert Spread.of([4.0, 1.0, 2.0, 3.0]) == Spread(2.5, 1, 4)
    assert Spread.of([]) is None


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    measured = results(ours=[1000, 123456.789], glide=[100])
    measured.failures.append("coredis: no")
    measured.save(tmp_path / "new" / "run.json")
    loaded = Results.load(tmp_path / "new" / "run.json")
    assert (loaded.environment, loaded.failures) == (measured.environment, measured.failures)
    assert loaded.by_round(CELL, OURS, "rate") == {1: 1000, 2: 123457}


@pytest.mark.parametrize(
    ("bound", "limit", "is_reached"),
    [
        (Bound.AT_LEAST, 10, True),
        (Bound.AT_LEAST, 10.1, False),
        (Bound.AT_MOST, 10, True),
        (Bound.AT_MOST, 9.9, False),
        (Bound.BELOW, 10, False),
        (Bound.BELOW, 10.1, True),
    ],
)
def test_a_goal_is_reached_by_the_median(bound: Bound, limit: float, is_reached: bool) -> None:
    measured = results(ours=[900, 1000, 1100], glide=[100, 100, 100])
    goal = Goal("calls a second", CELL, "rate", bound, limit, GLIDE)
    assert goal.reached(measured) == (Spread(10, 9, 11), is_reached)


def test_what_was_not_measured_is_not_reached() -> None:
    goal = Goal("calls a second", CELL, "rate", Bound.AT_MOST, 1, GLIDE)
    assert goal.reached(results(ours=[1])) == (None, False)


def test_each_client_is_the_first_in_one_of_the_rounds() -> None:
    clients = ["a", "b", "c"]
    orders = [rotated(clients, number) for number in range(1, 4)]
    assert sorted(order[0] for order in orders) == clients
    assert all(sorted(order) == clients for order in orders)
