"""Functions of libraries on the command line: ``--function``."""

import json
import re
from pathlib import Path

import pytest
from tests.cli.terminal import piped

from glide_scripts.testing import ValkeyServer

pytestmark = pytest.mark.needs("functions")

LIBRARY = """\
#!lua name=shop
local function length(text)
  return #text
end
local function size(keys, args)
  local n = 0
  for i = 1, tonumber(args[1] or 1) do
    n = n + redis.call('STRLEN', keys[1])
    redis.log(redis.LOG_DEBUG, 'a')
  end
  return n + length('abc') + length(redis.sha1hex('')) - 40
end
redis.register_function('size', size)
redis.register_function{
  function_name = 'fails',
  callback = function(keys) return redis.call('LPOP', keys[1]) end
}
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    file = tmp_path / "shop.lua"
    file.write_text(LIBRARY)
    return file


DATA = ("--key", "k", "--data", '{"k": "four"}')


def test_run_calls_a_function(library: Path) -> None:
    ended = piped("run", str(library), "--function", "size", "--arg", "2", *DATA)
    assert (ended.code, ended.out, ended.err) == (0, "11\n", "")


def test_run_in_a_cluster_and_with_coverage(library: Path) -> None:
    words = (str(library), "--function", "size", "--cluster", "--coverage", *DATA)
    ended = piped("run", *words)
    assert (ended.code, ended.out) == (0, "7\n")
    assert re.search(r"shop\.lua +11 +1 +2 +0 +92% +16$", ended.err, re.M)


@pytest.mark.parametrize("command", [["run"], ["bench", "--calls", "1"], ["profile"]])
def test_an_error_shows_the_line_as_for_a_script(library: Path, command: list[str]) -> None:
    ended = piped(*command, str(library), "--function", "fails", *DATA)
    assert ended.code == 1
    first, *lines = ended.err.splitlines()
    assert re.match(r"glide-scripts: \S+shop\.lua:16: WRONGTYPE Operation against a key", first)
    assert "user_function" not in ended.err
    assert f"  --> {library}:16, in {library}" in lines
    assert " 16 |   callback = function(keys) return redis.call('LPOP', keys[1]) end" in lines
    assert any(line.startswith("   = help: ") for line in lines)


def test_an_error_in_an_included_file_is_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "add.lua").write_text("local function add(x)\n  return x + 1\nend\n")
    (tmp_path / "shop.lua").write_text(
        '#!lua name=shop\n--@include "add.lua"\n'
        "redis.register_function('f', function() return add(false) end)\n"
    )
    ended = piped("run", str(tmp_path / "shop.lua"), "--function", "f")
    assert ended.err.splitlines()[0].endswith(
        "add.lua:2: attempt to perform arithmetic on local 'x' (a boolean value)"
    )


def test_bench_calls_a_function(library: Path) -> None:
    words = (str(library), "--function", "size", "--calls", "50", "--json", *DATA)
    figures = json.loads(piped("bench", *words).out)
    assert (figures["calls"], figures["errors"], figures["function"]) == (50, {}, "size")


@pytest.mark.every_server
@pytest.mark.needs("a clock in functions")
def test_profile_has_the_lines_of_a_function_and_leaves_nothing(
    library: Path, own_server: ValkeyServer
) -> None:
    own_server.command("SET", "k", "four")
    own_server.command("FUNCTION", "LOAD", LIBRARY)
    words = (str(library), "--function", "size", "--key", "k", "--arg", "3", "--repeat", "10")
    ended = piped("profile", *words, "--json", "--url", own_server.url)
    assert (ended.code, ended.err) == (0, "")
    figures = json.loads(ended.out)
    counts = {each["line"]: each["count"] for each in figures["lines"]}
    assert counts == {2: 20, 3: 20, 5: 10, 6: 10, 7: 10, 8: 30, 9: 30, 11: 10}
    assert [(each["command"], each["count"]) for each in figures["commands"]] == [("STRLEN", 30)]
    assert 0.9 <= sum(each["share"] for each in figures["lines"]) <= 1.1
    listed = own_server.command("FUNCTION", "LIST")
    assert isinstance(listed, list)
    assert len(listed) == 1


@pytest.mark.needs("a clock in functions")
def test_profile_counts_calls_that_fail(library: Path, own_server: ValkeyServer) -> None:
    own_server.command("FUNCTION", "LOAD", LIBRARY)
    workload = library.with_suffix(".jsonl")
    workload.write_text('{"keys": ["none"]}\n{"keys": ["k"]}\n')
    own_server.command("SET", "k", "four")
    words = (str(library), "--function", "fails", "--workload", str(workload))
    ended = piped("profile", *words, "--url", own_server.url)
    assert ended.code == 1
    assert re.search(r"1 of 2 calls failed; the first one: \S+shop\.lua:16: WRONGTYPE", ended.err)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "it is a library of functions; name the one to call with --function"),
        (("--function", "nope"), "the library has no function 'nope'; it has fails, size"),
        (("--function", "size", "--once", "a"), "--once cannot be combined with --function"),
    ],
)
def test_wrong_usage_is_refused(library: Path, words: tuple[str, ...], why: str) -> None:
    ended = piped("run", str(library), *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert why in ended.err


def test_function_is_for_libraries(tmp_path: Path) -> None:
    (tmp_path / "script.lua").write_text("return 1\n")
    ended = piped("run", str(tmp_path / "script.lua"), "--function", "f")
    assert (ended.code, ended.out) == (2, "")
    assert "--function is for a library, whose first line is '#!lua name=…'" in ended.err


@pytest.mark.parametrize(
    "command",
    [["run", "--function", "size"], ["bench", "--function", "size"], ["load"]],
)
def test_a_server_without_functions_is_named(command: list[str], library: Path) -> None:
    # It refuses FUNCTION as Redis 6.2 does.
    with ValkeyServer(config={"rename-command": 'FUNCTION ""'}) as server:
        ended = piped(*command, str(library), "--url", server.url)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(
        "the server has no functions; they need Redis 7.0, Valkey 7.2 or later\n"
    )


def test_a_server_of_others_keeps_its_library(library: Path, own_server: ValkeyServer) -> None:
    words = ("run", str(library), "--function", "size", "--key", "k", "--url", own_server.url)
    ended = piped(*words)
    assert (ended.code, ended.out) == (1, "")
    assert f"{library}: the server has no library 'shop'; load it: glide-scripts load" in ended.err
    own_server.command("FUNCTION", "LOAD", LIBRARY.replace("'size', size", "'other', size"))
    assert "the server has another library 'shop'" in piped(*words).err
    own_server.command("FUNCTION", "LOAD", "REPLACE", LIBRARY)
    assert piped(*words).out == "3\n"


def test_the_debugger_takes_no_library(library: Path) -> None:
    ended = piped("debug", str(library), text="")
    assert (ended.code, ended.out) == (2, "")
    assert "the servers' debugger takes only scripts" in ended.err
