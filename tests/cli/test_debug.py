"""``glide-scripts debug``."""

import asyncio
import os
import re
import ssl
from pathlib import Path

import pytest
import trustme
from tests.cli.terminal import CTRL_C, CTRL_D, Ended, at_terminal, piped
from tests.tls_proxy import tls_proxy

from glide_scripts.testing import ValkeyCluster, ValkeyServer
from glide_scripts.testing._wait import wait_until

SCRIPT = """\
-- Takes one, and tells how many are left.
--@include "lib/count.lua"

local left = count(KEYS[1])
local text = 'left: ' .. left
redis.call('SET', KEYS[1], left - 1)
if left > 5 then
  return redis.error_reply('TOO_MANY of ' .. KEYS[1])
end
return text
"""
COUNT = """\
local function twice(n)
  return n * 2
end
local function count(key)
  local n = redis.call('GET', key)
  return twice(tonumber(n)) / 2
end
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "count.lua").write_text(COUNT)
    file = tmp_path / "take.lua"
    file.write_text(SCRIPT)
    return file


def debugged(script: Path, url: str, *commands: str, options: tuple[str, ...] = ()) -> Ended:
    """A session on a server where the key holds 3, without the folder's name."""
    text = "".join(f"{command}\n" for command in commands)
    ended = piped("debug", str(script), "--key", "k", "--url", url, *options, text=text)
    folder = f"{script.parent}/"
    return Ended(ended.code, ended.out.replace(folder, ""), ended.err.replace(folder, ""))


def answers(ended: Ended) -> list[str]:
    """What followed each command, and first what came before them."""
    return re.split(r"^debug> .*\n", ended.out, flags=re.MULTILINE)


@pytest.fixture
def stocked(url: str, live_server: ValkeyServer) -> str:
    live_server.command("SET", "k", "3")
    return url


def test_it_steps_through_files_and_shows_the_commands(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, "step", "step", "step", "step", "next", "next", "next", "n")
    assert ended.code == 0
    first, *then = answers(ended)
    assert "KEYS = [b'k']\nARGV = []\n" in first
    assert first.endswith("lib/count.lua:3\n-> 3 | end\n")
    assert then == [
        "-> 7 | end\n",
        "take.lua:4\n->  4 | local left = count(KEYS[1])\n",
        "lib/count.lua:5\n-> 5 |   local n = redis.call('GET', key)\n",
        '     > GET k\n     < "3"\n-> 6 |   return twice(tonumber(n)) / 2\n',
        # Over the call of twice().
        "take.lua:5\n->  5 | local text = 'left: ' .. left\n",
        "->  6 | redis.call('SET', KEYS[1], left - 1)\n",
        '     > SET k 2\n     < "+OK"\n->  7 | if left > 5 then\n',
        "-> 10 | return text\n",
    ]


def test_nothing_that_it_writes_stays(
    script: Path, stocked: str, live_server: ValkeyServer
) -> None:
    ended = debugged(script, stocked, "continue")
    assert (ended.code, answers(ended)[-1]) == (0, "the script returned b'left: 3'\n")
    assert live_server.command("GET", "k") == b"3"


def test_breakpoints_are_lines_of_the_files(script: Path, stocked: str) -> None:
    ended = debugged(
        script, stocked, "break 3", "b count.lua:2", "b", "c", "where", "out", "delete 3", "c"
    )
    _, *then = answers(ended)
    # Line 3 is empty.
    assert then[0] == "breakpoint at take.lua:4\n"
    assert then[1] == "breakpoint at lib/count.lua:2\n"
    assert then[2] == ("lib/count.lua:2: return n * 2\ntake.lua:4: local left = count(KEYS[1])\n")
    assert then[3].startswith("take.lua:4: breakpoint\n")
    assert "->* 4 | local left" in then[3]
    assert then[4] == "In top level, take.lua:4: local left = count(KEYS[1])\n"
    assert then[5].startswith('     > GET k\n     < "3"\nlib/count.lua:2: breakpoint\n')
    assert then[6] == "no breakpoint at take.lua:4 any more\n"
    assert then[7] == "the script returned b'left: 3'\n"


