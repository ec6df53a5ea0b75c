"""The command line as a whole: what it needs, how it is asked for help, how it fails."""

import subprocess
import sys

import pytest

from glide_scripts.cli import main

COMMANDS = ["bench", "check", "debug", "load", "repl", "run", "serve", "stubs"]


@pytest.mark.parametrize("missing", ["typer", "tree_sitter"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
from glide_scripts.cli import main
sys.exit(main(["run", "x.lua"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert 'pip install "glide-scripts[cli]"' in done.stderr


def test_the_client_does_not_need_the_extra() -> None:
    program = (
        "import sys, glide_scripts.cli, glide_scripts.testing\n"
        "print([name for name in ('typer', 'rich', 'tree_sitter') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal_and_tells_the_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Usage: glide-scripts {command} ")
    assert "Exit codes: 0 " in out
    assert max(map(len, out.splitlines())) <= 80
    assert main([command, "-h"]) == 0
    assert capsys.readouterr().out == out


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    _, commands = capsys.readouterr().out.split("Commands:\n")
    assert {line.split()[0] for line in commands.splitlines()} >= set(COMMANDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], "No such command 'chek'. Did you mean 'check'?"),
        (["run", "--bogus"], "No such option: --bogus"),
        (["check", "--format", "xml", "x"], "'xml' is not one of 'text', 'json', 'github'."),
        (["check", "x", "y", "--ignore", "a\nb"], "a b is no warning"),
        (["run", "x.lua", "--repeat", "x"], "'--repeat': it is not a whole number"),
        (["run", "x.lua", "--repeat", "1.5"], "'--repeat': it is not a whole number"),
        (["run", "x.lua", "--repeat", "0"], "'--repeat': it is less than 1"),
        (["bench", "x.lua", "--duration", "x"], "'--duration': it is not a number"),
        (["bench", "x.lua", "--duration", "0"], "'--duration': it is less than 0.1"),
        (["bench", "x.lua", "--call", "1"], "No such option: --call. Did you mean --calls?"),
        (["run", "x.lua", "y", "z"], "It does not take y z"),
        (["check", "--format", "xml", "x"], "'--format': 'xml' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_that_names_what_is_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert said in line
    assert line.startswith("glide-scripts: ")
    assert line.endswith("--help)")
    assert "Input should" not in line
    assert "Value error" not in line


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert (out.startswith("Usage: glide-scripts"), err) == (True, "")
    assert "Commands:\n" in out


def test_a_traceback_of_wrong_usage_is_there_for_those_who_ask(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "--traceback", "--ignore", "nope", "x"]) == 2
    assert "Traceback" in capsys.readouterr().err
