"""Scripts that are in no file: from a pipe, from standard input, and on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.complaints import assert_one_line
from tests.cli.terminal import at_terminal, piped

from glide_scripts.cli import main
from glide_scripts.testing import ValkeyServer

GLIDE = f"{sys.executable} -m glide_scripts"


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("words", [["-"], [], ["/dev/stdin"]])
def test_a_script_comes_from_standard_input(
    tmp_path: Path, server: ValkeyServer, words: list[str]
) -> None:
    file = " ".join(words)
    line = f"echo 'return ARGV[1]' | {GLIDE} run {file} --arg x --url {server.url}"
    done = shell(line, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'x'\n", "")


def test_a_script_comes_from_another_command(tmp_path: Path, server: ValkeyServer) -> None:
    done = shell(f"{GLIDE} run <(echo 'return 7') --url {server.url}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "7\n", "")


def test_a_script_is_on_the_command_line(
    server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "return {KEYS[1], ARGV[1]}"
    assert main(["run", "-e", code, "--key", "k", "--arg", "a", "--url", server.url]) == 0
    assert capsys.readouterr().out == "[b'k', b'a']\n"
    code = f"return '{os.fsdecode(bytes([255]))}'"
    assert main(["run", "-e", code, "--url", server.url]) == 0
    assert capsys.readouterr().out == "b'\\xff'\n"


def test_its_declarations_count(server: ValkeyServer, capsys: pytest.CaptureFixture[str]) -> None:
    code = "--@key user\n--@returns bool\nreturn 1"
    assert main(["run", "-e", code, "--key", "k", "--url", server.url]) == 0
    assert capsys.readouterr().out == "True\n"
    assert main(["run", "-e", code, "--url", server.url]) == 2
    assert_one_line(capsys, "-e: key user is missing: --key USER")


def test_it_includes_from_the_current_folder_or_the_root(
    tmp_path: Path,
    server: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "util.lua").write_text("local seven = 7\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    code = '--@include "lib/util.lua"\nreturn seven'
    assert main(["run", "-e", code, "--url", server.url]) == 0
    assert piped("run", "-", "--url", server.url, text=code).out == "7\n"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["run", "-e", code, "--url", server.url, "--root", ".."]) == 0
    assert main(["run", "-e", code, "--url", server.url]) == 2
    assert_one_line(capsys, '-e:1: it includes "lib/util.lua": the file does not exist')


def test_errors_name_where_it_comes_from(
    server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-e", "return 1 +", "--url", server.url]) == 1
    assert capsys.readouterr().err.startswith("glide-scripts: -e:1: ")
    done = piped("run", "-", "--url", server.url, text="\nreturn nil + 1")
    assert done.code == 1
    assert done.err.startswith("glide-scripts: <stdin>:2: ")


@pytest.mark.parametrize("command", ["run", "bench", "check", "load"])
@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_an_empty_script_is_an_error(server: ValkeyServer, command: str, text: str) -> None:
    for words in ([], ["-"], ["-e", text]):
        done = piped(command, *words, "--url", server.url, text=text)
        name = "-e" if "-e" in words else "<stdin>"
        assert (done.code, done.out) == (2, "")
        assert done.err == f"glide-scripts: {name}: it is empty\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "it is empty"), ("#!lua", "it has only the #! line; write the script below it")],
)
def test_an_empty_file_is_an_error(
    tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    (tmp_path / "x.lua").write_text(text)
    for command in ("run", "bench", "load", "debug", "profile"):
        assert main([command, str(tmp_path / "x.lua"), "--url", server.url]) == 2
        assert_one_line(capsys, f"x.lua: {why}")
    for path in (tmp_path, tmp_path / "x.lua"):
        assert main(["check", str(path), "--url", server.url]) == 1
        out = capsys.readouterr().out
        assert out.startswith(f"{tmp_path}/x.lua:1:1: error: {why} [source]\n")


@pytest.mark.parametrize("command", ["check", "load"])
def test_other_commands_take_it_too(server: ValkeyServer, command: str) -> None:
    url = ["--url", server.url]
    assert piped(command, "-", *url, text="#!lua\nreturn 1").code == 0
    assert piped(command, "-e", "#!lua\nreturn 1", *url).code == 0
    assert piped(command, *url, text="#!lua\nreturn = 1").code == 1


def test_bench_takes_it_too(server: ValkeyServer) -> None:
    done = piped("bench", "-e", "return 1", "--calls", "3", "--json", "--url", server.url)
    assert (done.code, done.err) == (0, "")
    assert '"file": "-e"' in done.out


def test_the_debugger_takes_one_from_the_command_line_only(server: ValkeyServer) -> None:
    done = piped("debug", "-e", "return 7", "--url", server.url, text="continue\n")
    assert done.code == 0
    assert "the script returned 7" in done.out
    done = piped("debug", "-", "--url", server.url, text="return 7")
    assert done.code == 2
    assert "its commands come from standard input" in done.err


def test_two_scripts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "check"):
        assert main([command, "x.lua", "-e", "return 1"]) == 2
        assert_one_line(capsys, "-e CODE and a file do not go together; leave x.lua out")
    assert main(["run", "-e", "return 1", "--watch"]) == 2
    assert_one_line(capsys, "--watch needs a file; -e is not a file")


@pytest.mark.parametrize(
    ("command", "said"), [("run", "which script?"), ("check", "which scripts?")]
)
def test_at_a_terminal_without_a_script_it_asks_which(command: str, said: str) -> None:
    with at_terminal(command) as terminal:
        terminal.see(said)
        assert terminal.end() == 2
