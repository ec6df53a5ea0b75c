"""A few seconds of what `make faults` does for minutes."""

from __future__ import annotations

from tests.faults.adapters import GlideScripts
from tests.faults.soak import soak


async def test_mixed_load_with_faults_loses_nothing_and_runs_nothing_twice() -> None:
    report = await soak(GlideScripts, seconds=3, epoch=1.5)
    assert report.broken == [], report
    assert report.figures["epochs"] >= 2
