"""The command line as a whole: what it needs, how it is asked for help, how it fails."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.terminal import at_terminal, piped

from glide_scripts.cli import main
from glide_scripts.testing import ValkeyServer

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
        (["bogus"], "No such command 'bogus' (see glide-scripts --help)"),
        (["run", "x.lua", "--arg"], "--arg needs a value (see glide-scripts run --help)"),
        (["chek"], "No such command 'chek'. Did you mean 'check'?"),
        (["run", "--bogus"], "No such option: --bogus"),
        (["check", "--format", "xml", "x"], "'xml' is not one of 'text', 'json', 'github' (see"),
        (["check", "x", "y", "--ignore", "a\nb"], "a b is no warning"),
        (["run", "x.lua", "--repeat", "x"], "--repeat: it is not a whole number"),
        (["run", "x.lua", "--repeat", "1.5"], "--repeat: it is not a whole number"),
        (["run", "x.lua", "--repeat", "0"], "--repeat: it is less than 1"),
        (["bench", "x.lua", "--duration", "x"], "--duration: it is not a number"),
        (["bench", "x.lua", "--duration", "0"], "--duration: it is less than 0.1"),
        (["run", "x.lua", "--timeout", "inf"], "--timeout: it is "),
        (["bench", "x.lua", "--call", "1"], "No such option: --call. Did you mean --calls?"),
        (["run", "x.lua", "y", "z"], "it does not take y z"),
        (["check", "--format", "xml", "x"], "--format: 'xml' is not one of"),
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


@pytest.mark.parametrize("width", [60, 80, 120])
def test_help_is_as_wide_as_the_terminal_and_nothing_is_cut(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.endswith("...") for line in lines[1:])
    assert width - 30 < max(map(len, lines)) <= width


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and the program on PATH."""
    program = tmp_path / "bin" / "glide-scripts"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m glide_scripts "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def bash(line: str) -> str:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    return done.stdout


def test_completion_is_installed_and_completes(home: Path) -> None:
    assert "completion installed" in bash("glide-scripts --install-completion; true")
    (installed,) = [path for path in home.rglob("*") if path.name == "glide-scripts.sh"]

    def completed(*words: str) -> list[str]:
        return bash(
            f"source '{installed}'; COMP_WORDS=(glide-scripts {' '.join(words)}); "
            f"COMP_CWORD={len(words)}; _glide_scripts_completion glide-scripts; "
            "printf '%s\\n' \"${COMPREPLY[@]}\""
        ).split()

    assert completed("r") == ["run", "repl"]
    assert completed("check", "--str") == ["--strict"]
    assert completed("check", "--format", "g") == ["github"]


@pytest.mark.parametrize(
    ("line", "has_words"), [("glide-scripts r", True), ("glide-scripts run a", False)]
)
def test_fish_is_told_whether_to_complete_words_or_files(
    line: str, has_words: bool, home: Path
) -> None:
    # As in the script that fish gets: it asks by the exit code first.
    asked = {
        "_GLIDE_SCRIPTS_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "is-args",
        "_TYPER_COMPLETE_ARGS": line,
    }
    done = subprocess.run(["glide-scripts"], env=os.environ | asked, check=False)
    assert done.returncode == (0 if has_words else 1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: shell)
    assert main(["--show-completion"]) == 0
    out = capsys.readouterr().out
    assert "glide-scripts" in out
    assert f"complete_{shell}" in out


WRONG = ["check", "-e", "#!lua\nreturn x"]


