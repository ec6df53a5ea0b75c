"""Scripts from files: what is sent, what is included, and where each line comes from."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glide_scripts import Script, ScriptSourceError, TypedScript
from glide_scripts.declared.lines import split_lines


def write(folder: Path, **files: str | bytes) -> None:
    """Files by their names, in which ``__`` stands for a folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.lua"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def places(script: TypedScript[..., object]) -> list[str]:
    """The place of each line that is sent, without folders."""
    source_map = script._source_map
    assert source_map is not None
    count = script.code.count(b"\n") + 1
    found = [source_map.place(line) for line in range(1, count + 1)]
    return [f"{Path(place.file).name}:{place.line}" for place in found]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_is_sent_byte_for_byte(tmp_path: Path) -> None:
    for text in ("return 1", "return 'é'\r\n", "\n\n-- x\rreturn 1\n\n", ""):
        write(tmp_path, plain=text)
        script = Script.from_file("plain.lua")
        assert script.code == text.encode()
        assert script.hash == hashlib.sha1(text.encode()).hexdigest()


def test_a_script_has_the_name_of_its_file(tmp_path: Path) -> None:
    write(tmp_path, limits__rate_limit="return 1")
    script = Script.from_file(Path("limits/rate_limit.lua"))
    assert (script.name, script.file) == ("rate_limit", "limits/rate_limit.lua")
    assert Script.from_file("limits/rate_limit.lua", name="other").name == "other"
    assert isinstance(script, Script)


def test_what_is_included_follows_the_line_that_includes_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        main='local a = 1\n  --@include "lib/one.lua"\nreturn a',
        lib__one='--@include "two.lua"\nlocal one = 1',
        lib__two="local two = 2\n",
    )
    script = Script.from_file("main.lua")
    assert script.code == (
        b'local a = 1\n  --@include "lib/one.lua"\n'
        b'--@include "two.lua"\nlocal two = 2\nlocal one = 1\nreturn a'
    )
    assert places(script) == [
        "main.lua:1",
        "main.lua:2",
        "one.lua:1",
        "two.lua:1",
        "one.lua:2",
        "main.lua:3",
    ]


def test_a_file_is_included_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        main='--@include "a.lua"\n--@include "b.lua"\n--@include "./b.lua"\nreturn 1\n',
        a='--@include "b.lua"\nlocal a = b\n',
        b="local b = 1\n",
    )
    assert Script.from_file("main.lua").code.count(b"local b = 1") == 1


def test_the_same_sources_give_the_same_hash_wherever_they_are(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        write(tmp_path / folder, main='--@include "a.lua"\nreturn a', a="local a = 1")
    here, there = (Script.from_file(tmp_path / each / "main.lua") for each in ("here", "there"))
    assert here.code == there.code == b'--@include "a.lua"\nlocal a = 1\nreturn a'
    # Pinned, as deployments do.
    assert here.hash == there.hash == "0803873d07cc3575e1127d7cfd62c5f4c203d907"


def test_lines_are_counted_as_lua_counts_them(tmp_path: Path) -> None:
    write(tmp_path, main='a = 1\r\n--@include "b.lua"\rc = 1\n\nd = 1', b="b = 1\r\nbb = 1")
    source_map = Script.from_file("main.lua")._source_map
    assert source_map is not None
    found = [str(source_map.place(line)) for line in range(1, 8)]
    assert found == [
        "main.lua:1",
        "main.lua:2",
        "b.lua:1",
        "b.lua:2",
        "main.lua:3",
        "main.lua:4",
        "main.lua:5",
    ]


TEXTS = st.lists(
    st.sampled_from(["\n", "\r", "\r\n", "a = 1", "-- b", '\n--@include "a.lua"\n', " "])
)


@given(main=TEXTS, included=TEXTS)
def test_every_line_is_found_where_it_came_from(main: list[str], included: list[str]) -> None:
    texts = {"main.lua": "".join(main), "a.lua": "".join(included).replace('"a.lua"', "")}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, name).write_bytes(text.encode())
        try:
            script = Script.from_file(Path(folder, "main.lua"))
        except ScriptSourceError:
            return
    files = {name: split_lines(text.encode()) for name, text in texts.items()}
    source_map = script._source_map
    assert source_map is not None
    for number, line in enumerate(split_lines(script.code), 1):
        place = source_map.place(number)
        assert files[Path(place.file).name][place.line - 1] == line


