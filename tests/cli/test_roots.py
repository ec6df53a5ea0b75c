"""Scripts that include from around their folder: what may be included, and from where."""

from pathlib import Path

import pytest
from tests.cli.complaints import assert_one_line
from tests.cli.terminal import piped

from glide_scripts import ScriptLibrary
from glide_scripts.cli import main
from glide_scripts.testing import ValkeyServer

EXAMPLES = Path(__file__).parents[2] / "examples" / "scripts"
FILES = {
    "scripts/queue/take.lua": '#!lua\n--@include "../lib/now.lua"\nreturn now()\n',
    "scripts/lib/now.lua": "local function now() return 7 end\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def all_examples() -> list[str]:
    names = sorted(script.file or "" for script in ScriptLibrary.from_directory(EXAMPLES))
    assert len(names) >= 15
    return [str(Path(name).relative_to(EXAMPLES)) for name in names]


@pytest.mark.parametrize("name", all_examples())
def test_every_example_is_found_with_what_it_includes(
    name: str, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(EXAMPLES / name)
    assert main(["check", file, "--url", server.url]) == 0
    for command in ("run", "debug", "bench", "profile"):
        # The files are read; the call then fails because it has no keys.
        assert main([command, file]) == 2
        assert_one_line(capsys, " is missing: --key ")


@pytest.mark.parametrize(
    ("where", "file"),
    [
        (".", "scripts/queue/take.lua"),
        ("scripts", "queue/take.lua"),
        ("scripts/queue", "take.lua"),
        ("scripts/lib", "../queue/take.lua"),
    ],
)
def test_a_file_runs_from_every_folder(
    project: Path,
    server: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    where: str,
    file: str,
) -> None:
    monkeypatch.chdir(project / where)
    for words in ([file], [str(project / "scripts/queue/take.lua")]):
        assert main(["run", *words, "--url", server.url]) == 0
        assert capsys.readouterr() == ("7\n", "")


def test_errors_name_files_from_the_current_folder(
    project: Path,
    server: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project / "scripts/queue")
    now = project / "scripts/lib/now.lua"
    now.write_text("local function now() return nil + 1 end\n")
    assert main(["run", "take.lua", "--url", server.url]) == 1
    assert capsys.readouterr().err.startswith("glide-scripts: ../lib/now.lua:1: ")
    now.unlink()
    assert main(["run", "take.lua", "--url", server.url]) == 2
    assert_one_line(capsys, 'take.lua:2: it includes "../lib/now.lua": the file does not exist')


def test_a_root_is_as_far_as_includes_may_go(
    project: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["scripts/queue/take.lua", "--url", server.url, "--root"]
    assert main(["run", *words, "scripts"]) == 0
    assert main(["run", *words, "scripts/queue"]) == 2
    assert_one_line(capsys, "which is outside of scripts/queue; --root DIR names a folder")
    assert main(["run", *words, "scripts/lib"]) == 2
    assert_one_line(capsys, "scripts/queue/take.lua: it is not in --root scripts/lib")
    assert main(["run", *words, "nowhere"]) == 2
    assert_one_line(capsys, "'nowhere' does not exist")


def test_a_part_of_a_library_has_the_root_of_the_command_or_of_pyproject(
    project: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["scripts/queue", "--url", server.url]
    assert main(["check", *words]) == 1
    assert main(["check", *words, "--root", "scripts"]) == 0
    assert main(["load", *words, "--root", "scripts"]) == 0
    assert main(["stubs", "scripts/queue", "--root", "scripts"]) == 0
    capsys.readouterr()
    (project / "pyproject.toml").write_text('[tool.glide-scripts]\nroot = ["jobs", "scripts"]\n')
    (project / "jobs").mkdir()
    assert main(["check", *words]) == 0
    assert main(["load", *words]) == 0
    assert main(["stubs", "scripts/queue", "--check"]) == 0
    for command, *more in (["run"], ["bench", "--calls", "1"], ["debug"]):
        done = piped(command, "scripts/queue/take.lua", "--url", server.url, *more)
        assert done.code == 0
    capsys.readouterr()
    (project / "pyproject.toml").write_text('[tool.glide-scripts]\nroot = "scripts/queue"\n')
    assert main(["run", "scripts/queue/take.lua", "--url", server.url]) == 2
    assert_one_line(capsys, "which is outside of scripts/queue")


def test_the_nearest_pyproject_with_settings_counts(project: Path, server: ValkeyServer) -> None:
    (project / "pyproject.toml").write_text('[tool.glide-scripts]\nroot = "scripts"\n')
    (project / "scripts" / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert main(["check", "scripts/queue", "--url", server.url]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tool.glide-scripts]\nrot = "scripts"', "has no setting 'rot'; it has root"),
        ("[tool.glide-scripts]\nroot = 3", "root must be a folder or a list of folders"),
        ('[tool.glide-scripts]\nroot = "nowhere"', "there is no folder 'nowhere'"),
        ("[tool]\nglide-scripts = 3", "must be a table"),
        ("[tool.glide-scripts", "it cannot be read"),
    ],
)
def test_wrong_settings_are_one_line_that_names_the_file(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (project / "pyproject.toml").write_text(text)
    assert main(["run", "scripts/queue/take.lua"]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"glide-scripts: {project / 'pyproject.toml'}: ")
    assert said in line
    assert line.count("\n") == 1


def test_the_text_of_a_script_does_not_depend_on_its_root(
    project: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    sha1 = ScriptLibrary.from_directory("scripts").queue.take.hash
    for more in ([], ["--root", "scripts"], ["--root", "."]):
        assert main(["load", "scripts/queue/take.lua", "--url", server.url, *more]) == 0
        assert sha1 in capsys.readouterr().out