def test_a_breakpoint_stands_where_a_statement_begins(tmp_path: Path, url: str) -> None:
    file = tmp_path / "parts.lua"
    file.write_text(
        "local n = 1\n--[[ a\nlong comment ]]\nif n then\n  n = 2\nelse\n  n = 3\nend\nreturn n\n"
    )
    ended = debugged(file, url, "b 2", "b 6", "b 8", "c", "c", "c")
    _, *then = answers(ended)
    assert then[:3] == [f"breakpoint at parts.lua:{line}\n" for line in (4, 7, 9)]
    assert then[3].startswith("parts.lua:4: breakpoint\n")
    assert then[4].startswith("parts.lua:9: breakpoint\n")


def test_where_shows_the_functions_under_way(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, "c", "where", "out", options=("--break", "count.lua:2"))
    _, _, where, out = answers(ended)
    assert where.splitlines() == [
        "In twice, lib/count.lua:2: return n * 2",
        "From count, lib/count.lua:6: return twice(tonumber(n)) / 2",
        "From top level, take.lua:4: local left = count(KEYS[1])",
    ]
    assert out == "take.lua:5\n->  5 | local text = 'left: ' .. left\n"


def test_out_runs_until_the_function_returns(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, "c", "out", options=("--break", "count.lua:5"))
    assert answers(ended)[-1].endswith("take.lua:5\n->  5 | local text = 'left: ' .. left\n")


def test_variables_are_printed(script: Path, stocked: str) -> None:
    ended = debugged(
        script, stocked, "c", "print left", "p KEYS", "p", "p nosuch", "locals", "p #KEYS",
        "p left + 1", options=("-b", "6"),
    )  # fmt: skip
    assert ended.code == 1
    _, _, left, keys, every, nosuch, locals_, expression, local = answers(ended)
    assert (left, keys) == ("left = 3\n", "KEYS = [b'k']\n")
    assert {"left = 3", 'text = "left: 3"'} <= set(every.splitlines())
    assert locals_ == every
    assert nosuch == "there is no variable 'nosuch' here\n"
    assert expression == "#KEYS = 1\n"
    assert local == "left + 1 = 4\n"


FRAMES = """\
local function price(item, count)
  local each = item.price
  return each * count
end
local total = 0
local basket = {
  {name = 'é', price = 2.5},
  {name = "two", price = 4, tags = {'a', 'b'}},
}
for index, item in ipairs(basket) do
  local cost = price(item, index)
  total = total + cost
end
local text, number, nothing = '12', 12, nil
do
  local text = 'inner'
  total = total + #text
end
return tostring(total)
"""


def test_variables_of_each_function_are_seen_with_their_types(script: Path, stocked: str) -> None:
    script.write_text(FRAMES)
    ended = debugged(
        script, stocked, "b 3", "c", "p", "up", "p", "p cost", "e item.price * index", "where",
        "list", "down", "p count", "down", "c", "p item.tags", "up", "up", "d", "b 14", "c", "n",
        "p text", "p number", "p nothing", "b 17", "c", "p text", "b 19", "c", "p text", "e item",
    )  # fmt: skip
    _, _, _, inner, up, outer, cost, product, where, listed, down, count, beyond, *then = answers(
        ended
    )
    assert inner.splitlines()[:3] == ["each = 2.5", "count = 1", 'item = {name = "é", price = 2.5}']
    assert up.startswith("top level, take.lua:11\n")
    assert "-> 11 |   local cost = price(item, index)" in up
    assert 'item = {name = "é", price = 2.5}\nindex = 1\n' in outer
    assert "total = 0\n" in outer
    assert cost == "there is no variable 'cost' here\n"
    assert product == "2.5\n"
    assert where.splitlines() == [
        "In price, take.lua:3: return each * count",
        "-> From top level, take.lua:11: local cost = price(item, index)",
    ]
    assert "-> 11 |   local cost" in listed
    assert down.startswith("price, take.lua:3\n")
    assert count == "count = 1\n"
    assert beyond == "this is the innermost function\n"
    assert then[1] == 'item.tags = {"a", "b"}\n'
    assert then[3] == "this is the outermost function\n"
    printed = [each for each in then if " = " in each and "|" not in each]
    assert printed[1:] == [
        'text = "12"\n', "number = 12\n", "nothing = nil\n", 'text = "inner"\n', 'text = "12"\n',
    ]  # fmt: skip
    assert "nonexistent global variable 'item'" in then[-1]


