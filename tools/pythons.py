"""Tests the built wheel on each Python that is found: on PATH, or among pyenv's.

Usage: pythons.py WHEEL FOLDER [PYTEST_ARGS…]; the environments are made in FOLDER.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = [(3, 11), (3, 12), (3, 13), (3, 14)]
"""What the package supports. The wheel is one for all, since it uses the stable ABI."""

EAGER_TASKS = (3, 12)
"""The Python that brought eager tasks."""

Version = tuple[int, int]


def main() -> int:
    wheel, folder, *pytest_args = sys.argv[1:]
    programs = {version: find(version) for version in VERSIONS}
    for (major, minor), program in programs.items():
        print(f"Python {major}.{minor}: {program or 'not found'}", flush=True)
    outcomes = {
        version: passes(version, program, wheel, Path(folder), pytest_args)
        for version, program in programs.items()
        if program
    }
    for (major, minor), passed in outcomes.items():
        print(f"Python {major}.{minor}: {'passed' if passed else 'failed'}")
    return 0 if outcomes and all(outcomes.values()) else 1


def find(version: Version) -> Path | None:
    name = "{}.{}".format(*version)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for program in [shutil.which(f"python{name}"), *sorted(pyenv.glob(f"{name}.*/bin/python"))]:
        # pyenv's program on PATH fails if this version is not the selected one.
        if program and succeeds([program, "-c", ""]):
            return Path(program)
    return None


def succeeds(command: list[str | Path]) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def passes(
    version: Version, program: Path, wheel: str, folder: Path, pytest_args: list[str]
) -> bool:
    environment = folder / "venv-python-{}.{}".format(*version)
    subprocess.run([program, "-m", "venv", "--clear", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, f"{wheel}[cli,coverage,testing]", "--group", "test"], check=True)
    loops = "asyncio,eager" if version >= EAGER_TASKS else "asyncio"
    return succeeds([python, "-m", "pytest", "--loops", loops, *pytest_args])


if __name__ == "__main__":
    sys.exit(main())
