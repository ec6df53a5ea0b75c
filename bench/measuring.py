"""What is measured of calls: CPU time, memory, percentiles."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Sequence
from pathlib import Path

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles of the times of calls, in microseconds."""
    ordered = sorted(seconds)
    return {name: ordered[int((len(ordered) - 1) * part)] * 1e6 for name, part in QUANTILES.items()}


def own_cpu() -> float:
    """Seconds of CPU, user and system, that all threads of this process have used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_of(pids: Sequence[int]) -> float | None:
    """The same for other processes, in steps of 10 ms; None if the system does not say."""
    ticks = 0
    for pid in pids:
        try:
            # The name, in parentheses, may hold spaces; user and system are the 14th and 15th.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return None
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes() -> int | None:
    """What this process has in memory; None where the system does not tell."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
