"""The report shows what was measured, and knows every scenario."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.scenarios import SCENARIOS
from tests.faults.table import with_tables

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_in_the_docs_are_those_of_the_figures() -> None:
    document = (DOCS / "reliability.md").read_text()
    figures = json.loads((DOCS / "reliability.json").read_text())
    assert with_tables(document, figures) == document


def test_the_readme_and_the_first_page_say_what_was_measured() -> None:
    readme = (DOCS.parent / "README.md").read_text()
    first_page = (DOCS / "index.md").read_text()
    clients = json.loads((DOCS / "reliability.json").read_text())["clients"]
    flushed = []
    for name in ("glide_scripts", "valkey-glide", "redis-py"):
        verdict = clients[name]["scenarios"]["scripts_flushed"]["verdict"]
        failed = sum(verdict["errors"].values())
        flushed.append(f"{failed:,} of {verdict['calls']:,} calls failed")
    assert flushed[1] in readme
    assert f"| {' | '.join(flushed)} |" in first_page
    reset = clients["redis-py"]["scenarios"]["connections_reset"]["verdict"]["ran_twice"]
    assert f"| none ran twice | none ran twice | {reset:,} calls ran twice |" in first_page


def test_the_package_was_measured_in_every_scenario_and_kept_its_promises() -> None:
    figures = json.loads((DOCS / "reliability.json").read_text())
    measured = figures["clients"]["glide_scripts"]["scenarios"]
    assert {*SCENARIOS, "soak"} <= measured.keys()
    broken = {name: report["broken"] + report["late"] for name, report in measured.items()}
    assert [name for name in broken if broken[name]] == []
