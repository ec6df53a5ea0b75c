"""The faults, each with the counters that prove that it was met.

A scenario starts its own servers, puts a client under load, does the damage, and gives a `Report`.
It never judges speed except in `Report.late`.
"""

from tests.faults.scenarios import (
    changes,
    clients,
    connections,
    network,
    once,
    scripts,
    sentinels,
    servers,
)
from tests.faults.scenarios._base import LONG, SCENARIOS, SHORT, Make, Scale

__all__ = [
    "LONG",
    "SCENARIOS",
    "SHORT",
    "Make",
    "Scale",
    "changes",
    "clients",
    "connections",
    "network",
    "once",
    "scripts",
    "sentinels",
    "servers",
]