def test_a_breakpoint_may_have_a_condition(script: Path, stocked: str) -> None:
    script.write_text(FRAMES)
    ended = debugged(
        script, stocked, "c", "p name", "b 12 if cost > 3", "b", "c", "p index", "b 19 if nosuch",
        "b 14 if ", "c", "c",
        options=("--break", "3 if item.name == 'two'"),
    )  # fmt: skip
    _, first, _, set_, every, second, index, _, empty, *then = answers(ended)
    assert first.startswith("take.lua:3: breakpoint\n")
    assert set_ == "breakpoint at take.lua:12 if cost > 3\n"
    assert every.splitlines() == [
        "take.lua:3 if item.name == 'two': return each * count",
        "take.lua:12 if cost > 3: total = total + cost",
    ]
    assert second.startswith("take.lua:12: breakpoint\n")
    assert index == "index = 2\n"
    assert empty == "if takes a condition, as in: break 12 if n > 3\n"
    assert "the condition 'nosuch' fails: Script attempted to access nonexistent" in then[0]
    assert then[1] == "the script returned b'15.5'\n"


def test_a_breakpoint_may_get_another_condition(script: Path, stocked: str) -> None:
    commands = "b 6", "b 6 if left < 0", "b 6 if left == 3 -- now", "b", "c"
    _, *then = answers(debugged(script, stocked, *commands))
    assert then[:3] == [
        "breakpoint at take.lua:6\n",
        "breakpoint at take.lua:6 if left < 0\n",
        "breakpoint at take.lua:6 if left == 3 -- now\n",
    ]
    assert then[3].startswith("take.lua:6 if left == 3 -- now: redis.call")
    assert "take.lua:6: breakpoint\n" in then[4]


@pytest.mark.parametrize("condition", ["(", "left ==", "left = 3", "'x"])
def test_a_condition_is_an_expression(script: Path, stocked: str, condition: str) -> None:
    ended = debugged(script, stocked, f"b 6 if {condition}", "b")
    why = f"{condition!r} is not a condition; write an expression, such as n > 3\n"
    assert (ended.code, answers(ended)[1:]) == (1, [why, "there are no breakpoints\n"])


def test_a_server_takes_64_breakpoints(tmp_path: Path, url: str) -> None:
    file = tmp_path / "long.lua"
    file.write_text("KEYS[1] = 'x'\n" * 65)
    ended = debugged(file, url, *(f"b {line}" for line in range(1, 66)), "d 1", "b 65")
    *_, last, too_many, _, again = answers(ended)
    assert last == "breakpoint at long.lua:64\n"
    assert too_many == "the server takes at most 64 breakpoints\n"
    assert again == "breakpoint at long.lua:65\n"


TAILS = """\
local function sum(n, total)
  if n == 0 then return total end
  return sum(n - 1, total + n)
end
local Walk = {}
function Walk:step(n)
  local left = n - 1
  if left > 0 then return self:step(left) end
  return n
end
return sum(3, 0) + Walk:step(3)
"""


def test_a_function_called_last_takes_the_place_of_its_caller(tmp_path: Path, url: str) -> None:
    file = tmp_path / "tails.lua"
    file.write_text(TAILS)
    ended = debugged(
        file, url, "b 2 if n == 1", "b 8 if left == 1", "c", "print", "up", "d 2", "c", "print",
        "up", "print self",
    )  # fmt: skip
    then = answers(ended)[3:]
    assert {"n = 1", "total = 5"} <= set(then[1].splitlines())
    assert then[2].startswith("top level, tails.lua:11\n")
    assert {"n = 2", "left = 1", "self = {step = <function>}"} <= set(then[5].splitlines())
    assert then[6].startswith("top level, tails.lua:11\n")
    assert then[7] == "there is no variable 'self' here\n"