@pytest.mark.parametrize(
    "code",
    [
        'return [[\n--@include "nope.lua"\n]]',
        'return [==[ ]]\n--@include "nope.lua"\n]==]',
        '--[[\n--@include "nope.lua"\n]]\nreturn 1',
        'return "\\\n--@include \\"nope.lua\\""',
        "return '--@include \"nope.lua\"'",
        '-- --@include "nope.lua"\nreturn 1',
        '---@include "nope.lua"\nreturn 1',
    ],
)
def test_only_a_comment_of_its_own_includes(tmp_path: Path, code: str) -> None:
    write(tmp_path, main=code)
    assert Script.from_file("main.lua").code == code.encode()


def test_an_include_may_say_why(tmp_path: Path) -> None:
    write(tmp_path, main='--@include "a.lua" -- for sums\nreturn a', a="local a = 1\n")
    assert b"local a" in Script.from_file("main.lua").code


def test_an_include_may_go_up_as_far_as_the_root(tmp_path: Path) -> None:
    write(
        tmp_path, root__deep__main='--@include "../util.lua"\nreturn u', root__util="local u = 1\n"
    )
    assert Script.from_file("root/deep/main.lua", root="root").code.count(b"local u") == 1
    with pytest.raises(ScriptSourceError) as caught:
        Script.from_file("root/deep/main.lua")
    assert str(caught.value) == (
        'root/deep/main.lua:1: it includes "../util.lua", which is outside of root/deep'
    )


def test_the_first_line_may_be_a_shebang(tmp_path: Path) -> None:
    write(tmp_path, main="#!lua flags=no-writes\n--@key user\nreturn 1")
    script = Script.from_file("main.lua")
    assert script.read_only
    assert "user: Key" in str(script._signature)


BAD: list[tuple[dict[str, str | bytes], str]] = [
    ({}, "main.lua: the file does not exist"),
    ({"main": b"return 1\n\n-- \xff"}, "main.lua:3: it is not UTF-8: byte 0xff at 13"),
    ({"main": b"\xef\xbb\xbfreturn 1"}, "main.lua: it begins with a byte order mark"),
    ({"main": '\n--@include "a.lua"'}, 'main.lua:2: it includes "a.lua": the file does not exist'),
    ({"main": '--@include "a.lua"', "a": b"\xff"}, "a.lua:1: it is not UTF-8"),
    ({"main": "--@include a.lua"}, "main.lua:1: --@include takes a file in quotes"),
    ({"main": "--@include"}, "not nothing"),
    (
        {"main": 'f() --@include "a.lua"'},
        "main.lua:1: --@include must be on a line of its own",
    ),
    ({"main": '--@include "../a.lua"'}, 'it includes "../a.lua", which is outside of the folder'),
    ({"main": '--@include "/etc/passwd"'}, 'it includes "/etc/passwd", which is outside of'),
    ({"main": '--@include "x\\a.lua"'}, 'write folders with "/"'),
    ({"main": '--@include "main.lua"'}, "files include each other: main.lua:1 -> main.lua"),
    (
        {"main": '--@include "a.lua"', "a": '\n--@include "b.lua"', "b": '--@include "a.lua"'},
        "b.lua:1: files include each other: a.lua:2 -> b.lua:1 -> a.lua",
    ),
    ({"main": '--@include "a.lua"', "a": "#!lua\n"}, "a.lua:1: an included file cannot begin"),
    ({"main": '--@include "a/b.lua"', "a": ""}, "the file does not exist"),
]


@pytest.mark.parametrize(("files", "words"), BAD)
def test_a_source_that_cannot_be_used_says_where_and_why(
    tmp_path: Path, files: dict[str, str | bytes], words: str
) -> None:
    write(tmp_path, **files)
    with pytest.raises(ScriptSourceError) as caught:
        Script.from_file("main.lua")
    assert words in str(caught.value)
    assert caught.value.file is not None


