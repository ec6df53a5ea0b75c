"""Texts of the command line's errors."""

import pytest


def assert_one_line(capsys: pytest.CaptureFixture[str], said: str) -> None:
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("glide-scripts: ")
    assert said in line
    assert "secret" not in line