def test_variables_are_seen_on_each_line_of_a_call(tmp_path: Path, url: str) -> None:
    file = tmp_path / "lines.lua"
    file.write_text(
        "local function f(t) return t[1] end\nlocal function g(n)\n  return f({\n    n + 1,\n"
        "    n + 2,\n  })\nend\nreturn g(1)\n"
    )
    ended = debugged(file, url, "b 3", "c", "step", "print n", "delete", "c")
    *_, n, _, end = answers(ended)
    assert (n, end) == ("n = 1\n", "the script returned 2\n")


def test_a_script_may_have_the_names_of_the_debuggers_variables(tmp_path: Path, url: str) -> None:
    file = tmp_path / "names.lua"
    file.write_text("local __d, __f, __f_ = 1, 2, 3\nlocal sum = __d + __f + __f_\nreturn sum\n")
    ended = debugged(file, url, "b 3", "c", "print", "c")
    *_, every, end = answers(ended)
    assert set(every.splitlines()) == {"sum = 6", "__f_ = 3", "__f = 2", "__d = 1"}
    assert end == "the script returned 6\n"


EXTRA = """\
local function last(name, ...)
  if name == 'end' then
    return ...
  end
  return last('end', ..., name)
end
local none = last('end')
return {last('start', 1, nil, {2})}
"""


def test_the_further_arguments_of_a_function_are_seen(tmp_path: Path, url: str) -> None:
    file = tmp_path / "extra.lua"
    file.write_text(EXTRA)
    commands = (
        "c", "print", "c", "print", "eval ...", "eval select('#', ...)", "eval {...}", "print name",
        "b 3 if select('#', ...) == 2", "c", "print ...", "up", "print ...",
    )  # fmt: skip
    ended = debugged(file, url, "b 3 if not ...", "b 5", *commands)
    assert ended.code == 0
    then = answers(ended)[3:]
    assert "... = (none)\n" in then[1]
    assert "... = 1, nil, {2}\n" in then[3]
    shown = ["1, nil, {2}\n", "3\n", "{1, [3] = {2}}\n", 'name = "start"\n']
    assert then[4:8] == shown
    assert then[10] == '... = 1, "start"\n'
    assert then[12] == "... = nil\n"


def test_code_and_commands_are_run(script: Path, stocked: str) -> None:
    long = "eval '" + "x" * 1100 + "'"
    ended = debugged(script, stocked, "eval #KEYS + 1", "eval nosuch", "redis set k 'a b'",
                     "r get k", long, "redis", "eval", "redis '")  # fmt: skip
    _, *then = answers(ended)
    assert then[0] == "2\n"
    assert then[1] == (
        "     error: Script attempted to access nonexistent global variable 'nosuch'\n"
    )
    assert then[2:4] == ['     > set k a b\n     < "+OK"\n', '     > get k\n     < "a b"\n']
    assert "the debugger takes 1 to 1024 bytes, not " in then[4]
    assert then[5].startswith("redis takes a command")
    assert then[6].startswith("eval takes Lua")
    assert "No closing quotation" in then[7]


def test_a_file_with_the_line_ends_of_windows_has_variables(tmp_path: Path, url: str) -> None:
    file = tmp_path / "take.lua"
    lines = "local a = 1\nlocal function inc(b)\n  return a + b\nend\na = inc(2)\nreturn a\n"
    file.write_bytes(lines.replace("\n", "\r\n").encode())
    ended = debugged(file, url, "b 3 if b == 2", "c", "p", "n", "p a", "c")
    _, _, stopped, variables, _, after, end = answers(ended)
    assert "->*3 |   return a + b\n" in stopped
    assert variables == "b = 2\na = 1\n"
    assert after == "a = 3\n"
    assert end == "the script returned 3\n"


