"""Builds the wheel into dist/ and runs tests/portable on it, where there is no make, as on Windows.

Usage: portable.py; GLIDE_SCRIPTS_TEST_URL names the server.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path("build") / "venv-portable"
PYTHON = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
TESTS = "tests/portable"


def main() -> int:
    venv.create(FOLDER, clear=True, with_pip=True)
    # pip before 25.1 knows no --group.
    run("pip", "install", "--quiet", "--upgrade", "pip>=25.1")
    run("pip", "install", "--quiet", "--group", "build", "--group", "portable")
    # Otherwise maturin takes the first Python on PATH.
    run("maturin", "build", "--release", "--locked", "--interpreter", PYTHON, "--out", "dist")
    run("pip", "install", "--quiet", "--no-index", "--find-links", "dist", "glide-scripts")
    # The fixtures of the other tests need what Windows lacks.
    run("pytest", f"--confcutdir={TESTS}", TESTS)
    return 0


def run(module: str, *arguments: str | Path) -> None:
    subprocess.run([PYTHON, "-m", module, *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
