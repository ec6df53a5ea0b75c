"""Folders of scripts as objects."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from glide_scripts import ScriptError, ScriptLibrary, ScriptSourceError, TypedScript


def write(folder: Path, *paths: str, text: str = "return 1") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_each_file_is_an_attribute_and_each_folder_a_namespace(tmp_path: Path) -> None:
    write(tmp_path, "rate_limit.lua", "billing/charge.lua", "billing/eu/vat-id.lua")
    write(tmp_path, "README.md", "docs/more.md", ".hidden/x.lua", ".x.lua", "__pycache__/x.pyc")
    scripts = ScriptLibrary.from_directory(tmp_path)
    assert isinstance(scripts.rate_limit, TypedScript)
    assert scripts.billing.charge.name == "billing.charge"
    assert scripts.billing.eu.vat_id.name == "billing.eu.vat_id"
    assert [script.name for script in scripts] == [
        "billing.charge",
        "billing.eu.vat_id",
        "rate_limit",
    ]
    assert repr(scripts) == f"<ScriptLibrary {tmp_path}: billing, rate_limit>"
    assert {"billing", "rate_limit", "from_directory"} <= set(dir(scripts))


@pytest.mark.parametrize(("link", "to"), [("one", "."), ("sub/up", ".."), ("sub/own", ".")])
def test_a_link_to_a_folder_around_it_says_so(tmp_path: Path, link: str, to: str) -> None:
    write(tmp_path, "a.lua", "sub/b.lua")
    (tmp_path / "again").symlink_to("sub", target_is_directory=True)
    scripts = ScriptLibrary.from_directory(tmp_path)
    assert [script.name for script in scripts] == ["a", "again.b", "sub.b"]
    for name in (link, f"{link}2"):
        (tmp_path / name).symlink_to(to, target_is_directory=True)
    with pytest.raises(ScriptSourceError, match="it is a link to a folder that contains it"):
        ScriptLibrary.from_directory(tmp_path)


def test_a_broken_link_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.lua").symlink_to("gone.lua")
    with pytest.raises(
        ScriptSourceError, match=r"a\.lua: it is a link to gone\.lua, which does not"
    ):
        ScriptLibrary.from_directory(tmp_path)


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scripts = ScriptLibrary.from_directory(".")
    assert repr(scripts) == "<ScriptLibrary .: no scripts>"
    with pytest.raises(AttributeError, match=r"there is no script 'nope' in \."):
        _ = scripts.nope


def test_a_name_is_what_python_reads(tmp_path: Path) -> None:
    write(tmp_path, "\ufb01.lua")
    assert ScriptLibrary.from_directory(tmp_path).fi.name == "fi"
    write(tmp_path, "fi.lua")
    with pytest.raises(ScriptSourceError, match="has the same name 'fi'"):
        ScriptLibrary.from_directory(tmp_path)


def test_a_file_may_name_its_script_otherwise(tmp_path: Path) -> None:
    write(tmp_path, "v2/rate-limit-2024.lua", text="--@name rate_limit\nreturn 1")
    assert ScriptLibrary.from_directory(tmp_path).v2.rate_limit.name == "v2.rate_limit"


def test_includes_may_go_as_far_as_the_library(tmp_path: Path) -> None:
    write(tmp_path, "a/b/main.lua", text='--@include "../../util.lua"\nreturn u')
    write(tmp_path, "util.lua", text="local u = 1\n")
    assert b"local u" in ScriptLibrary.from_directory(tmp_path).a.b.main.code
    with pytest.raises(ScriptSourceError, match=r"main\.lua:1: .* outside of .*/a"):
        ScriptLibrary.from_directory(tmp_path / "a")


def test_a_root_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    with pytest.raises(ScriptSourceError) as caught:
        ScriptLibrary.from_directory(tmp_path / "scripts", root="nowhere")
    at = Path("nowhere").absolute()
    assert str(caught.value) == (
        f"nowhere: root: the folder does not exist; it was looked for at {at}"
    )


def test_an_empty_folder_says_that_it_has_no_scripts(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Scripts")
    library: Any = ScriptLibrary.from_directory(tmp_path)
    with pytest.raises(AttributeError, match=r"no script 'limit' in .*; no file in it is a script"):
        library.limit  # noqa: B018


def test_a_root_around_the_folder_may_be_included_from(tmp_path: Path) -> None:
    write(tmp_path, "a/b/main.lua", text='--@include "../../util.lua"\nreturn u')
    write(tmp_path, "util.lua", text="local u = 1\n")
    scripts = ScriptLibrary.from_directory(tmp_path / "a", root=tmp_path)
    assert [script.name for script in scripts] == ["b.main"]
    assert scripts.b.main.code.startswith(b'--@include "../../util.lua"\nlocal u')
    with pytest.raises(ScriptSourceError, match=r"/a: it is not in root, "):
        ScriptLibrary.from_directory(tmp_path / "a", root=tmp_path / "a" / "b")
    with pytest.raises(TypeError, match="root is int"):
        ScriptLibrary.from_directory(tmp_path / "a", root=3)  # type: ignore[arg-type]


def test_what_is_no_script_of_its_own_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "take.lua", text='--@include "lib/util.lua"\n--@include "give.lua"\nreturn u')
    write(tmp_path, "lib/util.lua", text="local u = 1\n")
    write(tmp_path, "give.lua", text="--@name give_back\nlocal v = 1\n")
    write(tmp_path, "counters.lua", text="#!lua name=counters\n")
    write(tmp_path, "2/counters.lua", text="#!lua name=more\n")
    scripts = ScriptLibrary.from_directory(tmp_path)
    assert [script.name for script in scripts] == ["give_back", "take"]
    with pytest.raises(AttributeError, match=r"'lib' in .*: other files include .*lib/util\.lua"):
        scripts.lib  # noqa: B018
    with pytest.raises(AttributeError, match=r"counters\.lua is a library of functions"):
        scripts.counters  # noqa: B018


def test_a_file_that_others_include_needs_no_name(tmp_path: Path) -> None:
    write(tmp_path, "a.lua", text='--@include "my lib/2.lua"\nreturn two')
    write(tmp_path, "my lib/2.lua", text="local two = 2\n")
    assert [script.name for script in ScriptLibrary.from_directory(tmp_path)] == ["a"]
    write(tmp_path, "my lib/3.lua")
    with pytest.raises(ScriptSourceError, match="'my lib' is not a valid script name"):
        ScriptLibrary.from_directory(tmp_path)


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    write(tmp_path, "rate_limit.lua")
    scripts = ScriptLibrary.from_directory(tmp_path)
    with pytest.raises(AttributeError, match=r"no script 'rate_limt' in .*; did you mean 'rate_l"):
        scripts.rate_limt  # noqa: B018
    with pytest.raises(AttributeError, match="no script 'other' in"):
        scripts.other  # noqa: B018


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["a-b.lua", "a_b.lua"], "a_b.lua: "),
        (["a.lua", "a/b.lua"], "has the same name 'a'"),
        (["9.lua"], "9.lua: '9' is not a valid script name"),
        (["a b.lua"], "'a b' is not a valid script name"),
        (["class.lua"], "'class' is not a valid script name"),
        (["not-ok!/x.lua"], "not a valid script name"),
        (["error.lua"], "error.lua: 'error' is the name of a library's own method"),
        (["from_directory.lua"], "'from_directory' is the name of a library"),
    ],
)
def test_names_that_cannot_be_say_so(tmp_path: Path, paths: list[str], words: str) -> None:
    write(tmp_path, *paths)
    with pytest.raises(ScriptSourceError) as caught:
        ScriptLibrary.from_directory(tmp_path)
    assert words in str(caught.value)


def test_two_scripts_of_one_name_are_both_named(tmp_path: Path) -> None:
    write(tmp_path, "one.lua", text="--@name two\nreturn 1")
    write(tmp_path, "two.lua")
    with pytest.raises(ScriptSourceError) as caught:
        ScriptLibrary.from_directory(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/two.lua: {tmp_path}/one.lua has the same name 'two'; rename one of them"
    )


def test_one_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    write(tmp_path, "good.lua")
    write(tmp_path, "sub/bad.lua", text="--@arg x")
    with pytest.raises(ScriptSourceError, match=r"sub/bad\.lua:1: --@arg takes a name and a type"):
        ScriptLibrary.from_directory(tmp_path)


def test_a_folder_that_is_none_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScriptSourceError, match="nope: the folder does not exist"):
        ScriptLibrary.from_directory(tmp_path / "nope")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScriptSourceError) as caught:
        ScriptLibrary.from_directory("nope")
    looked = f"nope: the folder does not exist; it was looked for at {tmp_path / 'nope'}"
    assert str(caught.value) == looked
    write(tmp_path, "a.lua")
    with pytest.raises(ScriptSourceError, match=r"a\.lua: it is a file, not a folder"):
        ScriptLibrary.from_directory(tmp_path / "a.lua")
    with pytest.raises(ScriptSourceError, match=r"xxx: it cannot be read: File name too long"):
        ScriptLibrary.from_directory(1000 * "x")
    with pytest.raises(ValueError, match="path contains a zero character"):
        ScriptLibrary.from_directory("a\0b")
    with pytest.raises(TypeError, match="path is int"):
        ScriptLibrary.from_directory(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="make a library with"):
        ScriptLibrary()


def test_an_empty_folder_is_an_empty_library(tmp_path: Path) -> None:
    assert list(ScriptLibrary.from_directory(tmp_path)) == []


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_a_library_is_read_from_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, zipped: bool
) -> None:
    name = f"library_{'zip' if zipped else 'folder'}"
    files = {"__init__.py": "", "lua/a.lua": '--@include "b.lua"\nreturn b'}
    files |= {"lua/b.lua": "local b = 1\n", "lua/deep/c.lua": "return 1"}
    if zipped:
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            for path, text in files.items():
                archive.writestr(f"{name}/{path}", text)
        monkeypatch.syspath_prepend(tmp_path / "p.zip")
    else:
        for path, text in files.items():
            write(tmp_path / name, path, text=text)
        monkeypatch.syspath_prepend(tmp_path)
    scripts = ScriptLibrary.from_resource(name, "lua")
    assert [script.name for script in scripts] == ["a", "deep.c"]
    assert scripts.a.code == b'--@include "b.lua"\nlocal b = 1\nreturn b'
    assert scripts.deep.c.file == f"{name}/lua/deep/c.lua"
    assert ScriptLibrary.from_resource(sys.modules[name]).lua.deep.c == scripts.deep.c
    with pytest.raises(ScriptSourceError, match="nope: the folder does not exist"):
        ScriptLibrary.from_resource(name, "nope")


def test_a_class_of_errors_is_checked(tmp_path: Path) -> None:
    write(tmp_path, "a.lua")
    scripts = ScriptLibrary.from_directory(tmp_path)
    for code in ("", "TWO WORDS", " X"):
        with pytest.raises(ValueError, match="pass one word"):
            scripts.error(code)
    with pytest.raises(TypeError, match="code is int; pass str"):
        scripts.error(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a ScriptError"):
        scripts.error("X")(ValueError)  # type: ignore[type-var]
    scripts.error("X")(First)
    scripts.error("X")(First)
    with pytest.raises(ValueError, match="X already has a class: First"):
        scripts.error("X")(Second)


class First(ScriptError):
    pass


class Second(ScriptError):
    pass


def test_a_script_keeps_the_errors_of_its_library_when_pickled(tmp_path: Path) -> None:
    write(tmp_path, "a.lua")
    scripts = ScriptLibrary.from_directory(tmp_path)
    scripts.error("X")(First)
    assert pickle.loads(pickle.dumps(scripts.a))._errors == {"X": First}


@pytest.mark.parametrize("code", ["ERR", "BUSY", "NOSCRIPT", "MOVED", "OOM", "WRONGTYPE", "-MINE"])
def test_a_code_of_the_servers_own_gets_no_class(tmp_path: Path, code: str) -> None:
    write(tmp_path, "a.lua")
    scripts = ScriptLibrary.from_directory(tmp_path)
    with pytest.raises(ValueError, match=f"code is '{code}', "):
        scripts.error(code)