def test_nothing_controls_the_terminal(tmp_path: Path, url: str) -> None:
    file = tmp_path / "red.lua"
    file.write_text(
        "local a = 'x\x1b[2J'\nredis.debug(a)\nredis.call('SET', KEYS[1], a)\nerror(a)\n"
    )
    ended = debugged(file, url, "s", "s", "s", "list", "c")
    assert "\x1b" not in ended.out
    assert "debug, red.lua:2: x\\x1b[2J\n" in ended.out
    assert "> SET k x\\x1b[2J\n" in ended.out
    assert "   1 | local a = 'x\\x1b[2J'\n" in ended.out


def test_lines_are_listed_with_marks(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, "b 5", "c", "list", "list count.lua:1", "list 77", "list 0")
    _, _, _, here, there, beyond, wrong = answers(ended)
    assert here.splitlines()[0] == "take.lua"
    assert "->* 5 | local text = 'left: ' .. left" in here.splitlines()
    assert "   10 | return text" in here.splitlines()
    assert there.splitlines()[:2] == ["lib/count.lua", "   1 | local function twice(n)"]
    assert beyond == "take.lua has no code at line 77 or below\n"
    assert wrong == "'0' is not a line; write 12, or util.lua:12\n"


def test_a_script_that_fails_is_shown_where_it_failed(
    script: Path, stocked: str, live_server: ValkeyServer
) -> None:
    live_server.command("DEL", "k")
    ended = debugged(script, stocked, "continue", "step")
    assert ended.code == 1
    _, failed, after = answers(ended)
    assert failed.startswith("lib/count.lua:2: attempt ")
    assert "\n 2 |   return n * 2\n" in failed
    assert "included at take.lua:2\n" in failed
    assert after == "the script is over; restart or quit\n"


@pytest.mark.every_server
def test_an_error_has_the_words_that_a_call_without_debugger_gets(tmp_path: Path) -> None:
    file = tmp_path / "fails.lua"
    file.write_text("local a = 1\nreturn a + KEYS\n")
    plain = piped("run", str(file)).err.removeprefix("glide-scripts: ").splitlines()[0]
    assert plain == f"{file}:2: attempt to perform arithmetic on global 'KEYS' (a table value)"
    assert f"\n{plain}\n" in piped("debug", str(file), text="c\n").out


def test_an_error_within_a_reply_is_shown_as_run_shows_it(tmp_path: Path, url: str) -> None:
    file = tmp_path / "errors.lua"
    file.write_text("return {1, redis.error_reply('ERR no')}\n")
    stepped = debugged(file, url, "c")
    plain = piped("run", str(file), "--key", "k", "--url", url).out
    assert f"the script returned {plain}" in stepped.out
    assert plain == "[1, RequestError('ERR no')]\n"


def test_an_error_that_a_script_returns_ends_with_1(
    script: Path, stocked: str, live_server: ValkeyServer
) -> None:
    live_server.command("SET", "k", "9")
    ended = debugged(script, stocked, "continue")
    assert ended.code == 1
    assert "TOO_MANY of k" in answers(ended)[-1]


def test_a_script_is_aborted_and_restarted(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, "b 6", "c", "abort", "restart", "b", "c", "quit", "step")
    assert ended.code == 0
    _, _, _, abort, restart, breaks, again, *rest = answers(ended)
    assert abort == "the script is aborted\n"
    assert restart.endswith("lib/count.lua:3\n-> 3 | end\n")
    assert breaks == "take.lua:6: redis.call('SET', KEYS[1], left - 1)\n"
    assert again.startswith("take.lua:6: breakpoint\n")
    assert rest == [""]


def test_what_redis_debug_says_and_breakpoint_stops_at(script: Path, stocked: str) -> None:
    script.write_text("redis.debug('seen', 7)\nredis.breakpoint()\nlocal a = 1\nreturn a\n")
    ended = debugged(script, stocked, "s", "c")
    _, said, stopped = answers(ended)
    assert said.startswith("     debug, take.lua:1: seen, 7\n")
    assert stopped.startswith("take.lua:3: ")
    assert "breakpoint() called\n" in stopped


def test_a_script_that_is_no_lua_ends_with_1_and_its_line(script: Path, stocked: str) -> None:
    (script.parent / "lib" / "count.lua").write_text("local x = = 1\n")
    ended = debugged(script, stocked, "s")
    assert ended.code == 1
    assert ended.err.startswith("glide-scripts: lib/count.lua:1: ")
    assert "Traceback" not in ended.err


