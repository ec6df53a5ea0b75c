"""Whole programs as users write them. `make check-types` checks the same files in strict mode."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "typed_programs/complete").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_prints_what_its_comments_say(program: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (run.returncode, run.stderr) == (0, "")
    said = re.findall(r"^# prints: ?(.*)$", program.read_text(), re.MULTILINE)
    assert [line.rstrip() for line in run.stdout.splitlines()] == said
