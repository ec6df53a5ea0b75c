"""Programs of Debian's packages, which some tests need: a server that has TLS, and proxies."""

from __future__ import annotations

from pathlib import Path

from tests.servers.table import PROGRAMS

from glide_scripts.testing import ServerNotFound

PACKAGES = {"redis-7.0": "redis-server", "haproxy": "haproxy", "nutcracker": "nutcracker"}
"""By folder under `PROGRAMS`, the program in it."""


def debian_program(name: str) -> Path:
    """The program to start.

    Raises:
        ServerNotFound: It is not there; the text says why.
    """
    program = PROGRAMS / name / PACKAGES[name]
    if program.exists():
        return program
    try:
        why = (PROGRAMS / f"{name}.why").read_text().strip().splitlines()[-1]
    except (OSError, IndexError):
        why = "make test-python gets it"
    raise ServerNotFound(f"there is no {PACKAGES[name]}: {why}")
