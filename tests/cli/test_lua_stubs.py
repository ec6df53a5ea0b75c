"""glide-scripts stubs --lua: definitions of what scripts may use, for editors."""

import re
from pathlib import Path

import pytest
import tree_sitter_lua
from tests.cli.complaints import assert_one_line
from tree_sitter import Language, Parser

from glide_scripts import ScriptLibrary
from glide_scripts.cli import main
from glide_scripts.cli._globals import MEMBERS
from glide_scripts.testing import ValkeyServer


@pytest.fixture
def text(tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file that is written into the current folder."""
    monkeypatch.chdir(tmp_path)
    assert main(["stubs", "--lua", "--url", server.url]) == 0
    return (tmp_path / ".luals" / "redis.lua").read_text()


def overloads(text: str, function: str = "call") -> list[str]:
    """The parameters of each overload of a function."""
    head = text.partition(f"\nfunction redis.{function}(")[0]
    lines = head.splitlines()
    lines.reverse()
    found = []
    for line in lines:
        if not line.startswith("---"):
            break
        if match := re.fullmatch(r"---@overload fun\((.*)\): any", line):
            found.append(match[1])
    return found


def test_it_is_lua(text: str) -> None:
    assert text.startswith("---@meta\n-- Written by `glide-scripts stubs --lua`, for ")
    tree = Parser(Language(tree_sitter_lua.language())).parse(text.encode())
    assert not tree.root_node.has_error
    assert all(line.strip() == line for line in text.splitlines())


def test_each_command_has_its_arguments(text: str) -> None:
    found = overloads(text)
    assert found == overloads(text, "pcall")
    rest = "...: redis.Arg"
    assert {
        f'command: "SET"|"set", key: string, value: redis.Arg, {rest}',
        'command: "GET"|"get", key: string',
        f'command: "EXPIRE"|"expire", key: string, seconds: redis.Arg, {rest}',
        f'command: "DEL"|"del", key: string, {rest}',
        f'command: "ZADD"|"zadd", key: string, {rest}',
        f'command: "HSET"|"hset", key: string, field: redis.Arg, value: redis.Arg, {rest}',
        'command: "OBJECT"|"object", subcommand: "ENCODING"|"encoding", key: string',
        'command: "LMOVE"|"lmove", source: string, destination: string, '
        'wherefrom: "LEFT"|"RIGHT", whereto: "LEFT"|"RIGHT"',
    } <= {*found}


def test_it_has_the_commands_that_scripts_may_call(text: str, server: ValkeyServer) -> None:
    known = server.command("COMMAND")
    assert isinstance(known, list)
    callable_ = set()
    for each in known:
        assert isinstance(each, list)
        assert isinstance(each[0], bytes)
        assert isinstance(each[2], list)
        if b"noscript" not in each[2] and not each[9]:
            callable_.add(each[0].decode().upper())
    named = {re.match(r'command: "([^"]+)"', each)[1] for each in overloads(text)}  # type: ignore[index]
    assert callable_ <= named
    assert not {"SUBSCRIBE", "MULTI", "EVAL"} & named
    assert re.search(r'^---\| "GET" # `GET key` Returns the string value of a key\.$', text, re.M)


def test_it_has_what_servers_give_to_scripts(text: str, server: ValkeyServer) -> None:
    for table in (b"bit", b"cjson", b"cmsgpack", b"struct", b"os"):
        for function in MEMBERS[table]:
            name = f"{table.decode()}.{function.decode()}"
            is_defined = f"\nfunction {name}(" in text or name == "cjson.null"
            assert is_defined or function.startswith(b"_"), name
    names = server.command(
        "EVAL", "local n = {} for k in pairs(redis) do n[#n + 1] = k end return n", 0
    )
    assert isinstance(names, list)
    members = [name.decode() for name in names if isinstance(name, bytes)]
    for member in members:
        is_defined = f"\nfunction redis.{member}(" in text
        assert is_defined or re.search(rf"^---@field {member}\?? ", text, re.M), member
    for name in ("KEYS = {}", "ARGV = {}", "server = redis"):
        assert f"\n{name}\n" in text


def test_it_has_what_included_files_define(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "now.lua").write_text(
        "-- The time.\nlocal function now()\n  local t = redis.call('TIME')\n  return t[1]\nend\n"
        "local LIMIT, STEP = 5, 2\nlocal last, first; local twice = function(x) return 2 * x end\n"
    )
    (tmp_path / "main.lua").write_text('--@include "lib/now.lua"\nlocal own = now()\nreturn own\n')
    (tmp_path / "wrong.lua").write_text('--@include "none.lua"\n')
    monkeypatch.chdir(tmp_path.parent)
    assert main(["stubs", "--lua", tmp_path.name, "--url", server.url]) == 0
    text = (tmp_path / ".luals" / "redis.lua").read_text()
    # Not `now` as a local, which other files would not see.
    assert text.endswith(
        "\n-- For the scripts that include lib/now.lua:\n"
        "-- The time.\nfunction now()\n  local t = redis.call('TIME')\n  return t[1]\nend\n"
        "LIMIT, STEP = 5, 2\nlast, first = nil; twice = function(x) return 2 * x end\n"
    )
    assert "own" not in text.rpartition("-- For the scripts")[2]


def test_it_is_no_script_of_the_folder(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.lua").write_text("return 1")
    assert [script.name for script in ScriptLibrary.from_directory(tmp_path)] == ["a"]


def test_a_file_that_is_out_of_date_is_told(
    text: str, tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stubs", "--lua", "--url", server.url]
    assert main([*words, "--check"]) == 0
    assert main([*words, "--check", "--output", "none.lua"]) == 1
    assert_one_line(capsys, "none.lua does not exist; run glide-scripts stubs --lua")
    (tmp_path / ".luals" / "redis.lua").write_text(text + "\n")
    assert main([*words, "--check"]) == 1
    assert_one_line(capsys, "redis.lua is out of date; run glide-scripts stubs --lua")
    assert main([*words, "--output", "x.lua"]) == 0
    assert (tmp_path / "x.lua").read_text() == text
    (tmp_path / "inner").mkdir()
    assert main([*words[:2], "inner", *words[2:]]) == 0
    assert (tmp_path / "inner" / ".luals" / "redis.lua").read_text() == text


def test_without_lua_it_asks_for_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stubs"]) == 2
    assert_one_line(capsys, "which folder? Name the folder of scripts, or add --lua")