def test_an_empty_script_ends_with_2(script: Path, stocked: str) -> None:
    script.write_text("\n\n")
    ended = debugged(script, stocked, "s")
    assert (ended.code, ended.out, ended.err) == (2, "", "glide-scripts: take.lua: it is empty\n")


def test_a_restart_reads_the_file_again(script: Path, tmp_path: Path) -> None:
    script.write_text("local a = 1\nlocal b = 2\nreturn a\n")
    state = {"XDG_STATE_HOME": str(tmp_path)}
    with at_terminal("debug", str(script), "--break", "3", **state) as terminal:
        terminal.see("debug>")
        for code in ("local a = 7\nreturn a\n", "return )\n"):
            script.write_text(code)
            terminal.type("restart")
            if "a = 7" in code:
                terminal.see("no breakpoint at")
                terminal.see("local a = 7")
            else:
                terminal.see("unexpected symbol near ')'")
            terminal.see("debug>")
        terminal.type("step")
        terminal.see("the script is over; restart or quit")
        terminal.press(CTRL_D)
        assert terminal.end() == 1


def test_an_unknown_command_is_told(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, "fly", "help", "c")
    assert ended.code == 1
    _, fly, about, _ = answers(ended)
    assert fly == "there is no command 'fly'; help lists them\n"
    assert "  step, s            run this line" in about
    assert "  help, h            show these\n" in about


def test_a_breakpoint_at_no_line_ends_with_2(script: Path, stocked: str) -> None:
    ended = debugged(script, stocked, options=("--break", "nope.lua:1"))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("glide-scripts: --break: the script has no file 'nope.lua'")


def test_bytes_that_are_no_text_are_debugged_too(script: Path, stocked: str) -> None:
    script.write_bytes(b"local a = '\xff'\nreturn a\n")
    ended = debugged(script, stocked, "s", os.fsdecode(b"eval #'\xff'"), "c")
    assert (ended.code, ended.err) == (0, "")
    assert answers(ended)[2:] == ["1\n", "the script returned b'\\xff'\n"]
    ended = debugged(script, stocked, os.fsdecode(b"redis '\xff"))
    assert answers(ended)[1] == "'\ufffd: No closing quotation\n"


def test_keys_that_are_changed_are_printed_as_they_are(script: Path, stocked: str) -> None:
    script.write_text("KEYS[1] = 'other'\nlocal a = 1\nreturn a\n")
    ended = debugged(script, stocked, "p KEYS", "s", "p KEYS", "p ARGV")
    _, before, _, after, args = answers(ended)
    assert (before, args) == ("KEYS = [b'k']\n", "ARGV = []\n")
    assert "other" in after


def test_a_start_in_an_included_file_is_told(script: Path, stocked: str) -> None:
    first, *_ = answers(debugged(script, stocked))
    assert "it begins in lib/count.lua, which take.lua includes\n" in first


def test_what_no_server_has_is_told_as_by_the_other_commands(
    script: Path, stocked: str, live_server: ValkeyServer
) -> None:
    place = f"127.0.0.1:{live_server.port}"
    for url, options, said in (
        (f"valkey://{place}/99", (), "DB index is out of range"),
        (f"valkeys://{place}", (), "the server does not speak TLS on this port"),
        (f"valkey://{place}", ("--cluster",), "cluster support disabled"),
    ):
        ended = debugged(script, url, options=options)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert said in ended.err


def test_a_node_of_a_cluster_is_not_taken_for_a_server(script: Path) -> None:
    with ValkeyCluster(replicas=0) as cluster:
        owner = cluster.slot_owner(cluster.key_slot("k"))
        (other, *_) = (node for node in cluster.nodes if node is not owner)
        ended = debugged(script, other.url)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "glide-scripts: the server is a node of a cluster; add --cluster\n"


