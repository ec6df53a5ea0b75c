"""glide-scripts load: what it puts on which node, and what it shows."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.complaints import assert_one_line
from tests.waiting import block_until

from glide_scripts import Script
from glide_scripts.cli import main
from glide_scripts.testing import ValkeyCluster, ValkeyServer

LIBRARY = "#!lua name=counters\nserver.register_function('bump', function() return {} end)"


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    with ValkeyCluster() as cluster:
        yield cluster


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with a script, a library of functions, and a file that the script includes."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "answer.lua").write_text('--@include "util.lua"\nreturn answer()')
    (folder / "util.lua").write_text("local function answer() return 42 end")
    (folder / "counters.lua").write_text(LIBRARY)
    return folder


def load(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    """The rows of a load that succeeds."""
    assert main(["load", *map(str, words), "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def states(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {Path(row["file"]).stem: row["state"] for row in rows}


def test_it_tells_what_was_there_and_what_is_new(
    scripts: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"{server.host}:{server.port}"
    sha1 = Script.from_file(scripts / "answer.lua").hash
    rows = load(capsys, scripts, "--url", server.url)
    assert states(rows) == {"answer": "new", "counters": "new"}
    assert rows[0] == {
        "node": address,
        "role": "primary",
        "file": str(scripts / "answer.lua"),
        "kind": "script",
        "sha1": sha1,
        "state": "new",
    }
    assert server.command("EVALSHA", sha1, 0) == 42
    assert server.command("FCALL", "bump", 0) == []
    rows = load(capsys, scripts, "--url", server.url)
    assert states(rows) == {"answer": "there", "counters": "there"}
    (scripts / "counters.lua").write_text(LIBRARY.replace("{}", "7"))
    (scripts / "util.lua").write_text("local function answer() return 43 end")
    rows = load(capsys, scripts, "--url", server.url)
    assert states(rows) == {"answer": "new", "counters": "changed"}
    assert server.command("FCALL", "bump", 0) == 7


def test_a_dry_run_loads_nothing(
    scripts: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        rows = load(capsys, scripts, "--url", server.url, "--dry-run")
        assert states(rows) == {"answer": "new", "counters": "new"}


def test_every_node_of_a_cluster_gets_them(
    scripts: Path, cluster: ValkeyCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    sha1 = Script.from_file(scripts / "answer.lua").hash
    primaries = {f"{node.host}:{node.port}" for node in cluster.primaries()}
    replicas = {f"{node.host}:{node.port}" for node in cluster.replicas()}
    cluster.primaries()[0].command("SCRIPT", "LOAD", Script.from_file(scripts / "answer.lua").code)
    had_it = f"{cluster.primaries()[0].host}:{cluster.primaries()[0].port}"
    rows = load(capsys, scripts, "--url", cluster.url, "--cluster")
    assert {row["node"] for row in rows if row["role"] == "primary"} == primaries
    assert {row["node"] for row in rows if row["role"] == "replica"} == replicas
    answers = {row["node"]: row["state"] for row in rows if row["file"].endswith("answer.lua")}
    assert answers == dict.fromkeys(primaries | replicas, "new") | {had_it: "there"}
    for node in cluster.nodes:
        assert node.command("SCRIPT", "EXISTS", sha1) == [1]
    for node in cluster.primaries():
        assert node.command("FUNCTION", "LIST", "LIBRARYNAME", "counters") != []
    block_until(lambda: all(node.command("FUNCTION", "LIST") for node in cluster.replicas()))
    rows = load(capsys, scripts, "--url", cluster.url, "--cluster")
    assert {row["state"] for row in rows} == {"there"}


def test_a_node_of_a_cluster_is_not_taken_for_a_server(
    scripts: Path, cluster: ValkeyCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    (node, *_) = cluster.nodes
    assert main(["load", str(scripts), "--url", f"valkey://{node.host}:{node.port}"]) == 2
    assert_one_line(capsys, "add --cluster")


def test_help_promises_no_temporary_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "--help"]) == 0
    about = " ".join(capsys.readouterr().out.split())
    assert "repeat the option. Required." in about
    assert "Default: a temporary server" not in about


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--cluster"]])
def test_without_a_server_nothing_is_said_to_be_loaded(
    scripts: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert main(["load", str(scripts), *more]) == 2
    assert_one_line(capsys, "load needs a server: --url valkey://host:port")


def test_programs_get_lines_of_words(
    scripts: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scripts / "answer.lua"
    assert main(["load", str(file), "--url", server.url]) == 0
    words = [f"{server.host}:{server.port}", "primary", "new", Script.from_file(file).hash]
    assert capsys.readouterr().out == "\t".join([*words, str(file)]) + "\n"


def test_people_get_a_table(scripts: Path, server: ValkeyServer) -> None:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "glide_scripts", "load", "scripts", "--url", server.url]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "xterm"}
    done = subprocess.run(
        command, stdout=terminal, cwd=scripts.parent, env=environment, check=False, timeout=300
    )
    os.close(terminal)
    with open(screen, encoding="utf-8") as shown:
        lines: list[str] = []
        try:
            lines.extend(re.sub(r"\x1b\[\d*m", "", line).rstrip() for line in shown)
        except OSError:
            # This is how Linux reports the end of a terminal's output.
            pass
    assert done.returncode == 0
    assert [line.split() for line in lines] == [
        ["node", "role", "state", "sha1", "file"],
        [
            f"{server.host}:{server.port}",
            "primary",
            "new",
            Script.from_file(scripts / "answer.lua").hash[:10],
            "scripts/answer.lua",
        ],
        [
            "new",
            Script.from_file(scripts / "counters.lua").hash[:10],
            "scripts/counters.lua",
        ],
    ]


def test_a_lockfile_stops_what_was_not_checked(
    scripts: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = scripts / "scripts.lock"
    assert main(["check", str(scripts), "--lock", str(lock), "--url", server.url]) == 0
    server.command("SCRIPT", "FLUSH")
    capsys.readouterr()
    words = (scripts, "--locked", lock, "--url", server.url)
    assert states(load(capsys, *words, "--dry-run")) == {"answer": "new", "counters": "new"}
    (scripts / "util.lua").write_text("local function answer() return 44 end")
    assert main(["load", *map(str, words)]) == 1
    assert_one_line(capsys, "nothing was loaded")
    assert server.command("SCRIPT", "EXISTS", Script.from_file(scripts / "answer.lua").hash) == [0]


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("\nreturn = 1", (1, "script.lua:2: unexpected symbol near '='")),
        ("#!lua name=lib\nserver.nope()", (1, "script.lua:2: Script attempted to access")),
        ("--@include 'x'", (2, "script.lua:1: --@include takes a file in quotes")),
    ],
)
def test_a_script_that_cannot_be_loaded_is_one_line(
    tmp_path: Path,
    server: ValkeyServer,
    capsys: pytest.CaptureFixture[str],
    code: str,
    ends: tuple[int, str],
) -> None:
    exit_code, said = ends
    file = tmp_path / "script.lua"
    file.write_text(code)
    assert main(["load", str(file), "--url", server.url]) == exit_code
    assert_one_line(capsys, said)


def test_a_port_that_refuses_is_one_line(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ValkeyServer() as server:
        address = f"127.0.0.1:{server.port}"
    assert main(["load", str(scripts), "--url", f"valkey://:secret@{address}"]) == 2
    assert_one_line(capsys, address)


def test_a_wrong_password_is_one_line(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ValkeyServer(password="right") as server:
        url = f"valkey://:secret@127.0.0.1:{server.port}"
        assert main(["load", str(scripts), "--url", url]) == 2
    assert_one_line(capsys, "WRONGPASS")