@pytest.mark.parametrize(
    ("options", "environment", "is_colored"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"CLICOLOR_FORCE": "1"}, True),
        ([], {"CLICOLOR_FORCE": "0"}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
    ],
)
def test_colours_are_used_where_they_are_wanted(
    options: list[str],
    environment: dict[str, str],
    is_colored: bool,
    server: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url = ["--url", server.url]
    for words in (
        WRONG,
        ["bench", "-e", "return 1", "--calls", "1"],
        ["debug", "-e", "local a = {1, 'x'} -- c"],
    ):
        done = piped(*words, *url, *options)
        assert ("\x1b[" in done.out) is is_colored
        # Only the terminal's own colours, and nothing dim: neither 2 nor 90.
        styles = re.findall(r"\x1b\[([\d;]*)m", done.out)
        parts = {part for style in styles for part in style.split(";")}
        assert not parts & {"2", "38", "48", "90"}
    done = piped("run", "-e", "return = 1", *url, *options)
    assert done.err.startswith(
        "\x1b[1;31mglide-scripts:\x1b[0m " if is_colored else "glide-scripts: "
    )


def test_an_error_s_frame_and_carets_have_colours(tmp_path: Path, server: ValkeyServer) -> None:
    file = tmp_path / "bad.lua"
    file.write_text("local n = false -- | ^\nreturn n + 1\n")
    words = ["run", str(file), "--url", server.url]
    colored = piped(*words, "--color", "always").err
    assert "\x1b[36m  -->\x1b[0m " in colored
    assert "\x1b[36m 1 |\x1b[0m local n = false -- | ^\n" in colored
    assert "\x1b[36m   |\x1b[0m\x1b[1;31m        ^\x1b[0m\n" in colored
    assert "\x1b[36m   =\x1b[0m\x1b[1m help:\x1b[0m " in colored
    plain = piped(*words, "--color", "never").err
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain


def test_a_terminal_has_colours_unless_it_is_dumb(server: ValkeyServer) -> None:
    for environment, start in (({}, "\x1b[1m-e:2:8"), ({"TERM": "dumb"}, "-e:2:8")):
        with at_terminal(*WRONG, "--url", server.url, **environment) as terminal:
            assert terminal.end() == 0
            assert terminal.raw.startswith(start)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["run", "-e", "#!lua\nreturn nil + 1"],
            {
                "message": "-e:2: attempt to perform arithmetic on a nil value",
                "exit_code": 1,
                "type": "ScriptError",
                "code": "ERR",
                "file": "-e",
                "line": 2,
                "may_have_executed": True,
            },
        ),
        (
            ["run", "-e", "return redis.error_reply('OUT_OF_STOCK sku 7')"],
            {
                "message": "-e: OUT_OF_STOCK sku 7",
                "exit_code": 1,
                "type": "ScriptError",
                "code": "OUT_OF_STOCK",
                "file": "-e",
                "may_have_executed": True,
            },
        ),
        (
            ["run", "nowhere.lua"],
            {"message": "nowhere.lua: No such file or directory", "exit_code": 2},
        ),
        (
            ["bench", "-e", "--@key user\nreturn 1"],
            {"message": "-e: key user is missing: --key USER", "exit_code": 2},
        ),
    ],
)
def test_with_json_an_error_is_json_too(
    words: list[str], expected: dict[str, object], server: ValkeyServer
) -> None:
    done = piped(*words, "--json", "--url", server.url)
    assert json.loads(done.out) == {"error": expected}
    assert done.code == expected["exit_code"]
    assert done.err.splitlines()[0] == f"glide-scripts: {expected['message']}"


def test_with_json_wrong_usage_is_json_too() -> None:
    done = piped("run", "--repeat", "x", "-e", "return 1", "--json")
    assert done.code == 2
    assert "it is not a whole number" in json.loads(done.out)["error"]["message"]


@pytest.mark.skipif(os.name == "nt", reason="it is about descriptors")
@pytest.mark.parametrize(
    ("words", "closed", "code", "said"),
    [
        ("run", "0<&-", 2, "glide-scripts: <stdin>: it is empty\n"),
        ("debug -e 'return 1'", "0<&-", 0, ""),
        ("repl", "0<&-", 0, ""),
        ("run -e 'return 1'", "1>&-", 0, ""),
        ("check -e 'return 1'", "1>&-", 0, ""),
        ("run nowhere.lua", "0<&- 1>&- 2>&-", 2, ""),
    ],
)
def test_standard_streams_may_be_closed(
    words: str, closed: str, code: int, said: str, server: ValkeyServer
) -> None:
    program = f"{sys.executable} -m glide_scripts {words} --url {server.url} {closed}"
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, said)


def test_ctrl_c_while_it_starts_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    given = [sys.executable, "-m", "glide_scripts", "--version"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(given, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr == b"glide-scripts: interrupted\n"