def test_a_cluster_is_debugged_at_the_node_of_the_keys(script: Path) -> None:
    with ValkeyCluster(replicas=0) as cluster:
        for key in "abc":
            text = "redis set " + key + " 3\nc\n"
            ended = piped(
                "debug", str(script), "--key", key, "--cluster", "--url", cluster.url, text=text
            )
            assert (ended.code, answers(ended)[-1]) == (0, "the script returned b'left: 3'\n")


def test_it_logs_in_and_selects(script: Path) -> None:
    script.write_text("local a = 1\nreturn redis.call('GET', KEYS[1])\n")
    with ValkeyServer(password="right") as server:
        server.command("ACL", "SETUSER", "ann", "on", ">pass", "~*", "+@all")
        with server.connect() as connection:
            connection.command("SELECT", 3)
            connection.command("SET", "k", "in 3")
        place = f"127.0.0.1:{server.port}"
        for user in (":right", "ann:pass"):
            ended = debugged(script, f"valkey://{user}@{place}/3", "c")
            assert (ended.code, answers(ended)[-1]) == (0, "the script returned b'in 3'\n")
        ended = debugged(script, f"valkey://:wrong@{place}")
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "WRONGPASS" in ended.err
        assert "wrong@" not in ended.err


async def test_it_goes_over_tls(
    script: Path, stocked: str, live_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = script.with_name("ca.pem")
    authority.cert_pem.write_to_path(str(trusted))
    async with tls_proxy(live_server, context) as port:
        url = f"valkeys://127.0.0.1:{port}"
        ended = await asyncio.to_thread(debugged, script, url, "c")
        assert (ended.code, ended.out) == (2, "")
        assert "of an unknown authority" in ended.err
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        ended = await asyncio.to_thread(debugged, script, url, "c")
        assert (ended.code, answers(ended)[-1]) == (0, "the script returned b'left: 3'\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nope.lua",), "nope.lua: No such file"),
        (("{script}", "--url", "nowhere"), "url: it has no scheme"),
        (("{script}", "--url", "valkey://127.0.0.1:1"), "127.0.0.1:1: Connection refused"),
    ],
)
def test_no_file_and_no_server_end_with_2_and_one_line(
    script: Path, words: tuple[str, ...], told: str
) -> None:
    ended = piped("debug", *(word.replace("{script}", str(script)) for word in words))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("glide-scripts: ")
    assert told in ended.err


def test_at_a_terminal_an_empty_line_steps_and_ctrl_c_ends_a_loop(tmp_path: Path) -> None:
    loop = tmp_path / "loop.lua"
    loop.write_text("local n = 0\nlocal m = 1\nredis.log(3, 'it loops')\nwhile true do n = 1 end\n")
    with (
        ValkeyServer() as server,
        at_terminal(
            "debug", str(loop), "--url", server.url, XDG_STATE_HOME=str(tmp_path)
        ) as terminal,
    ):
        terminal.see("local n")
        terminal.see("debug>")
        terminal.type("step")
        terminal.see("local m")
        terminal.see("debug>")
        terminal.type("")
        terminal.see("redis.log")
        terminal.see("debug>")
        terminal.type("continue")
        wait_until(lambda: None if "it loops" in server.log else "it does not loop", timeout=10)
        terminal.press(CTRL_C)
        terminal.see("interrupted: the script is left, and ends when it stops; restart or quit")
        terminal.see("debug>")
        terminal.type("restart")
        terminal.see("local n")
        terminal.see("debug>")
        terminal.press(CTRL_C)
        terminal.see("debug>")
        terminal.press(CTRL_D)
        assert terminal.end() == 0
    assert (tmp_path / "glide-scripts" / "debug_history").exists()


def test_of_several_breakpoints_one_is_deleted(script: Path, stocked: str) -> None:
    script.write_text("local a = 1\n" * 5 + "return a\n")
    commands = ("b 2", "b 3", "b 4", "b 5", "d 3", "d 2", "c", "c", "c")
    _, *then = answers(debugged(script, stocked, *commands))
    assert then[6].startswith("take.lua:4: breakpoint\n")
    assert then[7].startswith("take.lua:5: breakpoint\n")
    assert then[8] == "the script returned 1\n"


