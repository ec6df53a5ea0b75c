"""Run the suites of libraries that use redis-py, on redis-py's own transport and on this one.

    python -m tests.adoption --wheel dist/*.whl [limits saq ...]

For each suite, an environment is made in ``build/adoption`` with the library's sdist and the wheel.
The suite runs twice against one real server. What fails only on this transport is a failure, unless
``suites.toml`` says why.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from glide_scripts.testing import ValkeyServer

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/adoption"
TRANSPORTS = ("library", "glide_scripts")
PASSED = "passed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.adoption", description=__doc__)
    parser.add_argument("suites", nargs="*", help="names in suites.toml; none means all")
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel to test")
    parser.add_argument("--short", action="store_true", help="only the short suites")
    options = parser.parse_args()
    table = tomllib.loads((HERE / "suites.toml").read_text())
    unknown = set(options.suites) - set(table)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    rows, failures = [], []
    for name, suite in table.items():
        is_chosen = name in options.suites if options.suites else True
        if not is_chosen or (options.short and not suite.get("short")):
            continue
        print(f"{name} …", flush=True)
        outcomes = run(name, suite, options.wheel.resolve())
        differences, row = compare(suite, *outcomes)
        rows.append((name, *row))
        failures += [f"{name}: {each}" for each in differences]
    print(f"\n{'suite':16}{'redis-py':>10}{'here':>10}{'other tests':>14}")
    for name, own, here, neither in rows:
        print(f"{name:16}{own:>10}{here:>10}{neither:>14}")
    for failure in failures:
        print(f"fails only here: {failure}")
    return 1 if failures or not rows else 0


def run(name: str, suite: dict[str, Any], wheel: Path) -> list[dict[str, str]]:
    """Return the outcome of each test, for each transport."""
    folder = BUILD / name
    python, source = prepared(folder, suite, wheel)
    own, here = (once(folder, python, source, suite, transport) for transport in TRANSPORTS)
    if compare(suite, own, here)[0]:
        # Tests that depend on time may fail on a busy machine, so failed tests run once more.
        again = once(folder, python, source, suite, TRANSPORTS[1], "--last-failed")
        here |= {test: outcome for test, outcome in again.items() if outcome == PASSED}
    return [own, here]


def once(
    folder: Path,
    python: Path,
    source: Path,
    suite: dict[str, Any],
    transport: str,
    *options: str,
) -> dict[str, str]:
    """Run a suite on one transport, against a server of its own."""
    report = folder / f"{transport}.xml"
    report.unlink(missing_ok=True)
    with ValkeyServer() as server, (folder / f"{transport}.log").open("w") as log:
        ports = ",".join(f"{port}={server.port}" for port in suite["ports"])
        arguments = [each.replace("{6379}", str(server.port)) for each in suite["arguments"]]
        subprocess.run(
            [python, "-m", "pytest", "-p", "adoption_plugin", "-o", "addopts=", "-q",
             "-o", "filterwarnings=default", f"--junitxml={report}", *options, *arguments],
            cwd=source,
            env=os.environ
            | {
                "ADOPTION_PORTS": ports,
                "ADOPTION_TRANSPORT": transport,
                "PYTHONPATH": str(folder / "plugins"),
                "REDIS_URL": server.url.replace("valkey://", "redis://"),
            }
            | suite.get("environment", {}),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
    if not report.exists():
        raise SystemExit(f"{report.stem} ran no test: see {log.name}")
    return read(report)


def prepared(folder: Path, suite: dict[str, Any], wheel: Path) -> tuple[Path, Path]:
    """Return the Python of a suite's environment and the folder of its sources."""
    python, marker = folder / "venv/bin/python", folder / "ready"
    wanted = repr((suite["sdist"], suite["requires"]))
    if not marker.exists() or marker.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        name = suite["sdist"].partition("==")[0]
        download = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(folder)]
        subprocess.run([python, "-m", "pip", *download, suite["sdist"]], check=True)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as sources:
            sources.extractall(folder / "source", filter="data")
        install = ["install", "--quiet", str(archive), *suite["requires"]]
        subprocess.run([python, "-m", "pip", *install], check=True)
        marker.write_text(wanted)
    reinstall = ["install", "--quiet", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run([python, "-m", "pip", *reinstall], check=True)
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    shutil.copy(HERE / "plugin.py", plugins / "adoption_plugin.py")
    # If a library has no settings for pytest, this project's settings must not apply.
    (folder / "pytest.ini").touch()
    (source,) = (folder / "source").iterdir()
    shutil.copytree(HERE / "programs", source / "programs", dirs_exist_ok=True)
    for ours, place in suite.get("adds", {}).items():
        shutil.copy(HERE / "programs" / ours, source / place)
    # The installed library is tested, not the one beside the tests.
    return python, source


def read(report: Path) -> dict[str, str]:
    """Return the outcome of each test of a JUnit report."""
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {each.tag for each in case}
        outcome = "skipped" if "skipped" in kinds else PASSED
        if kinds & {"failure", "error"}:
            outcome = "failed"
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return outcomes


def compare(
    suite: dict[str, Any], own: dict[str, str], here: dict[str, str]
) -> tuple[list[str], tuple[int, int, int]]:
    """Return the tests that fail only here without a reason, and the counts for the table."""
    reasons: dict[str, str] = suite.get("differs", {}) | suite.get("flaky", {})
    passing = [test for test, outcome in own.items() if outcome == PASSED]
    failing = [test for test in passing if here.get(test) != PASSED]
    unexplained = [test for test in failing if not any(part in test for part in reasons)]
    return unexplained, (len(passing), len(passing) - len(failing), len(own) - len(passing))


if __name__ == "__main__":
    sys.exit(main())
