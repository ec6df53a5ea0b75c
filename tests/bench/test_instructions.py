"""Comparing counts of instructions with the committed ones."""

from __future__ import annotations

import json

from bench.instructions import BASELINE, STEPS, regressions


def test_more_than_a_tenth_more_is_a_regression() -> None:
    assert regressions({"pack": 1000.0}, {"pack": 1100.0}) == []
    (line,) = regressions({"pack": 1000.0, "call": 10.0}, {"pack": 1101.0, "call": 9.0})
    assert line.startswith("pack: 1,101 instructions, +10.1% against 1,000; 10% are allowed.")


def test_a_step_that_is_new_has_nothing_to_be_held_to() -> None:
    assert regressions({}, {"pack": 1000.0}) == []


def test_every_step_has_a_figure() -> None:
    for figures in json.loads(BASELINE.read_text()).values():
        assert figures.keys() == STEPS.keys()
