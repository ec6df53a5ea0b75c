"""Runs the tests that talk to a server on the servers of the table.

python -m tests.servers                      the standalone and cluster tests and the core's
                                             own, on all of them
python -m tests.servers redis-7.0 -- -k kill on one of them, with options of pytest
python -m tests.servers --short              the tests marked `every_server`, on those that are
                                             at hand, but for the one that all other tests use
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servers.table import ROOT, SERVERS, USUAL

from glide_scripts.testing import ServerNotFound

PYTEST = (sys.executable, "-m", "pytest")
FOLDERS = ("tests/standalone", "tests/cluster")
MARK = "every_server"
# Of pytest; the second where options leave no test of a server.
FINE = (0, 5)
CORE = (os.environ.get("CARGO", "cargo"), "test", "--package", "glide-scripts-core", "--test", "*")


def main(arguments: list[str]) -> int:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    names, options = arguments[:cut], arguments[cut + 1 :]
    short = "--short" in names
    names = [name for name in names if name != "--short"] or list(SERVERS)
    if unknown := [name for name in names if name not in SERVERS]:
        return complain(f"there is no server {unknown[0]!r}; name some of {' '.join(SERVERS)}")
    programs: dict[str, Path] = {}
    for name in names:
        if short and name == USUAL:
            continue
        try:
            programs[name] = SERVERS[name].program()
        except ServerNotFound as missing:
            if not short:
                return complain(str(missing))
            print(f"test-servers: {name} is left out: {missing}", flush=True)
    return in_short(programs, options) if short else in_full(programs, options)


def complain(what: str) -> int:
    print(f"test-servers: {what}", file=sys.stderr)
    return 2


def in_full(programs: dict[str, Path], options: list[str]) -> int:
    """One server after the other; all of them, whatever fails."""
    failed = []
    for name, program in programs.items():
        for command in ((*PYTEST, *(() if name_files(options) else FOLDERS), *options), CORE):
            print(f"test-servers: {name}: {' '.join(command)}", flush=True)
            done = subprocess.run(command, cwd=ROOT, env=environment(program), check=False)
            if done.returncode not in FINE:
                failed.append(name)
    return complain(f"failed on {', '.join(dict.fromkeys(failed))}") if failed else 0


def in_short(programs: dict[str, Path], options: list[str]) -> int:
    """All at a time, since they mostly wait; what each prints is shown when it is done."""
    # Importing the other files would take longer than the tests.
    files = [] if name_files(options) else files_with(MARK)
    command = [*PYTEST, "-q", "-m", MARK, *map(str, files), *options]

    def run(name: str) -> str | None:
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(programs[name]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(
            f"test-servers: {name}: {time.monotonic() - started:.0f} s\n{done.stdout}", flush=True
        )
        return None if done.returncode in FINE else name

    with ThreadPoolExecutor(max(len(programs), 1)) as threads:
        failed = [name for name in threads.map(run, programs) if name is not None]
    return complain(f"failed on {', '.join(failed)}") if failed else 0


def name_files(options: list[str]) -> bool:
    return any(Path(ROOT, option.partition("::")[0]).exists() for option in options)


def files_with(mark: str) -> list[Path]:
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).glob("test_*.py"))]
    return [file for file in files if mark in file.read_text()]


def environment(program: Path) -> dict[str, str]:
    """The environment variables that name the program to start, for Python's and Rust's tests."""
    return {
        **os.environ,
        "GLIDE_SCRIPTS_SERVER": str(program),
        "VALKEY_SERVER": str(program),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
