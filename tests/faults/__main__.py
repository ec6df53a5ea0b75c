"""Runs the long form and writes what it found.

    python -m tests.faults                      all scenarios with this package, and the soak
    python -m tests.faults --only slots_moved
    python -m tests.faults --clients glide_scripts valkey-glide redis-py --json figures.json
    python -m tests.faults --json figures.json --docs report.md --only
                                                no more than the tables of the report

Each scenario runs in a process of its own, with a bound: a client that hangs or crashes is a
finding, not the end of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import subprocess
import sys
import traceback
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from tests.faults.adapters import ADAPTERS
from tests.faults.driver import StuckError
from tests.faults.report import Report
from tests.faults.scenarios import LONG, SCENARIOS, SHORT
from tests.faults.soak import soak
from tests.faults.table import with_tables

from glide_scripts.testing import ValkeyServer

_OURS = "glide_scripts"
# Seconds a scenario may take over the soak's own time.
_BOUND = 420.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    names = [*SCENARIOS, "soak"]
    parser.add_argument("--clients", nargs="+", choices=list(ADAPTERS), default=[_OURS])
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--soak", type=float, default=600.0, help="seconds; default: %(default)s")
    parser.add_argument("--short", action="store_true", help="as in the tests")
    parser.add_argument("--json", type=Path, help="write or update this file")
    parser.add_argument("--docs", type=Path, help="write the tables of that file into this one")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        name, client = options.inside
        print(json.dumps(run_here(name, client, options.soak, short=options.short)))
        return 0
    found: dict[str, Any] = {}
    if options.json and options.json.exists():
        found = json.loads(options.json.read_text())
    if options.only:
        found["environment"] = environment()
    well = True
    for client in options.clients if options.only else ():
        of_client = found.setdefault("clients", {}).setdefault(client, {})
        of_client["version"] = ADAPTERS[client]().version
        for name in options.only:
            if name == "soak" and client != _OURS:
                continue
            if reason := ADAPTERS[client]().not_driven.get(name):
                of_client.setdefault("scenarios", {})[name] = reason
                continue
            report = run_apart(name, client, options.soak, short=options.short)
            of_client.setdefault("scenarios", {})[name] = report
            kept = not report["broken"] and (options.short or not report["late"])
            well &= kept or client != _OURS
            print(f"{'kept  ' if kept else 'BROKEN'} {client:13} {name:45} {summary(report)}")
            sys.stdout.flush()
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.docs:
        options.docs.write_text(with_tables(options.docs.read_text(), found))
    return 0 if well else 1


def run_here(name: str, client: str, seconds: float, *, short: bool) -> dict[str, Any]:
    logging.disable()
    make, scale = ADAPTERS[client], SHORT if short else LONG
    run = soak(make, seconds) if name == "soak" else SCENARIOS[name](make, scale)
    try:
        report = asyncio.run(run)
    except StuckError as error:
        report = Report(failures=[str(error)])
    except Exception as error:
        traceback.print_exc()
        report = Report(failures=[f"it did not finish: {type(error).__name__}: {error}"])
    return asdict(report) | {"broken": report.broken}


def run_apart(name: str, client: str, seconds: float, *, short: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.faults", "--inside", name, client]
    command += ["--soak", str(seconds), *(["--short"] if short else [])]
    bound = _BOUND + (seconds if name == "soak" else 0)
    quiet = subprocess.DEVNULL if client != _OURS else None
    try:
        # No check: how it ended is part of what is found.
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=quiet, timeout=bound, check=False
        )
    except subprocess.TimeoutExpired:
        return asdict(Report()) | {"broken": [f"it did not end within {bound:.0f} s"]}
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return asdict(Report()) | {"broken": [f"its process ended with {done.returncode}"]}
    report: dict[str, Any] = json.loads(lines[-1])
    return report


def summary(report: dict[str, Any]) -> str:
    verdict = report["verdict"]
    words = [f"{verdict['calls']} calls"]
    words += [f"{sum(verdict['errors'].values())} errors"] if verdict["errors"] else []
    words += [f"{name} {value:.4g}" for name, value in report["figures"].items()]
    return ", ".join([*words, *report["broken"], *report["late"]])


def environment() -> dict[str, Any]:
    with ValkeyServer() as server:
        about = server.command("INFO", "server")
    assert isinstance(about, bytes)
    fields = dict(line.split(":", 1) for line in about.decode().split("\r\n") if ":" in line)
    return {
        "date": date.today().isoformat(),
        "server": f"{fields['server_name']} {fields.get('valkey_version', '')}".strip(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    sys.exit(main())
