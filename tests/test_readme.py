"""Every example of the README runs as it stands, and prints what the README says it prints."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
TIMEOUT_SECS = 60
PRINTS = re.compile(r"# prints: (.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^##+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A fenced block of the README."""

    text: str
    line: int
    heading: str

    def __str__(self) -> str:
        return f"{self.heading}, line {self.line}"


def examples(language: str) -> list[Example]:
    readme = README.read_text()
    return [
        Example(
            text=block["text"],
            line=readme.count("\n", 0, block.start("text")) + 1,
            heading=HEADING.findall(readme, 0, block.start())[-1],
        )
        for block in BLOCK.finditer(readme)
        if block["language"] == language
    ]


@pytest.mark.parametrize("example", examples("python"), ids=str)
def test_a_program_runs_and_prints_what_it_says(example: Example, tmp_path: Path) -> None:
    program = tmp_path / "readme.py"
    # Tracebacks then name the README's own lines.
    program.write_text("\n" * (example.line - 1) + example.text)
    printed = output_of([sys.executable, "-W", "error", str(program)])
    if said := PRINTS.findall(example.text):
        assert printed.splitlines() == said


@pytest.mark.parametrize("example", examples("console"), ids=str)
def test_a_command_prints_what_is_shown_under_it(example: Example) -> None:
    for command in example.text.removeprefix("$ ").split("\n$ "):
        line, _, said = command.partition("\n")
        program, *arguments = shlex.split(line)
        installed = Path(sys.executable).with_name(program)
        assert output_of([str(installed), *arguments]).splitlines() == said.splitlines()


def output_of(command: list[str]) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=README.parent,
        env={**os.environ, "PYTHONUTF8": "1"},
        timeout=TIMEOUT_SECS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
