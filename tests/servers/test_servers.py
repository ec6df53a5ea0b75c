"""The table of servers, what is written of it, and the runner."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers.table import (
    CAPABILITIES,
    ROOT,
    SERVERS,
    USUAL,
    capabilities_as_markdown,
    server_of,
    servers_as_markdown,
    this_server,
)

from glide_scripts.testing import ServerNotFound


def test_the_documentation_has_the_table() -> None:
    page = (ROOT / "docs/servers.md").read_text()
    for name, table in (
        ("servers", servers_as_markdown()),
        ("capabilities", capabilities_as_markdown()),
    ):
        assert f"<!-- table: {name} -->\n\n{table}\n" in page


def test_every_capability_is_had_by_a_server_lacked_by_another_and_needed_by_a_test() -> None:
    needed = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for arguments in re.findall(r"mark\.needs\(([^)]*)\)", file.read_text()):
            needed |= set(re.findall(r'"([^"]+)"', arguments))
    assert needed == CAPABILITIES.keys()
    lacking = [server.lacks for server in SERVERS.values()]
    assert frozenset.union(*lacking) == CAPABILITIES.keys()
    assert not frozenset.intersection(*lacking)


def test_the_pinned_packages_are_those_of_the_table() -> None:
    groups = (ROOT / "pyproject.toml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    (fetched,) = re.findall(r"^FETCHED := (.+)$", makefile, re.MULTILINE)
    assert set(fetched.split()) == SERVERS.keys() - {USUAL}
    for name in SERVERS.keys() - {USUAL, "redis-7.0"}:
        (package,) = re.findall(rf'^server-{name.replace(".", "-")} = \["(.+)==', groups, re.M)
        assert package in SERVERS[name].package


def fake(program: Path, says: str) -> Path:
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


def test_a_program_is_known_by_its_version(tmp_path: Path) -> None:
    says = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d"
    assert server_of(fake(tmp_path / "redis", says)).name == "redis-7.0"
    says = "Valkey server v=9.1.2 sha=00000000:0 malloc=libc bits=64 build=ae4d"
    assert server_of(fake(tmp_path / "valkey", says)).name == "valkey-9.1"
    with pytest.raises(LookupError, match=r"is redis-7\.4, and the tests know redis-6\.2, "):
        server_of(fake(tmp_path / "other", "Redis server v=7.4.0 sha=0"))


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_unknown_server_is_one_line() -> None:
    code, said = run("tests.servers", "redis-7.0", "redis-5")
    assert code == 2
    assert said == (
        "test-servers: there is no server 'redis-5'; name some of "
        "redis-6.2 redis-7.0 redis-8.2 valkey-9.0 valkey-9.1\n"
    )


def test_a_missing_program_is_one_line_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.servers.table.PROGRAMS", tmp_path)
    with pytest.raises(ServerNotFound, match=r"redis-8\.2: run make test-servers SERVERS=redis"):
        SERVERS["redis-8.2"].program()
    (tmp_path / "redis-8.2.why").write_text("WARNING: a\nERROR: no such package\n")
    with pytest.raises(ServerNotFound, match=r"^there is no program of redis-8\.2: ERROR: no such"):
        SERVERS["redis-8.2"].program()


def test_a_test_that_needs_what_is_lacking_is_left_out_with_the_reason(tmp_path: Path) -> None:
    lacking = fake(tmp_path / "redis-server", "Redis server v=6.2.14 sha=0")
    file = "tests/standalone/test_functions.py"
    arguments = ("pytest", "--collect-only", "-q", file, "-p", "no:cacheprovider")
    code, said = run(*arguments, GLIDE_SCRIPTS_SERVER=str(lacking))
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert re.search(r"\d+ left out, since Redis 6\.2\.14 lacks functions: FUNCTION", said)


def test_a_server_program_that_is_not_there_ends_a_test_run_in_one_line() -> None:
    arguments = ("pytest", "--collect-only", "-q", "tests/standalone/test_functions.py")
    code, said = run(*arguments, GLIDE_SCRIPTS_SERVER="/no/such/server")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert said.strip() == (
        "ERROR: no server program at '/no/such/server', which GLIDE_SCRIPTS_SERVER names; pass the "
        "path of a valkey-server or a redis-server, or a name on PATH"
    )


def test_the_server_of_this_run_is_in_the_table() -> None:
    assert this_server() in SERVERS.values()
