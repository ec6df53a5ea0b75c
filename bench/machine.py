"""The machine on which it was measured, as far as it affects the figures."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.adapters import ADAPTERS

# What does the work for a client that is measured, or for all.
_HELPERS = ("hiredis", "libvalkey", "uvloop")


def environment() -> dict[str, Any]:
    names = [adapter.distribution for adapter in ADAPTERS.values() if adapter.distribution]
    versions = {name: _version(name) for name in (*names, *_HELPERS)}
    return {
        "date": date.today().isoformat(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name, found in versions.items() if found},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
