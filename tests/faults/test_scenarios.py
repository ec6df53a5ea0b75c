"""The short form of the fault suite; `make faults` runs the long one."""

from __future__ import annotations

import pytest
from tests.faults.adapters import GlideScripts
from tests.faults.own_names import NoOwnNamesError
from tests.faults.scenarios import SCENARIOS, SHORT


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_client_keeps_its_promises(name: str) -> None:
    try:
        report = await SCENARIOS[name](GlideScripts, SHORT)
    except NoOwnNamesError as error:
        pytest.skip(str(error))
    assert report.broken == [], report
