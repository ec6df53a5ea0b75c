"""What the command line says when it cannot do what it was asked."""

import pytest


def assert_one_line(capsys: pytest.CaptureFixture[str], said: str) -> None:
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("glide-scripts: ")
    assert said in line
    assert "secret" not in line
