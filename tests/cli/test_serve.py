"""glide-scripts serve: a server that runs until the command ends."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.complaints import assert_one_line
from tests.cli.terminal import CTRL_C, at_terminal
from tests.waiting import block_until

from glide_scripts.cli import main
from glide_scripts.sync import GlideClient, GlideClusterClient
from glide_scripts.testing._ports import free_port


@contextmanager
def serving(*words: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process, and the first line that it prints."""
    command = [sys.executable, "-m", "glide_scripts", "serve", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rstrip("\n")
        finally:
            process.kill()


def answers(url: str) -> bool:
    host, _, port = url.partition("://")[2].partition(",")[0].rpartition(":")
    with socket.socket() as connection:
        return connection.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_a_url_and_ends_with_its_server(number: signal.Signals) -> None:
    with serving() as (process, url):
        with GlideClient.from_url(url) as client:
            assert client.set("key", "value") == "OK"
        process.send_signal(number)
        assert process.wait(timeout=300) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
        assert not answers(url)


def test_a_killed_command_takes_its_server_along() -> None:
    with serving() as (process, url):
        assert answers(url)
        process.kill()
        block_until(lambda: not answers(url))


def test_a_port_and_data_may_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "setup.txt").write_text("SET b 2\n")
    port = free_port()
    words = ["--port", str(port), "--setup", str(tmp_path / "setup.txt"), "--data", '{"a": 1}']
    with serving(*words) as (_, url):
        assert url == f"valkey://127.0.0.1:{port}"
        with GlideClient.from_url(url) as client:
            assert client.mget(["a", "b"]) == [b"1", b"2"]


def test_with_v_the_address_is_printed_before_a_setup_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "setup.txt").write_text("SET a x\nINCR a\n")
    assert main(["serve", "-v", "--color", "never", "--setup", str(tmp_path / "setup.txt")]) == 1
    address, failed = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"glide-scripts: valkey://127\.0\.0\.1:\d+, a temporary server", address)
    assert f"{tmp_path}/setup.txt:2: " in failed


def test_a_cluster_has_so_many_primaries() -> None:
    with serving("--cluster", "3", "--data", '{"{a}": 1, "{b}": 2, "{c}": 3}') as (process, url):
        assert url.count(":") == 4
        with GlideClusterClient.from_url(url) as client:
            assert client.mget(["{a}", "{b}", "{c}"]) == [b"1", b"2", b"3"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=300) == 0
        assert not answers(url)


def test_a_server_that_ends_by_itself_is_an_error() -> None:
    with at_terminal("serve") as terminal:
        terminal.see("valkey://127.0.0.1:")
        terminal.see("Ctrl-C ends the server")
        url = next(line for line in terminal.shown.split() if line.startswith("valkey://"))
        host, _, port = url.removeprefix("valkey://").rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        terminal.see("has ended unexpectedly")
        assert terminal.end() == 1


def test_ctrl_c_at_a_terminal_is_the_usual_end() -> None:
    with at_terminal("serve") as terminal:
        terminal.see("Ctrl-C ends the server")
        terminal.press(CTRL_C)
        assert terminal.end() == 0
        assert "Traceback" not in terminal.shown


def test_what_cannot_be_served_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", "--port", port]) == 2
        assert_one_line(capsys, f"port {port}, or one of those that follow it, is taken")
    for words, said in (
        (["--port", "0"], "--port: it is less than 1"),
        (["--cluster", "0"], "--cluster: it is less than 1"),
        (["--cluster", "99999999999"], "--cluster: it is more than 1000"),
        (["--replicas", "1"], "--replicas: it needs --cluster"),
        (["--setup", str(tmp_path / "no.txt")], "no.txt: No such file"),
    ):
        assert main(["serve", *words]) == 2
        assert_one_line(capsys, said)
