"""What the client says to Python's logging."""

import logging

import pytest

from glide_scripts import GlideClient, Script


async def test_a_program_that_makes_its_scripts_up_is_warned_once(
    client: GlideClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="glide_scripts"):
        for number in range(300):
            assert await client.invoke_script(Script(f"return {number}")) == number
        await client.ping()
    warnings = [record.message for record in caplog.records if record.name == "glide_scripts"]
    assert len(warnings) == 1
    assert warnings[0].startswith("more than 256 different scripts")