def test_a_file_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ScriptSourceError) as caught:
        Script.from_file("x/y.lua")
    looked = f"x/y.lua: the file does not exist; it was looked for at {tmp_path / 'x/y.lua'}"
    assert str(caught.value) == looked


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder.lua").mkdir()
    with pytest.raises(ScriptSourceError, match=r"folder\.lua: it is a folder, not a file"):
        Script.from_file("folder.lua")
    os.symlink("loop.lua", "loop.lua")
    with pytest.raises(ScriptSourceError, match=r"loop\.lua: it cannot be read: .*links"):
        Script.from_file("loop.lua")


def test_arguments_are_checked(tmp_path: Path) -> None:
    write(tmp_path, main="return 1")
    with pytest.raises(TypeError, match="path is int; pass str or a path"):
        Script.from_file(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="path is bytes"):
        Script.from_file(b"main.lua")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="path is empty"):
        Script.from_file("")
    with pytest.raises(TypeError, match="name is int; pass str"):
        Script.from_file("main.lua", name=1)  # type: ignore[arg-type]
    with pytest.raises(ScriptSourceError, match="it is not in root, other"):
        Script.from_file("main.lua", root="other")


def test_a_script_of_a_file_can_be_pickled_whole(tmp_path: Path) -> None:
    write(tmp_path, main='--@key user\n--@include "a.lua"\nreturn a', a="local a = 1")
    script = Script.from_file("main.lua")
    again = pickle.loads(pickle.dumps(script))
    assert again == script
    assert (again.name, again.file, str(again._signature)) == (
        script.name,
        script.file,
        str(script._signature),
    )
    assert places(again) == places(script)


@pytest.fixture(params=["folder", "zip"])
def shop(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with scripts, in a folder or in a zip."""
    files = {
        "__init__.py": "",
        "take.lua": '--@include "lib/util.lua"\nreturn u',
        "lib/util.lua": "local u = 1\n",
        "bad.lua": '--@include "../outside.lua"',
        "missing.lua": '--@include "nope.lua"',
    }
    # A new name for each test, because modules stay imported.
    name = f"shop_{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
            for path, text in files.items():
                archive.writestr(f"{name}/{path}", text)
        monkeypatch.syspath_prepend(tmp_path / "shop.zip")
    else:
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_script_is_read_from_a_package(shop: str) -> None:
    script = Script.from_resource(shop, "take.lua")
    assert script.code == b'--@include "lib/util.lua"\nlocal u = 1\nreturn u'
    assert (script.name, script.file) == ("take", f"{shop}/take.lua")


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("nope.lua", "nope.lua: the file does not exist"),
        ("bad.lua", 'bad.lua:1: it includes "../outside.lua", which is outside'),
        ("missing.lua", "missing.lua:1: it includes"),
        ("lib", "lib: it is a folder, not a file"),
    ],
)
def test_a_resource_that_cannot_be_used_says_why(shop: str, resource: str, words: str) -> None:
    with pytest.raises(ScriptSourceError) as caught:
        Script.from_resource(shop, resource)
    assert words in str(caught.value)


def test_a_package_that_is_none_says_so() -> None:
    with pytest.raises(ScriptSourceError, match="there is no package 'no_such_package'"):
        Script.from_resource("no_such_package", "x.lua")
    with pytest.raises(ScriptSourceError, match=r"there is no package 'email\.nope'"):
        Script.from_resource("email.nope", "x.lua")
    with pytest.raises(TypeError, match="package is int"):
        Script.from_resource(1, "x.lua")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="inside the package"):
        Script.from_resource("email", "../x.lua")
    with pytest.raises(ValueError, match="resource is empty"):
        Script.from_resource("email", "")


def test_an_include_with_a_space_in_a_head_is_no_include(tmp_path: Path) -> None:
    write(tmp_path, main='--@include "a.lua"\nreturn 1', a='-- Title\n-- @include "b.lua"\n')
    with pytest.raises(ScriptSourceError, match=r"a\.lua:2: -- @include is only a comment; write"):
        Script.from_file("main.lua")
    write(tmp_path, a="-- @key user\n", after="return 1\n-- @key user")
    assert Script.from_file("main.lua").file == "main.lua"
    assert Script.from_file("after.lua").file == "after.lua"
