"""Programs for GLIDE print the same if nothing but the import is changed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from glide_scripts.testing import ValkeyCluster, ValkeyServer

PROGRAMS = Path(__file__).with_name("glide_programs")


def moved(program: str) -> str:
    """The program with another import."""
    program = re.sub(r"^from glide_sync\b", "from glide_scripts.sync", program, flags=re.M)
    program = re.sub(r"^from glide_shared\b", "from glide_scripts.shared", program, flags=re.M)
    return re.sub(r"^from glide\b", "from glide_scripts", program, flags=re.M)


def printed(program: str, host: str, port: int) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, host, str(port)],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("scripts", marks=pytest.mark.needs("SCRIPT SHOW")),
        pytest.param("functions", marks=pytest.mark.needs("functions")),
        "batches",
        pytest.param("commands", marks=pytest.mark.needs("commands of Redis 7")),
        pytest.param("replies_and_errors", marks=pytest.mark.needs("SCRIPT SHOW")),
        "shared",
        "surroundings",
        "synchronous",
    ],
)
def test_a_program_prints_the_same_under_both_imports(server: ValkeyServer, name: str) -> None:
    program = (PROGRAMS / f"{name}.py").read_text()
    assert moved(program) != program
    expected = printed(program, server.host, server.port)
    server.command("FLUSHALL")
    server.command("SCRIPT", "FLUSH")
    assert printed(moved(program), server.host, server.port) == expected
    assert len(expected) >= 10


@pytest.mark.needs("functions")
@pytest.mark.parametrize("name", ["cluster_routes", "cluster_keys"])
def test_a_program_for_a_cluster_prints_the_same_under_both_imports(
    valkey_cluster: ValkeyCluster, name: str
) -> None:
    program = (PROGRAMS / f"{name}.py").read_text()
    host, port = valkey_cluster.addresses[0]
    expected = printed(program, host, port)
    for node in valkey_cluster.primaries():
        node.command("FLUSHALL")
        node.command("SCRIPT", "FLUSH")
    assert printed(moved(program), host, port) == expected
    assert len(expected) >= 10