BRANCHES = """\
--@include "lib/count.lua"
local n = tonumber(ARGV[1])
local seen = {}
for i = 1, 3 do
  if i == n then
    break
  end
  seen[#seen + 1] = i
end
while n < 2 do
  n = n + 1
end
repeat
  n = n - 1
until n <= 0
if #seen > 5 then
  return redis.error_reply('MANY')
elseif #seen > 1 then
  redis.debug('two or more')
end
local half = function(x)
  return x / 2
end
return half(count(KEYS[1]))
"""


def rows(report: str) -> dict[str, str]:
    """Return what a report of coverage says of each file."""
    found = re.findall(r"^\S*?(\w+\.lua) +(.*?)\s*$", report, re.MULTILINE)
    return {name: re.sub(r" +", " ", row) for name, row in found}


class TestCoverage:
    """``debug --coverage``."""

    @pytest.fixture
    def branches(self, script: Path) -> Path:
        script.write_text(BRANCHES)
        return script

    def run(self, script: Path, *words: str, text: str) -> Ended:
        words = (str(script), "--key", "k", "--data", '{"k": 3}', "--coverage", *words)
        return piped("debug", *words, text=text)

    @pytest.mark.parametrize("commands", ["c\n", "s\n" * 60, "n\n" * 40, "b count.lua:2\nc\nc\n"])
    def test_it_reports_what_the_run_reached(self, branches: Path, commands: str) -> None:
        words = ("--arg", "1")
        plain = piped("run", str(branches), "--key", "k", *words, "--coverage", "--data", '{"k":3}')
        assert rows(plain.err)["take.lua"] == "18 3 12 4 77% 4->10, 8, 17, 19"
        ended = self.run(branches, *words, text=commands)
        assert "the script returned 1\n" in ended.out
        assert rows(ended.err) == rows(plain.err)

    def test_it_stops_and_counts_lines_as_without(self, branches: Path) -> None:
        words = ("--arg", "3")
        ended = self.run(branches, *words, text="s\n" * 80)
        plain = piped(
            "debug", str(branches), "--key", "k", *words, "--data", '{"k": 3}', text="s\n" * 80
        )
        assert ended.out == plain.out
        assert f"debug, {branches}:19: " in ended.out

    def test_it_sums_up_the_runs_even_of_one_that_is_left(self, branches: Path) -> None:
        text = "b 10\ncontinue\nrestart\ncontinue\n"
        ended = self.run(branches, "--arg", "2", text=text)
        assert rows(ended.err)["take.lua"].endswith(" 10-24")
        assert rows(ended.err)["count.lua"].endswith(" 2, 5-6")

    def test_a_script_that_fails_has_its_lines(self, branches: Path) -> None:
        ended = self.run(branches, text="c\n")
        assert ended.code == 1
        assert "attempt to compare" in ended.out
        assert rows(ended.err)["take.lua"].endswith(" 6, 11-24")

    def test_in_a_cluster(self, branches: Path) -> None:
        ended = piped(
            "debug",
            str(branches),
            "--key",
            "k",
            "--arg",
            "3",
            "--cluster",
            "--coverage",
            text="c\n",
        )
        assert rows(ended.err)["count.lua"] == "5 0 0 0 100%"

    def test_a_script_with_too_many_variables_is_debugged_without(self, branches: Path) -> None:
        names = ", ".join(f"v{n}" for n in range(199))
        branches.write_text(f"local {names}\nreturn 1\n")
        ended = self.run(branches, text="c\n")
        assert ended.code == 0
        assert "the script has no room for probes: it is debugged without coverage\n" in ended.out
        assert "the script returned 1\n" in ended.out

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (("{script}", "--url", "valkey://localhost"), "leave --url out"),
            (("-e", "return 1"), "-e: --coverage is for a script in a file"),
        ],
    )
    def test_it_needs_a_file_and_a_log(
        self, branches: Path, words: tuple[str, ...], why: str
    ) -> None:
        words = tuple(word.replace("{script}", str(branches)) for word in words)
        ended = piped("debug", *words, "--coverage", text="c\n")
        assert (ended.code, ended.out) == (2, "")
        assert why in ended.err
