"""A folder of scripts: the library and every command find the same scripts in it."""

import json
import re
from pathlib import Path

import pytest

from glide_scripts import ScriptLibrary, ScriptSourceError
from glide_scripts.cli import main
from glide_scripts.testing import ValkeyServer

SCRIPT = "#!lua\nreturn 1\n"
FILES = {
    "plain.lua": SCRIPT,
    "inner/a-b.lua": SCRIPT,
    "named.lua": "#!lua\n--@name other\nreturn 1\n",
    "uses.lua": '#!lua\n--@include "lib/only included.lua"\n--@include "both.lua"\nreturn two\n',
    "lib/only included.lua": '--@include "deeper.lua"\nlocal two = 2\n',
    "lib/deeper.lua": "local deep = 1\n",
    "both.lua": "--@returns None\nlocal both = 1\n",
    "counters.lua": "#!lua name=counters\nserver.register_function('f', function() return 1 end)\n",
    "9 functions/more.lua": (
        "#!lua name=more\nserver.register_function('g', function() return 1 end)\n"
    ),
    ".hidden.lua": "not lua",
    ".folder/x.lua": "not lua",
    "README.md": "not lua",
}
SCRIPTS = {"plain", "inner.a_b", "other", "uses", "both"}
UNITS = {"plain.lua", "inner/a-b.lua", "named.lua", "uses.lua", "both.lua"}
FUNCTIONS = {"counters.lua", "9 functions/more.lua"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_the_library_and_all_commands_find_the_same_scripts(
    folder: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    library = ScriptLibrary.from_directory(folder)
    assert {script.name for script in library} == SCRIPTS
    found = {}
    for command, option in (("check", ["--format", "json"]), ("load", ["--json"])):
        assert main([command, str(folder), *option, "--url", server.url]) == 0
        told = json.loads(capsys.readouterr().out)
        rows = told["scripts"] if command == "check" else told
        found[command] = {
            (Path(row["file"]).relative_to(folder).as_posix(), row["kind"]) for row in rows
        }
    assert found["check"] == found["load"]
    assert found["check"] == {(file, "script") for file in UNITS} | {
        (file, "library") for file in FUNCTIONS
    }
    assert main(["stubs", str(folder)]) == 0
    stub = (folder / "library.pyi").read_text()
    inner = re.findall(r"^    (\w+): _Library_inner_\w+$", stub, re.MULTILINE)
    outer = re.findall(
        r"^    (\w+): _Library_\w+$", stub.partition("class Library(")[2], re.MULTILINE
    )
    assert {*outer, *(f"inner.{name}" for name in inner)} == SCRIPTS | {"inner"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("2fa.lua", "'2fa' is not a valid script name"),
        ("my scripts/x.lua", "'my scripts' is not a valid script name"),
        ("inner/a_b.lua", "inner/a-b.lua has the same name 'a_b'"),
        ("error.lua", "'error' is the name of a library's own method"),
    ],
)
def test_a_name_that_the_library_refuses_is_a_warning(
    folder: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str], path: str, said: str
) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text(SCRIPT)
    with pytest.raises(ScriptSourceError) as refused:
        ScriptLibrary.from_directory(folder)
    assert said in str(refused.value)
    assert main(["stubs", str(folder)]) == 2
    assert said in capsys.readouterr().err
    words = ["check", str(folder), "--url", server.url]
    assert main(words) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "[name]" in each]
    assert line.startswith(f"{folder / path}:1:1: warning: ScriptLibrary does not load it: ")
    assert said in line
    assert main([*words, "--ignore", "name"]) == 0
    assert "[name]" not in capsys.readouterr().out
    assert main(["load", str(folder), "--url", server.url]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('#!lua\n--@include "../y.lua"\nreturn 1\n', "which is outside of"),
        ("#!lua\n--@kee x\nreturn 1\n", "--@kee is not known"),
    ],
)
def test_a_file_that_the_library_refuses_all_commands_refuse(
    folder: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (folder / "x.lua").write_text(text)
    with pytest.raises(ScriptSourceError) as refused:
        ScriptLibrary.from_directory(folder)
    assert said in str(refused.value)
    for words, exit_code in (
        (["check", "--url", server.url], 1),
        (["load", "--url", server.url], 2),
        (["stubs"], 2),
    ):
        assert main([*words, str(folder)]) == exit_code
        out, err = capsys.readouterr()
        assert said in out + err


def test_a_file_that_is_named_itself_may_have_any_name(
    folder: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "2fa.lua"
    file.write_text(SCRIPT)
    assert main(["check", str(file), "--url", server.url]) == 0
    assert main(["check", str(folder / "lib" / "deeper.lua"), "--url", server.url]) == 0
    assert main(["run", str(file), "--url", server.url]) == 0


def test_a_folder_without_scripts_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"glide-scripts: {tmp_path}: it has no .lua files\n"
